/*
 * Streams: answers that are sent while they are made, to clients that take them, stall, or go away.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/client.h"
#include "tests/support/process.h"
#include "tests/support/raw.h"

enum {
    PATIENCE_MS = 20000,
    WRITE_TIMEOUT_MS = 2000, /* the program's own */
    LARGE_MB = 200,
    MEMORY_KB = 32 << 10, /* what a stream of any length may cost a server, its buffers included */
    STREAMS = 64,
};

static struct process *process;
static int port;

static void start(void)
{
    struct process_options options = {.program = "stream_server"};
    char *line, *at;

    process = process_start(&options);
    cr_assert(ne(ptr, process, NULL));
    cr_assert(eq(int, process_wait_line(process, "started listening on", PATIENCE_MS), 0));
    line = process_find_line(process, "started listening on");
    cr_assert(ne(ptr, line, NULL));
    at = strrchr(line, ':');
    cr_assert(ne(ptr, at, NULL));
    port = atoi(at + 1);
    free(line);
    cr_assert(gt(int, port, 0));
}

static void stop(void)
{
    char *body = NULL;

    cr_assert(eq(int, client_fetch(port, "/", &body), 200));
    cr_assert(eq(str, body, "hello\n"));
    free(body);
    cr_assert(eq(int, process_stop(process), 0));
    process_free(process);
}

TestSuite(streams, .init = start, .fini = stop, .timeout = 60);

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static struct raw ask(const char *request)
{
    struct raw raw;

    cr_assert(eq(int, raw_connect(&raw, port), 0));
    cr_assert(eq(int, raw_send_text(&raw, request), 0));
    return raw;
}

static void fetch(const char *path)
{
    cr_assert(eq(int, client_fetch(port, path, NULL), 200));
}

Test(streams, arrive_piece_by_piece)
{
    struct raw raw = ask("GET /steps?count=3 HTTP/1.1\r\nHost: a\r\n\r\n");

    cr_assert(eq(int, raw_read(&raw, "step 0", PATIENCE_MS), 0));
    cr_assert(raw_has(&raw, "Transfer-Encoding: chunked"));
    cr_assert(not(raw_has(&raw, "step 1")));
    fetch("/go");
    cr_assert(eq(int, raw_read(&raw, "step 1", PATIENCE_MS), 0));
    cr_assert(not(raw_has(&raw, "step 2")));
    fetch("/go");
    cr_assert(eq(int, raw_read(&raw, "step 2", PATIENCE_MS), 0));
    cr_assert(not(raw_has(&raw, "\r\n0\r\n\r\n")));
    fetch("/go");
    cr_assert(eq(int, raw_read(&raw, "\r\n0\r\n\r\n", PATIENCE_MS), 0));
    raw_close(&raw);
}

/* The connection serves on behind a stream. */
Test(streams, leave_their_connection)
{
    struct client *c = client_connect_port(port);
    int error = 0;

    for (int i = 0; i < 20; i++) {
        const struct answer *a = client_get(c, "/lines?count=3&ms=0", &error);

        cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
        cr_assert(eq(str, a->body, "line 0 of GET\nline 1 of GET\nline 2 of GET\nend\n"));
        cr_assert(a->keep_alive);
    }
    client_close(c);
}

static long memory_kb(void)
{
    char path[64], line[256];
    long kb = -1;

    snprintf(path, sizeof(path), "/proc/%d/status", (int)process_pid(process));
    FILE *file = fopen(path, "re");
    cr_assert(ne(ptr, file, NULL));
    while (fgets(line, sizeof(line), file))
        if (sscanf(line, "VmRSS: %ld kB", &kb) == 1)
            break;
    fclose(file);
    return kb;
}

static size_t count_x(const char *bytes, size_t size)
{
    size_t count = 0;

    for (size_t i = 0; i < size; i++)
        count += bytes[i] == 'x';
    return count;
}

/* A sanitizer's memory says nothing. */
static bool is_sanitized(void)
{
    char *line = process_find_line(process, "sanitized");

    free(line);
    return line != NULL;
}

