/*
 * A server whose visitors log in: cookies and sessions, as tests from the outside use them.
 *
 * Type: session_server ADDRESS FOLDER [KEY=VALUE]...
 *
 * FOLDER is sessionPath, the rest are settings. Once it serves it prints a line "port 43817". While there is a file
 * "fail" in its working folder it does not start.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gf/gf.h>

static void show_user(ghttp_request *r)
{
    const char *user = ghttp_session_get(r, "user");

    ghttp_response_writef(r, "%s", user ? user : "nobody");
}

/* `?user=`. */
static void login(ghttp_request *r)
{
    if (ghttp_session_regenerate(r) < 0 || ghttp_session_set(r, "user", ghttp_request_get(r, "user")) < 0)
        ghttp_response_set_status(r, 500);
    show_user(r);
}

static void show_id(ghttp_request *r)
{
    const char *id = ghttp_session_id(r);

    ghttp_response_write(r, id ? id : "none");
}

/* `?user=`: a login that tells the id. */
static void login_with_id(ghttp_request *r)
{
    ghttp_session_set(r, "user", ghttp_request_get(r, "user"));
    show_id(r);
}

static void logout(ghttp_request *r)
{
    ghttp_session_clear(r);
    show_user(r);
}

/* `?key=&value=`. */
static void set(ghttp_request *r)
{
    ghttp_response_writef(r, "%d", ghttp_session_set(r, ghttp_request_get(r, "key"), ghttp_request_get(r, "value")));
}

/* `?key=`. */
static void get(ghttp_request *r)
{
    const char *value = ghttp_session_get(r, ghttp_request_get(r, "key"));

    ghttp_response_write(r, value ? value : "none");
}

/* Its session begins before the first flush, and is changed once more after it. */
static void stream(ghttp_request *r)
{
    ghttp_session_set(r, "begin", "1");
    ghttp_response_write(r, "a");
    ghttp_response_flush(r);
    ghttp_session_set(r, "end", "2");
    ghttp_response_write(r, "b");
}

/* A response that cannot be made. */
static void fail(ghttp_request *r)
{
    ghttp_session_set(r, "user", "failed");
    ghttp_response_redirect(r, "", 302);
}

static void cookies(ghttp_request *r)
{
    const struct ghttp_cookie cookie = {.name = "second", .value = "2", .path = "/", .http_only = true};

    ghttp_response_set_cookie(r, "first", "1");
    ghttp_response_set_cookie_with(r, &cookie);
    ghttp_response_remove_cookie(r, "third");
}

/* `?file=&key=&value=`: sets the value when there is a file of this name in the working folder. */
static void hold(ghttp_request *r)
{
    const char *file = ghttp_request_get(r, "file");

    printf("holds for %s\n", file);
    while (access(file, F_OK) < 0)
        usleep(10000);
    set(r);
}

/* Whether the session could be read: 0 or a negative errno. */
static void error(ghttp_request *r)
{
    ghttp_response_writef(r, "%d", ghttp_session_error(r));
}

static void restart(ghttp_request *r)
{
    ghttp_response_writef(r, "%d", ghttp_restart_all(NULL));
}

static void pid(ghttp_request *r)
{
    ghttp_response_writef(r, "%d", (int)gproc_pid());
}

static void bind_routes(ghttp_server *s)
{
    ghttp_server_bind(s, "/", show_user);
    ghttp_server_bind(s, "/login", login);
    ghttp_server_bind(s, "/login-with-id", login_with_id);
    ghttp_server_bind(s, "/id", show_id);
    ghttp_server_bind(s, "/logout", logout);
    ghttp_server_bind(s, "/set", set);
    ghttp_server_bind(s, "/get", get);
    ghttp_server_bind(s, "/stream", stream);
    ghttp_server_bind(s, "/fail", fail);
    ghttp_server_bind(s, "/cookies", cookies);
    ghttp_server_bind(s, "/pid", pid);
    ghttp_server_bind(s, "/hold", hold);
    ghttp_server_bind(s, "/error", error);
    ghttp_server_bind(s, "/restart", restart);
    ghttp_server_enable_admin(s, NULL);
}

static void set_pair(ghttp_server *s, const char *pair)
{
    char key[64];
    const char *equals = strchr(pair, '=');

    if (equals && (size_t)snprintf(key, sizeof(key), "%.*s", (int)(equals - pair), pair) < sizeof(key))
        ghttp_server_set(s, key, equals + 1);
}

int main(int argc, char **argv)
{
    ghttp_server *s = g_server(NULL);
    int port = 0;

    if (argc < 3 || access("fail", F_OK) == 0)
        return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    bind_routes(s);
    ghttp_server_set_graceful(s, true);
    ghttp_server_set(s, "gracefulProbation", "0");
    ghttp_server_set_address(s, argv[1]);
    ghttp_server_set(s, "sessionPath", argv[2]);
    for (int i = 3; i < argc; i++)
        set_pair(s, argv[i]);
    if (ghttp_server_start(s) < 0)
        return 1;
    ghttp_server_listened_ports(s, &port, 1);
    printf("port %d\n", port);
    return g_wait();
}
