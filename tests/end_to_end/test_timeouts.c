/*
 * Time: what is slow is cut, and told so where it can be told; what moves, or waits for the program, is not.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/certificate.h"
#include "tests/support/http_server.h"
#include "tests/support/raw.h"

enum {
    READ_MS = 300,
    IDLE_MS = 500,
    LATE_MS = 5000, /* a busy machine may be late by this much, a time-out that does not work is by more */
};

static struct http_server *server;
static char folder[] = "/tmp/gf-timeouts-XXXXXX";

static void start(void)
{
    char certificate[64], key[64];
    const char *const arguments[] = {"--set",
                                     "readTimeout=300ms",
                                     "--set",
                                     "idleTimeout=500ms",
                                     "--set",
                                     "writeTimeout=400ms",
                                     "--address",
                                     "127.0.0.1:0",
                                     "--https-address",
                                     "127.0.0.1:0",
                                     "--https",
                                     certificate,
                                     key,
                                     NULL};

    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    cr_assert(eq(int, certificate_make(folder, "a", "localhost"), 0));
    snprintf(certificate, sizeof(certificate), "%s/a.crt", folder);
    snprintf(key, sizeof(key), "%s/a.key", folder);
    server = http_server_start(arguments);
    cr_assert(ne(ptr, server, NULL));
}

static void stop(void)
{
    char path[64];

    cr_assert(http_server_serves(server));
    cr_assert(eq(int, http_server_stop(server), 0));
    snprintf(path, sizeof(path), "%s/a.crt", folder);
    unlink(path);
    snprintf(path, sizeof(path), "%s/a.key", folder);
    unlink(path);
    rmdir(folder);
}

TestSuite(timeouts, .init = start, .fini = stop, .timeout = 60);

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Waits for the server's end of the connection, which must come at this age of it: no earlier, not much later. */
static void expect_end(struct raw *raw, long long since_ms, int age_ms)
{
    cr_assert(eq(int, raw_read(raw, NULL, age_ms + LATE_MS + 5000), 0), "no end in order; %s",
              raw->bytes ? raw->bytes : "");
    long long age = now_ms() - since_ms;
    cr_assert(age >= age_ms - 20 && age < age_ms + LATE_MS, "ended after %lld ms", age);
}

/* These bytes, and then silence: the status of what comes; 0: nothing but the end. */
static int status_of(const char *bytes, int age_ms)
{
    struct raw raw;
    long long since = now_ms();

    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    cr_assert(eq(int, raw_send_text(&raw, bytes), 0));
    expect_end(&raw, since, age_ms);
    int status = raw_status(&raw);
    cr_assert(eq(int, raw_count(&raw, "HTTP/1.1 "), status ? 1 : 0));
    cr_assert(eq(int, raw_count(&raw, "Connection: close\r\n"), status ? 1 : 0));
    raw_close(&raw);
    return status;
}

Test(timeouts, connections_that_say_nothing_are_closed_without_a_word)
{
    cr_assert(eq(int, status_of("", READ_MS), 0));
}

Test(timeouts, requests_that_do_not_end_get_408)
{
    static const char *const begun[] = {
        "G",
        "GET / HTTP/1.1",
        "GET / HTTP/1.1\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Tes",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n1234",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n12345\r\n0\r\n",
    };

    for (size_t i = 0; i < sizeof(begun) / sizeof(*begun); i++)
        cr_assert(eq(int, status_of(begun[i], READ_MS), 408), "%s", begun[i]);
}

/* The bytes one by one, with a pause between them, until the server has had enough. The whole must be cut in time. */
static void expect_trickle_cut(struct raw *raw, const char *bytes, int age_ms)
{
    long long since = now_ms();

    for (size_t i = 0; bytes[i] && now_ms() - since < age_ms + LATE_MS; i++) {
        if (raw_send(raw, bytes + i, 1) < 0)
            break;
        int result = raw_read_size(raw, raw->size + 1, 100);
        if (result != -ETIMEDOUT) /* the answer, or the end */
            break;
    }
    expect_end(raw, since, age_ms);
    cr_assert(eq(int, raw_count(raw, "HTTP/1.1 408 "), 1), "%s", raw->bytes);
}

#define LONG_TEXT "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"

