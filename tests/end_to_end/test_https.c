/*
 * HTTPS: the versions, resumption, bodies, and what clients do to a handshake.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/certificate.h"
#include "tests/support/client.h"
#include "tests/support/http_server.h"
#include "tests/support/load.h"
#include "tests/support/raw.h"

static struct http_server *server; /* ports: HTTP, HTTPS */
static char folder[] = "/tmp/gf-https-XXXXXX";
static char certificate[64], key[64];

static void start(void)
{
    const char *const arguments[] = {"--address", "127.0.0.1:0", "--https-address", "127.0.0.1:0",          "--https",
                                     certificate, key,           "--set",           "clientMaxBodySize=8m", NULL};

    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    cr_assert(eq(int, certificate_make(folder, "a", "localhost"), 0));
    snprintf(certificate, sizeof(certificate), "%s/a.crt", folder);
    snprintf(key, sizeof(key), "%s/a.key", folder);
    server = http_server_start(arguments);
    cr_assert(ne(ptr, server, NULL));
    cr_assert(eq(int, server->port_count, 2));
}

static void expect_served(void);

static void stop(void)
{
    expect_served();
    cr_assert(http_server_serves(server));
    cr_assert(eq(int, http_server_stop(server), 0));
    unlink(certificate);
    unlink(key);
    rmdir(folder);
}

TestSuite(https, .init = start, .fini = stop, .timeout = 60);

static struct transport_target target(void)
{
    return (struct transport_target){.port = server->ports[1], .tls = true, .ca_path = certificate};
}

static struct client *enter(void)
{
    struct transport_target to = target();
    struct client *c = client_connect(&to, 10000);

    cr_assert(ne(ptr, c, NULL), "%s", strerror(errno));
    return c;
}

static const struct answer *get(struct client *c, const char *path)
{
    int error = 0;
    const struct answer *a = client_get(c, path, &error);

    cr_assert(ne(ptr, (void *)a, NULL), "%s: %s", path, strerror(-error));
    return a;
}

static void expect_served(void)
{
    struct client *c = enter();

    cr_assert(eq(str, get(c, "/")->body, "hello\n"));
    client_close(c);
}

Test(https, handlers_know_it)
{
    struct client *c = enter();
    char *body = NULL;

    cr_assert(ne(ptr, strstr(get(c, "/show")->body, "https=1\n"), NULL));
    client_close(c);
    cr_assert(eq(int, client_fetch(server->port, "/show", &body), 200));
    cr_assert(ne(ptr, strstr(body, "https=0\n"), NULL));
    free(body);
}

/* ---- what has no answer over TLS -----------------------------------------------------------------------------------
 */

/* The server anew, with a setting and an access log on standard output. */
static void start_with(const char *setting)
{
    const char *const arguments[] = {"--address", "127.0.0.1:0", "--https-address", "127.0.0.1:0",           "--https",
                                     certificate, key,           "--set",           "accessLogEnabled=true", "--set",
                                     setting,     NULL};

    cr_assert(zero(int, http_server_stop(server)));
    server = http_server_start(arguments);
    cr_assert(ne(ptr, server, NULL));
}

Test(https, a_connection_beyond_the_limit_is_closed)
{
    int descriptors;
    struct client *one, *two;
    struct raw third = {.size = 0};

    start_with("maxConnections=2");
    descriptors = http_server_descriptors(server);
    one = enter();
    two = enter();
    get(one, "/");
    get(two, "/");
    cr_assert(zero(int, raw_connect(&third, server->ports[1])));
    cr_expect(zero(int, raw_read(&third, NULL, 10000)));
    cr_expect(zero(sz, third.size), "a plain answer is none to a client of TLS");
    raw_close(&third);
    cr_expect(zero(int, process_wait_line(server->process, " 503 \"- https - - -\" ", 10000)));
    get(one, "/");
    client_close(one);
    client_close(two);
    cr_expect(zero(int, http_server_wait_descriptors(server, descriptors, 10000)));
}

Test(https, a_request_that_never_comes_whole_is_closed_without_a_word)
{
    static const char *const pieces[] = {"GET /piece HTTP/1.1\r\nHost: a\r\n",
                                         "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf"};

    start_with("readTimeout=300ms");
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++) {
        struct client *c = enter();

        cr_assert(zero(int, client_send_text(c, pieces[i])));
        cr_expect(zero(int, client_wait_close(c, 10000)));
        client_close(c);
    }
    cr_expect(zero(int, process_wait_line(server->process, " 408 \"POST https a /echo HTTP/1.1\" ", 10000)));
    cr_expect(zero(int, process_wait_lines(server->process, " 408 \"", 2, 10000)));
}

/* ---- versions ------------------------------------------------------------------------------------------------------
 */

