/*
 * What the admin page tells about restarts: the counts of the process that drains, which are exact, the restarts of all
 * generations, and the requests that run.
 */
#include "tests/support/client.h"
#include "tests/support/rig.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WAIT_MS 20000
#define IDLE_CLIENTS 10
#define FIRST_SLEEPERS 6 /* so many that each worker has some */
#define SLEEPERS 25
#define WAITING 7 /* clients whom nobody lets in */

static struct rig rig;

static void finish(void)
{
    rig_finish(&rig);
}

TestSuite(admin_history, .fini = finish, .timeout = 60);

/* ---- the status -------------------------------------------------------------------------------- */

static cJSON *ask_status(void)
{
    char *body = NULL;
    cJSON *status;

    cr_assert(eq(int, rig_page(&rig, "/status", &body), 200));
    status = cJSON_Parse(body);
    cr_assert(not(zero(ptr, status)), "%s", body);
    free(body);
    return status;
}

static const cJSON *get(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

    cr_assert(not(zero(ptr, (void *)item)), "no %s", key);
    return item;
}

static double number(const cJSON *json, const char *key)
{
    cr_assert(cJSON_IsNumber(get(json, key)), "no number: %s", key);
    return get(json, key)->valuedouble;
}

static char *text(const cJSON *json, const char *key)
{
    char *value = cJSON_GetStringValue(get(json, key));

    cr_assert(not(zero(ptr, value)), "no text: %s", key);
    return value;
}

static bool is_true(const cJSON *json, const char *key)
{
    return cJSON_IsTrue(get(json, key));
}

static const cJSON *server(const cJSON *status, int n)
{
    const cJSON *s = cJSON_GetArrayItem(get(status, "servers"), n);

    cr_assert(not(zero(ptr, (void *)s)));
    return s;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Asks until the status is as wanted, as a page that is open does; it fails with the last one where it never is. */
static cJSON *wait_for(bool (*is_wanted)(const cJSON *status))
{
    const struct timespec pause = {.tv_nsec = 20000000};
    int64_t until = now_ms() + WAIT_MS;
    cJSON *status = ask_status();

    while (!is_wanted(status)) {
        cr_assert(lt(i64, now_ms(), until), "it stays: %s", cJSON_Print(status));
        cJSON_Delete(status);
        nanosleep(&pause, NULL);
        status = ask_status();
    }
    return status;
}

static bool has_predecessor(const cJSON *status, const char *key, double count)
{
    const cJSON *predecessor = get(status, "predecessor");

    return cJSON_IsObject(predecessor) && number(predecessor, key) == count;
}

static bool has_gone(const cJSON *status)
{
    const cJSON *predecessor = get(status, "predecessor");

    return cJSON_IsObject(predecessor) && is_true(predecessor, "gone");
}

static void expect_drain(const cJSON *status, pid_t pid, unsigned moved, unsigned closed, unsigned cut)
{
    const cJSON *predecessor = get(status, "predecessor");
    char message[256];

    snprintf(message, sizeof(message), "process %d %s: %u connection%s moved, %u closed with notice, 0 raced, %u cut",
             (int)pid,
             is_true(predecessor, "gone")                      ? "has drained and gone"
             : !strcmp(text(predecessor, "state"), "watching") ? "watches over this one and drains"
                                                               : "drains",
             moved, moved == 1 ? "" : "s", closed, cut);
    cr_expect(eq(dbl, number(predecessor, "pid"), pid));
    cr_expect(eq(dbl, number(predecessor, "moved"), moved));
    cr_expect(eq(dbl, number(predecessor, "closed"), closed));
    cr_expect(eq(dbl, number(predecessor, "raced"), 0));
    cr_expect(eq(dbl, number(predecessor, "cut"), cut));
    cr_expect(zero(int, strncmp(text(predecessor, "message"), message, strlen(message))), "%s\n%s",
              text(predecessor, "message"), message);
}

/* ---- the process that drains ------------------------------------------------------------------- */

static void begin(const char *lines)
{
    cr_assert(zero(int, rig_begin(&rig, lines)));
}

static struct client *connect_and_ask(const struct transport_target *target)
{
    struct client *client = client_connect(target, WAIT_MS);
    const struct answer *answer;
    int error = 0;

    cr_assert(client != NULL);
    answer = client_get(client, "/pid", &error);
    cr_assert(answer != NULL, "%s", strerror(-error));
    cr_expect(answer->keep_alive);
    return client;
}

static struct client *connect_and_sleep(const char *method, int ms)
{
    struct client *client = client_connect(&rig.http, WAIT_MS);
    char request[128];

    cr_assert(client != NULL);
    snprintf(request, sizeof(request), "%s /sleep?ms=%d HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", method, ms);
    cr_assert(zero(int, client_send_text(client, request)));
    return client;
}

static bool all_have_moved(const cJSON *status)
{
    return has_predecessor(status, "moved", IDLE_CLIENTS);
}

Test(admin_history, counts_the_connections_that_move)
{
    struct client *clients[IDLE_CLIENTS];
    cJSON *status;
    pid_t old;

    begin("");
    old = rig.pid;
    status = ask_status();
    cr_expect(cJSON_IsNull(get(status, "predecessor")));
    cr_expect(zero(int, cJSON_GetArraySize(get(status, "history"))));
    cr_expect(eq(str, text(status, "tls"), "new"));
    cJSON_Delete(status);
    for (int i = 0; i < IDLE_CLIENTS; i++)
        clients[i] = connect_and_ask(&rig.http);
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0)); /* which needs no connection itself */
    status = wait_for(all_have_moved);
    expect_drain(status, old, IDLE_CLIENTS, 0, 0);
    cr_expect(eq(str, text(status, "tls"), "kept"));
    cr_expect(eq(dbl, number(server(status, 0), "moved"), 0)); /* of this process: none */
    cJSON_Delete(status);
    status = wait_for(has_gone);
    expect_drain(status, old, IDLE_CLIENTS, 0, 0);
    cJSON_Delete(status);
    for (int i = 0; i < IDLE_CLIENTS; i++)
        client_close(clients[i]);
}

