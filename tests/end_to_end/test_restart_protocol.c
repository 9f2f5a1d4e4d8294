/*
 * The protocol of a restart: requests in flight stay with the old process, restarts happen one at a time however many
 * are asked for, connections end with notice, and nothing that the environment claims is believed.
 */
#include "tests/support/client.h"
#include "tests/support/rig.h"
#include "tests/support/rig_load.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rig rig;
static struct rig_load load;

static void finish(void)
{
    rig_finish(&rig);
}

static int count_lines(const char *text)
{
    char *output = process_output(rig.process);
    int count = 0;

    for (const char *at = output; at && (at = strstr(at, text)); at += strlen(text))
        count++;
    free(output);
    return count;
}

/* Sends a request and does not wait for its answer. */
static struct client *begin_request(const struct transport_target *target, const char *path)
{
    char request[512];
    struct client *c = client_connect(target, 30000);

    cr_assert(not(zero(ptr, c)));
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    cr_assert(zero(int, client_send_text(c, request)));
    return c;
}

static void expect_two_pids(struct client *c, pid_t pid)
{
    const struct answer *answer;
    char expected[64];
    int error = 0;

    snprintf(expected, sizeof(expected), "%d\n%d\n", (int)pid, (int)pid);
    answer = client_receive(c, &error);
    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    cr_expect(eq(str, answer->body, expected));
}

static void expect_pid_on(struct client *c, pid_t pid)
{
    int error = 0;
    const struct answer *answer = client_get(c, "/pid", &error);

    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    cr_expect(eq(int, atoi(answer->body), pid));
    cr_expect(answer->keep_alive);
}

/* ---- requests in flight ------------------------------------------------------------------------------------------ */

Test(restart_protocol, requests_in_flight_finish_in_the_old_process, .fini = finish, .timeout = 60)
{
    struct client *plain, *tls;
    pid_t old;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    old = rig.pid;
    plain = begin_request(&rig.http, "/sleep?ms=2000");
    tls = begin_request(&rig.https, "/sleep?ms=2000");
    cr_assert(zero(int, process_wait_lines(rig.process, "sleeping in ", 2, 10000)));
    cr_assert(gt(int, rig_restart_by_page(&rig), 0));
    cr_expect(ne(int, rig.pid, old));
    cr_expect(eq(long, rig_fetch_number(&rig.https, "/pid"), rig.pid));
    cr_expect(eq(int, rig_count_processes(&rig), 2));
    expect_two_pids(plain, old);
    expect_pid_on(plain, rig.pid); /* it has moved, without a word */
    expect_two_pids(tls, old);
    client_close(plain);
    client_close(tls);
    cr_expect(zero(int, process_wait_pid_gone(old, 15000)));
    cr_expect(eq(int, rig_count_processes(&rig), 1));
}

/* A restart of the new process while older ones still drain: three generations at most, and nobody is cut who ends in
 * time. */
Test(restart_protocol, restarts_while_older_processes_drain, .fini = finish, .timeout = 60)
{
    struct client *clients[3];
    pid_t pids[3];

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    for (int i = 0; i < 3; i++) {
        pids[i] = rig.pid;
        process_mark(rig.process);
        clients[i] = begin_request(&rig.http, "/sleep?ms=2000");
        cr_assert(zero(int, process_wait_line(rig.process, "sleeping in ", 10000)));
        cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    }
    for (int i = 0; i < 100 && rig_count_processes(&rig) > 3; i++)
        usleep(10000); /* what has left may still be on its way out */
    cr_expect(le(int, rig_count_processes(&rig), 3));
    for (int i = 0; i < 3; i++) {
        expect_two_pids(clients[i], pids[i]);
        client_close(clients[i]);
    }
    cr_expect(zero(int, rig_wait_processes(&rig, 1, 15000)));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
}

/* It cannot move: as soon as the old process drains, which may be after the restart's answer, it is told so in its next
 * answer, and closed then. */