/* A whole exchange with these priorities: the version spoken, or GnuTLS's error. */
static int speak(const char *priorities)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    char answer[4096];
    gnutls_session_t session;
    gnutls_certificate_credentials_t credentials;
    struct raw raw;

    cr_assert(eq(int, raw_connect(&raw, server->ports[1]), 0));
    gnutls_certificate_allocate_credentials(&credentials);
    gnutls_init(&session, GNUTLS_CLIENT | GNUTLS_NO_SIGNAL);
    cr_assert(eq(int, gnutls_priority_set_direct(session, priorities, NULL), 0));
    gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(session, raw.fd);
    gnutls_handshake_set_timeout(session, 10000);
    int result = gnutls_handshake(session);
    if (result >= 0) {
        ssize_t size = 0, n;

        gnutls_record_send(session, request, sizeof(request) - 1);
        while ((n = gnutls_record_recv(session, answer + size, sizeof(answer) - 1 - (size_t)size)) > 0 ||
               n == GNUTLS_E_AGAIN)
            size += n > 0 ? n : 0;
        answer[size] = 0;
        cr_assert(eq(int, strncmp(answer, "HTTP/1.1 200 OK\r\n", 17), 0), "%s", answer);
        cr_assert(eq(str, answer + size - 6, "hello\n"));
        cr_assert(eq(int, (int)n, 0), "the session does not end in order: %s", gnutls_strerror((int)n));
        result = (int)gnutls_protocol_get_version(session);
    }
    gnutls_deinit(session);
    gnutls_certificate_free_credentials(credentials);
    raw_close(&raw);
    return result;
}

Test(https, speaks_tls_1_2_and_1_3_and_nothing_older)
{
    cr_assert(eq(int, speak("NORMAL:-VERS-ALL:+VERS-TLS1.3"), GNUTLS_TLS1_3));
    cr_assert(eq(int, speak("NORMAL:-VERS-ALL:+VERS-TLS1.2"), GNUTLS_TLS1_2));
    cr_assert(eq(int, speak("NORMAL"), GNUTLS_TLS1_3));
    cr_assert(lt(int, speak("NORMAL:-VERS-ALL:+VERS-TLS1.1:%ALLOW_SMALL_RECORDS"), 0));
    cr_assert(lt(int, speak("NORMAL:-VERS-ALL:+VERS-TLS1.0"), 0));
}

Test(https, sessions_are_resumed)
{
    struct transport_target to = target();
    void *session = NULL;
    size_t size = 0;

    struct client *c = enter();
    cr_assert(not(transport_resumed(client_transport(c))));
    get(c, "/");
    cr_assert(eq(int, transport_session(client_transport(c), &session, &size), 0));
    client_close(c);
    to.session = session;
    to.session_size = size;
    for (int i = 0; i < 5; i++) { /* whichever loop takes it in */
        c = client_connect(&to, 10000);
        cr_assert(ne(ptr, c, NULL));
        cr_assert(transport_resumed(client_transport(c)));
        cr_assert(eq(str, get(c, "/")->body, "hello\n"));
        client_close(c);
    }
    free(session);
}

/* ---- requests ------------------------------------------------------------------------------------------------------
 */

Test(https, one_connection_serves_many_requests)
{
    struct client *c = enter();

    for (int i = 0; i < 300; i++) {
        char path[64];

        snprintf(path, sizeof(path), "/bytes?size=%d", i * 37);
        cr_assert(eq(int, (int)get(c, path)->body_size, i * 37));
    }
    client_close(c);
}

Test(https, pipelined_requests_are_answered_in_order)
{
    struct client *c = enter();
    char requests[50 * 64];
    size_t size = 0;
    int error = 0;

    for (int i = 0; i < 50; i++)
        size += (size_t)snprintf(requests + size, sizeof(requests) - size,
                                 "GET /bytes?size=%d HTTP/1.1\r\nHost: a\r\n\r\n", i * 100);
    cr_assert(eq(int, client_send(c, requests, size), 0));
    for (int i = 0; i < 50; i++) {
        const struct answer *a = client_receive(c, &error);
        cr_assert(ne(ptr, (void *)a, NULL), "answer %d: %s", i, strerror(-error));
        cr_assert(eq(int, (int)a->body_size, i * 100));
    }
    client_close(c);
}

Test(https, large_bodies_go_both_ways)
{
    enum { SIZE = 6000000 };
    struct client *c = enter();
    char *body = malloc(SIZE), head[128];
    int error = 0;

    cr_assert(ne(ptr, body, NULL));
    for (size_t i = 0; i < SIZE; i++)
        body[i] = (char)(i * 31 + i / 251);
    snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n", SIZE);
    for (int round = 0; round < 2; round++) {
        cr_assert(eq(int, client_send_text(c, head), 0));
        cr_assert(eq(int, client_send(c, body, SIZE), 0));
        const struct answer *a = client_receive(c, &error);
        cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
        cr_assert(eq(sz, a->body_size, SIZE));
        cr_assert(eq(int, memcmp(a->body, body, SIZE), 0));
    }
    cr_assert(eq(int, (int)get(c, "/bytes?size=50000000")->body_size, 50000000));
    client_close(c);
    free(body);
}