Test(streams, of_any_length_take_little_memory)
{
    static char piece[1 << 16];
    long before = memory_kb(), most = 0;
    struct raw raw = ask("GET /large?mb=200 HTTP/1.1\r\nHost: a\r\n\r\n");
    size_t count, head;
    ssize_t n = 1;

    cr_assert(eq(int, raw_read(&raw, "\r\n\r\n", PATIENCE_MS), 0));
    head = (size_t)(strstr(raw.bytes, "\r\n\r\n") - raw.bytes);
    count = count_x(raw.bytes + head, raw.size - head);
    for (int pieces = 0; count < (size_t)LARGE_MB << 20; pieces++) {
        if (pieces % 256 == 0) { /* the server is faster than its client */
            usleep(20000);
            long kb = memory_kb();
            most = kb > most ? kb : most;
        }
        n = recv(raw.fd, piece, sizeof(piece), 0);
        cr_assert(gt(long, n, 0), "after %zu bytes", count);
        count += count_x(piece, (size_t)n);
    }
    cr_assert(eq(sz, count, (size_t)LARGE_MB << 20));
    if (!is_sanitized())
        cr_assert(lt(long, most - before, MEMORY_KB), "%ld kB, then %ld", before, most);
    raw_close(&raw);
}

Test(streams, tell_the_handler_when_the_client_has_gone)
{
    struct raw raw = ask("GET /lines?count=1000000&ms=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: streamer\r\n\r\n");

    cr_assert(eq(int, raw_read(&raw, "line 3 of GET", PATIENCE_MS), 0));
    raw_abort(&raw);
    cr_assert(eq(int, process_wait_line(process, "client gone after line", PATIENCE_MS), 0));
    char *line = process_find_line(process, "client gone after line");
    cr_assert(ne(ptr, strstr(line, "agent streamer"), NULL), "%s", line);
    free(line);
}

Test(streams, cut_a_client_that_stalls)
{
    long long since = now_ms();
    struct raw raw = ask("GET /large?mb=200 HTTP/1.1\r\nHost: a\r\n\r\n");

    cr_assert(eq(int, process_wait_line(process, "client gone after piece", PATIENCE_MS), 0));
    cr_assert(ge(long, (long)(now_ms() - since), WRITE_TIMEOUT_MS - 200));
    raw_close(&raw);
}

/* What is not whole must not look whole. */
Test(streams, that_fail_break_off)
{
    struct raw raw = ask("GET /broken HTTP/1.1\r\nHost: a\r\n\r\n");
    int result = raw_read(&raw, NULL, PATIENCE_MS);

    cr_assert(result == 0 || result == -ECONNRESET);
    cr_assert(eq(int, raw_status(&raw), 202)); /* and the status is that of the flush */
    cr_assert(raw_has(&raw, "so far\n"));
    cr_assert(not(raw_has(&raw, "\r\n0\r\n\r\n")));
    cr_assert(not(raw_has(&raw, "Internal Server Error")));
    raw_close(&raw);
}

Test(streams, have_their_head_sent_with_the_first_flush)
{
    struct client *c = client_connect_port(port);
    int error = 0;
    const struct answer *a = client_get(c, "/late", &error);
    char body[16];

    cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
    cr_assert(eq(int, a->status, 200));
    cr_assert(eq(int, answer_header_count(a, "X-Early"), 1));
    cr_assert(eq(int, answer_header_count(a, "X-Late"), 0));
    snprintf(body, sizeof(body), "%d\n", -EALREADY);
    cr_assert(eq(str, a->body, body));
    client_close(c);
}

/* libmicrohttpd would send the last chunk all the same, so the connection ends. */
Test(streams, have_no_body_for_head)
{
    struct raw raw = ask("HEAD /lines?count=3&ms=0 HTTP/1.1\r\nHost: a\r\n\r\n");

    cr_assert(eq(int, raw_read(&raw, NULL, PATIENCE_MS), 0));
    cr_assert(eq(int, raw_status(&raw), 200));
    cr_assert(eq(str, strstr(raw.bytes, "\r\n\r\n"), "\r\n\r\n"), "%s", raw.bytes);
    cr_assert(not(raw_has(&raw, "Content-Length")));
    raw_close(&raw);
}

/* Who only asks for the head of a stream without an end must not hold its handler for ever. */
Test(streams, tell_the_handler_when_only_the_head_was_asked_for)
{
    struct raw raw = ask("HEAD /lines?count=1000000000&ms=1 HTTP/1.1\r\nHost: a\r\nUser-Agent: header\r\n\r\n");

    cr_assert(eq(int, raw_read(&raw, NULL, PATIENCE_MS), 0));
    cr_assert(eq(int, raw_status(&raw), 200));
    raw_close(&raw);
    cr_assert(eq(int, process_wait_line(process, "agent header", PATIENCE_MS), 0));
}

