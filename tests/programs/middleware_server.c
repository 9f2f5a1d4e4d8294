/*
 * The server that tests of middleware, groups, hooks and handlers of statuses talk to. Every request leaves a line
 * "seen STATUS METHOD PATH" on standard output when it is done.
 *
 * Type:
 *   middleware_server [--set KEY=VALUE]... [--bind-twice]
 *
 * It listens on 127.0.0.1:0, and prints a line "ports 43817" once it serves.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gf/gf.h>

/* ---- handlers ---------------------------------------------------------------------------------------------------- */

static void hello(ghttp_request *r)
{
    ghttp_response_write(r, "hello");
}

static void echo(ghttp_request *r)
{
    const char *a = ghttp_request_get(r, "a");

    ghttp_request_set_value(r, "echoed", (void *)a);
    ghttp_response_set_header(r, "X-Left", ghttp_request_time_left(r) > 0 ? "some" : "none");
    ghttp_response_write(r, a ? a : "-");
}

static void tell_client(ghttp_request *r)
{
    ghttp_response_write(r, ghttp_request_client_ip(r));
}

/* `?size=` bytes that compress well. */
static void text(ghttp_request *r)
{
    for (long left = ghttp_request_get_int(r, "size", 10000); left > 0; left--)
        ghttp_response_write_bytes(r, "x", 1);
}

/* A stream whose rest, behind the last flush, is long enough to be compressed, and whose status comes too late. */
static void stream(ghttp_request *r)
{
    ghttp_response_write(r, "first ");
    ghttp_response_flush(r);
    text(r);
    ghttp_response_set_status(r, 404);
}

static void tell_user(ghttp_request *r)
{
    ghttp_response_writef(r, "%s %s", ghttp_request_user(r), ghttp_request_router(r, "id"));
}

/* Reads the file "gate" of the working folder, a FIFO: waits until somebody opens it for writing. What it does after
 * that it does with memory of the request; a line on standard output says what it found. */
static void wait_at_gate(ghttp_request *r)
{
    char *mine = ghttp_request_alloc(r, 4096);
    FILE *gate = fopen("gate", "re");

    if (mine)
        memset(mine, 'm', 4095);
    if (gate)
        fclose(gate);
    ghttp_response_set_header(r, "X-Gate", "through");
    ghttp_response_writefln(r, "through %s", ghttp_request_header(r, "X-Mine"));
    printf("gate %s %s %s left %d flush %s value %s body %s\n", ghttp_request_method(r), ghttp_request_path(r),
           ghttp_request_header(r, "X-Mine"), ghttp_request_time_left(r) > 0,
           ghttp_response_flush(r) < 0 ? "refused" : "done", ghttp_request_id(r) ? "kept" : "lost",
           (const char *)ghttp_request_body(r, NULL));
}

/* Takes `?us=` microseconds, as long as the limit or nearly so. */
static void race(ghttp_request *r)
{
    usleep((unsigned)ghttp_request_get_int(r, "us", 0));
    ghttp_response_set_header(r, "X-Raced", ghttp_request_header(r, "X-Mine"));
    ghttp_response_writef(r, "done %s", ghttp_request_get(r, "us"));
}

static void say_nothing(ghttp_request *r)
{
    (void)r;
}

static void fail_in_time(ghttp_request *r)
{
    ghttp_response_fail(r, "in time");
}

/* ---- round them -------------------------------------------------------------------------------------------------- */

static void log_request(ghttp_request *r)
{
    printf("seen %d %s %s\n", ghttp_response_status(r), ghttp_request_method(r), ghttp_request_path(r));
}

static void mark(ghttp_request *r)
{
    ghttp_response_set_header(r, "X-Before", "1");
    ghttp_request_next(r);
    ghttp_response_set_header(r, "X-After", ghttp_response_status(r) == 200 ? "good" : "bad");
}

/* Before any middleware: who comes from elsewhere than this client does not even see that there is a page. */
static void guard(ghttp_request *r)
{
    if (strcmp(ghttp_request_client_ip(r), "192.0.2.1") == 0)
        return;
    ghttp_response_write_status(r, 403);
    ghttp_request_exit_all(r);
}

static void tell_url(ghttp_request *r)
{
    ghttp_response_writef(r, "%s %s", ghttp_request_url(r), ghttp_request_is_https(r) ? "secure" : "plain");
}

/* Blocks before it goes on, as a look into a slow database would. */
static void block(ghttp_request *r)
{
    usleep(300000);
    ghttp_request_next(r);
}