Test(restart_protocol, kept_https_connections_are_closed_with_notice, .fini = finish, .timeout = 60)
{
    const struct answer *answer;
    struct client *c;
    char *connection;
    bool kept = true;
    int error = 0;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    c = client_connect(&rig.https, 30000);
    cr_assert(not(zero(ptr, c)));
    answer = client_get(c, "/pid", &error);
    cr_assert(answer && answer->keep_alive, "%d", error);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    for (int i = 0; i < 100 && kept; i++) {
        answer = client_get(c, "/pid", &error);
        cr_assert(not(zero(ptr, (void *)answer)), "request %d: %d", i, error);
        cr_expect(eq(int, atoi(answer->body), rig.first));
        kept = answer->keep_alive;
        usleep(1000);
    }
    connection = answer_header(answer, "Connection");
    cr_assert(not(zero(ptr, connection)));
    cr_expect(eq(str, connection, "close"));
    free(connection);
    cr_expect(zero(int, client_wait_close(c, 10000)));
    client_close(c);
    cr_expect(zero(int, process_wait_pid_gone(rig.first, 10000)));
}

/* Nothing more is asked on it: it is ended in order after a grace, and the old process goes. */
Test(restart_protocol, idle_https_connections_are_ended_in_the_end, .fini = finish, .timeout = 60)
{
    struct client *c;
    int error = 0;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    c = client_connect(&rig.https, 30000);
    cr_assert(not(zero(ptr, c)));
    cr_assert(not(zero(ptr, (void *)client_get(c, "/pid", &error))));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(int, client_wait_close(c, 20000)));
    client_close(c);
    cr_expect(zero(int, process_wait_pid_gone(rig.first, 10000)));
}

/* Plain HTTP: between two requests, while they wait, the connections go to the process that serves. */
Test(restart_protocol, idle_connections_move_from_process_to_process, .fini = finish, .timeout = 60)
{
    enum { CONNECTIONS = 100 };
    struct client *clients[CONNECTIONS];

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    for (int i = 0; i < CONNECTIONS; i++) {
        clients[i] = client_connect(&rig.http, 30000);
        cr_assert(not(zero(ptr, clients[i])));
        if (i % 4) /* the others have not asked for anything yet */
            expect_pid_on(clients[i], rig.pid);
    }
    for (int k = 0; k < 3; k++) {
        pid_t old = rig.pid;

        cr_assert(gt(int, rig_restart_by_api(&rig), 0));
        cr_assert(zero(int, process_wait_pid_gone(old, 10000)));
        for (int i = 0; i < CONNECTIONS; i++)
            if (i % 3)
                expect_pid_on(clients[i], rig.pid);
    }
    for (int i = 0; i < CONNECTIONS; i++) {
        expect_pid_on(clients[i], rig.pid);
        client_close(clients[i]);
    }
}

/* What the client has begun to send stays where it is, and is answered there. */
Test(restart_protocol, half_a_request_is_answered_where_it_began, .fini = finish, .timeout = 60)
{
    struct client *c;
    const struct answer *answer;
    int error = 0;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    c = client_connect(&rig.http, 30000);
    cr_assert(not(zero(ptr, c)));
    expect_pid_on(c, rig.first);
    cr_assert(zero(int, client_send_text(c, "GET /pid HTTP/1.1\r\nHo")));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, client_send_text(c, "st: localhost\r\n\r\n")));
    answer = client_receive(c, &error);
    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    cr_expect(eq(int, atoi(answer->body), rig.first));
    client_close(c);
    cr_expect(zero(int, process_wait_pid_gone(rig.first, 10000)));
}

/* ---- the way back ------------------------------------------------------------------------------------------------ */