Test(streams, tell_the_handler_when_the_status_has_no_body)
{
    struct raw raw = ask("GET /none_for_ever HTTP/1.1\r\nHost: a\r\n\r\n");

    cr_assert(eq(int, raw_read(&raw, "\r\n\r\n", PATIENCE_MS), 0));
    cr_assert(eq(int, raw_status(&raw), 204));
    cr_assert(eq(int, process_wait_line(process, "nobody reads a 204", PATIENCE_MS), 0));
    raw_close(&raw);
}

Test(streams, have_no_body_where_the_status_has_none)
{
    struct client *c = client_connect_port(port);
    int error = 0;

    for (int i = 0; i < 3; i++) {
        const struct answer *a = client_get(c, "/none", &error);
        cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
        cr_assert(eq(int, a->status, 204));
        cr_assert(a->keep_alive);
    }
    client_close(c);
}

Test(streams, end_with_the_connection_in_http_1_0)
{
    struct raw raw = ask("GET /lines?count=3&ms=1 HTTP/1.0\r\n\r\n");

    cr_assert(eq(int, raw_read(&raw, NULL, PATIENCE_MS), 0));
    cr_assert(eq(int, raw_status(&raw), 200));
    cr_assert(not(raw_has(&raw, "Transfer-Encoding")));
    cr_assert(raw_has(&raw, "\r\n\r\nline 0 of GET\nline 1 of GET\nline 2 of GET\nend\n"));
    raw_close(&raw);
}

Test(streams, run_side_by_side)
{
    static struct raw raws[STREAMS];

    for (int i = 0; i < STREAMS; i++)
        raws[i] = ask("GET /lines?count=20&ms=20 HTTP/1.1\r\nHost: a\r\n\r\n");
    fetch("/"); /* while they run */
    for (int i = 0; i < STREAMS; i++) {
        cr_assert(eq(int, raw_read(&raws[i], "\r\n0\r\n\r\n", PATIENCE_MS), 0));
        cr_assert(eq(int, raw_count(&raws[i], " of GET\n"), 20));
        cr_assert(eq(int, raw_count(&raws[i], "end\n"), 1));
        raw_close(&raws[i]);
    }
}

Test(streams, end_in_the_process_in_which_they_began)
{
    struct raw raw = ask("GET /lines?count=60&ms=50 HTTP/1.1\r\nHost: a\r\n\r\n");
    char *body = NULL;

    cr_assert(eq(int, raw_read(&raw, "line 0 of GET", PATIENCE_MS), 0));
    cr_assert(eq(int, process_signal(process, SIGUSR1), 0));
    cr_assert(eq(int, process_wait_line(process, "server restarted: process ", PATIENCE_MS), 0));
    cr_assert(eq(int, client_fetch(port, "/pid", &body), 200));
    cr_assert(ne(int, atoi(body), (int)process_pid(process)));
    free(body);
    cr_assert(eq(int, raw_read(&raw, "\r\n0\r\n\r\n", PATIENCE_MS), 0));
    cr_assert(eq(int, raw_count(&raw, " of GET\n"), 60));
    cr_assert(raw_has(&raw, "end\n"));
    raw_close(&raw);
    cr_assert(eq(int, process_wait_pid_gone(process_pid(process), PATIENCE_MS), 0));
}

Test(streams, of_events_have_the_form_that_browsers_read)
{
    struct client *c = client_connect_port(port);
    int error = 0;
    const struct answer *a = client_get(c, "/events", &error);
    char expected[256];

    cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
    char *type = answer_header(a, "Content-Type"), *cache = answer_header(a, "Cache-Control");
    cr_assert(eq(str, type, "text/event-stream"));
    cr_assert(eq(str, cache, "no-store"));
    free(type);
    free(cache);
    snprintf(expected, sizeof(expected),
             "data: plain\n\n"
             "event: tick\nid: 7\ndata: one\ndata: two\ndata: three\ndata: four\n\n"
             "event: empty\ndata: \n\n"
             ": %d %d %d\n",
             -EINVAL, -EINVAL, -EINVAL);
    cr_assert(eq(str, a->body, expected));
    client_close(c);
}