static bool one_runs_there(const cJSON *status)
{
    return has_predecessor(status, "in_flight", 1);
}

Test(admin_history, shows_a_request_that_outlasts_its_process)
{
    struct client *client;
    cJSON *status;
    int error = 0;
    pid_t old;

    begin("");
    old = rig.pid;
    client = connect_and_sleep("GET", 3000);
    cr_assert(zero(int, process_wait_line(rig.process, "sleeping in", WAIT_MS)));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    status = wait_for(one_runs_there);
    expect_drain(status, old, 0, 0, 0);
    cr_expect(
        not(zero(ptr, strstr(text(get(status, "predecessor"), "message"), "; 1 request still runs: /sleep (1, "))));
    cr_expect(zero(int, strncmp(text(get(status, "predecessor"), "holds_up"), "/sleep (1, the longest for ", 27)));
    cr_expect(cJSON_IsNull(get(get(status, "predecessor"), "older")));
    cr_expect(eq(dbl, number(get(status, "predecessor"), "connections"), 1));
    cJSON_Delete(status);
    cr_assert(client_receive(client, &error) != NULL, "%s", strerror(-error));
    status = wait_for(has_gone);
    expect_drain(status, old, 1, 0, 0); /* it moves once it is answered */
    cr_expect(eq(dbl, number(get(status, "predecessor"), "in_flight"), 0));
    cr_expect(zero(ptr, strstr(text(get(status, "predecessor"), "message"), "still")));
    cJSON_Delete(status);
    client_close(client);
}

/* The older one watches no more: its report says so a moment after the restart. */
static bool two_processes_drain(const cJSON *status)
{
    const cJSON *older = has_predecessor(status, "in_flight", 1) ? get(get(status, "predecessor"), "older") : NULL;

    return cJSON_IsObject(older) && number(older, "in_flight") == 1 && strcmp(text(older, "state"), "draining") == 0;
}

static bool one_process_drains(const cJSON *status)
{
    return has_predecessor(status, "in_flight", 1) && cJSON_IsNull(get(get(status, "predecessor"), "older"));
}