static void page_not_found(ghttp_request *r)
{
    ghttp_response_set_header(r, "Content-Type", "text/html");
    ghttp_response_writef(r, "<p>no %s", ghttp_request_path(r));
}

/* ---- the program ------------------------------------------------------------------------------------------------- */

static void bind_all(ghttp_server *s)
{
    static const ghttp_user users[] = {{"ann", "secret"}, {NULL, NULL}};
    static const ghttp_basic_auth auth = {.users = users};
    static const ghttp_cors cors = {.origins = "https://a.example"};
    static const ghttp_timeout limit = {.ms = 100, .status = 504, .message = "too slow"}, patience = {.ms = 60000},
                               close_limit = {.ms = 3};
    ghttp_group *api, *people, *timed, *patient;

    ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_AFTER_OUTPUT, log_request);
    ghttp_server_bind_status(s, 404, page_not_found);
    ghttp_server_use(s, mark);
    ghttp_server_use(s, ghttp_middleware_gzip);
    ghttp_server_trust_proxies(s, "127.0.0.1");
    ghttp_server_bind_middleware(s, "/slow/*", block);
    ghttp_server_bind_middleware_with(s, "/limited", ghttp_middleware_rate_limit, ghttp_rate_limit_new(0.01, 2));
    ghttp_server_bind(s, "/", hello);
    ghttp_server_bind(s, "/limited", hello);
    ghttp_server_bind(s, "/client", tell_client);
    ghttp_server_bind_hook(s, "/guarded/*", GHTTP_HOOK_BEFORE_SERVE, guard);
    ghttp_server_bind(s, "/guarded/client", tell_client);
    ghttp_server_bind(s, "/url", tell_url);
    ghttp_server_bind(s, "/text", text);
    ghttp_server_bind(s, "/stream", stream);
    ghttp_server_bind(s, "/slow/bound", hello);
    ghttp_server_bind(s, "/silent", say_nothing);
    ghttp_server_bind_streaming(s, "/silent/stream", say_nothing, NULL, 0);

    timed = ghttp_server_group(s, "/timed");
    ghttp_group_use(timed, ghttp_middleware_request_id);
    ghttp_group_use_with(timed, ghttp_middleware_timeout, (void *)&limit);
    ghttp_group_all(timed, "/gate", wait_at_gate);
    ghttp_server_bind_middleware_with(s, "/race", ghttp_middleware_timeout, (void *)&close_limit);
    ghttp_server_bind(s, "/race", race);
    patient = ghttp_server_group(s, "/long");
    ghttp_group_use_with(patient, ghttp_middleware_timeout, (void *)&patience);
    ghttp_group_get(patient, "/hello", hello);
    ghttp_group_get(patient, "/fail", fail_in_time);
    ghttp_group_get(patient, "/silent", say_nothing);
    ghttp_group_get(patient, "/client", tell_client);
    ghttp_group_post(patient, "/echo", echo);
    timed = ghttp_group_group(patient, "/in");
    ghttp_group_use_with(timed, ghttp_middleware_timeout, (void *)&limit);
    ghttp_group_get(timed, "/gate", wait_at_gate);

    api = ghttp_server_group(s, "/api");
    ghttp_group_use_with(api, ghttp_middleware_cors, (void *)&cors);
    ghttp_group_get(api, "/open", hello);
    people = ghttp_group_group(api, "/people");
    ghttp_group_use_with(people, ghttp_middleware_basic_auth, (void *)&auth);
    ghttp_group_put(people, "/:id", tell_user);
}

static void set_pair(ghttp_server *s, const char *pair)
{
    char key[128];
    const char *equals = strchr(pair, '=');

    if (equals && (size_t)snprintf(key, sizeof(key), "%.*s", (int)(equals - pair), pair) < sizeof(key))
        ghttp_server_set(s, key, equals + 1);
}

int main(int argc, char **argv)
{
    ghttp_server *s = g_server(NULL);
    int port;

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i + 1 < argc; i += 2)
        if (!strcmp(argv[i], "--set"))
            set_pair(s, argv[i + 1]);
    bind_all(s);
    if (argc > 1 && !strcmp(argv[argc - 1], "--bind-twice"))
        ghttp_server_bind(s, "/client", hello);
    ghttp_server_set_address(s, "127.0.0.1:0");
    if (ghttp_server_start(s) < 0)
        return 1;
    ghttp_server_listened_ports(s, &port, 1);
    printf("ports %d\n", port);
    return g_wait();
}
