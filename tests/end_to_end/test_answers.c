/*
 * Answers: large ones, too large ones, many headers, redirections, statuses, as they arrive at the client.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/client.h"
#include "tests/support/http_server.h"
#include "tests/support/raw.h"

static struct http_server *server;
static struct client *client;

static void start_with(const char *setting)
{
    const char *arguments[] = {setting ? "--set" : NULL, setting, NULL};

    server = http_server_start(arguments);
    cr_assert(ne(ptr, server, NULL));
    client = client_connect_port(server->port);
    cr_assert(ne(ptr, client, NULL));
}

static void start(void)
{
    start_with(NULL);
}

static void stop(void)
{
    client_close(client);
    cr_assert(http_server_serves(server));
    cr_assert(eq(int, http_server_stop(server), 0));
}

TestSuite(answers, .init = start, .fini = stop, .timeout = 60);

static const struct answer *get(const char *path)
{
    int error = 0;
    const struct answer *a = client_get(client, path, &error);

    cr_assert(ne(ptr, (void *)a, NULL), "%s: %s", path, strerror(-error));
    return a;
}

static void expect_header(const struct answer *a, const char *name, const char *value)
{
    char *found = answer_header(a, name);

    cr_assert(ne(ptr, found, NULL), "no header %s in\n%s", name, a->head);
    cr_assert(eq(str, found, (char *)value));
    free(found);
}

Test(answers, of_many_sizes_are_whole)
{
    static const size_t sizes[] = {0, 1, 1023, 1024, 4095, 4096, 4097, 16384, 65535, 65536, 65537, 1000000, 60000000};

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        char path[64];

        snprintf(path, sizeof(path), "/bytes?size=%zu", sizes[i]);
        const struct answer *a = get(path);
        cr_assert(eq(int, a->status, 200));
        cr_assert(eq(sz, a->body_size, sizes[i]));
        for (size_t at = 0; at < a->body_size; at++)
            if (a->body[at] != (char)('a' + at % 23))
                cr_fail("an answer of %zu bytes is wrong at byte %zu", sizes[i], at);
        cr_assert(a->keep_alive);
    }
}

Test(answers, up_to_64_mib_and_not_a_byte_more)
{
    const struct answer *a = get("/bytes?size=67108864");

    cr_assert(eq(int, a->status, 200));
    cr_assert(eq(sz, a->body_size, 67108864));
    a = get("/bytes?size=67108865");
    cr_assert(eq(int, a->status, 500));
    cr_assert(eq(str, a->body, "Internal Server Error"));
    a = get("/bytes?size=100000000");
    cr_assert(eq(int, a->status, 500));
    char *line = process_find_line(server->process, "the body outgrew the memory");
    cr_assert(ne(ptr, line, NULL));
    free(line);
    a = get("/"); /* and the connection is fine */
    cr_assert(eq(str, a->body, "hello\n"));
}

Test(answers, with_many_headers)
{
    char name[32], value[64];

    const struct answer *a = get("/headers?count=50&size=60");
    cr_assert(eq(int, a->status, 200));
    cr_assert(eq(str, a->body, "50\n"));
    for (int i = 0; i < 50; i++) {
        memset(value, 'a' + i % 26, 60);
        value[60] = 0;
        snprintf(name, sizeof(name), "X-Header-%d", i);
        expect_header(a, name, value);
    }
}

/* At the limits that ghttp_response_set_header() has, the head must still fit what libmicrohttpd has for it. */
Test(answers, with_as_many_headers_as_are_allowed)
{
    const struct answer *a = get("/headers?count=63&size=10");

    cr_assert(eq(int, a->status, 200));
    cr_assert(eq(str, a->body, "63\n"));
    cr_assert(eq(int, get("/headers?count=100&size=10")->status, 500)); /* no room for the Content-Type */
    a = get("/headers?count=7&size=1100");
    cr_assert(eq(int, a->status, 200));
    cr_assert(eq(str, a->body, "7\n"));
    a = get("/headers?count=1&size=8000");
    cr_assert(eq(int, a->status, 200));
    cr_assert(eq(str, a->body, "1\n"));
}

/* And beside a request whose head is as large as it may be. */
Test(answers, with_the_largest_head_to_the_largest_request)
{
    static char request[16384];
    size_t size =
        (size_t)snprintf(request, sizeof(request), "GET /headers?count=60&size=100 HTTP/1.1\r\nHost: a\r\nX-Fill: ");
    int error = 0;

    memset(request + size, 'f', 10100 - size);
    size = 10100;
    size += (size_t)snprintf(request + size, sizeof(request) - size, "\r\n\r\n");
    for (int i = 0; i < 3; i++) {
        cr_assert(eq(int, client_send(client, request, size), 0));
        const struct answer *a = client_receive(client, &error);
        cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
        cr_assert(eq(int, a->status, 200));
        cr_assert(gt(int, atoi(a->body), 50));
    }
}

