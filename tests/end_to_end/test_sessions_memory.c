/*
 * Sessions in memory over restarts: whoever asks for them, under load, nobody is logged out and nothing that was
 * written is lost, by whichever of the processes; and a new process that fails does no harm.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/client.h"
#include "tests/support/load.h"
#include "tests/support/process.h"

enum {
    WAIT_MS = 20000,
    KEYS_MAX = 240, /* a session holds 256 */
};

static struct process *server;
static int port;

/* "gfsessionid=…" of somebody who has logged in. */
struct visitor {
    char cookie[256];
    char body[256];
};

static void find_port(void)
{
    char *line = process_find_line(server, "port ");

    port = atoi(line + strlen("port "));
    free(line);
}

static void start_with(const char *first, const char *second)
{
    const char *arguments[] = {"127.0.0.1:0", "sessions", "sessionStorage=memory", first, second, NULL};
    struct process_options options = {.program = "session_server", .arguments = arguments};

    server = process_start(&options);
    cr_assert(ne(ptr, server, NULL));
    cr_assert(zero(int, process_wait_line(server, "port ", WAIT_MS)));
    find_port();
}

static void start(void)
{
    start_with(NULL, NULL);
}

static void stop(void)
{
    process_free(server);
}

TestSuite(sessions_memory, .init = start, .fini = stop, .timeout = 120);

static struct client *ask(const struct visitor *v, const char *path)
{
    struct client *c = client_connect_port(port);
    char request[1024];

    cr_assert(ne(ptr, c, NULL));
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s%s\r\n", path,
             v->cookie[0] ? "Cookie: " : "", v->cookie, v->cookie[0] ? "\r\n" : "");
    cr_assert(zero(int, client_send_text(c, request)));
    return c;
}

static int take_answer(struct visitor *v, struct client *c)
{
    int error = 0, status;
    const struct answer *a = client_receive(c, &error);

    cr_assert(ne(ptr, (void *)a, NULL), "%s", strerror(-error));
    status = a->status;
    snprintf(v->body, sizeof(v->body), "%s", a->body ? a->body : "");
    char *set = answer_header(a, "Set-Cookie");
    if (set)
        snprintf(v->cookie, sizeof(v->cookie), "%.*s", (int)strcspn(set, ";"), set);
    free(set);
    client_close(c);
    return status;
}

static void expect_body(struct visitor *v, const char *path, const char *body)
{
    cr_expect(eq(int, take_answer(v, ask(v, path)), 200), "%s", path);
    cr_expect(eq(str, v->body, (char *)body), "%s", path);
}

static pid_t ask_pid(void)
{
    struct visitor nobody = {.cookie = ""};

    cr_assert(eq(int, take_answer(&nobody, ask(&nobody, "/pid")), 200));
    return (pid_t)atol(nobody.body);
}

static void touch(const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", process_folder(server), name);
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    cr_assert(ge(int, fd, 0));
    close(fd);
}

static void untouch(const char *name)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/%s", process_folder(server), name);
    cr_assert(zero(int, unlink(path)));
}

/* ---- restarts ---- */

/* Its line in the log may come late, and is then the line of the restart before: the answers tell. */
static void restart_by_signal(void)
{
    pid_t before = ask_pid();

    cr_assert(zero(int, kill(before, SIGUSR1)));
    for (int i = 0; i < WAIT_MS / 10 && ask_pid() == before; i++)
        usleep(10000);
}

static void restart_by_api(void)
{
    struct visitor nobody = {.cookie = ""};

    expect_body(&nobody, "/restart", "0");
}

static void restart_by_page(void)
{
    struct visitor nobody = {.cookie = ""};

    cr_assert(eq(int, take_answer(&nobody, ask(&nobody, "/debug/admin/restart")), 200));
}

static void restart(int way)
{
    static void (*const ways[])(void) = {restart_by_signal, restart_by_api, restart_by_page};
    pid_t before = ask_pid();

    ways[way % 3]();
    cr_assert(ne(int, ask_pid(), before), "restart %d", way);
}

