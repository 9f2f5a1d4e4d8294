/*
 * The examples of GoFrame's manual on routes, groups, middleware, hooks, statuses and parameters, in C: four servers,
 * one for each chapter, since the manual binds "/:name" and its like in each anew. Prints "ports" with the port of each
 * of them once they serve: routes, groups, hooks, statuses.
 */
#include <cjson/cJSON.h>
#include <gf/gf.h>
#include <stdio.h>
#include <string.h>

/* ---- routes ---- */

static bool write_pair(const char *name, const char *value, void *r)
{
    ghttp_response_writef(r, " %s=%s", name, value);
    return true;
}

/* As the manual's r.Router.Uri, and what its names stand for. */
static void show_route(ghttp_request *r)
{
    ghttp_response_write(r, ghttp_request_route(r));
    ghttp_request_each_router(r, write_pair, r);
}

static void show_argument(ghttp_request *r)
{
    ghttp_response_writef(r, "%s %s", (const char *)ghttp_request_arg(r), ghttp_request_router(r, "id"));
}

static void bind_routes(ghttp_server *s)
{
    static const char *const patterns[] = {
        "/:name",
        "/:name/update",
        "/:name/:action",
        "/:name/*any",
        "/user/list/{field}.html",
        "/list/{page}.html",
        "/order/:name/:x",
        "/order/:name/{x}",
        "/{class}-{course}/:name/*act",
        "/src/*path",
        "/db-{table}/{id}",
        "GET:/test",
        "Post: /test",
        "put:/test/:id",
        "/domain",
        "/domain@127.0.0.1",
        "/domain@localhost1, localhost2,localhost3",
    };
    static const ghttp_binding table[] = {
        GHTTP_BINDING("GET:/show/:id", show_route),
        {"POST:/show/:id", show_argument, "table", NULL},
        {NULL, NULL, NULL, NULL},
    };

    for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
        ghttp_server_bind(s, patterns[i], show_route);
    ghttp_group_bind_table(ghttp_server_group(s, "/table"), table);
}

/* ---- groups and middleware ---- */

static void log_request(ghttp_request *r)
{
    const char *route = ghttp_request_route(r);

    ghttp_request_next(r);
    printf("log %d %s %s\n", ghttp_response_status(r), ghttp_request_path(r), route ? route : "none");
}

static void authorize(ghttp_request *r)
{
    const char *token = ghttp_request_get(r, "token");

    if (!token || strcmp(token, "123456") != 0) {
        ghttp_response_write_status(r, 403);
        return;
    }
    ghttp_response_write(r, "auth ");
    ghttp_request_next(r);
}

/* Its argument before and after what is further in. */
static void wrap(ghttp_request *r)
{
    const char *word = ghttp_request_arg(r);

    ghttp_response_writef(r, "%s ", word);
    ghttp_request_next(r);
    ghttp_response_writef(r, " /%s", word);
}

/* Skips what is further in, though it is called. */
static void leave_and_go_on(ghttp_request *r)
{
    ghttp_response_write(r, "left");
    ghttp_request_exit(r);
    ghttp_request_next(r);
}

static void write_word(ghttp_request *r)
{
    const char *word = ghttp_request_arg(r);

    ghttp_response_write(r, word ? word : "handler");
}

static void large(ghttp_request *r)
{
    for (int i = 0; i < 2000; i++)
        ghttp_response_writefln(r, "line %d", i % 10);
}

static void bind_groups(ghttp_server *s)
{
    ghttp_group *api = ghttp_server_group(s, "/api.v2"), *order, *hook, *nest, *inner;

    ghttp_server_use(s, log_request);
    ghttp_group_use(api, authorize);
    ghttp_group_use(api, ghttp_middleware_cors);
    ghttp_group_bind_with(api, "GET:/test", write_word, "test");
    order = ghttp_group_group(api, "/order");
    ghttp_group_bind_with(order, "GET:/list", write_word, "list");
    ghttp_group_bind_with(order, "PUT:/update", write_word, "update");
    hook = ghttp_group_group(api, "/hook");
    ghttp_group_bind_hook_with(hook, "/*", GHTTP_HOOK_BEFORE_SERVE, write_word, "any ");
    ghttp_group_bind_hook_with(hook, "/:name", GHTTP_HOOK_BEFORE_SERVE, write_word, "name ");
    ghttp_group_all(hook, "/:name", write_word);

    ghttp_server_bind_middleware_with(s, "/nest/*", wrap, "pattern");
    nest = ghttp_server_group(s, "/nest");
    ghttp_group_use_with(nest, wrap, "outer");
    ghttp_group_get(nest, "/one", write_word);
    inner = ghttp_group_group(nest, "/in");
    ghttp_group_use_with(nest, wrap, "late");
    ghttp_group_use_with(inner, wrap, "inner");
    ghttp_group_get(inner, "/two", write_word);
    ghttp_group_get(nest, "/three", write_word);
    ghttp_group_use(nest, leave_and_go_on);
    ghttp_group_get(nest, "/left", write_word);

    ghttp_server_bind_middleware(s, "/large", ghttp_middleware_compress);
    ghttp_server_bind(s, "/large", large);
}