Test(answers, that_redirect)
{
    const struct answer *a = get("/redirect?to=/elsewhere");

    cr_assert(eq(int, a->status, 302));
    expect_header(a, "Location", "/elsewhere");
    a = get("/redirect?to=https%3A%2F%2Fexample.com%2Fa%3Fb%3D1&status=301");
    cr_assert(eq(int, a->status, 301));
    expect_header(a, "Location", "https://example.com/a?b=1");
    a = get("/redirect?to=%2Fa%0D%0ASet-Cookie:%20x=y");
    cr_assert(eq(int, a->status, 500));
    cr_assert(eq(int, answer_header_count(a, "Set-Cookie"), 0));
    a = get("/redirect?to=/a&status=200");
    cr_assert(eq(int, a->status, 500));
    a = get("/redirect");
    cr_assert(eq(int, a->status, 500));
}

Test(answers, with_every_kind_of_status)
{
    static const int codes[] = {200, 201, 203, 204, 205, 206, 299, 304, 400, 404, 418, 451, 499, 500, 503, 599};

    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++) {
        char path[64];
        bool empty = codes[i] == 204 || codes[i] == 205 || codes[i] == 304;

        snprintf(path, sizeof(path), "/status?code=%d", codes[i]);
        const struct answer *a = get(path);
        cr_assert(eq(int, a->status, codes[i]));
        cr_assert(eq(str, a->body, empty ? "" : "a body\n"), "%d", codes[i]);
        cr_assert(a->keep_alive, "%d", codes[i]);
    }
    cr_assert(eq(int, get("/status?code=100")->status, 500));
    cr_assert(eq(int, get("/status?code=600")->status, 500));
    cr_assert(eq(int, get("/status?code=0")->status, 500));
}

Test(answers, have_the_headers_that_every_answer_has)
{
    const struct answer *a = get("/");

    expect_header(a, "Server", "GoFrame HTTP Server");
    expect_header(a, "Content-Length", "6");
    expect_header(a, "Content-Type", "text/plain; charset=utf-8");
    cr_assert(eq(int, answer_header_count(a, "Date"), 1));
    a = get("/nowhere");
    expect_header(a, "Server", "GoFrame HTTP Server");
    cr_assert(eq(str, a->body, "Not Found"));
}

/* ---- settings that every answer shows ---- */

static void start_without_keep_alive(void)
{
    stop(); /* the suite's own has been started before */
    start_with("keepAlive=false");
}

/* What else was sent on the connection is not answered. */
Test(answers, are_the_only_ones_of_their_connections_without_keep_alive, .init = start_without_keep_alive)
{
    static const char *const paths[] = {"/", "/nowhere", "/bytes?size=100000"};
    char requests[256];
    struct raw raw;

    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        int size = snprintf(requests, sizeof(requests),
                            "GET %s HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n"
                            "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
                            paths[i]);
        cr_assert(gt(int, raw_exchange(&raw, server->port, requests, (size_t)size), 0), "%s", paths[i]);
        cr_expect(raw_has(&raw, "\r\nConnection: close\r\n"), "%s", paths[i]);
        cr_expect(eq(int, raw_count(&raw, "HTTP/1.1 "), 1), "%s", paths[i]);
        raw_close(&raw);
    }
}

static void start_without_agent(void)
{
    stop(); /* the suite's own has been started before */
    start_with("serverAgent=");
}

Test(answers, do_not_say_who_gives_them_where_they_are_not_to, .init = start_without_agent)
{
    static const char *const paths[] = {"/", "/nowhere", "/status?code=500", "/bytes?size=67108865"};

    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        const struct answer *a = get(paths[i]);

        cr_expect(zero(int, answer_header_count(a, "Server")), "%s: %s", paths[i], a->head);
        cr_expect(eq(int, answer_header_count(a, "Date"), 1));
    }
}

static void start_with_agent(void)
{
    stop(); /* the suite's own has been started before */
    start_with("serverAgent=Harbour 2.1");
}

Test(answers, say_that_somebody_else_gives_them, .init = start_with_agent)
{
    expect_header(get("/"), "Server", "Harbour 2.1");
    expect_header(get("/nowhere"), "Server", "Harbour 2.1");
}