Test(timeouts, requests_that_trickle_are_cut_all_the_same)
{
    struct raw raw;

    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    expect_trickle_cut(&raw, "GET /" LONG_TEXT, READ_MS);
    raw_close(&raw);
    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    cr_assert(eq(int, raw_send_text(&raw, "GET / HTTP/1.1\r\n"), 0));
    expect_trickle_cut(&raw, "X-Test: " LONG_TEXT, READ_MS);
    raw_close(&raw);
    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    cr_assert(eq(int, raw_send_text(&raw, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n"), 0));
    expect_trickle_cut(&raw, LONG_TEXT, READ_MS);
    raw_close(&raw);
}

/* The client that is told so while it sends on can read it: no reset comes between. */
Test(timeouts, a_408_is_not_lost_when_the_client_sends_on)
{
    struct raw raw;

    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    cr_assert(eq(int, raw_send_text(&raw, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n"), 0));
    for (int i = 0; i < 10; i++) {
        cr_assert(eq(int, raw_send_text(&raw, LONG_TEXT), 0), "the connection broke at piece %d", i);
        usleep(100000);
    }
    cr_assert(eq(int, raw_read(&raw, NULL, 5000), 0), "the connection broke");
    cr_assert(eq(int, raw_status(&raw), 408));
    raw_close(&raw);
}

static void serve_once(struct raw *raw)
{
    cr_assert(eq(int, raw_connect(raw, server->port), 0));
    cr_assert(eq(int, raw_send_text(raw, "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
    cr_assert(eq(int, raw_read(raw, "hello\n", 5000), 0));
}

Test(timeouts, idle_connections_are_closed_without_a_word)
{
    struct raw raw;
    long long since = now_ms(); /* before the answer, from whose end on the server counts */

    serve_once(&raw);
    size_t size = raw.size;
    expect_end(&raw, since, IDLE_MS);
    cr_assert(eq(sz, raw.size, size));
    raw_close(&raw);
}

Test(timeouts, a_second_request_that_does_not_end_is_cut_too)
{
    struct raw raw;
    long long since = now_ms();

    serve_once(&raw);
    cr_assert(eq(int, raw_send_text(&raw, "GET / HT"), 0));
    expect_end(&raw, since, IDLE_MS);
    cr_assert(eq(int, raw_count(&raw, "HTTP/1.1 408 "), 1));
    raw_close(&raw);
    serve_once(&raw);
    since = now_ms();
    cr_assert(eq(int, raw_send_text(&raw, "GET / HTTP/1.1\r\n"), 0));
    expect_end(&raw, since, READ_MS);
    cr_assert(eq(int, raw_count(&raw, "HTTP/1.1 408 "), 1));
    raw_close(&raw);
    serve_once(&raw);
    expect_trickle_cut(&raw, "GET /" LONG_TEXT, IDLE_MS);
    raw_close(&raw);
}

Test(timeouts, handlers_may_take_longer_than_any_of_them)
{
    struct raw raw;

    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    for (int i = 1; i <= 2; i++) {
        cr_assert(eq(int, raw_send_text(&raw, "GET /sleep?ms=1200 HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
        while (raw_count(&raw, "slept\n") < i)
            cr_assert(eq(int, raw_read_size(&raw, raw.size + 1, 5000), 0));
    }
    raw_close(&raw);
}

Test(timeouts, a_client_that_takes_nothing_is_cut)
{
    int before = http_server_descriptors(server);
    struct raw raw;

    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    cr_assert(eq(int, raw_send_text(&raw, "GET /bytes?size=50000000 HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
    cr_assert(eq(int, raw_read_size(&raw, 1, 5000), 0));
    cr_assert(gt(int, http_server_descriptors(server), before));
    cr_assert(eq(int, http_server_wait_descriptors(server, before, LATE_MS + 5000), 0));
    raw_read(&raw, NULL, 5000); /* what the kernel has of it still comes, and then the end, in order or not */
    cr_assert(lt(sz, raw.size, 50000000));
    raw_close(&raw);
}

Test(timeouts, a_client_that_takes_its_time_is_not_cut)
{
    long long since = now_ms();
    struct raw raw;

    cr_assert(eq(int, raw_connect(&raw, server->port), 0));
    cr_assert(
        eq(int, raw_send_text(&raw, "GET /bytes?size=30000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), 0));
    while (!raw.ended) { /* ten megabytes a second */
        int result = raw_read_size(&raw, raw.size + 1000000, 5000);

        cr_assert(result == 0 || result == -EPIPE, "broke at byte %zu: %s", raw.size, strerror(-result));
        usleep(100000);
    }
    cr_assert(ge(sz, raw.size, 30000000));
    cr_assert(gt(int, (int)(now_ms() - since), 2000));
    raw_close(&raw);
}

Test(timeouts, tls_connections_are_closed_too)
{
    struct raw raw;

    for (int hello = 0; hello < 2; hello++) {
        long long since = now_ms();

        cr_assert(eq(int, raw_connect(&raw, server->ports[1]), 0));
        if (hello) /* the head of a handshake record, and no more */
            cr_assert(eq(int, raw_send(&raw, "\x16\x03\x01\x02\x00\x01\x00", 7), 0));
        expect_end(&raw, since, READ_MS);
        cr_assert(eq(sz, raw.size, 0));
        raw_close(&raw);
    }
}