Test(https, handlers_may_block)
{
    struct client *c[20];
    int error = 0;

    for (int i = 0; i < 20; i++) {
        c[i] = enter();
        cr_assert(eq(int, client_send_text(c[i], "GET /sleep?ms=200 HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
    }
    expect_served();
    for (int i = 0; i < 20; i++) {
        const struct answer *a = client_receive(c[i], &error);
        cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
        cr_assert(eq(str, a->body, "slept\n"));
        client_close(c[i]);
    }
}

Test(https, fresh_connections_under_load)
{
    static const char *const expected[] = {"hello\n", NULL};
    struct load_options options = {
        .target = target(), .connections = 8, .fresh = true, .requests = 300, .expected = expected};
    struct load *load = load_start(&options);

    cr_assert(ne(ptr, load, NULL));
    load_wait(load);
    cr_assert(eq(int, (int)load_result(load)->failures, 0), "%s", load_result(load)->failure[0]);
    cr_assert(eq(int, (int)load_result(load)->requests, 300));
    load_free(load);
}

/* ---- refusals and departures ---------------------------------------------------------------------------------------
 */

static void expect_status(const char *request, int status)
{
    struct client *c = enter();
    int error = 0;

    cr_assert(eq(int, client_send_text(c, request), 0));
    const struct answer *a = client_receive(c, &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s: %s", request, strerror(-error));
    cr_assert(eq(int, a->status, status));
    cr_assert(not(a->keep_alive));
    cr_assert(eq(int, client_wait_close(c, 5000), 0));
    client_close(c);
}

Test(https, bad_requests_are_refused)
{
    expect_status("GET / HTTP/1.1\r\n\r\n", 400);
    expect_status("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400);
    expect_status("GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505);
    expect_status("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\n", 413);
    expect_status("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400);
}

/* What libmicrohttpd leaves to the bare socket on plain HTTP can only be a close here, and must be one. */
Test(https, too_long_chunked_bodies_end_the_connection)
{
    struct client *c = enter();
    char *piece = malloc(1000000);
    int result = 0;

    cr_assert(ne(ptr, piece, NULL));
    memset(piece, 'x', 1000000);
    cr_assert(eq(int, client_send_text(c, "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 0));
    for (int i = 0; i < 20 && result == 0; i++) {
        client_send_text(c, "F4240\r\n");
        result = client_send(c, piece, 1000000);
        client_send_text(c, "\r\n");
    }
    const struct answer *a = client_receive(c, &result);
    cr_assert(a == NULL || a->status == 413);
    client_close(c);
    free(piece);
}

static void send_and_leave(const void *bytes, size_t size, bool wait)
{
    struct raw raw;

    cr_assert(eq(int, raw_connect(&raw, server->ports[1]), 0));
    raw_send(&raw, bytes, size);
    if (wait) {
        cr_assert(ne(int, raw_read(&raw, NULL, 10000), -ETIMEDOUT));
        cr_assert(not(raw_has(&raw, "hello")));
    }
    raw_abort(&raw);
}

Test(https, plain_http_and_garbage_are_closed)
{
    static const char plain[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    static const char garbage[] = "\x16\x03\x01\xff\xff garbage that claims to be a record, and then some";
    int before = http_server_descriptors(server);

    for (int i = 0; i < 20; i++)
        send_and_leave(plain, sizeof(plain) - 1, true);
    for (size_t n = 0; n < sizeof(plain); n++)
        send_and_leave(plain, n, false);
    for (size_t n = 0; n < sizeof(garbage); n++)
        send_and_leave(garbage, n, false);
    cr_assert(eq(int, http_server_wait_descriptors(server, before, 15000), 0));
}

Test(https, clients_go_at_any_moment)
{
    int before = http_server_descriptors(server);

    for (int i = 0; i < 30; i++) {
        struct client *c = enter();

        if (i % 3 == 1)
            client_send_text(c, "GET /bytes?size=20000000 HTTP/1.1\r\nHost: a\r\n\r\n");
        if (i % 3 == 2)
            client_send_text(c, "GET /sleep?ms=100 HTTP/1.1\r\nHost: a\r\n\r\n");
        if (i % 2)
            transport_reset(client_transport(c));
        else if (i % 4)
            transport_end_writing(client_transport(c));
        client_close(c);
    }
    expect_served();
    cr_assert(eq(int, http_server_wait_descriptors(server, before, 15000), 0));
}

/* ---- addresses -----------------------------------------------------------------------------------------------------
 */

Test(https, takes_over_the_addresses_when_it_has_none)
{
    const char *const arguments[] = {"--address", "127.0.0.1:0", "--https", certificate, key, NULL};
    struct http_server *s = http_server_start(arguments);

    cr_assert(ne(ptr, s, NULL));
    cr_assert(eq(int, s->port_count, 1));
    struct transport_target to = {.port = s->port, .tls = true, .ca_path = certificate};
    struct client *c = client_connect(&to, 10000);
    cr_assert(ne(ptr, c, NULL));
    cr_assert(eq(str, get(c, "/")->body, "hello\n"));
    client_close(c);
    char *line = process_find_line(s->process, "https server started listening on [127.0.0.1:");
    cr_assert(ne(ptr, line, NULL));
    free(line);
    cr_assert(eq(int, http_server_stop(s), 0));
}
