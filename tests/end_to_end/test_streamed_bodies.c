/*
 * Bodies that handlers read while they come in: whole, held back, refused, given up, cut, and over a restart.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/support/certificate.h"
#include "tests/support/client.h"
#include "tests/support/process.h"
#include "tests/support/raw.h"

enum {
    PATIENCE_MS = 20000,
    HELD_BACK_MAX = 24 << 20, /* what the kernel's buffers of both sides and the server's own may take in */
};

static char folder[] = "/tmp/gf-streamed-XXXXXX";
static struct process *server;
static int ports[2]; /* HTTP, HTTPS */
static char certificate[64];

static void serve_with(const char *setting)
{
    char crt[128], key[128], *line;
    const char *environment[] = {crt, key, "GF_SERVER_HTTPS_ADDR=127.0.0.1:0", setting, NULL};
    struct process_options options = {.program = "upload_server", .environment = environment};

    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    cr_assert(eq(int, certificate_make(folder, "a", "localhost"), 0));
    snprintf(certificate, sizeof(certificate), "%s/a.crt", folder);
    snprintf(crt, sizeof(crt), "GF_SERVER_HTTPS_CERT_PATH=%s/a.crt", folder);
    snprintf(key, sizeof(key), "GF_SERVER_HTTPS_KEY_PATH=%s/a.key", folder);
    server = process_start(&options);
    cr_assert(ne(ptr, server, NULL));
    cr_assert(eq(int, process_wait_line(server, "ports ", PATIENCE_MS), 0));
    line = process_find_line(server, "ports ");
    cr_assert(eq(int, sscanf(line, "ports %d %d", &ports[0], &ports[1]), 2));
    free(line);
}

static void serve(void)
{
    serve_with(NULL);
}

static int fetch(const char *path)
{
    return client_fetch(ports[0], path, NULL);
}

static void clean_up(void)
{
    char path[128];

    process_free(server);
    snprintf(path, sizeof(path), "rm -r %s", folder);
    cr_expect(eq(int, system(path), 0));
}

/* It serves, and ends in order: no request is left in it. */
static void stop(void)
{
    cr_expect(eq(int, fetch("/pid"), 200));
    cr_expect(eq(int, process_stop(server), 0));
    clean_up();
}

TestSuite(streamed_bodies, .timeout = 120);

static struct client *enter(int tls)
{
    struct transport_target target = {.port = ports[tls], .tls = tls, .ca_path = tls ? certificate : NULL};
    struct client *c = client_connect(&target, PATIENCE_MS);

    cr_assert(ne(ptr, c, NULL), "%s", strerror(errno));
    return c;
}

static char *make_body(size_t size)
{
    char *body = malloc(size + 1);

    for (size_t i = 0; i < size; i++)
        body[i] = (char)(i * 31 + i / 251);
    return body;
}

static uint64_t sum_of(const char *body, size_t size)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum = (sum ^ (unsigned char)body[i]) * 1099511628211u;
    return sum;
}

static void send_head(struct client *c, const char *path, size_t size)
{
    char head[256];

    snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nContent-Length: %zu\r\n\r\n", path,
             size);
    cr_assert(eq(int, client_send_text(c, head), 0));
}

static void send_chunks(struct client *c, const char *path, const char *body, size_t size, size_t chunk)
{
    char head[256];

    snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nTransfer-Encoding: chunked\r\n\r\n",
             path);
    cr_assert(eq(int, client_send_text(c, head), 0));
    for (size_t done = 0; done < size; done += chunk) {
        size_t count = size - done < chunk ? size - done : chunk;

        snprintf(head, sizeof(head), "%zx\r\n", count);
        cr_assert(eq(int, client_send_text(c, head), 0));
        cr_assert(eq(int, client_send(c, body + done, count), 0));
        cr_assert(eq(int, client_send_text(c, "\r\n"), 0));
    }
    cr_assert(eq(int, client_send_text(c, "0\r\n\r\n"), 0));
}

static const struct answer *receive(struct client *c, int status)
{
    int error = 0;
    const struct answer *a = client_receive(c, &error);

    cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
    cr_assert(eq(int, a->status, status));
    return a;
}

static void expect_counted(struct client *c, const char *body, size_t size)
{
    const struct answer *a = receive(c, 200);
    char text[100];

    snprintf(text, sizeof(text), "%zu bytes, sum %llx, agent me,", size, (unsigned long long)sum_of(body, size));
    cr_assert(eq(int, strncmp(a->body, text, strlen(text)), 0), "%s, not %s", a->body, text);
    cr_assert(a->keep_alive);
}

