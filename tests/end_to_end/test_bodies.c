/*
 * Bodies of requests: their framing, their limits, and that a refused one is answered so that the client can read it.
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

enum { LIMIT = 100000 };

static struct http_server *server;

static void start(void)
{
    static const char *const arguments[] = {"--set", "clientMaxBodySize=100000", NULL};

    server = http_server_start(arguments);
    cr_assert(ne(ptr, server, NULL));
}

static void stop(void)
{
    cr_assert(eq(int, http_server_stop(server), 0));
}

TestSuite(bodies, .init = start, .fini = stop, .timeout = 60);

static char *make_body(size_t size)
{
    char *body = malloc(size + 1);

    cr_assert(ne(ptr, body, NULL));
    for (size_t i = 0; i < size; i++)
        body[i] = (char)(i * 31 + i / 251);
    body[size] = 0;
    return body;
}

/* The body of this size in chunks of this size; the size of it all in *ret_size. Allocated. */
static char *make_chunks(const char *body, size_t size, size_t chunk, size_t *ret_size)
{
    char *text = malloc(size + (size / chunk + 2) * 32), *at = text;

    cr_assert(ne(ptr, text, NULL));
    for (size_t done = 0; done < size; done += chunk) {
        size_t piece = size - done < chunk ? size - done : chunk;

        at += sprintf(at, "%zx\r\n", piece);
        memcpy(at, body + done, piece);
        at += piece;
        at += sprintf(at, "\r\n");
    }
    at += sprintf(at, "0\r\n\r\n");
    *ret_size = (size_t)(at - text);
    return text;
}

static const struct answer *receive_echo(struct client *c, const char *body, size_t size)
{
    int error = 0;
    const struct answer *a = client_receive(c, &error);

    cr_assert(ne(ptr, (void *)a, NULL), "a body of %zu bytes: %s", size, strerror(-error));
    cr_assert(eq(int, a->status, 200), "a body of %zu bytes", size);
    cr_assert(eq(sz, a->body_size, size));
    cr_assert(eq(int, memcmp(a->body, body, size), 0));
    return a;
}

static void expect_echo(struct client *c, const char *body, size_t size)
{
    cr_assert(receive_echo(c, body, size)->keep_alive);
}

static void expect_last_echo(struct client *c, const char *body, size_t size)
{
    cr_assert(not(receive_echo(c, body, size)->keep_alive));
    cr_assert(eq(int, client_wait_close(c, 5000), 0));
}

static void send_with_length(struct client *c, const char *body, size_t size)
{
    char head[128];

    snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", size);
    cr_assert(eq(int, client_send_text(c, head), 0));
    cr_assert(eq(int, client_send(c, body, size), 0));
}

static void send_chunked(struct client *c, const char *body, size_t size, size_t chunk)
{
    size_t all;
    char *chunks = make_chunks(body, size, chunk, &all);

    cr_assert(eq(int, client_send_text(c, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 0));
    cr_assert(eq(int, client_send(c, chunks, all), 0));
    free(chunks);
}

Test(bodies, of_all_sizes_come_back_as_they_were_sent)
{
    static const size_t sizes[] = {0, 1, 2, 1000, 8191, 8192, 32767, 32768, 32769, 65536, LIMIT - 1, LIMIT};
    struct client *c = client_connect_port(server->port);

    cr_assert(ne(ptr, c, NULL));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        char *body = make_body(sizes[i]);

        send_with_length(c, body, sizes[i]);
        expect_echo(c, body, sizes[i]);
        send_chunked(c, body, sizes[i], 40000);
        expect_echo(c, body, sizes[i]);
        send_chunked(c, body, sizes[i], sizes[i] > 5000 ? 700 : 1);
        expect_echo(c, body, sizes[i]);
        free(body);
    }
    client_close(c);
}

/* As in GoFrame, 0 is no limit; more than the 8 MiB of a server that says nothing. */
Test(bodies, without_a_limit_large_ones_come_back_too)
{
    enum { SIZE = 9 << 20 };
    static const char *const arguments[] = {"--set", "clientMaxBodySize=0", NULL};
    char *body = make_body(SIZE);
    struct client *c;

    stop();
    server = http_server_start(arguments);
    cr_assert(ne(ptr, server, NULL));
    c = client_connect_port(server->port);
    cr_assert(ne(ptr, c, NULL));
    send_with_length(c, body, SIZE);
    expect_echo(c, body, SIZE);
    send_chunked(c, body, SIZE, 1 << 20);
    expect_echo(c, body, SIZE);
    client_close(c);
    free(body);
}

