/*
 * Methods, keep-alive, pipelining and requests in pieces: that each request gets its own answer, in order, whatever
 * the bytes' way to the server was like.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/client.h"
#include "tests/support/http_server.h"
#include "tests/support/raw.h"

static struct http_server *server;

static void start(void)
{
    server = http_server_start(NULL);
    cr_assert(ne(ptr, server, NULL));
}

static void stop(void)
{
    cr_assert(eq(int, http_server_stop(server), 0));
}

TestSuite(methods, .init = start, .fini = stop, .timeout = 60);

/* One request with this line over a connection of its own; the answer is the client's. */
static const struct answer *ask(struct client **c, const char *line)
{
    char request[512];
    int error = 0;

    *c = client_connect_port(server->port);
    cr_assert(ne(ptr, *c, NULL));
    snprintf(request, sizeof(request), "%s\r\nHost: localhost\r\n\r\n", line);
    cr_assert(eq(int, client_send_text(*c, request), 0));
    const struct answer *a = strncmp(line, "HEAD ", 5) ? client_receive(*c, &error) : client_receive_head(*c, &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s: %s", line, strerror(-error));
    return a;
}

static void expect_header(const struct answer *a, const char *name, const char *value)
{
    char *found = answer_header(a, name);

    cr_assert(ne(ptr, found, NULL), "no header %s in\n%s", name, a->head);
    cr_assert(eq(str, found, (char *)value));
    free(found);
}

static void expect(const char *line, int status, const char *header, const char *value)
{
    struct client *c;
    const struct answer *a = ask(&c, line);

    cr_assert(eq(int, a->status, status), "%s", line);
    if (header)
        expect_header(a, header, value);
    client_close(c);
}

Test(methods, that_are_known_reach_a_handler_for_all)
{
    static const char *const names[] = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char line[64];

        snprintf(line, sizeof(line), "%s /echo HTTP/1.1", names[i]);
        expect(line, 200, "X-Method", names[i]);
    }
}

Test(methods, head_has_the_headers_of_get_and_no_body)
{
    struct raw raw;
    static const char request[] = "HEAD /bytes?size=5000 HTTP/1.1\r\nHost: a\r\n\r\n"
                                  "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

    cr_assert(eq(int, raw_exchange(&raw, server->port, request, sizeof(request) - 1), 200));
    cr_assert(raw_has(&raw, "Content-Length: 5000\r\n"));
    cr_assert(eq(int, raw_count(&raw, "HTTP/1.1 200 OK\r\n"), 2));
    /* what follows the first head is the second answer, nothing else */
    cr_assert(eq(int, strncmp(strstr(raw.bytes, "\r\n\r\n") + 4, "HTTP/1.1 200 OK\r\n", 17), 0));
    cr_assert(eq(str, raw.bytes + raw.size - 6, "hello\n"));
    raw_close(&raw);
}

Test(methods, head_is_served_where_get_is_bound)
{
    expect("HEAD /only-get HTTP/1.1", 200, "Content-Length", "6");
}

Test(methods, options_tells_what_is_allowed)
{
    expect("OPTIONS /only-get HTTP/1.1", 204, "Allow", "GET, HEAD, OPTIONS");
    expect("OPTIONS * HTTP/1.1", 204, NULL, NULL);
    expect("OPTIONS /nowhere HTTP/1.1", 404, NULL, NULL);
}

Test(methods, that_a_path_does_not_allow_get_405)
{
    expect("POST /only-get HTTP/1.1", 405, "Allow", "GET, HEAD, OPTIONS");
    expect("GET /only-post HTTP/1.1", 405, "Allow", "POST, OPTIONS");
}

Test(methods, that_nobody_knows_get_501)
{
    expect("BREW / HTTP/1.1", 501, NULL, NULL);
    expect("get / HTTP/1.1", 501, NULL, NULL);
    expect("GETX / HTTP/1.1", 501, NULL, NULL);
    expect("GET /nowhere HTTP/1.1", 404, NULL, NULL);
    cr_assert(http_server_serves(server));
}

/* ---- connections that stay -----------------------------------------------------------------------------------------
 */