/* ---- hooks ---- */

/* What "?how=" says; the others are as the hook's argument. */
static void leave(ghttp_request *r)
{
    const char *how = ghttp_request_query(r, "how");

    ghttp_response_write(r, "first ");
    if (!how)
        return;
    if (!strcmp(how, "exit"))
        ghttp_request_exit(r);
    else if (!strcmp(how, "exit_all"))
        ghttp_request_exit_all(r);
    else if (!strcmp(how, "exit_hook"))
        ghttp_request_exit_hook(r);
}

static void set_site(ghttp_request *r)
{
    ghttp_request_set_param(r, "site", "GoFrame");
}

static void show_site(ghttp_request *r)
{
    ghttp_response_write(r, ghttp_request_get(r, "site"));
}

/* Puts what the handler has written into another shape, before it goes out. */
static void reshape(ghttp_request *r)
{
    size_t size = 0;
    const char *body = ghttp_response_body(r, &size);
    cJSON *json = body ? cJSON_CreateObject() : NULL;

    if (!json)
        return;
    cJSON_AddStringToObject(json, "body", body);
    cJSON_AddNumberToObject(json, "size", (double)size);
    cJSON_AddStringToObject(json, "kept", ghttp_response_header(r, "X-Kept"));
    ghttp_response_write_json(r, json);
    cJSON_Delete(json);
}

static void keep(ghttp_request *r)
{
    ghttp_response_set_header(r, "X-Kept", "yes");
    ghttp_response_write(r, "inner");
}

/* The last hook sees what is sent, and changes nothing. */
static void tell_output(ghttp_request *r)
{
    size_t size = 0;

    ghttp_response_body(r, &size);
    ghttp_response_write(r, "too late");
    printf("output %d %s %zu\n", ghttp_response_status(r), ghttp_request_path(r), size);
}

static void show_user(ghttp_request *r)
{
    ghttp_response_writef(r, "user %s, uid %s ", ghttp_request_get(r, "name"), ghttp_request_get(r, "uid"));
}

static void bind_hooks(ghttp_server *s)
{
    static const char user[] = "/:name/info/{uid}";

    ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_AFTER_OUTPUT, tell_output);
    ghttp_server_bind(s, user, show_user);
    ghttp_server_bind_hook_with(s, user, GHTTP_HOOK_AFTER_OUTPUT, write_word, "never ");
    ghttp_server_bind_hook_with(s, user, GHTTP_HOOK_BEFORE_OUTPUT, write_word, "output");
    ghttp_server_bind_hook_with(s, user, GHTTP_HOOK_AFTER_SERVE, write_word, "served ");
    ghttp_server_bind_hook_with(s, user, GHTTP_HOOK_BEFORE_SERVE, write_word, "before ");
    ghttp_server_bind_with(s, "/priority/show", write_word, "service");
    ghttp_server_bind_hook_with(s, "/priority/:name", GHTTP_HOOK_BEFORE_SERVE, write_word, ":name ");
    ghttp_server_bind_hook_with(s, "/priority/*any", GHTTP_HOOK_BEFORE_SERVE, write_word, "*any ");
    ghttp_server_bind_hook_with(s, "/priority/show", GHTTP_HOOK_BEFORE_SERVE, write_word, "show ");
    ghttp_server_bind(s, "/site", show_site);
    ghttp_server_bind_hook(s, "/site", GHTTP_HOOK_BEFORE_SERVE, set_site);
    ghttp_server_bind(s, "/shape", keep);
    ghttp_server_bind_hook(s, "/shape", GHTTP_HOOK_BEFORE_OUTPUT, reshape);
    ghttp_server_bind_middleware_with(s, "/exit", wrap, "middleware");
    ghttp_server_bind(s, "/exit", write_word);
    ghttp_server_bind_hook(s, "/exit", GHTTP_HOOK_BEFORE_SERVE, leave);
    ghttp_server_bind_hook_with(s, "/exit", GHTTP_HOOK_BEFORE_SERVE, write_word, "second ");
    ghttp_server_bind_hook_with(s, "/exit", GHTTP_HOOK_AFTER_SERVE, write_word, " served");
    ghttp_server_bind_hook_with(s, "/exit", GHTTP_HOOK_BEFORE_OUTPUT, write_word, " output");
}