/* Asks for the one session all the time. */
static size_t make_request(uint64_t n, char *buffer, void *arg)
{
    const struct visitor *v = arg;

    (void)n;
    return (size_t)snprintf(buffer, LOAD_REQUEST_MAX, "GET / HTTP/1.1\r\nHost: localhost\r\nCookie: %s\r\n\r\n",
                            v->cookie);
}

struct writer {
    struct visitor visitor;
    pthread_t thread;
    _Atomic bool ends;
    _Atomic int written;
};

/* A key after the other into the one session, wherever the request happens to be answered. */
static void *write_keys(void *arg)
{
    struct writer *w = arg;
    char path[64];

    for (int i = 0; i < KEYS_MAX && !atomic_load(&w->ends); i++) {
        snprintf(path, sizeof(path), "/set?key=%d&value=%d", i, i);
        expect_body(&w->visitor, path, "0");
        atomic_fetch_add(&w->written, 1);
        usleep(20000);
    }
    return NULL;
}

static void restart_under_load(int times)
{
    static const char *const expected[] = {"ann", NULL};
    struct writer writer = {.visitor = {.cookie = ""}};
    char path[64], value[16];

    expect_body(&writer.visitor, "/login?user=ann", "ann");
    struct visitor v = writer.visitor;
    const struct load_options options = {.target = {.port = port},
                                         .connections = 4,
                                         .raced_is_fine = true,
                                         .make = make_request,
                                         .pause_us = 500,
                                         .expected = expected,
                                         .timeout_ms = WAIT_MS,
                                         .arg = &v};
    struct load *load = load_start(&options);
    cr_assert(ne(ptr, load, NULL));
    cr_assert(zero(int, pthread_create(&writer.thread, NULL, write_keys, &writer)));
    for (int i = 0; i < times; i++) {
        restart(i);
        cr_assert(zero(int, load_wait_requests(load, load_requests(load) + 50, WAIT_MS)), "restart %d", i);
    }
    atomic_store(&writer.ends, true);
    pthread_join(writer.thread, NULL);
    load_stop(load);
    cr_expect(zero(u64, load_failures(load)));
    load_free(load);
    for (int i = 0; i < atomic_load(&writer.written); i++) {
        snprintf(path, sizeof(path), "/get?key=%d", i);
        snprintf(value, sizeof(value), "%d", i);
        expect_body(&v, path, value);
    }
    cr_expect(gt(int, atomic_load(&writer.written), times), "it has written all the time");
}

Test(sessions_memory, restarts_log_nobody_out_and_lose_nothing)
{
    restart_under_load(12);
}

static void start_stable(void)
{
    start_with("stablePid=true", NULL);
}

TestSuite(sessions_memory_stable, .init = start_stable, .fini = stop, .timeout = 120);

Test(sessions_memory_stable, restarts_with_a_stable_pid_lose_nothing_either)
{
    restart_under_load(6);
}

Test(sessions_memory, what_the_old_process_writes_in_its_drain_is_seen_in_the_new_one)
{
    struct visitor v = {.cookie = ""}, late = {.cookie = ""};

    expect_body(&v, "/login?user=ann", "ann");
    struct client *held = ask(&v, "/hold?file=go&key=basket&value=7");
    struct client *login = ask(&late, "/hold?file=go&key=user&value=bob");
    cr_assert(zero(int, process_wait_lines(server, "holds for go", 2, WAIT_MS)));
    for (int i = 0; i < 2; i++) /* two generations later it is still the same session */
        restart(i);
    expect_body(&v, "/get?key=basket", "none");
    expect_body(&v, "/set?key=theme&value=dark", "0");
    touch("go");
    cr_expect(eq(int, take_answer(&v, held), 200));
    cr_expect(eq(int, take_answer(&late, login), 200));
    expect_body(&v, "/get?key=basket", "7");
    expect_body(&v, "/get?key=theme", "dark");
    expect_body(&late, "/", "bob");
    restart(0);
    expect_body(&v, "/get?key=basket", "7");
    expect_body(&late, "/", "bob");
}