Test(bodies, chunk_extensions_and_trailers_are_read_over)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
                                  "3;a\r\nabc\r\n"
                                  "00000a;name=value;other=\"quoted\"\r\n0123456789\r\n"
                                  "0;last\r\n";
    struct client *c = client_connect_port(server->port);

    cr_assert(ne(ptr, c, NULL));
    for (int i = 0; i < 3; i++) {
        cr_assert(eq(int, client_send_text(c, request), 0));
        cr_assert(eq(int, client_send_text(c, "\r\n"), 0));
        expect_echo(c, "abc0123456789", 13);
    }
    for (size_t i = 0; request[i]; i++) /* and in the smallest pieces */
        cr_assert(eq(int, client_send(c, request + i, 1), 0));
    cr_assert(eq(int, client_send_text(c, "X-Trailer: one\r\nX-Other: two\r\n\r\n"), 0));
    expect_last_echo(c, "abc0123456789", 13);
    client_close(c);
}

/* A trailer that begins with a colon ends the trailers for libmicrohttpd 0.9.75: what follows is no second request. */
Test(bodies, a_request_hidden_in_trailers_is_not_served)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "2\r\nab\r\n0\r\nX-Trailer: 1\r\n: 2\r\nGET /show HTTP/1.1\r\nHost: a\r\n\r\n";
    struct raw raw;

    cr_assert(eq(int, raw_exchange(&raw, server->port, request, sizeof(request) - 1), 200));
    cr_assert(eq(int, raw_count(&raw, "HTTP/1.1 "), 1), "%s", raw.bytes);
    raw_close(&raw);
}

Test(bodies, trailers_do_not_become_headers)
{
    static const char request[] =
        "POST /show HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n"
        "\r\n0\r\nX-Test: smuggled\r\nHost: b\r\n\r\n";
    struct raw raw;

    cr_assert(eq(int, raw_exchange(&raw, server->port, request, sizeof(request) - 1), 200));
    cr_assert(raw_has(&raw, "x-test=(none)\n"), "%s", raw.bytes);
    cr_assert(raw_has(&raw, "host=a\n"), "%s", raw.bytes);
    raw_close(&raw);
}

/* ---- Expect --------------------------------------------------------------------------------------------------------
 */

Test(bodies, expect_continue_is_answered_before_the_body)
{
    struct raw raw;

    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    for (int i = 1; i <= 3; i++) {
        cr_assert(eq(int,
                     raw_send_text(&raw, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                                         "Expect: 100-continue\r\n\r\n"),
                     0));
        while (raw_count(&raw, "HTTP/1.1 100 Continue\r\n\r\n") < i)
            cr_assert(eq(int, raw_read_size(&raw, raw.size + 1, 5000), 0), "%s", raw.bytes);
        cr_assert(eq(int, raw_count(&raw, "HTTP/1.1 200"), i - 1));
        cr_assert(eq(int, raw_send_text(&raw, "12345"), 0));
        while (raw_count(&raw, "\r\n\r\n12345") < i)
            cr_assert(eq(int, raw_read_size(&raw, raw.size + 1, 5000), 0), "%s", raw.bytes);
    }
    raw_close(&raw);
}

Test(bodies, expect_continue_with_chunks)
{
    struct raw raw;

    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    cr_assert(eq(int,
                 raw_send_text(&raw, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
                                     "Expect: 100-Continue\r\nConnection: close\r\n\r\n"),
                 0));
    cr_assert(eq(int, raw_read(&raw, "HTTP/1.1 100 Continue\r\n\r\n", 5000), 0));
    cr_assert(eq(int, raw_send_text(&raw, "2\r\nab\r\n0\r\n\r\n"), 0));
    cr_assert(eq(int, raw_read(&raw, NULL, 5000), 0));
    cr_assert(raw_has(&raw, "HTTP/1.1 200 OK\r\n"));
    cr_assert(raw_has(&raw, "\r\n\r\nab"));
    raw_close(&raw);
}

Test(bodies, expect_continue_of_a_client_that_does_not_wait)
{
    struct client *c = client_connect_port(server->port);

    cr_assert(ne(ptr, c, NULL));
    for (int i = 0; i < 3; i++) {
        cr_assert(eq(int,
                     client_send_text(c, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                                         "Expect: 100-continue\r\n\r\n12345"),
                     0));
        expect_echo(c, "12345", 5);
    }
    client_close(c);
}