/* ---- statuses and parameters ---- */

static void set_status(ghttp_request *r)
{
    ghttp_response_set_status(r, (int)ghttp_request_get_int(r, "status", 200));
    ghttp_response_write(r, "the handler's");
}

static void not_found_as_json(ghttp_request *r)
{
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "absent", ghttp_request_path(r));
    ghttp_response_write_json(r, json);
    cJSON_Delete(json);
}

static void go_to_page(ghttp_request *r)
{
    ghttp_response_redirect(r, ghttp_request_arg(r), 0);
}

static void write_failure(ghttp_request *r)
{
    ghttp_response_writef(r, "sorry: %s", ghttp_response_failure(r));
}

static void fail(ghttp_request *r)
{
    ghttp_response_write(r, "half");
    ghttp_response_fail(r, "no database");
}

/* As the manual's middleware for errors: one shape for what fails, and for what gives data or an error. */
static void shape(ghttp_request *r)
{
    const char *message = "OK";
    cJSON *json = cJSON_CreateObject(), *data;
    int code = 0;

    ghttp_request_next(r);
    if (ghttp_response_recover(r) == 0) {
        code = 50;
        message = "Internal Error";
    } else {
        ghttp_response_error(r, &code, &message);
    }
    data = ghttp_response_data(r);
    cJSON_AddNumberToObject(json, "code", code);
    cJSON_AddStringToObject(json, "message", message);
    if (data)
        cJSON_AddItemReferenceToObject(json, "data", data);
    ghttp_response_write_json(r, json);
    cJSON_Delete(json);
}

static void give_data(ghttp_request *r)
{
    ghttp_response_set_data(r, cJSON_CreateString("value"));
}

static void give_error(ghttp_request *r)
{
    ghttp_response_set_error(r, 7, "no such user");
}

static void show_params(ghttp_request *r)
{
    ghttp_response_write(r, "all");
    ghttp_request_each_param(r, write_pair, r);
}

/* What the body says, in an object of its own. */
static void answer_json(ghttp_request *r)
{
    const cJSON *name = cJSON_GetObjectItem(ghttp_request_json(r), "name");
    cJSON *json = cJSON_CreateObject();

    cJSON_AddStringToObject(json, "hello", name ? cJSON_GetStringValue(name) : "nobody");
    ghttp_response_add_header(r, "Link", "</a>; rel=prev");
    ghttp_response_add_header(r, "Link", "</b>; rel=next");
    ghttp_response_write_json(r, json);
    cJSON_Delete(json);
}

static void go_back(ghttp_request *r)
{
    ghttp_response_redirect_back(r, 303);
}

static void bind_statuses(ghttp_server *s)
{
    ghttp_group *shaped = ghttp_server_group(s, "/shaped");

    ghttp_server_bind_status_with(s, 404, write_word, "This is customized 404 page");
    ghttp_server_bind_status_with(s, 403, write_word, "403");
    ghttp_server_bind_status(s, 500, write_failure);
    ghttp_server_bind_status_domain(s, 404, "api.example.org, api.example.com", not_found_as_json);
    ghttp_server_bind_status_domain_with(s, 404, "old.example.org", go_to_page, "/status.html");
    ghttp_server_bind(s, "/status", set_status);
    ghttp_server_bind(s, "/fail", fail);
    ghttp_group_use(shaped, shape);
    ghttp_group_get(shaped, "/fail", fail);
    ghttp_group_get(shaped, "/data", give_data);
    ghttp_group_get(shaped, "/error", give_error);
    ghttp_server_bind(s, "/params/:id", show_params);
    ghttp_server_bind(s, "POST:/json", answer_json);
    ghttp_server_bind(s, "/back", go_back);
}

/* ---- the program ---- */

int main(void)
{
    static const struct {
        const char *name;
        void (*bind)(ghttp_server *s);
    } chapters[] = {
        {"routes", bind_routes}, {"groups", bind_groups}, {"hooks", bind_hooks}, {"statuses", bind_statuses}};
    int ports[4] = {0};

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < 4; i++) {
        ghttp_server *s = g_server(chapters[i].name);

        chapters[i].bind(s);
        ghttp_server_set_address(s, "127.0.0.1:0");
        if (ghttp_server_start(s) < 0)
            return 1;
        ghttp_server_listened_ports(s, &ports[i], 1);
    }
    printf("ports %d %d %d %d\n", ports[0], ports[1], ports[2], ports[3]);
    return g_wait();
}