Test(methods, one_connection_serves_a_thousand_requests)
{
    struct client *c = client_connect_port(server->port);
    int error = 0;

    cr_assert(ne(ptr, c, NULL));
    for (int i = 0; i < 1000; i++) {
        char path[64], size[32];

        snprintf(path, sizeof(path), i % 3 ? "/bytes?size=%d" : "/nowhere/%d", i);
        snprintf(size, sizeof(size), "%d", i);
        const struct answer *a = client_get(c, path, &error);
        cr_assert(ne(ptr, (void *)a, NULL), "request %d: %s", i, strerror(-error));
        cr_assert(eq(int, a->status, i % 3 ? 200 : 404));
        cr_assert(a->keep_alive);
        if (i % 3)
            expect_header(a, "Content-Length", size);
    }
    client_close(c);
}

static void exchange_and_close(const char *request, int answers)
{
    struct raw raw;

    cr_assert(eq(int, raw_exchange(&raw, server->port, request, strlen(request)), 200), "%s", request);
    cr_assert(eq(int, raw_count(&raw, "HTTP/1.1 200 OK"), answers), "%s", raw.bytes);
    cr_assert(raw.ended);
    raw_close(&raw);
}

Test(methods, http_1_0_closes_unless_it_asks_not_to)
{
    struct raw raw;

    exchange_and_close("GET / HTTP/1.0\r\n\r\n", 1);
    exchange_and_close("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", 2);
    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    cr_assert(eq(int, raw_send_text(&raw, "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"), 0));
    cr_assert(eq(int, raw_read(&raw, "hello\n", 5000), 0));
    cr_assert(raw_has(&raw, "Connection: Keep-Alive\r\n"), "%s", raw.bytes);
    cr_assert(eq(int, raw_read(&raw, NULL, 100), -ETIMEDOUT));
    raw_close(&raw);
}

Test(methods, connection_close_is_obeyed_and_announced)
{
    struct raw raw;
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                                  "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

    cr_assert(eq(int, raw_exchange(&raw, server->port, request, sizeof(request) - 1), 200));
    cr_assert(eq(int, raw_count(&raw, "HTTP/1.1"), 1));
    cr_assert(raw_has(&raw, "Connection: close\r\n"));
    raw_close(&raw);
    exchange_and_close("GET / HTTP/1.1\r\nHost: a\r\nConnection: foo, Close\r\n\r\n", 1);
}

Test(methods, a_handler_can_close_the_connection)
{
    struct raw raw;
    static const char request[] = "GET /close HTTP/1.1\r\nHost: a\r\n\r\n";

    cr_assert(eq(int, raw_exchange(&raw, server->port, request, sizeof(request) - 1), 200));
    cr_assert(eq(int, raw_count(&raw, "Connection: close\r\n"), 1));
    cr_assert(eq(str, raw.bytes + raw.size - 4, "bye\n"));
    raw_close(&raw);
}