Test(streamed_bodies, of_all_sizes_come_whole_and_leave_the_connection)
{
    static const size_t sizes[] = {0, 1, 2, 1000, 16384, 65535, 65536, 65537, 300000, 5000000};

    serve();
    for (int tls = 0; tls < 2; tls++) {
        struct client *c = enter(tls);

        for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
            char *body = make_body(sizes[i]);

            send_head(c, "/count", sizes[i]);
            cr_assert(eq(int, client_send(c, body, sizes[i]), 0));
            expect_counted(c, body, sizes[i]);
            send_chunks(c, "/count?piece=777", body, sizes[i], 70000);
            expect_counted(c, body, sizes[i]);
            send_chunks(c, "/count", body, sizes[i] < 3000 ? sizes[i] : 3000, 1);
            expect_counted(c, body, sizes[i] < 3000 ? sizes[i] : 3000);
            free(body);
        }
        client_close(c);
    }
    stop();
}

/* Sends until the other side takes no more for a while: how much it took. On a slow machine it is less. */
static size_t send_until_stuck(int fd, const char *body, size_t size)
{
    size_t sent = 0;
    struct pollfd room = {.fd = fd, .events = POLLOUT};

    while (sent < size && poll(&room, 1, 1000) > 0) {
        ssize_t count = send(fd, body + sent, size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        cr_assert(count > 0 || errno == EAGAIN, "%s", strerror(errno));
        sent += count > 0 ? (size_t)count : 0;
    }
    return sent;
}

/* A handler that does not read holds its client up, and nobody else. */
Test(streamed_bodies, wait_for_their_handler)
{
    size_t size = 64 << 20, sent;
    char *body = make_body(size), head[128];
    struct raw raw;

    serve();
    snprintf(head, sizeof(head), "POST /count?wait=1 HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", size);
    cr_assert(eq(int, raw_connect(&raw, ports[0]), 0));
    cr_assert(eq(int, raw_send_text(&raw, head), 0));
    cr_assert(eq(int, process_wait_line(server, "waiting", PATIENCE_MS), 0));
    sent = send_until_stuck(raw.fd, body, size);
    cr_expect(lt(sz, sent, HELD_BACK_MAX));
    for (int i = 0; i < 20; i++)
        cr_expect(eq(int, fetch("/pid"), 200));
    cr_assert(eq(int, fetch("/go"), 200));
    cr_assert(eq(int, raw_send(&raw, body + sent, size - sent), 0));
    cr_assert(eq(int, raw_read(&raw, ", pid ", PATIENCE_MS), 0));
    snprintf(head, sizeof(head), "%zu bytes, sum %llx", size, (unsigned long long)sum_of(body, size));
    cr_expect(raw_has(&raw, head));
    raw_close(&raw);
    free(body);
    stop();
}

Test(streamed_bodies, are_asked_for_when_the_handler_reads)
{
    static const char text[] = "POST %s HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n%s\r\n";
    char head[256];
    struct raw raw;

    serve();
    snprintf(head, sizeof(head), text, "/private/count", "");
    cr_assert(eq(int, raw_exchange(&raw, ports[0], head, strlen(head)), 401));
    cr_expect(not(raw_has(&raw, "100 Continue")));
    cr_expect(raw_has(&raw, "Connection: close"));
    raw_close(&raw);

    snprintf(head, sizeof(head), text, "/private/count?wait=1", "Authorization: me\r\n");
    cr_assert(eq(int, raw_connect(&raw, ports[0]), 0));
    cr_assert(eq(int, raw_send_text(&raw, head), 0));
    cr_assert(eq(int, process_wait_line(server, "waiting", PATIENCE_MS), 0));
    cr_expect(eq(int, (int)recv(raw.fd, head, 1, MSG_DONTWAIT), -1), "it has not read yet");
    cr_assert(eq(int, fetch("/go"), 200));
    cr_assert(eq(int, raw_read(&raw, "HTTP/1.1 100 Continue\r\n\r\n", PATIENCE_MS), 0));
    cr_assert(eq(int, raw_send_text(&raw, "hello"), 0));
    cr_assert(eq(int, raw_read(&raw, "5 bytes, sum ", PATIENCE_MS), 0));
    raw_close(&raw);
    stop();
}

/* The client gets the answer however much it still has to send, and the connection ends in order. */
static void expect_early(int tls, size_t read, size_t size, size_t body_size, size_t sent_size)
{
    struct client *c = enter(tls);
    char path[64], *body = make_body(body_size);
    int error = 0;

    snprintf(path, sizeof(path), "/early?read=%zu&size=%zu", read, size);
    send_head(c, path, body_size);
    error = client_send(c, body, sent_size);
    cr_expect(eq(int, error, 0), "neither waits for the other");
    const struct answer *a = receive(c, 403);
    cr_expect(eq(sz, a->body_size, size), "%d: %zu of %zu read, sent: %d", tls, read, body_size, error);
    cr_expect(eq(int, strncmp(a->body, "0123456789", 10), 0));
    cr_expect(not(a->keep_alive));
    cr_expect(eq(int, client_wait_close(c, PATIENCE_MS), 0), "%d: %zu read, %zu answered", tls, read, size);
    client_close(c);
    free(body);
}

Test(streamed_bodies, answered_before_their_end)
{
    static const size_t reads[] = {0, 1, 100000}, sizes[] = {10, 3000000};

    serve();
    for (int tls = 0; tls < 2; tls++)
        for (size_t i = 0; i < 3; i++)
            for (size_t n = 0; n < 2; n++)
                expect_early(tls, reads[i], sizes[n], 1000000, 200000);
    for (int tls = 0; tls < 2; tls++) /* one that reads nothing before it has sent all */
        for (size_t read = 0; read < 2; read++)
            expect_early(tls, read, 8000000, 8000000, 8000000);
    stop();
}

static void expect_early_file(int tls, const char *path, size_t size, char first)
{
    struct client *c = enter(tls);
    char *body = make_body(1000000);

    send_head(c, path, 1000000);
    cr_expect(eq(int, client_send(c, body, 200000), 0));
    const struct answer *a = receive(c, 200);
    cr_expect(eq(sz, a->body_size, size), "%s", path);
    cr_expect(a->body_size > 0 && a->body[0] == first && a->body[a->body_size - 1] == first, "%s", path);
    cr_expect(not(a->keep_alive));
    cr_expect(eq(int, client_wait_close(c, PATIENCE_MS), 0), "%s", path);
    client_close(c);
    free(body);
}

Test(streamed_bodies, answered_with_files_before_their_end)
{
    char path[128];
    FILE *file;

    serve();
    snprintf(path, sizeof(path), "/file?path=%s/f.txt", folder);
    file = fopen(path + strlen("/file?path="), "we");
    cr_assert(ne(ptr, file, NULL));
    for (int i = 0; i < 100000; i++)
        fputc('f', file);
    fclose(file);
    for (int tls = 0; tls < 2; tls++) {
        expect_early_file(tls, "/resource", 3000000, 'r');
        expect_early_file(tls, path, 100000, 'f');
    }
    stop();
}

static void expect_flushed(int tls, const char *at, char *text)
{
    struct client *c = enter(tls);
    char path[64], *body = make_body(100000);

    snprintf(path, sizeof(path), "/flush?at=%s", at);
    send_head(c, path, 100000);
    client_send(c, body, 100000);
    const struct answer *a = receive(c, 200);
    cr_expect(eq(str, a->body, text), "%s", at);
    client_close(c);
    free(body);
}

Test(streamed_bodies, and_streamed_answers)
{
    serve();
    for (int tls = 0; tls < 2; tls++) {
        expect_flushed(tls, "before", "flushed 0, then read -32\n");
        expect_flushed(tls, "middle", "flushed -16, then read 0\n");
        expect_flushed(tls, "behind", "flushed 0, then read 0\n");
    }
    stop();
}

Test(streamed_bodies, longer_than_their_route_takes_get_413)
{
    char *body = make_body(100000);

    serve();
    for (int tls = 0; tls < 2; tls++) {
        struct client *c = enter(tls);

        send_head(c, "/small", 1000);
        cr_assert(eq(int, client_send(c, body, 1000), 0));
        expect_counted(c, body, 1000);
        send_head(c, "/small", 1001);
        receive(c, 413);
        client_close(c);
        c = enter(tls);
        send_chunks(c, "/small", body, 1000, 1000);
        expect_counted(c, body, 1000);
        send_chunks(c, "/small", body, 1001, 7);
        receive(c, 413);
        client_close(c);
    }
    cr_expect(eq(int, process_wait_lines(server, "read to -90", 2, PATIENCE_MS), 0));
    free(body);
    stop();
}

/* The time is between two pieces, and the handler has the last word. */
Test(streamed_bodies, that_stop_coming_time_out)
{
    serve_with("GF_SERVER_READ_TIMEOUT=3s");
    for (int tls = 0; tls < 2; tls++) {
        struct client *c = enter(tls);

        send_head(c, "/count", 10);
        for (int i = 0; i < 10; i++) {
            usleep(tls ? 0 : 400000);
            cr_assert(eq(int, client_send(c, "x", 1), 0));
        }
        expect_counted(c, "xxxxxxxxxx", 10);
        send_head(c, "/count", 10);
        cr_assert(eq(int, client_send(c, "x", 1), 0));
        receive(c, 408);
        cr_expect(eq(int, client_wait_close(c, PATIENCE_MS), 0));
        client_close(c);
    }
    cr_expect(eq(int, process_wait_lines(server, "read to -110", 2, PATIENCE_MS), 0));
    stop();
}

/* The time limit of a middleware ends the reading, and its answer is the one that counts. */
Test(streamed_bodies, that_outlast_a_middlewares_limit)
{
    serve();
    for (int tls = 0; tls < 2; tls++) {
        struct client *c = enter(tls);

        send_head(c, "/limited/count", 10);
        cr_assert(eq(int, client_send(c, "abc", 3), 0));
        receive(c, 504);
        cr_expect(eq(int, client_wait_close(c, PATIENCE_MS), 0));
        client_close(c);
    }
    cr_expect(eq(int, process_wait_lines(server, "read to -110", 2, PATIENCE_MS), 0));
    stop();
}

static int descriptors(void)
{
    char path[64];
    int count = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)process_pid(server));
    DIR *directory = opendir(path);
    while (readdir(directory))
        count++;
    closedir(directory);
    return count;
}

