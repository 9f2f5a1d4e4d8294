/*
 * Limits: what is too much is refused so that the client knows, it is logged once, and room is used again as soon as
 * there is some.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tests/support/client.h"
#include "tests/support/http_server.h"
#include "tests/support/raw.h"

TestSuite(limits, .timeout = 90);

static struct http_server *start_with(const char *setting, const char *other)
{
    const char *const arguments[] = {"--set", setting, other ? "--set" : NULL, other, NULL};
    struct http_server *s = http_server_start(arguments);

    cr_assert(ne(ptr, s, NULL));
    return s;
}

/* Connects and is served once; the connection stays. */
static struct client *enter(const struct transport_target *target)
{
    struct client *c = client_connect(target, 10000);
    int error = 0;

    cr_assert(ne(ptr, c, NULL), "%s", strerror(errno));
    const struct answer *a = client_get(c, "/", &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
    cr_assert(eq(int, a->status, 200));
    cr_assert(a->keep_alive);
    return c;
}

static void expect_refused(int port)
{
    static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    struct raw raw;

    cr_assert(eq(int, raw_exchange(&raw, port, request, sizeof(request) - 1), 503));
    cr_assert(raw_has(&raw, "Retry-After: "));
    cr_assert(raw_has(&raw, "Connection: close\r\n"));
    raw_close(&raw);
}

/* The end of a connection reaches the server a moment later. */
static void expect_room(const struct http_server *s)
{
    for (int i = 0; !http_server_serves(s); i++) {
        cr_assert(lt(int, i, 500), "no room again");
        usleep(10000);
    }
}

static int count_lines(const struct http_server *s, const char *text)
{
    char *output = process_output(s->process);
    int count = 0;

    for (const char *at = output; at && (at = strstr(at, text)); at++)
        count++;
    free(output);
    return count;
}

Test(limits, connections_of_a_server)
{
    enum { LIMIT = 5 };
    struct http_server *s = start_with("maxConnections=5", NULL);
    struct transport_target target = {.port = s->port};
    struct client *clients[LIMIT];

    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < LIMIT; i++)
            clients[i] = enter(&target);
        for (int i = 0; i < 10; i++)
            expect_refused(s->port);
        client_close(clients[0]);
        for (int i = 0; i < 500 && client_fetch(s->port, "/", NULL) != 200; i++)
            usleep(10000);
        for (int i = 1; i < LIMIT; i++)
            client_close(clients[i]);
        for (int i = 0; i < LIMIT; i++)
            expect_room(s);
        usleep(100000);
    }
    cr_assert(eq(int, count_lines(s, "maxConnections are open"), 1));
    cr_assert(eq(int, http_server_stop(s), 0));
}

Test(limits, connections_of_one_address)
{
    enum { LIMIT = 3 };
    struct http_server *s = start_with("maxConnectionsPerAddress=3", NULL);
    struct transport_target here = {.port = s->port}, there = {.port = s->port, .source = "127.0.0.2"};
    struct client *clients[2 * LIMIT];

    for (int i = 0; i < LIMIT; i++)
        clients[i] = enter(&here);
    expect_refused(s->port);
    for (int i = 0; i < LIMIT; i++)
        clients[LIMIT + i] = enter(&there);
    expect_refused(s->port);
    client_close(clients[0]);
    expect_room(s);
    for (int i = 1; i < 2 * LIMIT; i++)
        client_close(clients[i]);
    for (int i = 0; i < 20; i++)
        expect_room(s);
    cr_assert(eq(int, count_lines(s, "maxConnectionsPerAddress are open"), 1));
    cr_assert(eq(int, http_server_stop(s), 0));
}

/* ---- handler threads -----------------------------------------------------------------------------------------------
 */

static void release(const struct http_server *s)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/release", process_folder(s->process));
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    cr_assert(ge(int, fd, 0));
    close(fd);
}

/* Any answer in time; a loop that stalls gives none. */
static int fetch_in_time(int port)
{
    int status = client_fetch(port, "/", NULL);

    cr_assert(status == 200 || status == 503, "%s", strerror(status < 0 ? -status : 0));
    return status;
}

