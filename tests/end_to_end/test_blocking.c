/*
 * Handlers that block: nobody else waits for them, the server learns which they are, and what they start inherits
 * nothing.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/client.h"
#include "tests/support/http_server.h"
#include "tests/support/latency.h"
#include "tests/support/load.h"
#include "tests/support/raw.h"

TestSuite(blocking, .timeout = 120);

static struct http_server *start_with(const char *setting)
{
    const char *const arguments[] = {"--set", setting, NULL};
    struct http_server *s = http_server_start(setting ? arguments : NULL);

    cr_assert(ne(ptr, s, NULL));
    return s;
}

/* ---- the others do not wait ----------------------------------------------------------------------------------------
 */

enum {
    SLEEPERS = 1000,
    P99_MS = 50,
};

static void begin_sleep(struct raw *raw, int port)
{
    cr_assert(eq(int, raw_connect(raw, port), 0));
    cr_assert(eq(int, raw_send_text(raw, "GET /sleep?ms=4000 HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
}

static int fetch_number(int port, const char *path)
{
    char *body = NULL;
    int number = client_fetch(port, path, &body) == 200 ? atoi(body) : -1;

    free(body);
    return number;
}

static void begin_block(struct raw *raw, int port)
{
    cr_assert(eq(int, raw_connect(raw, port), 0));
    cr_assert(eq(int, raw_send_text(raw, "GET /block HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
}

static void wait_until_all_sleep(int port)
{
    int sleeping = 0;

    for (int i = 0; sleeping < SLEEPERS && i < 6000; i++) {
        sleeping = fetch_number(port, "/blocked");
        usleep(10000);
    }
    cr_assert(eq(int, sleeping, SLEEPERS));
}

/* While they come, and while all of them sleep at the same time. */
Test(blocking, a_thousand_sleeping_requests_are_in_nobodys_way)
{
    static const char *const expected[] = {"hello\n", NULL};
    static struct raw raw[SLEEPERS];
    struct http_server *s = start_with(NULL);
    struct load_options options = {.target = {.port = s->port}, .pause_us = 500, .expected = expected};
    struct load *load = load_start(&options);
    struct latency latency = {0};

    cr_assert(ne(ptr, load, NULL));
    cr_assert(eq(int, load_wait_requests(load, 20, 20000), 0));
    int window = load_mark_begin(load);
    for (int i = 0; i < SLEEPERS; i++)
        begin_block(&raw[i], s->port);
    wait_until_all_sleep(s->port);
    cr_assert(eq(int, load_wait_requests(load, load_requests(load) + 1000, 60000), 0));
    load_mark_end(load, window);
    cr_assert(eq(int, fetch_number(s->port, "/blocked"), SLEEPERS), "not all of them sleep to the end");
    cr_assert(eq(int, client_fetch(s->port, "/unblock", NULL), 200));
    for (int i = 0; i < SLEEPERS; i++) {
        cr_assert(eq(int, raw_read(&raw[i], "slept\n", 60000), 0));
        cr_assert(eq(int, raw_status(&raw[i]), 200));
        raw_close(&raw[i]);
    }
    load_stop(load);
    load_window(load, window, &latency);
    cr_assert(eq(int, (int)load_result(load)->failures, 0), "%s", load_result(load)->failure[0]);
    cr_assert(ge(int, (int)latency.count, 1000));
    int p99 = (int)(latency_percentile(&latency, 0.99) / 1000);
    cr_assert(lt(int, p99, s->sanitized ? 20 * P99_MS : P99_MS));
    load_free(load);
    cr_assert(eq(int, http_server_stop(s), 0));
}

/* A route that nobody has seen blocking takes a loop with it; with one loop that is all there is. */
Test(blocking, the_first_block_of_the_only_loop_is_noticed)
{
    struct http_server *s = start_with("workers=1");

    for (int i = 0; i < 10; i++) {
        struct raw raw;

        begin_sleep(&raw, s->port);
        cr_assert(http_server_serves(s));
        cr_assert(eq(int, raw_read_size(&raw, 1, 0), -ETIMEDOUT), "it has waited for the sleeper");
        if (i % 2)
            raw_close(&raw);
        else
            raw_abort(&raw);
    }
    cr_assert(eq(int, http_server_stop(s), 0));
}

/* ---- routes learn --------------------------------------------------------------------------------------------------
 */

static int ask_thread(struct client *c, const char *path)
{
    int error = 0;
    const struct answer *a = client_get(c, path, &error);

    cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
    cr_assert(eq(int, a->status, 200));
    return atoi(a->body);
}

/* Whether the handler of /thread-after runs on the loop: on the thread that also runs /thread, which never blocks. A
 * busy machine can pass the loop on between the two questions; asked again, it says. */
static bool runs_on_the_loop(struct client *c)
{
    int before = ask_thread(c, "/thread");
    int other = ask_thread(c, "/thread-after");

    return other == before && ask_thread(c, "/thread") == before;
}

static bool runs_on_the_loop_soon(struct client *c, bool wanted, int tries)
{
    while (tries-- > 0)
        if (runs_on_the_loop(c) == wanted)
            return true;
    return false;
}

Test(blocking, a_route_that_blocks_leaves_the_loop_until_it_is_fast_again)
{
    struct http_server *s = start_with("workers=1");

    for (int round = 0; round < 2; round++) {
        struct client *c = client_connect_port(s->port);

        cr_assert(ne(ptr, c, NULL));
        cr_assert(runs_on_the_loop_soon(c, true, 500), "a fast route is off the loop");
        int loop = ask_thread(c, "/thread");
        cr_assert(eq(int, ask_thread(c, "/thread-after?ms=100"), loop)); /* caught here: others lead now */
        cr_assert(ne(int, ask_thread(c, "/thread"), loop));
        cr_assert(not(runs_on_the_loop(c)), "a route that has blocked is on the loop again at once");
        cr_assert(runs_on_the_loop_soon(c, true, 2000), "a route that is fast again does not come back");
        client_close(c);
    }
    cr_assert(eq(int, http_server_stop(s), 0));
}

/* A burst on a route that is known to block does not take the loop away from the others at all. */
Test(blocking, a_burst_on_a_known_route_leaves_the_leader_alone)
{
    enum { BURST = 50 };
    struct http_server *s = start_with("workers=1");
    struct client *c = client_connect_port(s->port);
    struct raw raw[BURST];
    int same = 0;

    cr_assert(ne(ptr, c, NULL));
    ask_thread(c, "/thread-after?ms=50");
    for (int i = 0; i < BURST; i++) {
        int before = ask_thread(c, "/thread");

        cr_assert(eq(int, raw_connect(&raw[i], s->port), 0));
        cr_assert(eq(int, raw_send_text(&raw[i], "GET /thread-after?ms=300 HTTP/1.1\r\nHost: a\r\n\r\n"), 0));
        same += ask_thread(c, "/thread") == before;
    }
    cr_assert(gt(int, same, BURST / 2)); /* some may be lost to a busy machine */
    for (int i = 0; i < BURST; i++) {
        cr_assert(eq(int, raw_read(&raw[i], "\r\n\r\n", 20000), 0));
        raw_close(&raw[i]);
    }
    client_close(c);
    cr_assert(eq(int, http_server_stop(s), 0));
}

/* ---- children ------------------------------------------------------------------------------------------------------
 */

/* The child may open files of its own: a locale, a library. What the server has open is of these kinds. */
static void expect_no_descriptors_of_ours(int pid)
{
    static const char *const ours[] = {"socket:", "anon_inode:", "pipe:", "/dev/", "/memfd:"};
    char path[64], target[256];

    snprintf(path, sizeof(path), "/proc/%d/fd", pid);
    DIR *folder = opendir(path);
    cr_assert(ne(ptr, folder, NULL));
    for (const struct dirent *entry; (entry = readdir(folder));) {
        char link[512];

        snprintf(link, sizeof(link), "%s/%s", path, entry->d_name);
        ssize_t size = readlink(link, target, sizeof(target) - 1);
        if (size < 0 || atoi(entry->d_name) <= 2)
            continue; /* the program's own standard ones are meant to be there */
        target[size] = 0;
        for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
            cr_assert(ne(int, strncmp(target, ours[i], strlen(ours[i])), 0), "descriptor %s is %s", entry->d_name,
                      target);
    }
    closedir(folder);
}

static void expect_no_blocked_signals(int pid)
{
    char path[64], line[256], blocked[64] = "";

    snprintf(path, sizeof(path), "/proc/%d/status", pid);
    FILE *file = fopen(path, "re");
    cr_assert(ne(ptr, file, NULL));
    while (fgets(line, sizeof(line), file))
        sscanf(line, "SigBlk: %63s", blocked);
    fclose(file);
    cr_assert(eq(str, blocked, "0000000000000000"));
}

static void expect_clean_child(struct client *c)
{
    char path[64];
    int pid = ask_thread(c, "/spawn");

    cr_assert(gt(int, pid, 0));
    expect_no_descriptors_of_ours(pid);
    expect_no_blocked_signals(pid);
    snprintf(path, sizeof(path), "/reap?pid=%d", pid);
    cr_assert(eq(int, ask_thread(c, path), 1));
}

Test(blocking, children_of_handlers_inherit_nothing)
{
    struct http_server *s = start_with(NULL);
    struct client *c = client_connect_port(s->port), *other = client_connect_port(s->port);

    cr_assert(ne(ptr, c, NULL));
    cr_assert(ne(ptr, other, NULL));
    for (int i = 0; i < 5; i++) /* on the loop the first time, likely aside then */
        expect_clean_child(c);
    client_close(other);
    client_close(c);
    cr_assert(eq(int, http_server_stop(s), 0));
}