Test(admin_history, shows_three_generations)
{
    static const char *const counts[] = {"moved", "closed", "raced", "cut", "waiting"};
    struct client *clients[2];
    pid_t pids[2];
    cJSON *status;
    char part[128];

    begin("");
    for (int i = 0; i < 2; i++) {
        pids[i] = rig.pid;
        process_mark(rig.process);
        clients[i] = connect_and_sleep("GET", i ? 60000 : 4000);
        cr_assert(zero(int, process_wait_line(rig.process, "sleeping in", WAIT_MS)));
        cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    }
    status = wait_for(two_processes_drain);
    expect_drain(status, pids[1], 0, 0, 0);
    cr_expect(eq(dbl, number(get(get(status, "predecessor"), "older"), "pid"), pids[0]));
    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        const cJSON *count = get(get(get(status, "predecessor"), "older"), counts[i]);

        cr_expect(cJSON_IsNumber(count) && count->valuedouble == 0, "%s", counts[i]);
    }
    snprintf(
        part, sizeof(part),
        "; so does process %d before it: 0 connections moved, 0 closed with notice, 0 raced, 0 cut; 1 request still "
        "runs: /sleep (1, ",
        (int)pids[0]);
    cr_expect(not(zero(ptr, strstr(text(get(status, "predecessor"), "message"), part))), "%s",
              text(get(status, "predecessor"), "message"));
    cJSON_Delete(status);
    cJSON_Delete(wait_for(one_process_drains));
    for (int i = 0; i < 2; i++)
        client_close(clients[i]);
    kill(-rig.first, SIGKILL); /* a handler would sleep on */
}

Test(admin_history, counts_what_is_closed_and_what_is_cut)
{
    struct client *tls, *asleep;
    const struct answer *answer;
    cJSON *status;
    int error = 0;
    pid_t old;

    begin("set_gracefulShutdownTimeout=1s");
    old = rig.pid;
    tls = connect_and_ask(&rig.https);
    asleep = connect_and_sleep("GET", 8000);
    cr_assert(zero(int, process_wait_line(rig.process, "sleeping in", WAIT_MS)));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cJSON_Delete(wait_for(one_runs_there)); /* now it drains */
    answer = client_get(tls, "/pid", &error);
    cr_assert(answer != NULL, "%s", strerror(-error));
    cr_expect(not(answer->keep_alive));
    status = wait_for(has_gone);
    expect_drain(status, old, 0, 1, 1);
    cJSON_Delete(status);
    client_close(tls);
    client_close(asleep);
}

/* ---- the history ------------------------------------------------------------------------------- */

static void expect_row(const cJSON *history, int n, unsigned generation, pid_t pid, const char *reason)
{
    const cJSON *row = cJSON_GetArrayItem(history, n);
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0, end = 0;
    char *at = text(row, "at");

    cr_expect(eq(dbl, number(row, "generation"), generation));
    cr_expect(eq(dbl, number(row, "pid"), pid));
    cr_expect(eq(int, is_true(row, "ok"), !reason), "%s", text(row, "reason"));
    cr_expect(eq(int, number(row, "result") == 0, !reason));
    cr_expect(ge(dbl, number(row, "took_ms"), 0));
    cr_expect(lt(dbl, number(row, "took_ms"), WAIT_MS));
    sscanf(at, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &year, &month, &day, &hour, &minute, &second, &ms, &end);
    cr_expect(eq(int, end, (int)strlen("2018-05-18T11:02:04.812Z")), "%s", at);
    cr_expect(eq(int, end, (int)strlen(at)), "%s", at);
    if (reason)
        cr_expect(not(zero(ptr, strstr(text(row, "reason"), reason))), "%s", text(row, "reason"));
}

static bool has_four_rows(const cJSON *status)
{
    return cJSON_GetArraySize(get(status, "history")) == 4;
}

