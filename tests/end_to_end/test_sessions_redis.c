/*
 * Sessions in Redis from the outside: logging in and out, restarts, two servers that share them, and what visitors see
 * while Redis is down or hangs.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/support/client.h"
#include "tests/support/process.h"
#include "tests/support/redis.h"

#ifdef GF_HAVE_REDIS

enum {
    WAIT_MS = 20000,
};

static struct process *server, *second;
static struct redis redis;

/* "gfsessionid=…" of somebody who has logged in. */
struct visitor {
    int port;
    char cookie[256];
    char body[256];
};

static struct process *start_server(const char *timeout, int *ret_port)
{
    char where[160];
    const char *arguments[] = {"127.0.0.1:0", "unused", "sessionStorage=redis", where, timeout, "workers=1", NULL};
    struct process_options options = {.program = "session_server", .arguments = arguments};

    snprintf(where, sizeof(where), "sessionRedisAddress=%s", redis.address);
    struct process *p = process_start(&options);
    cr_assert(ne(ptr, p, NULL));
    cr_assert(zero(int, process_wait_line(p, "port ", WAIT_MS)));
    char *line = process_find_line(p, "port ");
    *ret_port = atoi(line + strlen("port "));
    free(line);
    return p;
}

static int port;

static void start(void)
{
    cr_assert(zero(int, redis_init(&redis)));
    cr_assert(zero(int, redis_start(&redis)));
    server = start_server("sessionRedisTimeout=20s", &port);
}

static void stop(void)
{
    process_free(server);
    process_free(second);
    redis_finish(&redis);
}

TestSuite(sessions_redis, .init = start, .fini = stop, .timeout = 60);

