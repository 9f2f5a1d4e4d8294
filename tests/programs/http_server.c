/*
 * The server that tests of the HTTP engine talk to: routes that show what reached a handler, and handlers that behave
 * badly in each way that the engine promises to bear.
 *
 * Type:
 *   http_server [--name NAME] [--address LIST] [--https-address LIST] [--port N] [--ports N N]
 *               [--https CERTIFICATE KEY] [--https-ports N N]
 *               [--set KEY=VALUE]... [--bind PATTERN]... [--no-routes] [--second ADDRESS]
 *
 * Without an address it listens on 127.0.0.1:0. Once it serves it prints a line "ports 43817 40211", HTTP first;
 * a test waits for that. `/hold` and `/spawn` print what they do, for the same reason.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gf/gf.h>

extern char **environ;

/* ---- what came in ------------------------------------------------------------------------------------------------ */

static void hello(ghttp_request *r)
{
    ghttp_response_writeln(r, "hello");
}

/* The body comes back as it came, the rest in headers. */
static void echo(ghttp_request *r)
{
    size_t size;
    const void *body = ghttp_request_body(r, &size);
    char text[32];

    snprintf(text, sizeof(text), "%zu", size);
    ghttp_response_set_header(r, "X-Method", ghttp_request_method(r));
    ghttp_response_set_header(r, "X-Body-Size", text);
    ghttp_response_set_header(r, "Content-Type", "application/octet-stream");
    ghttp_response_write_bytes(r, body, size);
}

static void show(ghttp_request *r)
{
    const char *x = ghttp_request_header(r, "X-Test");

    ghttp_response_writefln(r, "method=%s", ghttp_request_method(r));
    ghttp_response_writefln(r, "target=%s", ghttp_request_target(r));
    ghttp_response_writefln(r, "path=%s", ghttp_request_path(r));
    ghttp_response_writefln(r, "host=%s", ghttp_request_host(r));
    ghttp_response_writefln(r, "x-test=%s", x ? x : "(none)");
    ghttp_response_writefln(r, "peer=%s", ghttp_request_remote_ip(r) ? ghttp_request_remote_ip(r) : "(none)");
    ghttp_response_writefln(r, "https=%d", ghttp_request_is_https(r));
}

/* ---- what goes out ----------------------------------------------------------------------------------------------- */

/* `?size=`: the bytes 'a' + i % 23, in pieces, as a program that does not know the size would write them. */
static void bytes(ghttp_request *r)
{
    char piece[23 * 1000];
    long left = ghttp_request_get_int(r, "size", 1000);

    for (size_t i = 0; i < sizeof(piece); i++)
        piece[i] = (char)('a' + i % 23);
    ghttp_response_write(r, ""); /* none are an answer too */
    for (; left > 0; left -= (long)sizeof(piece))
        ghttp_response_write_bytes(r, piece, left < (long)sizeof(piece) ? (size_t)left : sizeof(piece));
}

/* `?count=&size=`: so many headers with values of this size; the body tells how many were accepted. */
static void headers(ghttp_request *r)
{
    long count = ghttp_request_get_int(r, "count", 1), size = ghttp_request_get_int(r, "size", 10), accepted = 0;
    char name[32];
    char *value = ghttp_request_alloc(r, (size_t)size + 1);

    for (long i = 0; i < count; i++) {
        memset(value, 'a' + (int)(i % 26), (size_t)size);
        snprintf(name, sizeof(name), "X-Header-%ld", i);
        accepted += ghttp_response_set_header(r, name, value) == 0;
    }
    ghttp_response_writefln(r, "%ld", accepted);
}

static void redirect(ghttp_request *r)
{
    ghttp_response_redirect(r, ghttp_request_get(r, "to"), (int)ghttp_request_get_int(r, "status", 0));
}

static void status(ghttp_request *r)
{
    ghttp_response_writeln(r, "a body");
    ghttp_response_set_status(r, (int)ghttp_request_get_int(r, "code", 200));
}

static void say_close(ghttp_request *r)
{
    ghttp_response_set_header(r, "Connection", "close");
    ghttp_response_writeln(r, "bye");
}

/* ---- handlers that block ------------------------------------------------------------------------------------------
 */

static void sleep_ms(ghttp_request *r)
{
    usleep((useconds_t)ghttp_request_get_int(r, "ms", 1000) * 1000);
    ghttp_response_writeln(r, "slept");
}

/* `/block` until `/unblock`; `/blocked` says how many are in it. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    int count, round;
} blocking = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static void block(ghttp_request *r)
{
    int round;

    pthread_mutex_lock(&blocking.lock);
    blocking.count++;
    for (round = blocking.round; round == blocking.round;)
        pthread_cond_wait(&blocking.ended, &blocking.lock);
    blocking.count--;
    pthread_mutex_unlock(&blocking.lock);
    ghttp_response_writeln(r, "slept");
}

static void blocked(ghttp_request *r)
{
    pthread_mutex_lock(&blocking.lock);
    ghttp_response_writef(r, "%d", blocking.count);
    pthread_mutex_unlock(&blocking.lock);
}

static void unblock(ghttp_request *r)
{
    pthread_mutex_lock(&blocking.lock);
    blocking.round++;
    pthread_cond_broadcast(&blocking.ended);
    pthread_mutex_unlock(&blocking.lock);
    ghttp_response_writeln(r, "unblocked");
}

/* Until there is a file "release" in the working folder. */
static void hold(ghttp_request *r)
{
    printf("held\n");
    while (access("release", F_OK) < 0)
        usleep(5000);
    ghttp_response_writeln(r, "released");
}