/* Within the probation: the old process takes the clients back, and can be restarted again at once. */
Test(restart_protocol, the_death_of_the_new_process_brings_the_old_one_back, .fini = finish, .timeout = 60)
{
    struct client *c;
    pid_t dead;

    cr_assert(zero(int, rig_begin(&rig, "set_gracefulProbation=20s")));
    c = client_connect(&rig.http, 30000);
    cr_assert(not(zero(ptr, c)));
    expect_pid_on(c, rig.first);
    for (int i = 0; i < 3; i++) {
        cr_assert(gt(int, rig_restart_by_api(&rig), 0));
        dead = rig.pid;
        rig.pid = rig.first;
        process_mark(rig.process);
        cr_assert(zero(int, kill(dead, SIGKILL)));
        cr_assert(zero(int, process_wait_line(rig.process, "serves again", 10000)));
        cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
        cr_expect(eq(long, rig_fetch_number(&rig.https, "/pid"), rig.first));
        cr_expect(zero(int, rig_count_zombies(rig.first)));
        expect_pid_on(c, rig.first); /* it was moved, and nothing was asked on it there */
    }
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
    expect_pid_on(c, rig.pid);
    client_close(c);
}

/* ---- many at once ------------------------------------------------------------------------------------------------ */

static void expect_one_restart(void)
{
    cr_expect(zero(int, rig_wait_processes(&rig, 1, 20000)));
    cr_expect(eq(int, count_lines("server restarted: process "), 1));
    cr_expect(eq(int, count_lines(": server reloading"), 1));
    cr_expect(eq(int, count_lines("http server restarted listening on"), 2)); /* of two servers */
    cr_expect(ne(int, rig_ask_pid(&rig), rig.first));
}

Test(restart_protocol, two_signals_are_one_restart, .fini = finish, .timeout = 60)
{
    static const char *const delays[] = {
        "", "delay_ms=300"}; /* of the new process: the second signal comes late, or meanwhile */

    for (int i = 0; i < 2; i++) {
        cr_assert(zero(int, rig_begin(&rig, NULL)));
        cr_assert(zero(int, rig_settings(&rig, delays[i])));
        cr_assert(zero(int, rig_load_start(&load, &rig)));
        cr_assert(zero(int, rig_load_wait(&load, 5)));
        kill(rig.first, SIGUSR1);
        usleep(30000);
        kill(rig.first, SIGUSR1);
        cr_assert(zero(int, process_wait_line(rig.process, "server restarted: process ", 20000)));
        cr_assert(zero(int, rig_load_wait(&load, 5)));
        cr_expect(zero(u64, rig_load_end(&load)));
        expect_one_restart();
        rig_finish(&rig);
    }
}

Test(restart_protocol, a_burst_of_signals_is_one_restart, .fini = finish, .timeout = 60)
{
    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(zero(int, rig_settings(&rig, "delay_ms=200")));
    for (int i = 0; i < 100; i++)
        kill(rig.first, SIGUSR1);
    cr_assert(zero(int, process_wait_line(rig.process, "server restarted: process ", 20000)));
    expect_one_restart();
}

/* A signal to the new process before it can hear it, let alone act on it, does not kill it. */
Test(restart_protocol, signals_to_the_whole_group_do_not_kill_who_starts, .fini = finish, .timeout = 60)
{
    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(zero(int, rig_load_start(&load, &rig)));
    for (int i = 0; i < 200; i++) {
        killpg(rig.first, SIGUSR1);
        usleep(5000);
    }
    rig.pid = rig_ask_pid(&rig);
    cr_assert(gt(int, rig.pid, 0));
    cr_expect(zero(u64, rig_load_end(&load)));
    cr_expect(zero(int, rig_wait_processes(&rig, 1, 20000)));
    cr_expect(zero(int, count_lines("server restart failed")));
    cr_expect(zero(int, process_stop(rig.process)));
}

/* Whoever comes while one is under way is told so. */
Test(restart_protocol, others_are_refused_meanwhile, .fini = finish, .timeout = 60)
{
    enum { ASKERS = 8 };
    struct client *askers[ASKERS];
    int restarted = 0, busy = 0;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(zero(int, rig_settings(&rig, "delay_ms=1500")));
    for (int i = 0; i < ASKERS; i++) {
        askers[i] = begin_request(&rig.http, i % 2 ? "/restart" : "/debug/admin/restart");
        kill(rig.first, SIGUSR1);
    }
    for (int i = 0; i < ASKERS; i++) {
        int error = 0;
        const struct answer *answer = client_receive(askers[i], &error);

        cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
        if (i % 2) {
            restarted += !strcmp(answer->body, "0\n");
            busy += atoi(answer->body) == -EBUSY;
        } else {
            restarted += answer->status == 200;
            busy += answer->status == 409;
        }
        client_close(askers[i]);
    }
    cr_expect(le(int, restarted, 1)); /* none, when a signal was first */
    cr_expect(eq(int, busy + restarted, ASKERS));
    cr_assert(zero(int, process_wait_line(rig.process, "server restarted: process ", 20000)));
    expect_one_restart();
}