Test(admin_history, has_a_row_for_each_restart_of_all_generations)
{
    pid_t second, third;
    cJSON *status;
    char *page = NULL, row[128];

    begin("");
    second = rig_restart_by_page(&rig);
    cr_assert(gt(int, second, 0));
    cr_assert(zero(int, rig_settings(&rig, "fault=exit1")));
    cr_expect(eq(int, rig_page(&rig, "/restart", NULL), 502));
    cr_expect(eq(int, rig_page(&rig, "/restart?newExeFilePath=/none", NULL), 404));
    status = ask_status();
    cr_assert(eq(int, cJSON_GetArraySize(get(status, "history")), 3));
    cJSON_Delete(status);
    cr_assert(zero(int, rig_settings(&rig, "")));
    third = rig_restart_by_page(&rig);
    cr_assert(gt(int, third, 0));

    status = wait_for(has_four_rows); /* the old process tells the new one what became of it */
    expect_row(get(status, "history"), 0, 3, third, NULL);
    expect_row(get(status, "history"), 1, 3, 0, "No such file or directory");
    expect_row(get(status, "history"), 2, 3, 0, "exit status 1");
    expect_row(get(status, "history"), 3, 2, second, NULL);
    cJSON_Delete(status);

    cr_assert(eq(int, rig_page(&rig, "", &page), 200));
    snprintf(row, sizeof(row), "data-label=\"Process\">%d</td>", (int)third);
    cr_expect(not(zero(ptr, strstr(page, row))));
    cr_expect(not(zero(ptr, strstr(page, "<tr class=\"bad\"><td class=\"\" data-label=\"Generation\">3</td>"))));
    cr_expect(not(zero(ptr, strstr(page, "exit status 1"))));
    free(page);
}

static bool has_come_back(const cJSON *status)
{
    const cJSON *history = get(status, "history");

    return number(status, "pid") == rig.first && cJSON_GetArraySize(history) == 1 &&
           !is_true(cJSON_GetArrayItem(history, 0), "ok");
}

Test(admin_history, says_that_a_restart_was_rolled_back)
{
    pid_t second;
    cJSON *status;

    begin("set_gracefulProbation=20s");
    second = rig_restart_by_signal(&rig);
    cr_assert(gt(int, second, 0));
    cr_assert(zero(int, kill(second, SIGKILL)));
    cr_assert(zero(int, process_wait_line(rig.process, "rolled back", WAIT_MS)));
    status = wait_for(has_come_back);
    expect_row(get(status, "history"), 0, 2, second, "rolled back");
    cr_expect(not(zero(ptr, strstr(text(get(status, "last_restart"), "message"), "rolled back"))));
    cJSON_Delete(status);
}

/* ---- the state, and who waits ------------------------------------------------------------------ */

static bool is_in_state(const cJSON *status, const char *state)
{
    const cJSON *predecessor = get(status, "predecessor");

    return cJSON_IsObject(predecessor) && !strcmp(text(predecessor, "state"), state);
}

static bool is_watched(const cJSON *status)
{
    return is_in_state(status, "watching");
}

static bool is_trusted(const cJSON *status)
{
    return is_in_state(status, "draining") && !is_true(get(status, "predecessor"), "gone");
}

Test(admin_history, tells_watching_from_draining)
{
    struct client *client;
    cJSON *status;
    pid_t old;

    begin("set_gracefulProbation=2s");
    old = rig.pid;
    client = connect_and_sleep("GET", 6000);
    cr_assert(zero(int, process_wait_line(rig.process, "sleeping in", WAIT_MS)));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    status = wait_for(is_watched);
    expect_drain(status, old, 0, 0, 0);
    cJSON_Delete(status);
    status = wait_for(is_trusted);
    expect_drain(status, old, 0, 0, 0);
    cJSON_Delete(status);
    client_close(client);
}