Test(limits, handlers_that_block_at_once)
{
    enum { COUNT = 40, LIMIT = 8 };
    struct http_server *s = start_with("handlerThreads=8", "workers=2");
    struct raw raw[COUNT];
    int held = 0, refused = 0;

    for (int i = 0; i < COUNT; i++) {
        cr_assert(eq(int, raw_connect(&raw[i], s->port), 0));
        cr_assert(eq(int, raw_send_text(&raw[i], "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
    }
    cr_assert(eq(int, process_wait_lines(s->process, "held", LIMIT, 20000), 0));
    for (int i = 0; i < 100; i++)
        fetch_in_time(s->port);
    release(s);
    for (int i = 0; i < COUNT; i++) {
        cr_assert(eq(int, raw_read(&raw[i], "\r\n\r\n", 10000), 0));
        held += raw_status(&raw[i]) == 200;
        refused += raw_status(&raw[i]) == 503;
        cr_assert(eq(int, raw_has(&raw[i], "Retry-After: "), raw_status(&raw[i]) == 503));
        raw_close(&raw[i]);
    }
    cr_assert(eq(int, held + refused, COUNT));
    cr_assert(ge(int, held, LIMIT));
    cr_assert(le(int, held, LIMIT + 2 * 2));
    cr_assert(eq(int, count_lines(s, "held"), held));
    for (int i = 0; i < 100; i++)
        expect_room(s);
    cr_assert(eq(int, http_server_stop(s), 0));
}

/* ---- a start that fails --------------------------------------------------------------------------------------------
 */

/*
 * With one descriptor more at each try, each for a server of its own: it fails a step later, says so, and leaves
 * nothing behind; and the first for which there is room serves, and ends in order.
 */
Test(limits, descriptors_of_a_start)
{
    struct process_options options = {.program = "starved_server"};
    struct process *p;
    char *program = process_program("starved_server"), *output, *line;
    int failed = 0, workers_failed = 0, descriptors = 0, threads = 0, status = -1;

    options.program = program;
    p = process_start(&options);
    cr_assert(ne(ptr, p, NULL));
    cr_assert(eq(int, process_wait_line(p, "serves", 60000), 0));
    output = process_output(p);
    for (line = output; (line = strstr(line, "failed: ")); line++, failed++) {
        int now = 0, now_threads = 0;

        cr_assert(eq(int, sscanf(line, "failed: descriptors=%d threads=%d", &now, &now_threads), 2));
        if (strncmp(strchr(line, '"'), "\"ghttp_server_start(): cannot start ", 36))
            continue;
        if (workers_failed++) {
            cr_expect(eq(int, now, descriptors), "try %d", failed);
            cr_expect(eq(int, now_threads, threads), "try %d", failed);
        }
        descriptors = now;
        threads = now_threads;
    }
    cr_expect(gt(int, workers_failed, 5), "%d of %d tries failed at the workers", workers_failed, failed);
    free(output);
    cr_expect(eq(int, process_signal(p, SIGTERM), 0));
    cr_expect(eq(int, process_wait_exit(p, 10000, &status), 0));
    cr_expect(eq(int, status, 0));
    process_free(p);
    free(program);
}

/* In clock ticks, of all its threads. */
static long cpu_time(const struct http_server *s)
{
    char path[64], text[1024] = "";
    long user = 0, kernel = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)s->pid);
    FILE *file = fopen(path, "re");
    if (file) {
        if (fgets(text, sizeof(text), file) && strrchr(text, ')'))
            sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %ld %ld", &user, &kernel);
        fclose(file);
    }
    return user + kernel;
}

/* ---- what libmicrohttpd waits for in vain --------------------------------------------------------------------------
 */

/* Of a chunk's size, longer than the memory for a head: there will never be a chunk. */
static void send_endless_line(struct raw *raw, const char *begin, char filler)
{
    static char line[21001];

    memset(line, filler, sizeof(line) - 1);
    cr_assert(eq(int, raw_send_text(raw, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"), 0));
    cr_assert(eq(int, raw_send_text(raw, begin), 0));
    cr_assert(eq(int, raw_send_text(raw, line), 0));
}

/* libmicrohttpd 0.9.75 would spin on it, also when the client has long gone. */
Test(limits, lines_without_an_end_cost_no_processor_time)
{
    enum { COUNT = 10, LOOK_MS = 500 };
    struct http_server *s = start_with("workers=2", NULL);
    struct raw raw[COUNT];

    cr_assert(http_server_serves(s));
    int idle = http_server_descriptors(s);
    for (int i = 0; i < COUNT; i++) {
        cr_assert(eq(int, raw_connect(&raw[i], s->port), 0));
        if (i % 2)
            send_endless_line(&raw[i], "3;", 'a');
        else
            send_endless_line(&raw[i], "", '0');
    }
    raw_close(&raw[0]);
    raw_close(&raw[1]);
    cr_assert(http_server_serves(s));
    long before = cpu_time(s);
    usleep(LOOK_MS * 1000);
    cr_assert(lt(long, cpu_time(s) - before, sysconf(_SC_CLK_TCK) * LOOK_MS / 1000 / 3));
    for (int i = 2; i < COUNT; i++) {
        cr_assert(eq(int, raw_read(&raw[i], "\r\n\r\n", 20000), 0));
        cr_assert(eq(int, raw_status(&raw[i]), 400));
        raw_close(&raw[i]);
    }
    cr_assert(eq(int, http_server_wait_descriptors(s, idle, 20000), 0));
    cr_assert(eq(int, http_server_stop(s), 0));
}

/* ---- descriptors ---------------------------------------------------------------------------------------------------
 */

static void limit_descriptors(const struct http_server *s, rlim_t limit)
{
    struct rlimit both = {.rlim_cur = limit, .rlim_max = limit};

    cr_assert(eq(int, prlimit(s->pid, RLIMIT_NOFILE, &both, NULL), 0));
}

Test(limits, descriptors_of_the_process)
{
    enum { COUNT = 80, ROOM = 30 };
    struct http_server *s = start_with("workers=2", NULL);

    cr_assert(http_server_serves(s));
    int idle = http_server_descriptors(s);
    limit_descriptors(s, (rlim_t)idle + ROOM);
    for (int round = 0; round < 5; round++) {
        struct raw raw[COUNT];
        int served = 0, refused = 0;

        for (int i = 0; i < COUNT; i++) {
            cr_assert(eq(int, raw_connect(&raw[i], s->port), 0));
            raw_send_text(&raw[i], "GET / HTTP/1.1\r\nHost: a\r\n\r\n"); /* a refused one may be closed already */
        }
        for (int i = 0; i < COUNT; i++) {
            int result = raw_read(&raw[i], "\r\n\r\n", 10000);

            cr_assert(ne(int, result, -ETIMEDOUT), "round %d: connection %d is left without an answer", round, i);
            served += raw_status(&raw[i]) == 200;
            refused += result < 0 || raw_status(&raw[i]) == 503;
        }
        cr_assert(eq(int, served + refused, COUNT));
        cr_assert(gt(int, served, ROOM / 3), "round %d: %d served", round, served);
        cr_assert(gt(int, refused, 0));
        long before = cpu_time(s);
        usleep(300000);
        cr_assert(lt(long, cpu_time(s) - before, sysconf(_SC_CLK_TCK) / 10), "it runs hot where it has nothing to do");
        for (int i = 0; i < COUNT; i++)
            raw_close(&raw[i]);
        expect_room(s);
        cr_assert(eq(int, http_server_wait_descriptors(s, idle, 20000), 0)); /* all of this round's, for the next one */
    }
    cr_assert(eq(int, count_lines(s, "no file descriptors are left"), 1));
    cr_assert(eq(int, http_server_stop(s), 0));
}

/* Not even the descriptor that is kept for refusals is to be had: clients wait, and the loop does not run hot
 * meanwhile. */
Test(limits, descriptors_that_are_not_to_be_had)
{
    struct http_server *s = start_with("workers=2", NULL);
    /* all below are open; poll(2) takes no more than so many itself, and the state machine waits for some */
    struct rlimit none = {.rlim_cur = 8}, before;
    struct raw raw;

    cr_assert(http_server_serves(s));
    cr_assert(eq(int, prlimit(s->pid, RLIMIT_NOFILE, NULL, &before), 0));
    none.rlim_max = before.rlim_max;
    cr_assert(eq(int, prlimit(s->pid, RLIMIT_NOFILE, &none, NULL), 0));
    cr_assert(eq(int, raw_connect(&raw, s->port), 0));
    cr_assert(eq(int, raw_send_text(&raw, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"), 0));
    cr_assert(eq(int, process_wait_line(s->process, "cannot accept connections", 10000), 0));
    long cpu = cpu_time(s);
    usleep(500000);
    cr_expect(lt(long, cpu_time(s) - cpu, sysconf(_SC_CLK_TCK) / 10), "it runs hot where it has nothing to do");
    cr_assert(eq(int, prlimit(s->pid, RLIMIT_NOFILE, &before, NULL), 0));
    cr_assert(eq(int, raw_read(&raw, NULL, 10000), 0));
    cr_expect(eq(int, raw_status(&raw), 200));
    raw_close(&raw);
    cr_assert(eq(int, http_server_stop(s), 0));
}