Test(bodies, expect_continue_of_one_too_large_is_refused_without_100)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n"
                                  "Expect: 100-continue\r\n\r\n";
    struct raw raw;

    cr_assert(eq(int, raw_exchange(&raw, server->port, request, sizeof(request) - 1), 413));
    cr_assert(eq(int, raw_count(&raw, "HTTP/1.1"), 1), "%s", raw.bytes);
    cr_assert(raw_has(&raw, "Connection: close\r\n"));
    raw_close(&raw);
}

Test(bodies, any_other_expectation_gets_417)
{
    static const char request[] = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: a-miracle\r\n\r\n";
    struct raw raw;

    cr_assert(eq(int, raw_exchange(&raw, server->port, request, sizeof(request) - 1), 417));
    cr_assert(eq(int, raw_count(&raw, "HTTP/1.1"), 1), "%s", raw.bytes);
    raw_close(&raw);
    cr_assert(http_server_serves(server));
}

/* ---- too much ------------------------------------------------------------------------------------------------------
 */

/* The head, then the body in pieces of this size, all of it whatever the server says; then the answer must be read. */
static void expect_413(const char *head, const char *body, size_t size, size_t piece)
{
    struct raw raw;

    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    cr_assert(eq(int, raw_send_text(&raw, head), 0));
    for (size_t done = 0; done < size; done += piece)
        cr_assert(eq(int, raw_send(&raw, body + done, size - done < piece ? size - done : piece), 0),
                  "the connection broke at byte %zu of %zu", done, size);
    cr_assert(eq(int, raw_read(&raw, NULL, 10000), 0));
    cr_assert(not(raw.reset));
    cr_assert(eq(int, raw_status(&raw), 413), "%s", raw.bytes);
    cr_assert(eq(int, raw_count(&raw, "HTTP/1.1"), 1));
    cr_assert(raw_has(&raw, "Connection: close\r\n"));
    raw_close(&raw);
}

Test(bodies, of_one_byte_too_many_get_413)
{
    char *body = make_body(LIMIT + 1);
    size_t size;
    char *chunks = make_chunks(body, LIMIT + 1, 30000, &size);

    expect_413("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n", body, LIMIT + 1, LIMIT + 1);
    expect_413("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\n\r\n", body, LIMIT + 1, 1000);
    expect_413("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", chunks, size, size);
    expect_413("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", chunks, size, 1000);
    cr_assert(http_server_serves(server));
    free(chunks);
    free(body);
}

Test(bodies, far_too_large_get_413_though_the_client_sends_on)
{
    enum { HUGE_SIZE = 20 << 20 };
    char *body = make_body(HUGE_SIZE), head[128];
    size_t size;
    char *chunks = make_chunks(body, HUGE_SIZE, 65536, &size);

    snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", HUGE_SIZE);
    expect_413(head, body, HUGE_SIZE, 65536);
    expect_413("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", chunks, size, 65536);
    cr_assert(http_server_serves(server));
    free(chunks);
    free(body);
}

Test(bodies, of_absurd_lengths_get_413)
{
    static const char *const lengths[] = {"9223372036854775807", "18446744073709551615", "18446744073709551616",
                                          "99999999999999999999999999999999"};

    for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
        struct raw raw;
        char request[256];
        int size = snprintf(request, sizeof(request), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %s\r\n\r\n",
                            lengths[i]);
        int status = raw_exchange(&raw, server->port, request, (size_t)size);

        cr_assert(status == 413 || status == 400, "%s: %d", lengths[i], status);
        raw_close(&raw);
    }
    cr_assert(http_server_serves(server));
}

Test(bodies, on_routes_that_do_not_exist_are_taken_in_too)
{
    struct client *c = client_connect_port(server->port);
    char *body = make_body(50000);
    int error = 0;

    cr_assert(ne(ptr, c, NULL));
    for (int i = 0; i < 3; i++) {
        cr_assert(
            eq(int, client_send_text(c, "POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 50000\r\n\r\n"), 0));
        cr_assert(eq(int, client_send(c, body, 50000), 0));
        const struct answer *a = client_receive(c, &error);
        cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
        cr_assert(eq(int, a->status, 404));
    }
    client_close(c);
    free(body);
}