Test(streamed_bodies, of_clients_that_vanish)
{
    enum { TIMES = 20 };
    int before;

    serve();
    before = descriptors();
    for (int i = 0; i < TIMES; i++) {
        struct raw raw;

        cr_assert(eq(int, raw_connect(&raw, ports[0]), 0));
        cr_assert(
            eq(int,
               raw_send_text(
                   &raw, "POST /count?fail=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: me\r\nContent-Length: 10\r\n\r\nabc"),
               0));
        cr_assert(eq(int, process_wait_lines(server, "reading", i + 1, PATIENCE_MS), 0));
        if (i % 2)
            raw_abort(&raw);
        else
            raw_close(&raw);
    }
    cr_expect(eq(int, process_wait_lines(server, "read to -104, agent me", TIMES, PATIENCE_MS), 0));
    /* what the log says of their requests has outlived the connections */
    cr_expect(eq(int, process_wait_lines(server, "\"POST http a /count?fail=1 HTTP/1.1\"", TIMES, PATIENCE_MS), 0));
    for (int i = 0; descriptors() >= before + TIMES / 2; i++) { /* its start may not have been over before */
        cr_assert(lt(int, i, 2000), "%d descriptors, %d before", descriptors(), before);
        usleep(10000);
    }
    stop();
}

