/*
 * Middleware, groups and a page of its own for 404.
 *
 * Type:
 *   build/release/examples/middleware           (listens on 8199; GF_PORT=9000 for another port)
 *   curl -i http://127.0.0.1:8199/              → 哈喽!, with an X-Request-Id; the log has "GET /: 200, 0.020 ms"
 *   curl -i http://127.0.0.1:8199/absent        → 404, "There is no /absent here."
 *   curl -i http://127.0.0.1:8199/api/users/7   → "user 7", and the group's Access-Control-Allow-Origin
 *   curl -i -X DELETE http://127.0.0.1:8199/api/admin/users/7
 *                                               → 401: the inner group asks for a token
 *   curl -i -X DELETE -H 'Authorization: Bearer let-me-in' http://127.0.0.1:8199/api/admin/users/7
 *                                               → "user 7 is gone"
 */
#include <gf/gf.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

/* Runs round everything. */
static void log_time(ghttp_request *r)
{
    double begin = now();

    ghttp_request_next(r);
    glog_info("%s %s: %d, %.3f ms", ghttp_request_method(r), ghttp_request_path(r), ghttp_response_status(r),
              (now() - begin) * 1000);
}

static void not_found(ghttp_request *r)
{
    ghttp_response_writefln(r, "There is no %s here.", ghttp_request_path(r));
}

static void hello(ghttp_request *r)
{
    ghttp_response_writeln(r, "哈喽!");
}

static void show_user(ghttp_request *r)
{
    ghttp_response_writefln(r, "user %s", ghttp_request_router(r, "id"));
}

static void delete_user(ghttp_request *r)
{
    ghttp_response_writefln(r, "user %s is gone", ghttp_request_router(r, "id"));
}

int main(void)
{
    static const char *const tokens[] = {"let-me-in", NULL};
    static const ghttp_bearer_auth auth = {.tokens = tokens};
    const char *port = getenv("GF_PORT");
    ghttp_server *s = g_server(NULL);

    ghttp_server_use(s, log_time);
    ghttp_server_use(s, ghttp_middleware_request_id);
    ghttp_server_bind_status(s, 404, not_found);
    ghttp_server_bind(s, "/", hello);

    ghttp_group *api = ghttp_server_group(s, "/api");
    ghttp_group_use(api, ghttp_middleware_cors);
    ghttp_group_get(api, "/users/:id", show_user);

    ghttp_group *admin = ghttp_group_group(api, "/admin");
    ghttp_group_use_with(admin, ghttp_middleware_bearer_auth, (void *)&auth);
    ghttp_group_delete(admin, "/users/:id", delete_user);

    ghttp_server_set_port(s, port ? atoi(port) : 8199);
    return ghttp_server_run(s);
}