Test(methods, a_client_that_has_ended_its_sending_still_gets_its_answers)
{
    struct client *c = client_connect_port(server->port);
    int error = 0;

    cr_assert(ne(ptr, c, NULL));
    cr_assert(eq(int,
                 client_send_text(c, "GET /sleep?ms=50 HTTP/1.1\r\nHost: a\r\n\r\n"
                                     "GET /bytes?size=300000 HTTP/1.1\r\nHost: a\r\n\r\n"),
                 0));
    transport_end_writing(client_transport(c));
    const struct answer *a = client_receive(c, &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
    cr_assert(eq(str, a->body, "slept\n"));
    a = client_receive(c, &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
    cr_assert(eq(sz, a->body_size, 300000));
    client_close(c);
}

/* ---- pipelining, and pieces ----------------------------------------------------------------------------------------
 */

/* The answer to "GET /show/<n>" with the header X-Test: <n> must say n twice. */
static void expect_show(struct client *c, int n)
{
    char path[64], test[64];
    int error = 0;
    const struct answer *a = client_receive(c, &error);

    cr_assert(ne(ptr, (void *)a, NULL), "answer %d: %s", n, strerror(-error));
    snprintf(path, sizeof(path), "\npath=/show/%d\n", n);
    snprintf(test, sizeof(test), "\nx-test=%d\n", n);
    cr_assert(eq(int, a->status, 200));
    cr_assert(ne(ptr, strstr(a->body, path), NULL), "%s", a->body);
    cr_assert(ne(ptr, strstr(a->body, test), NULL), "%s", a->body);
}

static size_t write_show(char *buffer, size_t size, int n)
{
    return (size_t)snprintf(buffer, size, "GET /show/%d HTTP/1.1\r\nHost: a\r\nX-Test: %d\r\n\r\n", n, n);
}

Test(methods, fifty_requests_in_one_write_are_answered_in_order)
{
    static char requests[50 * 128];
    struct client *c = client_connect_port(server->port);
    size_t size = 0;

    cr_assert(ne(ptr, c, NULL));
    for (int round = 0; round < 20; round++) {
        size = 0;
        for (int n = 0; n < 50; n++)
            size += write_show(requests + size, sizeof(requests) - size, n);
        cr_assert(eq(int, client_send(c, requests, size), 0));
        for (int n = 0; n < 50; n++)
            expect_show(c, n);
    }
    client_close(c);
}

Test(methods, pipelined_bodies_and_slow_handlers_keep_their_order)
{
    static const char requests[] =
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none"
        "GET /sleep?ms=30 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\ntwo\r\n0\r\n\r\n"
        "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
        "GET /sleep?ms=1 HTTP/1.1\r\nHost: a\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nthree";
    static const char *const bodies[] = {"one", "slept\n", "two", NULL, "slept\n", "", "three"};

    for (int round = 0; round < 20; round++) {
        struct client *c = client_connect_port(server->port);
        int error = 0;

        cr_assert(ne(ptr, c, NULL));
        cr_assert(eq(int, client_send_text(c, requests), 0));
        for (size_t i = 0; i < sizeof(bodies) / sizeof(*bodies); i++) {
            const struct answer *a = bodies[i] ? client_receive(c, &error) : client_receive_head(c, &error);
            cr_assert(ne(ptr, (void *)a, NULL), "answer %zu: %s", i, strerror(-error));
            cr_assert(eq(int, a->status, 200));
            cr_assert(eq(str, a->body, bodies[i] ? (char *)bodies[i] : ""));
        }
        cr_assert(eq(int, client_wait_close(c, 5000), 0));
        client_close(c);
    }
}

Test(methods, pipelined_large_answers_come_whole)
{
    struct client *c = client_connect_port(server->port);
    int error = 0;

    cr_assert(ne(ptr, c, NULL));
    for (int i = 0; i < 6; i++)
        cr_assert(eq(int, client_send_text(c, "GET /bytes?size=3000000 HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
    for (int i = 0; i < 6; i++) {
        const struct answer *a = client_receive(c, &error);
        cr_assert(ne(ptr, (void *)a, NULL), "answer %d: %s", i, strerror(-error));
        cr_assert(eq(sz, a->body_size, 3000000));
        for (size_t at = 0; at < a->body_size; at++)
            if (a->body[at] != (char)('a' + at % 23))
                cr_fail("answer %d is wrong at byte %zu", i, at);
    }
    client_close(c);
}

Test(methods, a_request_may_come_a_byte_at_a_time)
{
    char request[128];
    size_t size = write_show(request, sizeof(request), 7);
    struct client *c = client_connect_port(server->port);

    cr_assert(ne(ptr, c, NULL));
    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < size; i++)
            cr_assert(eq(int, client_send(c, request + i, 1), 0));
        expect_show(c, 7);
    }
    client_close(c);
}

/* Sends the request in two pieces, cut at each of its bytes; the answer must be the same each time. */
static void cut_everywhere(const char *request, const char *body)
{
    size_t size = strlen(request);

    for (size_t cut = 1; cut < size; cut++) {
        struct raw raw;

        cr_assert(eq(int, raw_connect(&raw, server->port), 0));
        cr_assert(eq(int, raw_send_split(&raw, request, size, cut), 0));
        cr_assert(eq(int, raw_read(&raw, NULL, 5000), 0), "cut at byte %zu", cut);
        cr_assert(eq(int, raw_status(&raw), 200), "cut at byte %zu: %s", cut, raw.bytes);
        cr_assert(eq(str, strstr(raw.bytes, "\r\n\r\n") + 4, (char *)body), "cut at byte %zu", cut);
        raw_close(&raw);
    }
}

Test(methods, a_request_may_be_cut_anywhere)
{
    cut_everywhere("GET /status HTTP/1.1\r\nHost: a\r\nX-Test: 1\r\nConnection: close\r\n\r\n", "a body\n");
    cut_everywhere("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\n12345", "12345");
    cut_everywhere("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                   "5;name=\"value\"\r\n12345\r\n00A\r\n67890abcde\r\n0\r\nTrailer: x\r\n\r\n",
                   "1234567890abcde");
}

Test(methods, empty_lines_before_a_request_are_forgiven)
{
    exchange_and_close(
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 2);
}