/* The thread that runs the handler, after `?ms=` of sleep; `/thread` itself never blocks. */
static void thread_after(ghttp_request *r)
{
    long ms = ghttp_request_get_int(r, "ms", 0);

    if (ms > 0)
        usleep((useconds_t)ms * 1000);
    ghttp_response_writef(r, "%d", (int)gettid());
}

static void thread(ghttp_request *r)
{
    ghttp_response_writef(r, "%d", (int)gettid());
}

/* A child as careless programs start theirs: nothing closed, nothing reset. Prints its pid. */
static void spawn(ghttp_request *r)
{
    char *const arguments[] = {"sleep", "60", NULL};
    pid_t pid;
    int result = posix_spawnp(&pid, "sleep", NULL, NULL, arguments, environ);

    if (result)
        ghttp_response_writef(r, "%s", strerror(result));
    else
        ghttp_response_writef(r, "%d", (int)pid);
}

static void reap(ghttp_request *r)
{
    pid_t pid = (pid_t)ghttp_request_get_int(r, "pid", 0);

    if (pid > 0)
        kill(pid, SIGKILL);
    ghttp_response_writef(r, "%d", pid > 0 && waitpid(pid, NULL, 0) == pid);
}

/* ---- the program --------------------------------------------------------------------------------------------------
 */

static void bind_routes(ghttp_server *s)
{
    ghttp_server_bind(s, "/", hello);
    ghttp_server_bind(s, "/echo", echo);
    ghttp_server_bind(s, "/show", show);
    ghttp_server_bind(s, "/show/*rest", show);
    ghttp_server_bind(s, "GET:/only-get", hello);
    ghttp_server_bind(s, "POST:/only-post", echo);
    ghttp_server_bind(s, "/bytes", bytes);
    ghttp_server_bind(s, "/headers", headers);
    ghttp_server_bind(s, "/redirect", redirect);
    ghttp_server_bind(s, "/status", status);
    ghttp_server_bind(s, "/close", say_close);
    ghttp_server_bind(s, "/sleep", sleep_ms);
    ghttp_server_bind(s, "/block", block);
    ghttp_server_bind(s, "/blocked", blocked);
    ghttp_server_bind(s, "/unblock", unblock);
    ghttp_server_bind(s, "/hold", hold);
    ghttp_server_bind(s, "/thread-after", thread_after);
    ghttp_server_bind(s, "/thread", thread);
    ghttp_server_bind(s, "/spawn", spawn);
    ghttp_server_bind(s, "/reap", reap);
}

static void set_pair(ghttp_server *s, const char *pair)
{
    char key[128];
    const char *equals = strchr(pair, '=');

    if (equals && (size_t)snprintf(key, sizeof(key), "%.*s", (int)(equals - pair), pair) < sizeof(key))
        ghttp_server_set(s, key, equals + 1);
}

struct wishes {
    bool routes, address;
    const char *second;
};

/* Takes one option with its values; returns how many words that were. */
static int take_option(ghttp_server *s, struct wishes *wishes, char **words)
{
    const char *option = words[0], *value = words[1] ? words[1] : "";

    if (!strcmp(option, "--no-routes"))
        return wishes->routes = false, 1;
    if (!strcmp(option, "--https"))
        return ghttp_server_enable_https(s, value, words[1] ? words[2] : NULL), 3;
    if (!strcmp(option, "--ports") || !strcmp(option, "--https-ports")) {
        wishes->address = true;
        if (!strcmp(option, "--ports"))
            ghttp_server_set_port(s, atoi(value), words[1] ? atoi(words[2]) : 0);
        else
            ghttp_server_set_https_port(s, atoi(value), words[1] ? atoi(words[2]) : 0);
        return 3;
    }
    if (!strcmp(option, "--address"))
        ghttp_server_set_address(s, value);
    else if (!strcmp(option, "--https-address"))
        ghttp_server_set_https_address(s, value);
    else if (!strcmp(option, "--port"))
        ghttp_server_set_port(s, atoi(value));
    else if (!strcmp(option, "--set"))
        set_pair(s, value);
    else if (!strcmp(option, "--bind"))
        ghttp_server_bind(s, value, hello);
    else if (!strcmp(option, "--second"))
        wishes->second = value;
    wishes->address |= !strcmp(option, "--address") || !strcmp(option, "--port") || !strcmp(option, "--https-address");
    return 2;
}

static void print_ports(ghttp_server *s)
{
    int ports[16], count = ghttp_server_listened_ports(s, ports, 16);

    printf("ports");
    for (int i = 0; i < count && i < 16; i++)
        printf(" %d", ports[i]);
    printf("\n");
}

static int start_second(const char *address)
{
    ghttp_server *s = g_server("second");

    bind_routes(s);
    ghttp_server_set_address(s, address);
    return ghttp_server_start(s);
}

int main(int argc, char **argv)
{
    struct wishes wishes = {.routes = true};
    int at = 1;
    ghttp_server *s = g_server(argc > 2 && !strcmp(argv[1], "--name") ? argv[2] : NULL);

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc > 2 && !strcmp(argv[1], "--name"))
        at = 3;
    while (at < argc)
        at += take_option(s, &wishes, argv + at);
    if (wishes.routes)
        bind_routes(s);
    if (!wishes.address)
        ghttp_server_set_address(s, "127.0.0.1:0");
    if (ghttp_server_start(s) < 0 || (wishes.second && start_second(wishes.second) < 0))
        return 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    printf("sanitized\n");
#endif
    print_ports(s);
    return g_wait();
}
