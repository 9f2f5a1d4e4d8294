/*
 * ghttp_middleware_timeout() from outside: the answer at the limit, the handler that runs on behind it, and what is in
 * time. A handler waits at a FIFO that the test opens, so that nothing depends on how fast the machine is.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/client.h"
#include "tests/support/port.h"
#include "tests/support/process.h"

#define PATIENCE_MS 20000

static char folder[] = "/tmp/gf-time-limits-XXXXXX";
static struct process *server;
static struct client *client;
static int port;

static void start_with(const char *setting)
{
    const char *const arguments[] = {"--set", setting, NULL};
    struct process_options options = {.program = "middleware_server", .folder = folder, .arguments = arguments};
    char path[64];

    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    snprintf(path, sizeof(path), "%s/gate", folder);
    cr_assert(eq(int, mkfifo(path, 0600), 0));
    server = process_start(&options);
    cr_assert(ne(ptr, server, NULL));
    cr_assert(eq(int, process_wait_line(server, "ports ", PATIENCE_MS), 0));
    char *line = process_find_line(server, "ports ");
    port = atoi(line + strlen("ports "));
    free(line);
    client = client_connect_port(port);
    cr_assert(ne(ptr, client, NULL));
}

static void start(void)
{
    start_with("accessLogEnabled=true"); /* which reads requests after their answers */
}

static void stop(void)
{
    char command[64];

    client_close(client);
    process_free(server);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_expect(eq(int, system(command), 0));
}

TestSuite(time_limits, .init = start, .fini = stop, .timeout = 60);

static const struct answer *ask(const char *line, const char *headers, const char *body)
{
    char request[2048];
    int error = 0;

    snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: a\r\n%sContent-Length: %zu\r\n\r\n%s", line, headers,
             strlen(body), body);
    cr_assert(eq(int, client_send_text(client, request), 0));
    const struct answer *a = client_receive(client, &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s: %s", line, strerror(-error));
    return a;
}

static void expect_header(const struct answer *a, const char *name, const char *value)
{
    char *found = answer_header(a, name);

    cr_expect(eq(str, found ? found : "(none)", (char *)value), "%s in\n%s", name, a->head);
    free(found);
}

static void expect(const char *line, const char *body_sent, int status, const char *body)
{
    const struct answer *a = ask(line, "Content-Type: application/x-www-form-urlencoded\r\n", body_sent);

    cr_expect(eq(int, a->status, status), "%s: %s", line, a->head);
    cr_expect(eq(str, a->body, (char *)body), "%s", line);
}

/* Waits until somebody waits at the gate, and opens it. */
static void open_gate(void)
{
    char path[64];
    int fd;

    snprintf(path, sizeof(path), "%s/gate", folder);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert(ge(int, fd, 0));
    close(fd);
}

Test(time_limits, answer_while_the_handler_runs_on)
{
    const struct answer *a = ask("POST /timed/gate?a=1", "X-Mine: kept-by-the-handler\r\n", "its body");

    cr_expect(eq(int, a->status, 504));
    cr_expect(eq(str, a->body, "too slow"));
    expect_header(a, "X-Before", "1");
    expect_header(a, "X-Gate", "(none)");
    cr_expect(a->keep_alive);
    char *id = answer_header(a, "X-Request-Id");
    cr_expect(ne(ptr, id, NULL), "what was set round the limit stays");
    free(id);
    for (int i = 0; i < 50; i++) { /* the exchange and the connection's memory are used again meanwhile */
        expect("GET /", "", 200, "hello");
        expect("POST /long/echo", "a=x", 200, "x");
    }
    open_gate();
    cr_expect(eq(int,
                 process_wait_line(server,
                                   "gate POST /timed/gate kept-by-the-handler left 0 flush refused value kept body "
                                   "its body",
                                   PATIENCE_MS),
                 0));
    expect("GET /", "", 200, "hello");
    cr_expect(eq(int, process_wait_line(server, "/timed/gate: no answer within 100 ms; its handler runs on", 1000), 0));
    cr_expect(eq(int, process_wait_line(server, " 504 \"POST http a /timed/gate?a=1 HTTP/1.1\"", PATIENCE_MS), 0));
}