/* ---- graceful off ------------------------------------------------------------------------------------------------ */

Test(restart_protocol, full_restart_executes_anew_in_the_same_process, .fini = finish, .timeout = 60)
{
    struct client *c;

    cr_assert(zero(int, rig_begin(&rig, "graceful=false")));
    c = begin_request(&rig.http, "/sleep?ms=700");
    cr_assert(zero(int, process_wait_line(rig.process, "sleeping in ", 10000)));
    cr_assert(zero(int, rig_settings(&rig, "graceful=false\nhello=second")));
    cr_expect(zero(long, rig_fetch_number(&rig.http, "/restart")));
    expect_two_pids(c, rig.first);
    client_close(c);
    cr_assert(zero(int, process_wait_lines(rig.process, "http server restarted listening on", 2, 20000)));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
    char *body = NULL;
    cr_expect(eq(int, rig_fetch(&rig.https, "/", &body), 200));
    cr_expect(eq(str, body, "second\n"));
    free(body);
    cr_expect(eq(int, rig_count_processes(&rig), 1));
    cr_expect(zero(int, process_stop(rig.process)));
}

Test(restart_protocol, full_restart_that_cannot_execute_serves_on, .fini = finish, .timeout = 60)
{
    char path[512];
    FILE *file;

    cr_assert(zero(int, rig_begin(&rig, "graceful=false")));
    cr_expect(eq(long, rig_fetch_number(&rig.http, "/restart?path=/nowhere"), -ENOENT));
    snprintf(path, sizeof(path), "%s/text", rig.folder);
    file = fopen(path, "we");
    cr_assert(not(zero(ptr, file)));
    fputs("this is no program\n", file);
    fchmod(fileno(file), 0755);
    fclose(file);
    snprintf(path, sizeof(path), "/restart?path=%s/text", rig.folder);
    rig_fetch_number(&rig.http, path);
    cr_assert(zero(int, process_wait_line(rig.process, "serving on", 10000)));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
    cr_expect(eq(long, rig_fetch_number(&rig.https, "/pid"), rig.first));
    cr_expect(zero(long, rig_fetch_number(&rig.http, "/restart")));
    cr_assert(zero(int, process_wait_lines(rig.process, "http server restarted listening on", 2, 20000)));
    cr_expect(zero(int, process_stop(rig.process)));
}

/* ---- what others put into the environment ------------------------------------------------------------------------ */

static void start_with(const char *variable)
{
    const char *environment[] = {variable, NULL};
    char link[64], target[512] = "", expected[512];
    ssize_t size;

    cr_assert(zero(int, rig_init(&rig)));
    cr_assert(zero(int, rig_settings(&rig, NULL)));
    rig.environment = environment;
    rig.preface = "exec 5<settings 6<server.crt";
    cr_assert(zero(int, rig_start(&rig)), "%s", variable);
    cr_expect(zero(int, process_wait_line(rig.process, "[WARN] GF_SERVER_RELOAD", 1000)), "%s", variable);

    /* what it named is whose it was, and still open */
    snprintf(link, sizeof(link), "/proc/%d/fd/5", (int)rig.first);
    size = readlink(link, target, sizeof(target) - 1);
    snprintf(expected, sizeof(expected), "%s/settings", rig.folder);
    cr_expect(gt(long, size, 0), "%s: descriptor 5 was closed", variable);
    cr_expect(eq(str, target, expected), "%s", variable);

    cr_expect(gt(int, rig_restart_by_signal(&rig), 0), "%s", variable);
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
    rig_finish(&rig);
}