/* Nobody accepts while the new process is stopped: who connects waits, is let in by the old one, and was counted. */
Test(admin_history, counts_who_waits_for_a_process_that_hangs)
{
    struct client *waiting[WAITING];
    pid_t second;
    cJSON *status;
    int error = 0;

    begin("set_gracefulProbation=20s");
    second = rig_restart_by_signal(&rig);
    cr_assert(gt(int, second, 0));
    cr_assert(zero(int, rig_stop(second)));
    for (int i = 0; i < WAITING; i++) {
        waiting[i] = client_connect(&rig.http, 2 * WAIT_MS);
        cr_assert(waiting[i] != NULL);
    }
    cr_assert(zero(int, process_wait_line(rig.process, "and 7 clients that waited to be let in", WAIT_MS)));
    for (int i = 0; i < WAITING; i++) {
        cr_expect(client_get(waiting[i], "/pid", &error) != NULL, "%s", strerror(-error));
        client_close(waiting[i]);
    }
    status = wait_for(has_come_back);
    cr_expect(eq(dbl, number(get(status, "last_restart"), "waiting"), WAITING));
    cr_expect(eq(dbl, number(cJSON_GetArrayItem(get(status, "history"), 0), "waiting"), WAITING));
    cJSON_Delete(status);
}

/* ---- the requests that run --------------------------------------------------------------------- */

static int count_running(const cJSON *status)
{
    return cJSON_GetArraySize(get(server(status, 0), "running"));
}

static bool has_run_for_long(const cJSON *status)
{
    const cJSON *running = get(server(status, 0), "running");

    return cJSON_GetArraySize(running) == FIRST_SLEEPERS &&
           number(cJSON_GetArrayItem(running, FIRST_SLEEPERS - 1), "ms") >= 20;
}

static bool nothing_runs(const cJSON *status)
{
    return !count_running(status);
}

Test(admin_history, lists_the_requests_that_run_the_longest_first)
{
    struct client *posts[FIRST_SLEEPERS], *gets[SLEEPERS];
    cJSON *status;

    begin("");
    status = ask_status();
    cr_expect(eq(int, count_running(status), 0)); /* the request for it does not count */
    cJSON_Delete(status);
    for (int i = 0; i < FIRST_SLEEPERS; i++)
        posts[i] = connect_and_sleep("POST", 4000);
    cr_assert(zero(int, process_wait_lines(rig.process, "sleeping in", FIRST_SLEEPERS, WAIT_MS)));
    cJSON_Delete(wait_for(has_run_for_long));
    for (int i = 0; i < SLEEPERS; i++)
        gets[i] = connect_and_sleep("GET", 3000);
    cr_assert(zero(int, process_wait_lines(rig.process, "sleeping in", FIRST_SLEEPERS + SLEEPERS, WAIT_MS)));

    status = ask_status();
    cr_assert(eq(int, count_running(status), 20));
    for (int i = 0; i < 20; i++) {
        const cJSON *request = cJSON_GetArrayItem(get(server(status, 0), "running"), i);

        cr_expect(eq(str, text(request, "route"), "/sleep"));
        cr_expect(eq(str, text(request, "method"), i < FIRST_SLEEPERS ? "POST" : "GET"), "%d", i);
        cr_expect(ge(dbl, number(request, "ms"), i < FIRST_SLEEPERS ? 20 : 0));
        if (i)
            cr_expect(le(dbl, number(request, "ms"),
                         number(cJSON_GetArrayItem(get(server(status, 0), "running"), i - 1), "ms")));
    }
    cr_expect(eq(int, cJSON_GetArraySize(get(server(status, 1), "running")), 0));
    cJSON_Delete(status);
    cJSON_Delete(wait_for(nothing_runs));
    for (int i = 0; i < FIRST_SLEEPERS; i++)
        client_close(posts[i]);
    for (int i = 0; i < SLEEPERS; i++)
        client_close(gets[i]);
}

/* To open the page interrupts no loop; to ask for the status is what does. */
Test(admin_history, asks_the_loops_for_the_status_only)
{
    char *body = NULL;
    cJSON *json;

    begin("");
    cr_assert(eq(int, rig_page(&rig, "?format=json", &body), 200));
    json = cJSON_Parse(body);
    cr_assert(json != NULL, "%s", body);
    cr_expect(zero(ptr, (void *)cJSON_GetObjectItemCaseSensitive(server(json, 0), "running")));
    cr_expect(cJSON_IsArray(get(json, "history")));
    cJSON_Delete(json);
    free(body);
}
