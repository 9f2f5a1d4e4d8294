/*
 * Clients that go away at every moment, in every manner: the server serves on and keeps no descriptor of theirs.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/http_server.h"
#include "tests/support/raw.h"

enum { SETTLE_MS = 15000 };

static struct http_server *server;
static int before; /* descriptors of the quiet server */

static void start(void)
{
    server = http_server_start(NULL);
    cr_assert(ne(ptr, server, NULL));
    cr_assert(http_server_serves(server));
    before = 0;
    for (int now = http_server_descriptors(server); now != before; now = http_server_descriptors(server)) {
        before = now; /* the last connection's end may still be on its way */
        usleep(50000);
    }
}

static void stop(void)
{
    cr_assert(http_server_serves(server));
    cr_assert(eq(int, http_server_wait_descriptors(server, before, SETTLE_MS), 0), "%d descriptors, before %d",
              http_server_descriptors(server), before);
    cr_assert(eq(int, http_server_stop(server), 0));
}

TestSuite(connections, .init = start, .fini = stop, .timeout = 60);

enum manner { CLOSED, RESET, HALF_CLOSED, MANNERS };

/* Half-closed, the connection stays ours until the server's end of it. */
static void leave(struct raw *raw, enum manner manner)
{
    if (manner == CLOSED)
        raw_close(raw);
    else if (manner == RESET)
        raw_abort(raw);
    else
        shutdown(raw->fd, SHUT_WR);
}

static void see_ends(struct raw *raw, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (raw[i].fd)
            cr_assert(eq(int, raw_read(&raw[i], NULL, 10000), 0), "the server does not close after the client's end");
        raw_close(&raw[i]);
    }
}

static void leave_everywhere(const char *request)
{
    struct raw raw[256];
    size_t size = strlen(request);

    cr_assert(lt(sz, size, 256));
    for (enum manner manner = 0; manner < MANNERS; manner++) {
        for (size_t n = 0; n <= size; n++) {
            cr_assert(eq(int, raw_connect(&raw[n], server->port), 0));
            cr_assert(eq(int, raw_send(&raw[n], request, n), 0));
            leave(&raw[n], manner);
        }
        see_ends(raw, size + 1);
        cr_assert(http_server_serves(server));
    }
}

Test(connections, end_after_any_byte_of_a_body_with_length)
{
    leave_everywhere("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 20\r\n\r\n12345678901234567890");
}

Test(connections, end_after_any_byte_of_a_chunked_body)
{
    leave_everywhere("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "5;x=y\r\n12345\r\na\r\n1234567890\r\n0\r\nX-Trailer: 1\r\n\r\n");
}

Test(connections, end_while_the_server_waits_for_a_body_it_has_asked_for)
{
    struct raw raw[30];

    for (int i = 0; i < 30; i++) {
        cr_assert(eq(int, raw_connect(&raw[i], server->port), 0));
        cr_assert(eq(int,
                     raw_send_text(&raw[i], "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n"
                                            "Expect: 100-continue\r\n\r\n"),
                     0));
        cr_assert(eq(int, raw_read(&raw[i], "100 Continue\r\n\r\n", 5000), 0));
        leave(&raw[i], (enum manner)(i % MANNERS));
    }
    see_ends(raw, 30);
}

Test(connections, end_while_the_handler_sleeps)
{
    enum { COUNT = 90 };
    struct raw raw[COUNT];

    for (int i = 0; i < COUNT; i++) {
        cr_assert(eq(int, raw_connect(&raw[i], server->port), 0));
        cr_assert(eq(int, raw_send_text(&raw[i], "GET /sleep?ms=300 HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
    }
    for (int i = 0; i < COUNT; i++)
        leave(&raw[i], (enum manner)(i % MANNERS));
    see_ends(raw, COUNT);
}

Test(connections, end_while_pipelined_requests_wait_behind_a_sleeping_handler)
{
    enum { COUNT = 30 };
    struct raw raw[COUNT];

    for (int i = 0; i < COUNT; i++) {
        cr_assert(eq(int, raw_connect(&raw[i], server->port), 0));
        for (int n = 0; n < 5; n++)
            cr_assert(eq(int, raw_send_text(&raw[i], "GET /sleep?ms=50 HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
    }
    for (int i = 0; i < COUNT; i++)
        leave(&raw[i], i % 2 ? RESET : CLOSED);
}

Test(connections, end_while_a_large_answer_is_sent)
{
    for (int i = 0; i < 12; i++) {
        struct raw raw;

        cr_assert(eq(int, raw_connect(&raw, server->port), 0));
        cr_assert(eq(int, raw_send_text(&raw, "GET /bytes?size=50000000 HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
        cr_assert(eq(int, raw_read_size(&raw, i < 6 ? 1 : 1000000, 10000), 0));
        leave(&raw, i % 2 ? RESET : CLOSED);
    }
}

Test(connections, that_say_nothing_are_closed_by_their_client)
{
    struct raw raw[50];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 50; i++)
            cr_assert(eq(int, raw_connect(&raw[i], server->port), 0));
        for (int i = 0; i < 50; i++)
            leave(&raw[i], (enum manner)((i + round) % MANNERS));
        see_ends(raw, 50);
    }
}

/* Idle ones, half-closed by the client, are gone at once, not at the idle time-out. */
Test(connections, that_are_idle_are_closed_by_their_client)
{
    struct raw raw[30];

    for (int i = 0; i < 30; i++) {
        cr_assert(eq(int, raw_connect(&raw[i], server->port), 0));
        cr_assert(eq(int, raw_send_text(&raw[i], "GET / HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
        cr_assert(eq(int, raw_read(&raw[i], "hello\n", 5000), 0));
    }
    for (int i = 0; i < 30; i++)
        leave(&raw[i], (enum manner)(i % MANNERS));
    see_ends(raw, 30);
}