Test(restart_protocol, garbage_in_the_environment_is_no_hand_over, .fini = finish, .timeout = 60)
{
    static const char *const values[] = {
        "",
        "garbage",
        "{",
        "[]",
        "{\"version\":1}",
        "{\"version\":1,\"control\":\"5\",\"servers\":{}}",
        "{\"version\":2,\"parent\":1,\"control\":5,\"servers\":{}}",
        "{\"version\":1,\"parent\":1,\"control\":5,\"servers\":{\"s1\":{\"http\":\":1#6\",\"https\":\"\"}}}",
        "{\"version\":1,\"parent\":1,\"control\":99999999999,\"servers\":{}}",
        "{\"version\":1,\"parent\":1,\"control\":-1,\"servers\":{}}",
        "{\"version\":1,\"parent\":1,\"control\":1e300,\"servers\":{\"s1\":{\"http\":\":1#5\",\"https\":\"\"}}}",
        "{\"version\":1,\"parent\":1,\"control\":5,\"servers\":{\"s1\":{\"http\":\":1#5\",\"https\":\"\"}}}",
        ("{\"version\":1,\"parent\":1,\"control\":6,\"servers\":{\"s1\":{\"http\":\":1#99999999999999999999\","
         "\"https\":"
         "\"\"}}}"),
        "{\"version\":1,\"parent\":1,\"control\":6,\"servers\":{\"s1\":{\"http\":5,\"https\":null}}}",
        "{\"version\":1,\"parent\":1,\"control\":6,\"servers\":{\"s1\":{\"http\":\"#5\",\"https\":\"\"}},\"stderr\":5}",
    };

    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        char variable[512];

        snprintf(variable, sizeof(variable), "GF_SERVER_RELOAD=%s", values[i]);
        start_with(variable);
    }
}

/* Without a channel nobody waits for a word: this server serves at once, and takes nothing that is no listener. */
Test(restart_protocol, a_hand_over_without_a_channel_is_believed_as_little, .fini = finish, .timeout = 60)
{
    char variable[512];

    cr_assert(zero(int, rig_init(&rig)));
    cr_assert(zero(int, rig_settings(&rig, NULL)));
    snprintf(variable, sizeof(variable),
             "GF_SERVER_RELOAD={\"version\":2,\"servers\":{\"s1\":{\"http\":\"127.0.0.1:%d#5\",\"https\":\"\"},\"s3\":{"
             "\"http\":\":1#6\",\"https\":\"\"}}}",
             rig.port);
    rig.environment = (const char *[]){variable, NULL};
    rig.preface = "exec 5<settings 6<server.crt";
    cr_assert(zero(int, rig_start(&rig)));
    cr_expect(zero(int, process_wait_line(rig.process, "descriptor 5 is no listening socket", 1000)));
    cr_expect(gt(int, rig_restart_by_signal(&rig), 0));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
}

/* The numbers fit the addresses, and are files. */
Test(restart_protocol, files_in_the_place_of_listeners_are_refused, .fini = finish, .timeout = 60)
{
    char variable[512];

    cr_assert(zero(int, rig_init(&rig)));
    cr_assert(zero(int, rig_settings(&rig, NULL)));
    snprintf(variable, sizeof(variable),
             "GF_SERVER_RELOAD={\"version\":1,\"parent\":1,\"control\":6,\"stderr\":1000,\"servers\":{\"s1\":{\"http\":"
             "\"127.0.0.1:%d#5\",\"https\":\"127.0.0.1:%d#7\"}}}",
             rig.port, rig.https_port);
    rig.environment = (const char *[]){variable, NULL};
    rig.preface = "exec 5<settings 6<server.crt";
    cr_assert(zero(int, rig_start(&rig)));
    cr_expect(zero(int, process_wait_line(rig.process, "descriptor 5 is no listening socket", 1000)));
    cr_expect(zero(int, process_wait_line(rig.process, "descriptor 7 is no listening socket", 1000)));
    cr_expect(eq(long, rig_fetch_number(&rig.https, "/pid"), rig.first));
    cr_expect(gt(int, rig_restart_by_signal(&rig), 0));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
}
