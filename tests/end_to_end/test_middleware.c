/*
 * Middleware, groups, hooks, handlers of statuses and the table of routes, as they are seen from outside.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "tests/support/client.h"
#include "tests/support/process.h"
#include "tests/support/raw.h"

#define PATIENCE_MS 20000

static struct process *server;
static struct client *client;
static int port;

static void start(void)
{
    struct process_options options = {.program = "middleware_server"};

    server = process_start(&options);
    cr_assert(ne(ptr, server, NULL));
    cr_assert(eq(int, process_wait_line(server, "ports", PATIENCE_MS), 0));
    char *line = process_find_line(server, "ports ");
    port = atoi(line + strlen("ports "));
    free(line);
    client = client_connect_port(port);
    cr_assert(ne(ptr, client, NULL));
}

static void stop(void)
{
    client_close(client);
    process_free(server);
}

TestSuite(middleware, .init = start, .fini = stop, .timeout = 60);

/* Sends a request of this line and these header lines over the kept connection. */
static const struct answer *ask(const char *line, const char *headers)
{
    char request[2048];
    int error = 0;

    snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: a\r\n%s\r\n", line, headers);
    cr_assert(eq(int, client_send_text(client, request), 0));
    const struct answer *a =
        strncmp(line, "HEAD", 4) == 0 ? client_receive_head(client, &error) : client_receive(client, &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s: %s", line, strerror(-error));
    cr_assert(a->keep_alive, "%s", line);
    return a;
}

static void expect_header(const struct answer *a, const char *name, const char *value)
{
    char *found = answer_header(a, name);

    cr_expect(eq(str, found ? found : "(none)", (char *)value), "%s in\n%s", name, a->head);
    free(found);
}

static void expect_answer(const struct answer *a, int status, const char *body)
{
    cr_expect(eq(int, a->status, status), "%s", a->head);
    cr_expect(eq(str, a->body, (char *)body));
}

Test(middleware, runs_round_handlers_and_where_there_is_none)
{
    const struct answer *a = ask("GET /", "");

    expect_answer(a, 200, "hello");
    expect_header(a, "X-Before", "1");
    expect_header(a, "X-After", "good");
    a = ask("GET /absent%20page", "");
    expect_answer(a, 404, "<p>no /absent page");
    expect_header(a, "Content-Type", "text/html");
    expect_header(a, "X-After", "bad");
    a = ask("DELETE /api/open", "");
    expect_answer(a, 405, "Method Not Allowed");
    expect_header(a, "Allow", "GET, HEAD, OPTIONS");
    expect_header(a, "X-After", "bad");
    expect_answer(ask("PROPFIND /", ""), 501, "Not Implemented");
    cr_expect(eq(int, process_wait_line(server, "seen 200 GET /", PATIENCE_MS), 0));
    cr_expect(eq(int, process_wait_line(server, "seen 404 GET /absent page", PATIENCE_MS), 0));
    cr_expect(eq(int, process_wait_line(server, "seen 405 DELETE /api/open", PATIENCE_MS), 0));
}

static void expect_silence(const char *line, const char *headers, const char *logged)
{
    const struct answer *a = ask(line, headers);

    cr_expect(eq(int, a->status, 500), "%s", line);
    expect_header(a, "X-Before", "1");
    expect_header(a, "X-After", "good"); /* it runs before the response is judged */
    cr_expect(eq(int, process_wait_line(server, logged, PATIENCE_MS), 0), "%s", logged);
}

/* Also where the handler has run on a twin, or has a body to read. */
Test(middleware, does_not_answer_for_a_handler_that_says_nothing)
{
    expect_silence("GET /silent", "",
                   "the response to GET /silent failed: the handler returned without answering; route ALL:/silent, "
                   "handler say_nothing, bound at middleware_server.c:");
    expect_silence("HEAD /silent", "", "the response to HEAD /silent failed: the handler returned without answering");
    expect_silence("GET /long/silent", "", "GET /long/silent failed: the handler returned without answering");
    expect_silence("GET /silent/stream", "", "GET /silent/stream failed: the handler returned without answering");
}

Test(middleware, of_a_group_authenticates)
{
    const struct answer *a = ask("PUT /api/people/7", "Content-Length: 0\r\n");

    expect_answer(a, 401, "Unauthorized");
    expect_header(a, "WWW-Authenticate", "Basic realm=\"restricted\", charset=\"UTF-8\"");
    a = ask("PUT /api/people/7", "Content-Length: 0\r\nAuthorization: Basic YW5uOnNlY3JldA==\r\n");
    expect_answer(a, 200, "ann 7");
    expect_answer(ask("GET /api/open", ""), 200, "hello");
}

Test(middleware, of_a_group_answers_preflights)
{
    const struct answer *a =
        ask("OPTIONS /api/people/7", "Origin: https://a.example\r\nAccess-Control-Request-Method: PUT\r\n");

    expect_answer(a, 204, "");
    expect_header(a, "Access-Control-Allow-Origin", "https://a.example");
    expect_header(a, "Vary", "Origin");
    a = ask("OPTIONS /api/people/7", "Origin: https://b.example\r\nAccess-Control-Request-Method: PUT\r\n");
    cr_expect(eq(int, a->status, 403));
    expect_header(a, "Access-Control-Allow-Origin", "(none)");
    a = ask("OPTIONS /api/people/7", "");
    expect_answer(a, 204, "");
    expect_header(a, "Allow", "PUT, OPTIONS");
}

Test(middleware, compresses)
{
    const struct answer *a = ask("GET /text", "Accept-Encoding: gzip\r\n");

    expect_header(a, "Content-Encoding", "gzip");
    expect_header(a, "Vary", "Accept-Encoding");
    cr_expect(lt(sz, a->body_size, 1000));
    char *length = answer_header(a, "Content-Length");
    a = ask("HEAD /text", "Accept-Encoding: gzip\r\n");
    expect_header(a, "Content-Length", length);
    free(length);
    a = ask("GET /text", "");
    expect_header(a, "Content-Encoding", "(none)");
    cr_expect(eq(sz, a->body_size, 10000));
}

Test(middleware, leaves_a_stream_alone)
{
    const struct answer *a = ask("GET /stream?size=5000", "Accept-Encoding: gzip\r\n");

    cr_expect(eq(int, a->status, 200));
    cr_expect(eq(sz, a->body_size, 5006));
    cr_expect(zero(int, strncmp(a->body, "first xxx", 9)));
    expect_header(a, "Content-Encoding", "(none)");
    expect_header(a, "X-Before", "1");
    expect_header(a, "X-After", "(none)");
    cr_expect(eq(int, process_wait_line(server, "seen 200 GET /stream", PATIENCE_MS), 0));
}

Test(middleware, knows_the_client_behind_the_proxy_and_limits_it)
{
    expect_answer(ask("GET /client", ""), 200, "127.0.0.1");
    expect_answer(ask("GET /client", "X-Forwarded-For: 6.6.6.6, 192.0.2.1\r\n"), 200, "192.0.2.1");
    for (int i = 0; i < 2; i++)
        expect_answer(ask("GET /limited", "X-Forwarded-For: 192.0.2.1\r\n"), 200, "hello");
    const struct answer *a = ask("GET /limited", "X-Forwarded-For: 192.0.2.1\r\n");
    expect_answer(a, 429, "Too Many Requests");
    expect_header(a, "Retry-After", "100");
    expect_answer(ask("GET /limited", "X-Forwarded-For: 192.0.2.2\r\n"), 200, "hello");
}

/* Hooks run before all middleware, and for files, for which no middleware runs. */
Test(middleware, hooks_know_the_client_behind_the_proxy_too)
{
    expect_answer(ask("GET /guarded/client", "X-Forwarded-For: 192.0.2.1\r\n"), 200, "192.0.2.1");
    expect_answer(ask("GET /guarded/client", "X-Forwarded-For: 192.0.2.1, 192.0.2.2\r\n"), 403, "Forbidden");
    expect_answer(ask("GET /guarded/client", ""), 403, "Forbidden");
}

Test(middleware, knows_the_scheme_that_the_proxy_was_asked_by)
{
    expect_answer(ask("GET /url?x=1", ""), 200, "http://a/url?x=1 plain");
    expect_answer(ask("GET /url?x=1", "X-Forwarded-Proto: https\r\n"), 200, "https://a/url?x=1 secure");
    expect_answer(ask("GET /url", "X-Forwarded-Proto: https, http\r\n"), 200, "http://a/url plain");
    expect_answer(ask("GET /url", "X-Forwarded-Proto: http\r\nX-Forwarded-Proto:  HTTPS \r\n"), 200,
                  "https://a/url secure");
    expect_answer(ask("GET /url", "X-Forwarded-Proto: javascript\r\n"), 200, "http://a/url plain");
    expect_answer(ask("GET /url", "X-Forwarded-Proto: \r\n"), 200, "http://a/url plain");
}

enum { BLOCKED = 50 };

/* Middleware that blocks holds up nobody, on requests without a route as on others. */
Test(middleware, may_block)
{
    static struct raw raw[2 * BLOCKED];
    struct timespec begin, end;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < 2 * BLOCKED; i++) {
        cr_assert(eq(int, raw_connect(&raw[i], port), 0));
        cr_assert(eq(int,
                     raw_send_text(&raw[i], i % 2 ? "GET /slow/bound HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                                                  : "GET /slow/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                     0));
    }
    for (int i = 0; i < 2 * BLOCKED; i++) {
        cr_assert(eq(int, raw_read(&raw[i], NULL, 10000), 0));
        cr_expect(eq(int, raw_status(&raw[i]), i % 2 ? 200 : 404));
        raw_close(&raw[i]);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    cr_expect(lt(long, end.tv_sec - begin.tv_sec, 15), "one after another they take 30 seconds");
    expect_answer(ask("GET /", ""), 200, "hello");
}

Test(middleware, a_table_of_routes_is_logged)
{
    char *output = process_output(server);
    static const char *const rows[] = {
        "ADDRESS",
        "METHOD | ROUTE ",
        "GLOBAL MIDDLEWARE",
        "/slow/*",
        "MIDDLEWARE",
        "| /api/people/:id | tell_user ",
        "| ghttp_middleware_cors, ghttp_middleware_basic_auth\n",
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        cr_expect(ne(ptr, strstr(output, rows[i]), NULL), "%s in\n%s", rows[i], output);
    cr_expect(lt(ptr, strstr(output, "http server started listening"), strstr(output, "ADDRESS")));
    free(output);
}

/* ---- the set-up ---- */

static char *output_of(const char *const *arguments, int status)
{
    struct process_options options = {.program = "middleware_server", .arguments = arguments};
    struct process *p = process_start(&options);
    int got = 0;

    cr_assert(ne(ptr, p, NULL));
    if (status == 0) {
        cr_assert(eq(int, process_wait_line(p, "ports", PATIENCE_MS), 0));
        process_signal(p, SIGTERM);
    }
    cr_assert(eq(int, process_wait_exit(p, PATIENCE_MS, &got), 0));
    cr_expect(eq(int, WEXITSTATUS(got), status));
    cr_assert(eq(int, process_wait_end(p, PATIENCE_MS), 0)); /* and with it the end of the output */
    char *output = process_output(p);
    process_free(p);
    return output;
}

Test(middleware, a_pattern_bound_twice_is_refused_with_both_places)
{
    const char *const arguments[] = {"--bind-twice", NULL};
    char *output = output_of(arguments, 1);

    cr_expect(ne(ptr, strstr(output, "pattern \"/client\" at middleware_server.c:"), NULL), "%s", output);
    cr_expect(ne(ptr, strstr(output, ": bound already, as \"/client\" at middleware_server.c:"), NULL), "%s", output);
    free(output);
}

Test(middleware, the_table_can_be_switched_off_and_routes_overwritten)
{
    const char *const arguments[] = {"--set", "dumpRouterMap=false", "--set", "routeOverWrite=true", "--bind-twice",
                                     NULL};
    char *output = output_of(arguments, 0);

    cr_expect(zero(ptr, strstr(output, "ADDRESS")), "%s", output);
    free(output);
}
