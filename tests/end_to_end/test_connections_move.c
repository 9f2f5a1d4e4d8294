/*
 * What a restart does to connections that can move: plain ones move between two requests and their clients notice
 * nothing, and what is under way stays where it is and is answered there. test_connections_stay.c has those that
 * cannot.
 */
#include "tests/support/client.h"
#include "tests/support/load.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum {
    RESTARTS = 30,
    GENERATIONS_MAX = 3,
    MOVE_MS = 5000,  /* within this an idle connection has moved, on a busy machine and with a sanitizer too */
    MOST_US = 50000, /* p99 of other requests while thousands of connections move */
    END_MS = 15000,  /* and the old process, which nothing holds, has ended */
};

static struct rig rig;

static void finish(void)
{
    rig_finish(&rig);
}

static void begin(const char *lines)
{
    cr_assert(zero(int, rig_begin(&rig, lines)));
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct client *connect_to(const struct transport_target *target)
{
    struct client *c = client_connect(target, 30000);

    cr_assert(not(zero(ptr, c)), "%s", strerror(errno));
    return c;
}

static void restart(void)
{
    pid_t old = rig.pid;

    cr_assert(gt(int, rig_restart_by_api(&rig), 0), "%d", rig.pid);
    cr_assert(ne(int, rig.pid, old));
}

static const struct answer *receive(struct client *c)
{
    int error = 0;
    const struct answer *answer = client_receive(c, &error);

    cr_assert(not(zero(ptr, (void *)answer)), "%s", strerror(-error));
    cr_assert(eq(int, answer->status, 200));
    return answer;
}

/* GET /pid; no answer on the way says that the connection ends. */
static pid_t ask_kept(struct client *c)
{
    const struct answer *answer;

    cr_assert(zero(int, client_send_text(c, "GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    answer = receive(c);
    cr_assert(answer->keep_alive, "a connection that can move is told that it ends");
    cr_assert(zero(int, answer_header_count(answer, "Connection")), "%s", answer->head);
    return atoi(answer->body);
}

/* Asks until the process that serves answers; the one before it may, as long as the connection was not idle. */
static void expect_moves(struct client *c, pid_t old)
{
    long until = now_ms() + MOVE_MS;
    pid_t pid = ask_kept(c);

    for (; pid == old && now_ms() < until; pid = ask_kept(c))
        usleep(500);
    cr_assert(eq(int, pid, rig.pid), "%d answers, before the restart it was %d", pid, old);
}

/* ---- one connection ---------------------------------------------------------------------------------------------- */

Test(connections_move, one_connection_through_30_restarts, .fini = finish, .timeout = 120)
{
    struct client *c;

    begin(NULL);
    c = connect_to(&rig.http);
    cr_assert(eq(int, ask_kept(c), rig.pid));
    for (int i = 0; i < RESTARTS; i++) {
        pid_t old = rig.pid;

        restart();
        expect_moves(c, old);
    }
    client_close(c);
    cr_expect(zero(int, rig_wait_processes(&rig, 1, END_MS)));
}

/* Nothing has ever been sent on it. */
Test(connections_move, a_silent_connection_moves, .fini = finish, .timeout = 60)
{
    struct client *c;

    begin(NULL);
    c = connect_to(&rig.http);
    cr_assert(eq(int, rig_ask_pid(&rig), rig.pid)); /* accepted, like the one before it */
    restart();
    cr_assert(zero(int, process_wait_pid_gone(rig.first, END_MS)), "the old process waits for a silent connection");
    cr_expect(eq(int, ask_kept(c), rig.pid));
    client_close(c);
}

/* What a client has been in the middle of when the restart came. */
struct begun {
    bool used; /* a request before it was answered */
    const char *first, *rest;
};

static const struct begun begun[] = {
    {false, "GET /p", "id HTTP/1.1\r\nHost: localhost\r\n\r\n"},
    {true, "GET /p", "id HTTP/1.1\r\nHost: localhost\r\n\r\n"},
    {false, "GET /pid HTTP/1.1\r\nHost: localhost\r\nX-Ha", "lf: header\r\n\r\n"},
    {true, "GET /pid HTTP/1.1\r\nHost: localhost\r\nX-Ha", "lf: header\r\n\r\n"},
    {false, "POST /pid HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345", "67890"},
    {true, "POST /pid HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345", "67890"},
};

enum { BEGUN = sizeof(begun) / sizeof(*begun) };

Test(connections_move, what_has_begun_stays_and_is_answered, .fini = finish, .timeout = 60)
{
    struct client *clients[BEGUN];
    pid_t old;

    begin(NULL);
    old = rig.pid;
    for (size_t i = 0; i < BEGUN; i++) {
        clients[i] = connect_to(&rig.http);
        if (begun[i].used)
            cr_assert(eq(int, ask_kept(clients[i]), old));
        cr_assert(zero(int, client_send_text(clients[i], begun[i].first)));
    }
    usleep(100000); /* the bytes are read, or they are not; neither may matter, and this tests the first */
    restart();
    usleep(300000); /* longer than the probation: the old process stays for these alone */
    cr_expect(eq(int, rig_count_processes(&rig), 2));
    for (size_t i = 0; i < BEGUN; i++) {
        const struct answer *answer;

        cr_assert(zero(int, client_send_text(clients[i], begun[i].rest)));
        answer = receive(clients[i]);
        cr_expect(eq(int, atoi(answer->body), old), "case %zu is answered by another process", i);
        cr_expect(answer->keep_alive, "case %zu", i);
        expect_moves(clients[i], old);
        client_close(clients[i]);
    }
    cr_expect(zero(int, process_wait_pid_gone(old, END_MS)));
}

/* The same, with a second restart meanwhile: three generations live, and each answers what it has. */
Test(connections_move, what_has_begun_survives_two_restarts, .fini = finish, .timeout = 60)
{
    struct client *clients[2][BEGUN];
    pid_t pids[2];

    begin(NULL);
    for (int g = 0; g < 2; g++) {
        pids[g] = rig.pid;
        for (size_t i = 0; i < BEGUN; i++) {
            clients[g][i] = connect_to(&rig.http);
            if (begun[i].used)
                cr_assert(eq(int, ask_kept(clients[g][i]), rig.pid));
            cr_assert(zero(int, client_send_text(clients[g][i], begun[i].first)));
        }
        usleep(50000);
        restart();
    }
    cr_expect(eq(int, rig_count_processes(&rig), 3));
    for (int g = 0; g < 2; g++)
        for (size_t i = 0; i < BEGUN; i++) {
            cr_assert(zero(int, client_send_text(clients[g][i], begun[i].rest)));
            cr_expect(eq(int, atoi(receive(clients[g][i])->body), pids[g]), "generation %d, case %zu", g + 1, i);
        }
    for (int g = 0; g < 2; g++)
        for (size_t i = 0; i < BEGUN; i++) {
            int error = 0; /* the first generation has nobody to move them to any more: it may end them, with notice */
            const struct answer *answer = client_get(clients[g][i], "/pid", &error);

            cr_expect(answer || (g == 0 && error == -EPIPE), "generation %d, case %zu: %d", g + 1, i, error);
            client_close(clients[g][i]);
        }
    cr_expect(zero(int, rig_wait_processes(&rig, 1, END_MS)));
}

/* Requests that were sent before the answer to the one before them: answered in order, by whoever has them. */
Test(connections_move, pipelined_requests_are_answered_in_order, .fini = finish, .timeout = 60)
{
    enum { MORE = 20 };
    struct client *c;
    pid_t old;
    char expected[64];

    begin(NULL);
    c = connect_to(&rig.http);
    old = rig.pid;
    cr_assert(zero(int, client_send_text(c, "GET /sleep?ms=700 HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    cr_assert(zero(int, process_wait_line(rig.process, "sleeping in ", 10000)));
    for (int i = 0; i < MORE; i++) {
        char request[128];

        snprintf(request, sizeof(request), "GET /echo?n=%d HTTP/1.1\r\nHost: localhost\r\n\r\n", i * 40);
        cr_assert(zero(int, client_send_text(c, request)));
    }
    restart();
    snprintf(expected, sizeof(expected), "%d\n%d\n", (int)old, (int)old);
    cr_expect(eq(str, receive(c)->body, expected));
    for (int i = 0; i < MORE; i++) {
        const struct answer *answer = receive(c);

        snprintf(expected, sizeof(expected), "%d:0\n", i * 40);
        cr_expect(eq(str, answer->body, expected));
        cr_expect(answer->keep_alive);
    }
    expect_moves(c, old);
    client_close(c);
    cr_expect(zero(int, process_wait_pid_gone(old, END_MS)));
}

/* ---- several servers --------------------------------------------------------------------------------------------- */

static void expect_name(struct client *c, const char *name)
{
    const struct answer *answer;

    cr_assert(zero(int, client_send_text(c, "GET /name HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    answer = receive(c);
    cr_expect(eq(str, answer->body, (char *)name));
    cr_expect(answer->keep_alive);
}

Test(connections_move, to_the_server_that_has_the_port_now, .fini = finish, .timeout = 60)
{
    struct transport_target second;
    struct client *c[2];
    char swapped[256];

    begin(NULL);
    second = (struct transport_target){.port = rig.second_port};
    for (int i = 0; i < 500 && rig_fetch_number(&second, "/pid") != rig.pid; i++)
        usleep(10000);
    c[0] = connect_to(&rig.http);
    c[1] = connect_to(&second);
    snprintf(swapped, sizeof(swapped), "address_1=127.0.0.1:%d\naddress_2=127.0.0.1:%d", rig.second_port, rig.port);
    for (int i = 0; i < 4; i++) {
        bool swap = i % 2;

        expect_name(c[0], swap ? "s1\n" : i ? "s2\n" : "s1\n");
        expect_name(c[1], swap ? "s2\n" : i ? "s1\n" : "s2\n");
        pid_t old = rig.pid;
        cr_assert(zero(int, rig_settings(&rig, i % 2 ? swapped : NULL)));
        restart();
        for (int k = 0; k < 2; k++)
            expect_moves(c[k], old);
    }
    expect_name(c[0], "s2\n");
    expect_name(c[1], "s1\n");
    for (int k = 0; k < 2; k++)
        client_close(c[k]);
}

/* Both listen on one port, each on an address of its own: what has come to the one is nothing for the other. */
Test(connections_move, to_the_server_that_has_the_address, .fini = finish, .timeout = 60)
{
    struct transport_target second;
    struct client *c[2];
    char both[256], swapped[256];

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(both, sizeof(both), "address_1=127.0.0.1:%d\naddress_2=127.0.0.2:%d", rig.port, rig.port);
    snprintf(swapped, sizeof(swapped), "address_1=127.0.0.2:%d\naddress_2=127.0.0.1:%d", rig.port, rig.port);
    cr_assert(zero(int, rig_settings(&rig, both)));
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(zero(int, process_wait_lines(rig.process, "http server started listening on", 2, 10000)));
    second = (struct transport_target){.host = "127.0.0.2", .port = rig.port};
    c[0] = connect_to(&rig.http);
    c[1] = connect_to(&second);
    for (int i = 0; i < 4; i++) {
        pid_t old = rig.pid;

        for (int k = 0; k < 2; k++)
            expect_name(c[k], (i == 2) == k ? "s1\n" : "s2\n");
        cr_assert(zero(int, rig_settings(&rig, i == 1 ? swapped : both)));
        restart();
        for (int k = 0; k < 2; k++)
            expect_moves(c[k], old);
    }
    for (int k = 0; k < 2; k++)
        client_close(c[k]);
}

/* ---- many -------------------------------------------------------------------------------------------------------- */

/* Servers that were built with a sanitizer are several times slower, and take a second to end. */
static bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return getenv("GF_TEST_PROGRAMS") != NULL;
#endif
}

static struct load *start_load(int connections, int pause_us)
{
    static const char *const expected[] = {"hello\n", NULL};
    struct load_options options = {.target = rig.http,
                                   .connections = connections,
                                   .pause_us = pause_us,
                                   .timeout_ms = 30000,
                                   .path = "/",
                                   .expected = expected};
    struct load *load = load_start(&options);

    cr_assert(not(zero(ptr, load)));
    return load;
}

/* No failure, and not one connection more than at the start. */
static void expect_untouched(struct load *load, int connections)
{
    const struct load_result *result;

    load_stop(load);
    result = load_result(load);
    if (result->failures || result->connections != (uint64_t)connections)
        load_print(load, stderr);
    cr_expect(zero(u64, result->failures));
    cr_expect(eq(u64, result->connections, (uint64_t)connections));
    cr_expect(zero(u64, result->announced));
    cr_expect(zero(u64, result->closed_idle));
}

Test(connections_move, a_saturating_load_through_30_restarts, .fini = finish, .timeout = 240)
{
    enum { CONNECTIONS = 64 };
    struct load *load;

    begin(NULL);
    load = start_load(CONNECTIONS, 0);
    for (int i = 0; i < RESTARTS; i++) {
        pid_t old = rig.pid;

        restart();
        cr_assert(zero(int, load_wait_requests(load, load_requests(load) + 500, 30000)), "restart %d", i);
        cr_assert(zero(int, process_wait_pid_gone(old, END_MS)), "restart %d: the old process stays", i);
    }
    expect_untouched(load, CONNECTIONS);
    load_free(load);
    cr_expect(zero(int, rig_wait_processes(&rig, 1, END_MS)));
}

/* As fast as restarts can be asked for: old processes overlap, the oldest are told to leave. */
Test(connections_move, a_load_through_restarts_without_a_pause, .fini = finish, .timeout = 240)
{
    enum { CONNECTIONS = 16 };
    struct load *load;

    begin("set_gracefulProbation=5s");
    load = start_load(CONNECTIONS, 1000);
    for (int i = 0; i < RESTARTS; i++) {
        restart();
        cr_expect(is_sanitized() || rig_count_processes(&rig) <= GENERATIONS_MAX + 1, "restart %d", i);
    }
    cr_assert(zero(int, load_wait_requests(load, load_requests(load) + 500, 30000)));
    expect_untouched(load, CONNECTIONS);
    load_free(load);
    cr_expect(zero(int, rig_wait_processes(&rig, 1, END_MS)));
}

Test(connections_move, two_thousand_idle_connections, .fini = finish, .timeout = 120)
{
    enum { IDLE = 2000, LOADED = 4 };
    static struct client *idle[IDLE];
    struct rlimit files = {.rlim_cur = IDLE + 500, .rlim_max = IDLE + 500};
    struct latency latency;
    struct load *load;
    int window;
    long began;

    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        cr_skip("2,500 files are not to be had");
    begin("set_maxConnections=3000");
    for (int i = 0; i < IDLE; i++) {
        idle[i] = connect_to(&rig.http);
        if (i % 2)
            cr_assert(eq(int, ask_kept(idle[i]), rig.first));
    }
    load = start_load(LOADED, 1000);
    cr_assert(zero(int, load_wait_requests(load, 200, 30000)));
    began = now_ms();
    window = load_mark_begin(load);
    restart();
    cr_assert(zero(int, process_wait_pid_gone(rig.first, END_MS)), "connections stay behind");
    load_mark_end(load, window);
    cr_expect(lt(long, now_ms() - began, MOVE_MS));
    for (int i = 0; i < IDLE; i++) {
        cr_assert(eq(int, ask_kept(idle[i]), rig.pid), "connection %d", i);
        client_close(idle[i]);
    }
    expect_untouched(load, LOADED);
    load_window(load, window, &latency);
    cr_expect(is_sanitized() || latency_percentile(&latency, 0.99) < MOST_US, "%llu us",
              (unsigned long long)latency_percentile(&latency, 0.99));
    load_free(load);
}
