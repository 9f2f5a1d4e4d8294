/*
 * What is no request, or one that two programs could read differently: each is answered with its status, the connection
 * is closed behind it in order, no second answer follows, and the server serves on.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

TestSuite(refusals, .init = start, .fini = stop, .timeout = 60);

#define BYTES(text)                                                                                                    \
    {                                                                                                                  \
        text, sizeof(text) - 1                                                                                         \
    }

struct bad {
    const char *bytes;
    size_t size;
};

/* A string for the messages, with what cannot be printed as a dot. */
static const char *shown(const struct bad *bad)
{
    static char text[256];
    size_t size = bad->size < sizeof(text) - 1 ? bad->size : sizeof(text) - 1;

    for (size_t i = 0; i < size; i++)
        text[i] = bad->bytes[i] >= 0x20 && bad->bytes[i] < 0x7f ? bad->bytes[i] : '.';
    text[size] = 0;
    return text;
}

/* Behind the bad request stands a good one, which must not be answered. */
static void expect_refusal(const struct bad *bad, int status, int heads)
{
    static const char good[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    char *all = malloc(bad->size + sizeof(good));
    struct raw raw;

    cr_assert(ne(ptr, all, NULL));
    memcpy(all, bad->bytes, bad->size);
    memcpy(all + bad->size, good, sizeof(good) - 1);
    for (int alone = 0; alone < 2; alone++) {
        size_t size = bad->size + (alone ? 0 : sizeof(good) - 1);

        cr_assert(eq(int, raw_exchange(&raw, server->port, all, size), status), "%s (%s)\n%s", shown(bad),
                  alone ? "alone" : "with another behind it", raw.bytes ? raw.bytes : "");
        cr_assert(eq(int, raw_count(&raw, "HTTP/1.1 "), heads), "%s\n%s", shown(bad), raw.bytes);
        cr_assert(eq(int, raw_count(&raw, "Connection: close\r\n"), heads), "%s\n%s", shown(bad), raw.bytes);
        raw_close(&raw);
    }
    free(all);
}

static void expect_refusals(const struct bad *list, size_t count, int status)
{
    for (size_t i = 0; i < count; i++)
        expect_refusal(&list[i], status, 1);
    cr_assert(http_server_serves(server));
}

#define EXPECT_REFUSALS(list, status) expect_refusals(list, sizeof(list) / sizeof(*list), status)

Test(refusals, lines_that_are_no_request)
{
    static const struct bad list[] = {
        BYTES("garbage\r\n\r\n"),
        BYTES("GET\r\nHost: a\r\n\r\n"),
        BYTES("GET /\r\nHost: a\r\n\r\n"),
        BYTES("GET / \r\nHost: a\r\n\r\n"),
        BYTES("GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET /  HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
        BYTES("GET / a b HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES(" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET / http/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET / HTTQ/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET / HTTP/1\r\nHost: a\r\n\r\n"),
        BYTES("GET / HTTP/1.\r\nHost: a\r\n\r\n"),
        BYTES("GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
        BYTES("GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("G\x01T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("G\0T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("G(T / HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS client's hello\r\n\r\n"),
        BYTES("GET /"
              "\r\n\r\n"),
    };

    EXPECT_REFUSALS(list, 400);
}

Test(refusals, versions_of_the_future)
{
    static const struct bad list[] = {
        BYTES("GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
        BYTES("GET / HTTP/3.0\r\nHost: a\r\n\r\n"),
        BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    };

    EXPECT_REFUSALS(list, 505);
}

Test(refusals, hosts_that_are_missing_or_more_than_one)
{
    static const struct bad list[] = {
        BYTES("GET / HTTP/1.1\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nX-Test: 1\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n"),
        BYTES("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    };

    EXPECT_REFUSALS(list, 400);
}

Test(refusals, lengths_that_can_be_read_in_two_ways)
{
    static const struct bad list[] = {
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n12345"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n12345"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked \r\n\r\n0\r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
              "0\r\n\r\n"),
        BYTES("POST /echo HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    };

    EXPECT_REFUSALS(list, 400);
}

/*
 * These are refused by libmicrohttpd 0.9.75 itself, before anyone else sees them. It writes the head of its answer
 * twice (connection.c, parse_connection_headers() goes on after the error): no second answer, as the first closes.
 */
Test(refusals, lengths_that_are_no_number)
{
    static const struct bad list[] = {
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n12345"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\n12345"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\n12345"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5x\r\n\r\n12345"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5 5\r\n\r\n12345"),
    };

    for (size_t i = 0; i < sizeof(list) / sizeof(*list); i++)
        expect_refusal(&list[i], 400, 2);
    cr_assert(http_server_serves(server));
}

Test(refusals, headers_that_are_none)
{
    static const struct bad list[] = {
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX Test: 1\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-Test : 1\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-Test\t: 1\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\n12345"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\n: value\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\n:\r\nGET /show HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\n: value\r\nHost: a\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nno colon at all\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-T(st: 1\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-\x80Test: 1\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-\0Test: 1\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-Test: 1\0002\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-Test: \0\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-Test: 1\x01\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-Test: 1\x7f\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-Test: 1\x1b[31m\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-Test: 1\rX-Other: 2\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-Test: 1\r\n folded: 2\r\n\r\n"),
        BYTES("POST /echo HTTP/1.1\r\nHost: a\r\nX-Test: 1\r\n\tContent-Length: 5\r\n\r\n"),
    };

    EXPECT_REFUSALS(list, 400);
}

Test(refusals, lines_that_do_not_end_in_crlf)
{
    static const struct bad list[] = {
        BYTES("GET / HTTP/1.1\nHost: a\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\nX-Test: 1\nX-Other: 2\r\n\r\n"),
        BYTES("GET / HTTP/1.1\r\nHost: a\r\n\n"),
        BYTES("GET / HTTP/1.1\nHost: a\n\n"),
    };

    EXPECT_REFUSALS(list, 400);
}

Test(refusals, targets_that_are_none)
{
    static const struct bad list[] = {
        BYTES("GET index.html HTTP/1.1\r\nHost: a\r\n\r\n"),     BYTES("GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET ?a=1 HTTP/1.1\r\nHost: a\r\n\r\n"),           BYTES("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET http:///path HTTP/1.1\r\nHost: a\r\n\r\n"),   BYTES("GET /show/a b HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET /show/a\tb HTTP/1.1\r\nHost: a\r\n\r\n"),     BYTES("GET /show/a\0b HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET /show\0 HTTP/1.1\r\nHost: a\r\n\r\n"),        BYTES("GET /show/\x01 HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET /show/\x7f HTTP/1.1\r\nHost: a\r\n\r\n"),     BYTES("GET /show/a?b\x1b HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET /show#fragment HTTP/1.1\r\nHost: a\r\n\r\n"), BYTES("GET /show/\r HTTP/1.1\r\nHost: a\r\n\r\n"),
    };

    EXPECT_REFUSALS(list, 400);
}

Test(refusals, escapes_that_are_broken)
{
    static const struct bad list[] = {
        BYTES("GET /% HTTP/1.1\r\nHost: a\r\n\r\n"),          BYTES("GET /show/% HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET /show/%2 HTTP/1.1\r\nHost: a\r\n\r\n"),    BYTES("GET /show/%zz HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET /show/%00 HTTP/1.1\r\nHost: a\r\n\r\n"),   BYTES("GET /show/a%00b HTTP/1.1\r\nHost: a\r\n\r\n"),
        BYTES("GET /show/%2%41 HTTP/1.1\r\nHost: a\r\n\r\n"), BYTES("GET /show/%+1 HTTP/1.1\r\nHost: a\r\n\r\n"),
    };

    EXPECT_REFUSALS(list, 400);
}

/* On a connection that has served already; what is no request at all may be closed without a word there. */
Test(refusals, garbage_behind_a_good_request)
{
    static const char *const garbage[] = {"garbage\r\n\r\n", "GET / HTTP/2.0\r\n\r\n",
                                          "GET / HTTP/1.1\r\nA B: c\r\n\r\n"};

    for (size_t i = 0; i < sizeof(garbage) / sizeof(*garbage); i++) {
        struct raw raw;
        char request[256];
        int size = snprintf(request, sizeof(request),
                            "GET / HTTP/1.1\r\nHost: a\r\n\r\n%sGET / HTTP/1.1\r\nHost: a\r\n\r\n", garbage[i]);

        cr_assert(eq(int, raw_exchange(&raw, server->port, request, (size_t)size), 200), "%s", garbage[i]);
        cr_assert(eq(int, raw_count(&raw, "HTTP/1.1 200"), 1), "%s", raw.bytes);
        raw_close(&raw);
    }
    cr_assert(http_server_serves(server));
}

Test(refusals, chunks_that_are_none)
{
    static const char *const chunks[] = {
        "garbage\r\n\r\n",
        "x\r\n\r\n",
        "-1\r\n\r\n",
        "\r\n\r\n",
        "5x\r\n12345\r\n0\r\n\r\n",
        "0x5\r\n12345\r\n",
        " 5\r\n12345\r\n",
        "+5\r\n12345\r\n",
        "5\r\n12345garbage",
        "5\r\n123456\r\n0\r\n\r\n",
        ";\r\n\r\n",
        "5 5\r\n12345\r\n",
        "FFFFFFFFFFFFFFFFF\r\n",
        "10000000000000000\r\n",
    };

    for (size_t i = 0; i < sizeof(chunks) / sizeof(*chunks); i++) {
        struct raw raw;
        char request[256];
        int size = snprintf(request, sizeof(request),
                            "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%s", chunks[i]);
        int status = raw_exchange(&raw, server->port, request, (size_t)size);

        cr_assert(status == 400 || status == 413, "%s: %d", chunks[i], status);
        cr_assert(eq(int, raw_count(&raw, "HTTP/1.1 "), 1), "%s: %s", chunks[i], raw.bytes);
        raw_close(&raw);
    }
    cr_assert(http_server_serves(server));
}

/* ---- too much of it ------------------------------------------------------------------------------------------------
 */

/* "GET /" + fill bytes of target + a header with this many bytes: its status, all of it sent before the answer is read.
 */
static int ask_with(size_t target, size_t header_count, size_t header_size)
{
    size_t room = target + header_count * (header_size + 32) + 256, size = 0;
    char *request = malloc(room);
    struct raw raw;

    cr_assert(ne(ptr, request, NULL));
    size += (size_t)snprintf(request, room, "GET /show/");
    memset(request + size, 'a', target);
    size += target;
    size += (size_t)snprintf(request + size, room - size, " HTTP/1.1\r\nHost: a\r\nConnection: close\r\n");
    for (size_t i = 0; i < header_count; i++) {
        size += (size_t)snprintf(request + size, room - size, "X-%zu: ", i);
        memset(request + size, 'v', header_size);
        size += header_size;
        size += (size_t)snprintf(request + size, room - size, "\r\n");
    }
    size += (size_t)snprintf(request + size, room - size, "\r\n");
    int status = raw_exchange(&raw, server->port, request, size);
    cr_assert(le(int, raw_count(&raw, "HTTP/1.1 "), 1));
    raw_close(&raw);
    free(request);
    return status;
}

Test(refusals, heads_up_to_the_limit_are_served)
{
    cr_assert(eq(int, ask_with(9000, 0, 0), 200));
    cr_assert(eq(int, ask_with(0, 1, 9000), 200));
    cr_assert(eq(int, ask_with(0, 98, 50), 200)); /* with Host and Connection: 100 */
}

Test(refusals, targets_that_are_too_long)
{
    static const size_t sizes[] = {40000, 100000, 1000000};

    cr_assert(eq(int, ask_with(11000, 0, 0), 414));
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        cr_assert(eq(int, ask_with(sizes[i], 0, 0), 414), "%zu", sizes[i]);
    cr_assert(http_server_serves(server));
}

Test(refusals, headers_that_are_too_large_or_too_many)
{
    cr_assert(eq(int, ask_with(0, 1, 11000), 431));
    cr_assert(eq(int, ask_with(0, 1, 31000), 431));
    cr_assert(eq(int, ask_with(0, 1, 60000), 431));
    cr_assert(eq(int, ask_with(0, 1, 1000000), 431));
    for (size_t size = 19700; size < 20500;
         size += 13) /* what just about fits a connection's memory, with no room for an answer */
        cr_assert(eq(int, ask_with(0, 1, size), 431), "%zu", size);
    cr_assert(eq(int, ask_with(0, 99, 5), 431));
    cr_assert(eq(int, ask_with(0, 500, 5), 431));
    cr_assert(eq(int, ask_with(0, 100000, 5), 431));
    cr_assert(http_server_serves(server));
}

/* A client that sends on slowly while the refusal is already there must still be able to read it. */
Test(refusals, are_not_lost_when_the_client_sends_on)
{
    char piece[1000];
    struct raw raw;

    memset(piece, 'v', sizeof(piece));
    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    cr_assert(eq(int, raw_send_text(&raw, "GET / HTTP/1.1\r\nHost: a\r\nX-Test: "), 0));
    for (int i = 0; i < 200; i++)
        cr_assert(eq(int, raw_send_split(&raw, piece, sizeof(piece), 500), 0), "the connection broke at piece %d", i);
    cr_assert(eq(int, raw_read(&raw, NULL, 5000), 0));
    cr_assert(eq(int, raw_status(&raw), 431));
    raw_close(&raw);
}
