/*
 * What a drain says of itself: in the log what it waits for when it takes long, and in log and status the same counts.
 */
#include "tests/support/client.h"
#include "tests/support/rig.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    REQUESTS = 2,
    REPORT_MS = 30000, /* the first comes after ten seconds */
    STATUS_MS = 10000, /* within this a status says what is waited for */
};

static struct rig rig;
static struct client *clients[REQUESTS];

static void finish(void)
{
    for (int i = 0; i < REQUESTS; i++)
        client_close(clients[i]);
    if (rig.first)
        kill(-rig.first, SIGKILL); /* its handlers would sleep on */
    rig_finish(&rig);
}

Test(drain_report, names_the_routes_that_hold_it_up, .fini = finish, .timeout = 90)
{
    cr_assert(zero(int, rig_begin(&rig, NULL)));
    process_mark(rig.process);
    for (int i = 0; i < REQUESTS; i++) {
        clients[i] = client_connect(&rig.http, 60000);
        cr_assert(not(zero(ptr, clients[i])));
        cr_assert(zero(int, client_send_text(clients[i], "GET /sleep?ms=40000 HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    }
    cr_assert(zero(int, process_wait_lines(rig.process, "sleeping in ", REQUESTS, 10000)));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(int, process_wait_line(rig.process,
                                          "server \"s1\" drains: 2 requests still run: /sleep (2, the longest for 1",
                                          REPORT_MS)));
}

/* ---- counts -------------------------------------------------------------------------------------------------------
 */

static const char pid[] = "GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n";
/* After one of these the bytes of a connection cannot be counted: it does not move. */
static const char chunked[] = "POST /pid HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                              "5\r\n12345\r\n0\r\n\r\n";

static struct client *connect_and(const char *request, bool answered)
{
    struct client *c = client_connect(&rig.http, 60000);
    int error = 0;

    cr_assert(not(zero(ptr, c)));
    cr_assert(zero(int, client_send_text(c, request)));
    if (answered)
        cr_assert(not(zero(ptr, (void *)client_receive(c, &error))), "%d", error);
    return c;
}

/* A number of the status, of the process that serves: servers[0].name or predecessor.name; -1: not there. */
static int status_number(const char *object, const char *name)
{
    char *body = NULL;
    cJSON *status;
    const cJSON *found;
    int number = -1;

    cr_assert(eq(int, rig_page(&rig, "/status", &body), 200));
    status = cJSON_Parse(body);
    found = cJSON_GetObjectItemCaseSensitive(status, object);
    if (cJSON_IsArray(found))
        found = cJSON_GetArrayItem(found, 0);
    found = cJSON_GetObjectItemCaseSensitive(found, name);
    if (cJSON_IsNumber(found))
        number = (int)found->valuedouble;
    cJSON_Delete(status);
    free(body);
    return number;
}

static int wait_for_number(const char *object, const char *name, int wanted)
{
    int number = -1;

    for (int waited = 0; waited < STATUS_MS && number != wanted; waited += 20) {
        number = status_number(object, name);
        usleep(20000);
    }
    return number;
}

/* Asks until an answer says that the connection ends. */
static void expect_notice(struct client *c)
{
    const struct answer *answer;
    bool kept = true;
    int error = 0;

    for (int i = 0; kept && i < 1000; i++) {
        cr_assert(zero(int, client_send_text(c, chunked)));
        answer = client_receive(c, &error);
        cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
        kept = answer->keep_alive;
    }
    cr_expect(not(kept));
    client_close(c);
}

Test(drain_report, counts_in_the_log_what_the_status_counts, .fini = finish, .timeout = 90)
{
    static const char line[] = "server \"s1\" drained: 2 connections moved, 3 were closed with notice, 1 requests "
                               "crossed a close, 2 were cut";
    struct client *move[2], *told, *silent, *unused, *late, *slow;
    int error = 0;

    cr_assert(zero(int, rig_begin(&rig, "set_gracefulShutdownTimeout=9s\nset_readTimeout=6s")));
    for (int i = 0; i < 2; i++)
        move[i] = connect_and(pid, true);
    told = connect_and(chunked, true);
    silent = connect_and(chunked, true);
    unused = client_connect(&rig.https, 60000);
    cr_assert(not(zero(ptr, unused)));
    slow = connect_and("GET /sleep?ms=60000 HTTP/1.1\r\nHost: localhost\r\n\r\n", false);
    cr_assert(zero(int, process_wait_line(rig.process, "sleeping in ", 10000)));
    late = connect_and("POST /pid HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345", false);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    expect_notice(told);
    cr_assert(zero(int, client_wait_close(silent, 20000)));
    cr_expect(zero(int, client_send_text(silent, pid))); /* crosses that close */
    cr_assert(not(zero(ptr, (void *)client_receive(late, &error))), "%d", error);
    cr_expect(zero(ptr, (void *)client_receive(slow, &error)));
    cr_expect(zero(int, process_wait_line(rig.process, line, 20000)));
    cr_assert(zero(int, process_wait_pid_gone(rig.first, 10000)));
    cr_expect(eq(int, status_number("predecessor", "moved"), 2));
    cr_expect(eq(int, status_number("predecessor", "closed"), 3));
    cr_expect(eq(int, status_number("predecessor", "raced"), 1));
    cr_expect(eq(int, status_number("predecessor", "cut"), 2));
    for (int i = 0; i < 2; i++)
        client_close(move[i]);
    client_close(silent);
    client_close(unused);
    client_close(late);
    client_close(slow);
}

/* What has come back has not moved. */
Test(drain_report, counts_nothing_as_moved_that_has_come_back, .fini = finish, .timeout = 60)
{
    struct client *move[2];

    cr_assert(zero(int, rig_begin(&rig, "set_gracefulProbation=10s")));
    for (int i = 0; i < 2; i++)
        move[i] = connect_and(pid, true);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(eq(int, wait_for_number("predecessor", "moved", 2), 2));
    cr_assert(zero(int, kill(rig.pid, SIGKILL)));
    cr_expect(zero(int, process_wait_line(rig.process, "with 2 connections that had moved (0 were lost", 10000)));
    cr_expect(zero(int, status_number("servers", "moved")));
    for (int i = 0; i < 2; i++)
        client_close(move[i]);
}