Test(sessions_memory, first_session_may_begin_in_the_drain)
{
    struct visitor v = {.cookie = ""};
    struct client *held = ask(&v, "/hold?file=go&key=user&value=ann");

    cr_assert(zero(int, process_wait_line(server, "holds for go", WAIT_MS)));
    restart(0);
    touch("go");
    cr_expect(eq(int, take_answer(&v, held), 200));
    expect_body(&v, "/", "ann");
}

Test(sessions_memory, new_process_that_fails_does_no_harm)
{
    struct visitor v = {.cookie = ""};

    expect_body(&v, "/login?user=ann", "ann");
    touch("fail");
    for (int i = 0; i < 3; i++) {
        struct visitor nobody = {.cookie = ""};

        cr_assert(eq(int, take_answer(&nobody, ask(&nobody, "/restart")), 200));
        cr_expect(lt(int, atoi(nobody.body), 0));
        expect_body(&v, "/", "ann");
    }
    untouch("fail");
    restart(0);
    expect_body(&v, "/", "ann");
}

static void start_probation(void)
{
    start_with("gracefulProbation=30s", NULL);
}

TestSuite(sessions_memory_probation, .init = start_probation, .fini = stop, .timeout = 120);

Test(sessions_memory_probation, what_a_new_process_wrote_before_it_died_is_seen_in_the_old_one)
{
    struct visitor v = {.cookie = ""}, other = {.cookie = ""};

    expect_body(&v, "/login?user=ann", "ann");
    restart(0);
    expect_body(&other, "/login?user=bob", "bob");
    expect_body(&v, "/set?key=basket&value=7", "0");
    process_mark(server);
    cr_assert(zero(int, kill(ask_pid(), SIGKILL)));
    cr_assert(zero(int, process_wait_line(server, "rolled back", WAIT_MS)));
    expect_body(&v, "/get?key=basket", "7");
    expect_body(&other, "/", "bob");
    restart(1);
    expect_body(&other, "/", "bob");
}

static void start_full(void)
{
    start_with("graceful=false", NULL);
}

TestSuite(sessions_memory_full, .init = start_full, .fini = stop, .timeout = 120);

/* Where nobody hands over to anybody: the process executes anew. */
Test(sessions_memory_full, full_restart_logs_nobody_out)
{
    struct visitor v = {.cookie = ""};

    expect_body(&v, "/login?user=ann", "ann");
    for (int i = 2; i < 5; i++) {
        cr_assert(zero(int, process_signal(server, SIGUSR1)));
        cr_assert(zero(int, process_wait_lines(server, "port ", i, WAIT_MS)));
        find_port();
        expect_body(&v, "/", "ann");
        expect_body(&v, "/set?key=basket&value=7", "0");
    }
    cr_expect(eq(int, ask_pid(), process_pid(server)));
    expect_body(&v, "/get?key=basket", "7");
}

/* ---- bounds ---- */

static void start_small(void)
{
    start_with("sessionMaxCount=2", NULL);
}

TestSuite(sessions_memory_small, .init = start_small, .fini = stop, .timeout = 120);

Test(sessions_memory_small, longest_unused_goes)
{
    struct visitor first = {.cookie = ""}, second = {.cookie = ""}, third = {.cookie = ""};

    expect_body(&first, "/login?user=ann", "ann");
    expect_body(&second, "/login?user=bob", "bob");
    expect_body(&first, "/", "ann");
    expect_body(&third, "/login?user=eve", "eve");
    cr_expect(zero(int, process_wait_line(server, "the memory for sessions is full", WAIT_MS)));
    expect_body(&first, "/", "ann");
    expect_body(&third, "/", "eve");
    expect_body(&second, "/", "nobody");
}

/* ---- settings ---- */

Test(sessions_settings, unknown_storage_is_refused, .fini = stop, .timeout = 60)
{
    const char *arguments[] = {"127.0.0.1:0", "sessions", "sessionStorage=disk", NULL};
    struct process_options options = {.program = "session_server", .arguments = arguments};

    server = process_start(&options);
    cr_assert(ne(ptr, server, NULL));
    cr_expect(
        zero(int, process_wait_line(server, "\"sessionStorage\": \"disk\" is none of file, memory, redis", WAIT_MS)));
    cr_expect(zero(int, process_wait_end(server, WAIT_MS)));
}