static struct client *ask(const struct visitor *v, const char *path)
{
    struct client *c = client_connect_port(v->port);
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

static int visit(struct visitor *v, const char *path)
{
    return take_answer(v, ask(v, path));
}

static void expect_body(struct visitor *v, const char *path, const char *body)
{
    cr_expect(eq(int, visit(v, path), 200), "%s", path);
    cr_expect(eq(str, v->body, (char *)body), "%s", path);
}

Test(sessions_redis, login_restart_and_logout)
{
    struct visitor v = {.port = port};
    char answer[256];

    expect_body(&v, "/login?user=ann", "ann");
    expect_body(&v, "/set?key=basket&value=7", "0");
    cr_assert(zero(int, process_signal(server, SIGUSR1)));
    cr_assert(zero(int, process_wait_pid_gone(process_pid(server), WAIT_MS)));
    expect_body(&v, "/", "ann");
    expect_body(&v, "/get?key=basket", "7");
    expect_body(&v, "/logout", "nobody");
    cr_assert(zero(int, redis_ask(&redis, "DBSIZE", answer, sizeof(answer))));
    cr_expect(eq(str, answer, (char *)":0\r\n"));
}

Test(sessions_redis, two_servers_share_them)
{
    struct visitor v = {.port = port};
    int other;

    second = start_server("sessionRedisTimeout=20s", &other);
    expect_body(&v, "/login?user=ann", "ann");
    v.port = other;
    expect_body(&v, "/", "ann");
    expect_body(&v, "/set?key=basket&value=7", "0");
    v.port = port;
    expect_body(&v, "/get?key=basket", "7");
}

/* The client keeps its cookie, so it is logged in again when Redis is there again. */
Test(sessions_redis, redis_that_is_down_is_said_once_and_logs_nobody_out)
{
    struct visitor v = {.port = port}, stranger = {.port = port};
    char cookie[256], command[512], answer[512];

    expect_body(&v, "/login?user=ann", "ann");
    snprintf(cookie, sizeof(cookie), "%s", v.cookie);
    redis_stop(&redis);
    process_mark(server);
    for (int i = 0; i < 20; i++) {
        expect_body(&v, "/", "nobody");
        cr_expect(eq(int, visit(&v, "/error"), 200));
        cr_expect(lt(int, atoi(v.body), 0));
        cr_expect(eq(int, visit(&v, "/login?user=eve"), 500));
        cr_expect(eq(int, visit(&stranger, "/error"), 200));
        cr_expect(eq(str, stranger.body, (char *)"0"), "no session of theirs is missing");
        visit(&stranger, "/login?user=eve");
    }
    cr_expect(eq(str, v.cookie, cookie));
    cr_expect(eq(str, stranger.cookie, (char *)""));
    cr_expect(zero(int, process_wait_line(server, "sessions: Redis at unix:", WAIT_MS)));
    char *output = process_output(server);
    int lines = 0;
    for (const char *at = output; (at = strstr(at, "sessions: Redis at")); at++)
        lines++;
    cr_expect(eq(int, lines, 1), "%s", output);
    free(output);
    cr_assert(zero(int, redis_start(&redis)));
    snprintf(command, sizeof(command),
             "SET gfsession:default:%s \"{\\\"version\\\":1,\\\"maxAge\\\":0,\\\"values\\\":{"
             "\\\"user\\\":\\\"ann\\\"}}\" PX 600000",
             strchr(cookie, '=') + 1);
    cr_assert(zero(int, redis_ask(&redis, command, answer, sizeof(answer))));
    cr_expect(eq(str, answer, (char *)"+OK\r\n"));
    for (int i = 0; i < 1000 && (visit(&v, "/error"), strcmp(v.body, "0") != 0); i++)
        usleep(20000);
    expect_body(&v, "/", "ann");
    expect_body(&v, "/set?key=a&value=b", "0");
    cr_expect(zero(int, process_wait_line(server, "answers again", WAIT_MS)));
}

static int silent; /* a socket that nobody answers on */

static void start_silent(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    cr_assert(zero(int, redis_init(&redis)));
    silent = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(address.sun_path, sizeof(address.sun_path), "%s", redis.socket);
    cr_assert(zero(int, bind(silent, (struct sockaddr *)&address, sizeof(address))));
    cr_assert(zero(int, listen(silent, 10)));
    server = start_server("sessionRedisTimeout=20s", &port);
}

TestSuite(sessions_redis_silent, .init = start_silent, .fini = stop, .timeout = 60);

/* Waits until a command has come, on this connection or a further one. */
static int take_command(int tried)
{
    struct pollfd ends[] = {{.fd = tried, .events = POLLIN}, {.fd = silent, .events = POLLIN}};
    char byte;

    cr_assert(gt(int, poll(ends, 2, WAIT_MS), 0));
    int taken = ends[0].revents ? tried : accept(silent, NULL, NULL);
    cr_assert(eq(int, (int)recv(taken, &byte, 1, 0), 1));
    return taken;
}

/* With one worker: its loop would stand still with the request that waits. */
Test(sessions_redis_silent, redis_that_hangs_holds_up_nobody_else)
{
    struct visitor v = {.port = port, .cookie = "gfsessionid=0123456789abcdef0123456789abcdef"}, other = {.port = port};
    int tried = accept(silent, NULL, NULL); /* by the server at its start */
    struct client *waiting = ask(&v, "/");
    int taken = take_command(tried);
    for (int i = 0; i < 5; i++)
        cr_expect(eq(int, visit(&other, "/pid"), 200));
    struct pollfd early = {.fd = taken, .events = POLLRDHUP};
    cr_expect(zero(int, poll(&early, 1, 0)), "others were answered before it has given up");
    close(taken); /* no need to wait for its time-out */
    cr_expect(eq(int, take_answer(&v, waiting), 200));
    cr_expect(eq(str, v.body, (char *)"nobody"));
    close(silent);
}

static void start_without(void)
{
    cr_assert(zero(int, redis_init(&redis)));
    server = start_server("sessionRedisTimeout=20s", &port);
}

TestSuite(sessions_redis_late, .init = start_without, .fini = stop, .timeout = 60);

/* Before anybody has asked for a session; and restarts do not fail for it. */
Test(sessions_redis_late, redis_that_is_down_at_the_start_is_said_and_may_come_later)
{
    struct visitor v = {.port = port};

    cr_expect(zero(int, process_wait_line(server, "sessions: Redis at unix:", WAIT_MS)));
    process_mark(server);
    cr_assert(zero(int, process_signal(server, SIGUSR1)));
    cr_assert(zero(int, process_wait_pid_gone(process_pid(server), WAIT_MS)));
    cr_expect(zero(int, process_wait_line(server, "sessions: Redis at unix:", WAIT_MS)));
    cr_assert(zero(int, redis_start(&redis)));
    for (int i = 0; i < 1000 && (visit(&v, "/login?user=ann"), strcmp(v.body, "ann") != 0); i++)
        usleep(20000);
    cr_expect(zero(int, process_wait_line(server, "answers again", WAIT_MS)));
    expect_body(&v, "/", "ann");
}

#endif