#define CHUNKED "POST /count HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"

Test(streamed_bodies, with_broken_chunks_get_400)
{
    static const char *const requests[] = {CHUNKED "zz\r\n", CHUNKED "3\r\nabc\r\n-1\r\n", CHUNKED "3\r\nabcd\r\n"};
    struct raw raw;

    serve();
    for (int i = 0; i < 3; i++) {
        cr_expect(eq(int, raw_exchange(&raw, ports[0], requests[i], strlen(requests[i])), 400));
        cr_expect(eq(int, raw_count(&raw, "HTTP/1.1 "), 1), "one answer alone");
        raw_close(&raw);
    }
    cr_expect(eq(int, process_wait_lines(server, "read to -104", 3, PATIENCE_MS), 0));
    stop();
}

/* The next request stands behind the body in what the server reads at a time. */
Test(streamed_bodies, leave_what_follows_them)
{
    static const char requests[] = CHUNKED "3\r\nabc\r\n0\r\n\r\n"
                                           "POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
                                           "GET /pid HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
    struct raw raw;

    serve();
    cr_expect(eq(int, raw_exchange(&raw, ports[0], requests, strlen(requests)), 200));
    cr_expect(eq(int, raw_count(&raw, "HTTP/1.1 200 OK"), 3));
    cr_expect(raw_has(&raw, "3 bytes, sum"));
    cr_expect(raw_has(&raw, "5 bytes, sum"));
    raw_close(&raw);
    stop();
}

/* A shutdown waits for them no longer than for other requests. */
Test(streamed_bodies, are_cut_at_the_end_of_a_drain)
{
    struct client *c[2];
    int status = -1;

    serve_with("GF_SERVER_GRACEFUL_SHUTDOWN_TIMEOUT=500ms");
    for (int tls = 0; tls < 2; tls++) {
        c[tls] = enter(tls);
        send_head(c[tls], "/count", 10);
        cr_assert(eq(int, client_send(c[tls], "abc", 3), 0));
        cr_assert(eq(int, process_wait_lines(server, "reading", tls + 1, PATIENCE_MS), 0));
    }
    cr_assert(eq(int, process_signal(server, SIGTERM), 0));
    cr_expect(eq(int, process_wait_exit(server, PATIENCE_MS, &status), 0));
    cr_expect(eq(int, status, 0));
    cr_expect(eq(int, process_wait_lines(server, "read to -104", 2, PATIENCE_MS), 0));
    cr_expect(eq(int, process_wait_line(server, "2 were cut", PATIENCE_MS), 0));
    client_close(c[0]);
    client_close(c[1]);
    clean_up();
}