Test(time_limits, leave_alone_what_is_in_time)
{
    const struct answer *a =
        ask("POST /long/echo?a=query", "Content-Type: application/x-www-form-urlencoded\r\n", "a=form");

    cr_expect(eq(int, a->status, 200));
    cr_expect(eq(str, a->body, "form"));
    expect_header(a, "X-Left", "some");
    expect_header(a, "X-After", "good");
    expect("GET /long/hello", "", 200, "hello");
    expect("GET /long/fail", "", 500, "Internal Server Error");
    cr_expect(eq(int, process_wait_line(server, "failed: in time; at middleware_server.c:", PATIENCE_MS), 0));
    a = ask("GET /long/client", "X-Forwarded-For: 192.0.2.7\r\n", "");
    cr_expect(eq(str, a->body, "192.0.2.7"));
    cr_expect(eq(int, process_wait_line(server, ", 192.0.2.7, \"\", \"\", via 127.0.0.1", PATIENCE_MS), 0));
    a = ask("GET /long/absent", "", "");
    cr_expect(eq(int, a->status, 404));
}

/* The handler's end and the limit come at the same time: every answer is the one or the other, whole. */
Test(time_limits, and_handlers_that_end_with_them)
{
    int in_time = 0, late = 0;

    for (int i = 0; i < 400; i++) {
        char line[64], body[32];
        const struct answer *a;

        snprintf(line, sizeof(line), "GET /race?us=%d", i * 15);
        snprintf(body, sizeof(body), "done %d", i * 15);
        a = ask(line, "X-Mine: 1\r\n", "");
        expect_header(a, "X-Raced", a->status == 200 ? "1" : "(none)");
        if (a->status == 200)
            cr_expect(eq(str, a->body, body));
        else
            cr_expect(eq(str, a->body, "Service Unavailable"));
        cr_expect(a->status == 200 || a->status == 503, "%d", a->status);
        in_time += a->status == 200;
        late += a->status == 503;
    }
    cr_expect(gt(int, late, 0));
    cr_expect(gt(int, in_time + late, 399));
}

Test(time_limits, the_inner_one_counts_in_another)
{
    expect("GET /long/in/gate", "", 504, "too slow");
    expect("GET /", "", 200, "hello");
    open_gate();
    cr_expect(eq(int, process_wait_line(server, "gate GET /long/in/gate", PATIENCE_MS), 0));
    expect("GET /long/hello", "", 200, "hello");
}

Test(time_limits, bear_clients_that_go)
{
    cr_assert(eq(int, client_send_text(client, "GET /timed/gate HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
    client_close(client);
    client = client_connect_port(port);
    cr_expect(eq(int, process_wait_line(server, "no answer within", PATIENCE_MS), 0));
    expect("GET /", "", 200, "hello");
    open_gate();
    cr_expect(eq(int, process_wait_line(server, "gate GET /timed/gate", PATIENCE_MS), 0));
    expect("GET /long/hello", "", 200, "hello");
}

Test(time_limits, a_drain_waits_for_the_handler)
{
    int status = -1;

    expect("GET /timed/gate", "", 504, "too slow");
    client_close(client);
    client = NULL;
    cr_assert(eq(int, process_signal(server, SIGTERM), 0));
    cr_expect(eq(int, process_wait_line(server, "server shutting down", PATIENCE_MS), 0));
    cr_expect(eq(int, process_wait_exit(server, 500, &status), -ETIMEDOUT), "it has not ended");
    open_gate();
    cr_expect(eq(int, process_wait_line(server, "gate GET /timed/gate", PATIENCE_MS), 0));
    cr_expect(eq(int, process_wait_exit(server, PATIENCE_MS, &status), 0));
    cr_expect(eq(int, status, 0));
}