/* The only thread for handlers is taken: the next one is told so, and nothing of it stays. */
Test(streamed_bodies, without_a_thread_get_503)
{
    struct client *held, *c;

    serve_with("GF_SERVER_HANDLER_THREADS=1");
    held = enter(0);
    send_head(held, "/count?wait=1", 5);
    cr_assert(eq(int, process_wait_line(server, "waiting", PATIENCE_MS), 0));
    for (int i = 0; i < 20; i++) {
        c = enter(i % 2);
        send_head(c, "/count", 5);
        cr_assert(not(receive(c, 503)->keep_alive));
        client_close(c);
    }
    cr_assert(eq(int, fetch("/go"), 200));
    cr_assert(eq(int, client_send(held, "hello", 5), 0));
    expect_counted(held, "hello", 5);
    client_close(held);
    stop();
}

/* The old process finishes what it has begun. */
Test(streamed_bodies, outlast_a_restart)
{
    struct client *c;
    char text[64], *body = NULL, *half = make_body(500000);
    pid_t old;

    serve();
    old = process_pid(server);
    c = enter(0);
    send_head(c, "/count", 500000);
    cr_assert(eq(int, client_send(c, half, 250000), 0));
    cr_assert(eq(int, process_wait_line(server, "reading", PATIENCE_MS), 0));
    cr_assert(eq(int, process_signal(server, SIGUSR1), 0));
    cr_assert(eq(int, process_wait_lines(server, "ports ", 2, PATIENCE_MS), 0));
    snprintf(text, sizeof(text), "%d\n", (int)old);
    for (int i = 0; !body || !strcmp(body, text); i++) {
        cr_assert(lt(int, i, 2000), "the old process serves on");
        free(body);
        cr_assert(eq(int, client_fetch(ports[0], "/pid", &body), 200));
        usleep(10000);
    }
    free(body);
    cr_assert(eq(int, client_send(c, half + 250000, 250000), 0));
    const struct answer *a = receive(c, 200);
    snprintf(text, sizeof(text), "pid %d\n", (int)old);
    cr_expect(ne(ptr, strstr(a->body, text), NULL), "%s", a->body);
    client_close(c);
    cr_expect(eq(int, process_wait_pid_gone(old, PATIENCE_MS), 0));
    free(half);
    stop();
}

static void expect_form(const char *scheme, int port, const char *path, const char *options, const char *expected)
{
    char command[1024], text[4096];

    snprintf(command, sizeof(command), "cd %s && curl -q -sS -k -m 60 %s %s://127.0.0.1:%d%s", folder, options, scheme,
             port, path);
    FILE *output = popen(command, "r");
    size_t size = fread(text, 1, sizeof(text) - 1, output);
    text[size] = '\0';
    cr_expect(eq(int, pclose(output), 0), "%s", command);
    cr_expect(eq(str, text, (char *)expected), "%s", command);
}

Test(streamed_bodies, forms_of_any_size)
{
    size_t size = 40 << 20;
    char *body = make_body(size), path[128], expected[512];

    serve();
    snprintf(path, sizeof(path), "%s/large", folder);
    FILE *file = fopen(path, "w");
    cr_assert(eq(sz, fwrite(body, 1, size, file), size));
    fclose(file);
    snprintf(expected, sizeof(expected),
             "a (value, none): 3 %llx\nf (x.y, image/png): %zu %llx\ng (value, none): 0 0\nform 0\n",
             (unsigned long long)sum_of("b c", 3), size, (unsigned long long)sum_of(body, size));
    for (int tls = 0; tls < 2; tls++)
        expect_form(tls ? "https" : "http", ports[tls], "/form",
                    "-F 'a=b c' -F 'f=@large;filename=../x.y;type=image/png' -F g=", expected);
    expect_form("http", ports[0], "/form", "-F stop=1 -F f=@large", "stop (value, none): form -125\n");
    expect_form("http", ports[0], "/form", "-T large -X POST -H Content-Type:text/plain", "form -22\n");
    expect_form("http", ports[0], "/form/collected", "-F g=", "g (value, none): 0 0\nform 0\n");
    free(body);
    stop();
}
