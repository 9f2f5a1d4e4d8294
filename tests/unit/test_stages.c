/* The stages round a handler: middleware, groups, hooks, handlers of statuses, in which order, and the ways out. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <gf/gf.h>
#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/route/stages.h>
#include <gf/ghttp/server/server.h>

static struct ghttp_request r;
static struct gf_arena *arena;
static ghttp_server *s;
static char trace[4096], logged[2048];

static void keep_line(enum glog_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    snprintf(logged, sizeof(logged), "%s", line);
}

static void begin(void)
{
    arena = gf_arena_new(16 << 20);
    gf_request_init(&r, arena, 1 << 20);
    s = g_server("stages");
    glog_set_writer(keep_line, NULL);
}

static void end(void)
{
    gf_request_finish(&r);
    gf_arena_free(arena);
}

TestSuite(stages, .init = begin, .fini = end);

/* ---- what is bound ---- */

static void note(const char *word)
{
    if (*trace)
        strncat(trace, " ", sizeof(trace) - strlen(trace) - 1);
    strncat(trace, word, sizeof(trace) - strlen(trace) - 1);
}

#define LAYER(name)                                                                                                    \
    static void name(ghttp_request *request)                                                                           \
    {                                                                                                                  \
        note(#name);                                                                                                   \
        ghttp_request_next(request);                                                                                   \
        note("/" #name);                                                                                               \
    }
#define WORD(name)                                                                                                     \
    static void name(ghttp_request *request)                                                                           \
    {                                                                                                                  \
        (void)request;                                                                                                 \
        note(#name);                                                                                                   \
    }

LAYER(a)
LAYER(b)
LAYER(c)
LAYER(d)
WORD(before)
WORD(before2)
WORD(served)
WORD(output)
WORD(done)

static void hello(ghttp_request *request)
{
    note("hello");
    ghttp_response_write(request, "hello");
}

static void set_status(ghttp_request *request)
{
    ghttp_response_set_status(request, (int)ghttp_request_get_int(request, "status", 200));
    if (ghttp_request_query(request, "body"))
        ghttp_response_write(request, ghttp_request_query(request, "body"));
}

static void expect_bound(int result)
{
    cr_assert(zero(int, result), "%s", ghttp_server_error(s));
}

static bool prepare(const char *method, const char *target)
{
    gf_request_finish(&r);
    gf_arena_reset(arena);
    gf_request_init(&r, arena, 1 << 20);
    trace[0] = logged[0] = '\0';
    r.method = method;
    r.target = target;
    r.host = "localhost";
    return gf_chain_prepare(&s->chain, &r) != NULL;
}

static const char *run(const char *method, const char *target)
{
    cr_assert(prepare(method, target), "%s %s", method, target);
    gf_chain_run(&s->chain, &r);
    return trace;
}

static char *run_at(const char *host, const char *target)
{
    gf_request_finish(&r);
    gf_arena_reset(arena);
    gf_request_init(&r, arena, 1 << 20);
    trace[0] = '\0';
    r.method = "GET";
    r.target = target;
    r.host = host;
    cr_assert(gf_chain_prepare(&s->chain, &r) != NULL);
    gf_chain_run(&s->chain, &r);
    return trace;
}

static void expect_run(const char *method, const char *target, const char *expected)
{
    run(method, target);
    cr_expect(eq(str, trace, (char *)expected), "%s %s", method, target);
}

static char *body(void)
{
    static char nothing[] = "";

    return r.response.body.size ? r.response.body.data : nothing;
}

static char *header(const char *name)
{
    const char *value = gf_fields_find(&r.response.headers, name);

    return (char *)(value ? value : "(none)");
}

/* ---- middleware ---- */

Test(stages, middleware_runs_global_first_then_patterns_in_the_order_of_binding)
{
    expect_bound(ghttp_server_bind_middleware(s, "/test/:name", c));
    expect_bound(ghttp_server_use(s, a));
    expect_bound(ghttp_server_bind_middleware(s, "/*", d));
    expect_bound(ghttp_server_use(s, b));
    expect_bound(ghttp_server_bind(s, "/test/x", hello));
    expect_bound(ghttp_server_bind(s, "/other", hello));
    expect_run("GET", "/test/x", "a b c d hello /d /c /b /a");
    expect_run("GET", "/other", "a b d hello /d /b /a");
    cr_expect(eq(str, body(), "hello"));
}

Test(stages, middleware_runs_without_a_route_too)
{
    expect_bound(ghttp_server_use(s, a));
    expect_bound(ghttp_server_bind_middleware(s, "/api/*", b));
    expect_bound(ghttp_server_bind(s, "POST:/api/only-post", hello));
    expect_run("GET", "/absent", "a /a");
    cr_expect(eq(int, r.response.status, 404));
    cr_expect(eq(str, body(), "Not Found"));
    expect_run("GET", "/api/absent", "a b /b /a");
    expect_run("GET", "/api/only-post", "a b /b /a");
    cr_expect(eq(int, r.response.status, 405));
    cr_expect(eq(str, header("Allow"), "POST, OPTIONS"));
    cr_expect(eq(str, body(), "Method Not Allowed"));
    expect_run("OPTIONS", "/api/only-post", "a b /b /a");
    cr_expect(eq(int, r.response.status, 204));
}

Test(stages, without_any_a_missing_route_needs_no_thread)
{
    expect_bound(ghttp_server_bind(s, "/", hello));
    expect_bound(ghttp_group_get(ghttp_server_group(s, "/g"), "/x", hello));
    cr_expect(not(prepare("GET", "/absent")));
    cr_expect(zero(ptr, s->chain.stages));
}

static void stop_here(ghttp_request *request)
{
    note("stop");
    ghttp_response_write_status(request, 403);
}

static void twice(ghttp_request *request)
{
    note("twice");
    ghttp_request_next(request);
    ghttp_request_next(request);
    note("/twice");
}

Test(stages, middleware_that_does_not_go_on_ends_the_way)
{
    expect_bound(ghttp_server_use(s, a));
    expect_bound(ghttp_server_use(s, stop_here));
    expect_bound(ghttp_server_use(s, b));
    expect_bound(ghttp_server_bind(s, "/", hello));
    expect_run("GET", "/", "a stop /a");
    cr_expect(eq(int, r.response.status, 403));
    cr_expect(eq(str, body(), "Forbidden"));
}

Test(stages, going_on_twice_runs_nothing_twice)
{
    expect_bound(ghttp_server_use(s, twice));
    expect_bound(ghttp_server_use(s, a));
    expect_bound(ghttp_server_bind(s, "/", hello));
    expect_run("GET", "/", "twice a hello /a /twice");
}

/* What stands behind a guard must not be reached by somebody's second call. */
Test(stages, going_on_twice_does_not_pass_one_that_stopped)
{
    expect_bound(ghttp_server_use(s, twice));
    expect_bound(ghttp_server_use(s, stop_here));
    expect_bound(ghttp_server_bind(s, "/", hello));
    expect_run("GET", "/", "twice stop /twice");
    cr_expect(eq(int, r.response.status, 403));
}

Test(stages, a_handler_or_a_hook_cannot_go_on)
{
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_BEFORE_SERVE, twice));
    expect_bound(ghttp_server_use(s, a));
    expect_bound(ghttp_server_bind(s, "/", twice));
    expect_run("GET", "/", "twice /twice a twice /twice /a");
}

static void tell_argument(ghttp_request *request)
{
    note(ghttp_request_arg(request) ? ghttp_request_arg(request) : "none");
    ghttp_request_next(request);
    note(ghttp_request_arg(request) ? ghttp_request_arg(request) : "none");
}

Test(stages, each_has_its_own_argument)
{
    expect_bound(ghttp_server_use_with(s, tell_argument, "one"));
    expect_bound(ghttp_server_bind_middleware_with(s, "/*", tell_argument, "two"));
    ghttp_group *g = ghttp_server_group(s, "/");
    expect_bound(ghttp_group_use_with(g, tell_argument, "three"));
    expect_bound(ghttp_group_bind_with(g, "/with", tell_argument, "four"));
    expect_bound(ghttp_group_bind(g, "/without", tell_argument));
    expect_run("GET", "/with", "one two three four four three two one");
    expect_run("GET", "/without", "one two three none none three two one");
}

static void count(ghttp_request *request)
{
    ++*(int *)ghttp_request_arg(request);
    ghttp_request_next(request);
}

Test(stages, patterns_of_middleware_fit_as_those_of_routes)
{
    static const struct {
        const char *pattern, *method, *host, *target;
        bool fits;
    } cases[] = {
        {"/user/*a", "GET", "h", "/user", true},
        {"/user/*a", "GET", "h", "/user/1/2", true},
        {"/user/*a", "GET", "h", "/users", false},
        {"/user/:id", "GET", "h", "/user", false},
        {"/user/:id", "GET", "h", "/user/1/2", false},
        {"/user/:id", "GET", "h", "/user/a%2Fb", true},
        {"/user", "GET", "h", "//user//", true},
        {"/us%65r", "GET", "h", "/u%73er", true},
        {"/User", "GET", "h", "/user", false},
        {"/u-{id}.json", "GET", "h", "/u-1.json", true},
        {"/u-{id}.json", "GET", "h", "/u-.json", false},
        {"/", "GET", "h", "/", true},
        {"/", "GET", "h", "/x", false},
        {"/*", "GET", "h", "/", true},
        {"GET:/x", "GET", "h", "/x", true},
        {"GET:/x", "HEAD", "h", "/x", true},
        {"GET:/x", "POST", "h", "/x", false},
        {"POST:/x", "OPTIONS", "h", "/x", false},
        {"/x@h,i", "GET", "h", "/x", true},
        {"/x@h,i", "GET", "i", "/x", true},
        {"/x@h,i", "GET", "j", "/x", false},
        {"/x@H", "GET", "h", "/x", true},
    };
    static int counts[sizeof(cases) / sizeof(*cases)];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        expect_bound(ghttp_server_bind_middleware_with(s, cases[i].pattern, count, &counts[i]));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        int before_it = counts[i];

        gf_arena_reset(arena);
        gf_request_init(&r, arena, 1 << 20);
        r.method = cases[i].method;
        r.target = cases[i].target;
        r.host = cases[i].host;
        cr_assert(gf_chain_prepare(&s->chain, &r) != NULL);
        gf_chain_run(&s->chain, &r);
        cr_expect(eq(int, counts[i] - before_it, cases[i].fits), "%s and %s %s", cases[i].pattern, cases[i].method,
                  cases[i].target);
        gf_request_finish(&r);
    }
}

Test(stages, paths_deeper_than_any_pattern_fit_only_the_rest)
{
    char deep[1024] = "";

    for (int i = 0; i < 200; i++)
        strcat(deep, "/x");
    expect_bound(ghttp_server_bind_middleware(s, "/x/*", a));
    expect_bound(ghttp_server_bind_middleware(s, "/x/:a/:b", b));
    expect_run("GET", deep, "a /a");
}

/* ---- OPTIONS before another method ---- */

Test(stages, a_preflight_takes_the_way_of_the_method_that_it_asks_about)
{
    ghttp_group *g = ghttp_server_group(s, "/api");
    expect_bound(ghttp_group_use(g, a));
    expect_bound(ghttp_group_post(g, "/item", hello));
    expect_bound(ghttp_server_bind_middleware(s, "POST:/api/item", b));
    expect_run("OPTIONS", "/api/item", "");
    cr_expect(eq(int, r.response.status, 204));

    struct gf_field asked = {"access-control-request-method", "POST"};
    gf_request_finish(&r);
    gf_arena_reset(arena);
    gf_request_init(&r, arena, 1 << 20);
    r.method = "OPTIONS";
    r.target = "/api/item";
    gf_fields_add(&r.headers, arena, asked.name, asked.value);
    trace[0] = '\0';
    cr_assert(gf_chain_prepare(&s->chain, &r) != NULL);
    gf_chain_run(&s->chain, &r);
    cr_expect(eq(str, trace, "b a /a /b"), "the middleware runs, the handler does not");
    cr_expect(eq(int, r.response.status, 204));
    cr_expect(eq(str, header("Allow"), "POST, OPTIONS"));
}

/* ---- groups ---- */

Test(stages, groups_put_prefixes_and_middleware_together)
{
    ghttp_group *api = ghttp_server_group(s, "/api/");
    expect_bound(ghttp_group_get(api, "/early", hello));
    expect_bound(ghttp_group_use(api, a));
    ghttp_group *users = ghttp_group_group(api, "/users/:id");
    expect_bound(ghttp_group_use(api, b));
    expect_bound(ghttp_group_use(users, c));
    expect_bound(ghttp_group_bind(api, "GET:/late", hello));
    expect_bound(ghttp_group_all(users, "", hello));
    expect_bound(ghttp_group_post(users, "/mail@example.org", hello));
    expect_run("GET", "/api/early", "hello");
    expect_run("GET", "/api/late", "a b hello /b /a");
    expect_run("PUT", "/api/users/5", "a c hello /c /a");
    cr_expect(eq(str, (char *)ghttp_request_router(&r, "id"), "5"));
    cr_assert(prepare("POST", "/api/users/5/mail"));
    cr_expect(zero(ptr, (void *)r.route), "bound for another host");
}

static void same_path(ghttp_request *request)
{
    ghttp_response_write(request, ghttp_request_method(request));
}

Test(stages, groups_have_a_function_for_each_method)
{
    ghttp_group *g = ghttp_server_group(s, "/");
    expect_bound(ghttp_group_get(g, "/x", same_path));
    expect_bound(ghttp_group_head(g, "/x", same_path));
    expect_bound(ghttp_group_post(g, "/x", same_path));
    expect_bound(ghttp_group_put(g, "/x", same_path));
    expect_bound(ghttp_group_patch(g, "/x", same_path));
    expect_bound(ghttp_group_delete(g, "/x", same_path));
    expect_bound(ghttp_group_options(g, "/x", same_path));
    expect_bound(ghttp_group_get(g, "", same_path));
    static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
    for (size_t i = 0; i < 7; i++) {
        run(methods[i], "/x");
        cr_expect(eq(str, body(), (char *)methods[i]));
        cr_expect(eq(str, (char *)r.route->method, (char *)methods[i]));
    }
    run("GET", "/");
    cr_expect(eq(str, body(), "GET"));
}

Test(stages, groups_may_be_for_a_domain)
{
    ghttp_group *g = ghttp_server_group(s, "/v1@Example.org");
    ghttp_group *inner = ghttp_group_group(g, "/in");
    expect_bound(ghttp_group_get(inner, "/x", hello));
    expect_bound(ghttp_server_use(s, a));
    cr_expect(eq(str, run_at("example.org", "/v1/in/x"), "a hello /a"));
    cr_expect(eq(str, run_at("localhost", "/v1/in/x"), "a /a"));
}

static void expect_error(const char *expected)
{
    cr_expect(not(zero(ptr, strstr(ghttp_server_error(s), expected))), "%s", ghttp_server_error(s));
    s->error[0] = '\0';
}

Test(stages, mistakes_with_groups_are_sentences)
{
    cr_expect(zero(ptr, ghttp_server_group(s, "api")));
    expect_error("ghttp_server_group(): \"api\" is no prefix");
    cr_expect(zero(ptr, ghttp_server_group(s, "GET:/api")));
    expect_error("is no prefix");
    cr_expect(zero(ptr, ghttp_server_group(s, "/api/*")));
    expect_error("is no prefix");
    cr_expect(zero(ptr, ghttp_server_group(s, NULL)));
    expect_error("is no prefix");
    ghttp_group *g = ghttp_server_group(s, "/api@example.org");
    cr_expect(eq(int, ghttp_group_get(g, "x", hello), -EINVAL));
    expect_error("ghttp_group_get(): pattern \"x\": the path must begin with '/'");
    cr_expect(eq(int, ghttp_group_get(g, "POST:/x", hello), -EINVAL));
    expect_error("pattern \"POST:/x\": the call says the method; patterns with one are for ghttp_group_bind()");
    cr_expect(eq(int, ghttp_group_bind(g, "BREW:/x", hello), -EINVAL));
    expect_error("no method");
    cr_expect(eq(int, ghttp_group_bind(g, "/x@other.org", hello), -EINVAL));
    expect_error("the group is for \"@example.org\" already");
    cr_expect(zero(ptr, ghttp_group_group(g, "/x@other.org")));
    expect_error("the group is for \"@example.org\" already");
    cr_expect(eq(int, ghttp_group_bind(g, "/x", NULL), -EINVAL));
    expect_error("the handler is NULL");
    cr_expect(eq(int, ghttp_group_bind(g, NULL, hello), -EINVAL));
    expect_error("the pattern is NULL");
    cr_expect(eq(int, ghttp_group_use(g, NULL), -EINVAL));
    expect_error("ghttp_group_use(): the handler is NULL");
}

Test(stages, a_group_that_failed_bears_every_call)
{
    cr_expect(zero(ptr, ghttp_group_group(NULL, "/x")));
    cr_expect(eq(int, ghttp_group_use(NULL, a), -EINVAL));
    cr_expect(eq(int, ghttp_group_use_with(NULL, a, NULL), -EINVAL));
    cr_expect(eq(int, ghttp_group_bind(NULL, "/x", hello), -EINVAL));
    cr_expect(eq(int, ghttp_group_bind_with(NULL, "/x", hello, NULL), -EINVAL));
    cr_expect(eq(int, ghttp_group_all(NULL, "/x", hello), -EINVAL));
    cr_expect(eq(int, ghttp_group_options(NULL, "/x", hello), -EINVAL));
    cr_expect(eq(int, ghttp_group_trace(NULL, "/x", hello), -EINVAL));
    cr_expect(eq(int, ghttp_group_connect(NULL, "/x", hello), -EINVAL));
    cr_expect(eq(int, ghttp_group_bind_table(NULL, NULL), -EINVAL));
    cr_expect(eq(int, ghttp_group_bind_hook(NULL, "/x", GHTTP_HOOK_AFTER_SERVE, a), -EINVAL));
}

static void tell_arg(ghttp_request *request)
{
    note(ghttp_request_arg(request));
}

Test(stages, a_group_has_all_methods_that_patterns_have)
{
    static const struct {
        const char *method;
        int (*bind)(ghttp_group *g, const char *path, ghttp_handler *fn);
    } ways[] = {
        {"GET", (ghttp_group_get)},       {"PUT", (ghttp_group_put)},         {"POST", (ghttp_group_post)},
        {"DELETE", (ghttp_group_delete)}, {"PATCH", (ghttp_group_patch)},     {"HEAD", (ghttp_group_head)},
        {"CONNECT", ghttp_group_connect}, {"OPTIONS", (ghttp_group_options)}, {"TRACE", ghttp_group_trace},
    };
    ghttp_group *g = ghttp_server_group(s, "/g");
    char path[32];

    expect_bound(ghttp_group_use(g, a));
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        snprintf(path, sizeof(path), "/%s", ways[i].method);
        expect_bound(ways[i].bind(g, path, hello));
    }
    for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
        snprintf(path, sizeof(path), "/g/%s", ways[i].method);
        expect_run(ways[i].method, path, "a hello /a");
    }
    expect_run("TRACE", "/g/CONNECT", "");
    cr_expect(eq(int, r.response.status, 405));
    cr_expect(eq(str, header("Allow"), "OPTIONS, CONNECT"));
}

static void tell_row(const ghttp_route *route, void *arg)
{
    char text[256];

    (void)arg;
    snprintf(text, sizeof(text), "%s:%s=%s", route->method, route->path, route->handler);
    note(text);
    cr_expect(not(zero(ptr, strstr(route->place, "test_stages.c:"))), "%s", route->place);
}

Test(stages, a_table_binds_all_of_its_rows)
{
    static const ghttp_binding table[] = {
        GHTTP_BINDING("GET:/users", hello),
        GHTTP_BINDING("/users/:id", hello),
        {"POST:/users", tell_arg, "argument", "own_name"},
        {NULL, NULL, NULL, NULL},
    };
    ghttp_group *g = ghttp_server_group(s, "/api");

    expect_bound(ghttp_group_bind_table(g, table));
    ghttp_server_routes(s, tell_row, NULL);
    cr_expect(eq(str, trace, "GET:/api/users=hello ALL:/api/users/:id=hello POST:/api/users=own_name"));
    prepare("POST", "/api/users");
    gf_chain_run(&s->chain, &r);
    cr_expect(eq(str, trace, "argument"));
    cr_expect(eq(int, ghttp_group_bind_table(g, table), -EEXIST), "the first row is bound already");
    cr_expect(eq(int, ghttp_group_bind_table(g, NULL), -EINVAL));
    cr_expect(not(zero(ptr, strstr(ghttp_server_error(s), "ghttp_group_bind_table()"))), "%s", ghttp_server_error(s));
}

/* ---- hooks ---- */

Test(stages, hooks_run_at_their_moments_by_precedence_then_order)
{
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_AFTER_OUTPUT, done));
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_BEFORE_OUTPUT, output));
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_AFTER_SERVE, served));
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_BEFORE_SERVE, before));
    expect_bound(ghttp_server_bind_hook(s, "/x", GHTTP_HOOK_BEFORE_SERVE, before2));
    expect_bound(ghttp_server_use(s, a));
    expect_bound(ghttp_server_bind(s, "/x", hello));
    expect_run("GET", "/x", "before2 before a hello /a served output done");
    expect_run("GET", "/absent", "before a /a served output done");
    cr_expect(eq(int, r.response.status, 404));
}

static void tell_name(ghttp_request *request)
{
    note(r.way.step->matcher->path);
    (void)request;
}

Test(stages, hooks_have_the_precedence_of_routes)
{
    static const char *const patterns[] = {"/*all",       "/:x/*rest", "/a/{y}",   "/a/x-{y}", "/a/:y",     "/a/x-1/*z",
                                           "GET:/:x/x-1", "/:x/x-1",   "/:w/:z@h", "/a/x-1",   "GET:/a/x-1"};

    for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
        expect_bound(ghttp_server_bind_hook(s, patterns[i], GHTTP_HOOK_BEFORE_SERVE, tell_name));
    cr_expect(eq(str, run_at("h", "/a/x-1"),
                 "/:w/:z /a/x-1 /a/x-1 /a/x-1/*z /a/x-{y} /a/{y} /a/:y /:x/x-1 "
                 "/:x/x-1 /:x/*rest /*all"));
}

static void late_changes(ghttp_request *request)
{
    ghttp_response_write(request, "more");
    ghttp_response_writef(request, "%s", "more");
    ghttp_response_set_status(request, 500);
    ghttp_response_write_status(request, 404);
    ghttp_response_redirect(request, "/x", 302);
    ghttp_response_fail(request, "late");
    ghttp_response_write_json(request, NULL);
    cr_expect(eq(int, ghttp_response_set_header(request, "X-Late", "1"), -EALREADY));
    cr_expect(eq(int, ghttp_response_flush(request), -EALREADY));
    ghttp_response_clear(request);
    note("late");
}

Test(stages, after_output_nothing_can_be_changed)
{
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_AFTER_OUTPUT, late_changes));
    expect_bound(ghttp_server_bind(s, "/", hello));
    expect_run("GET", "/", "hello late");
    cr_expect(eq(int, r.response.status, 200));
    cr_expect(eq(str, body(), "hello"));
    cr_expect(eq(sz, r.response.headers.count, 1));
    cr_expect(not(r.response.failed));
}

static const gres_file late_file = {"late.html", (const unsigned char *)"late", 4, 1577836800,
                                    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};

static void late_files(ghttp_request *request)
{
    cr_expect(eq(int, ghttp_response_serve_file(request, "/proc/self/cmdline"), -EALREADY));
    cr_expect(eq(int, ghttp_response_serve_file(request, "/none"), -EALREADY));
    cr_expect(eq(int, ghttp_response_serve_download(request, "/proc/self/cmdline", "x"), -EALREADY));
    cr_expect(eq(int, ghttp_response_serve_resource(request, &late_file), -EALREADY));
}

/* The answer is on its way: a file that comes too late must not make an error of it. */
Test(stages, files_that_come_after_the_output_change_nothing)
{
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_AFTER_OUTPUT, late_files));
    expect_bound(ghttp_server_bind(s, "/", hello));
    expect_run("GET", "/", "hello");
    cr_expect(eq(int, r.response.status, 200));
    cr_expect(eq(str, body(), "hello"));
    cr_expect(eq(sz, r.response.headers.count, 1));
    cr_expect(r.response.final);
    cr_expect(not(gf_response_has_file(&r)));
}

static void see_final(ghttp_request *request)
{
    char text[16];

    snprintf(text, sizeof(text), "%d", ghttp_response_status(request));
    note(text);
}

Test(stages, after_output_a_failed_response_is_seen_as_the_500_that_it_became)
{
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_AFTER_OUTPUT, see_final));
    expect_bound(ghttp_server_bind(s, "/", set_status));
    expect_run("GET", "/?status=99", "500");
}

static void tell_hook(ghttp_request *request)
{
    note(ghttp_request_arg(request) ? ghttp_request_arg(request) : "none");
}

Test(stages, hooks_of_groups_are_below_their_prefix)
{
    ghttp_group *g = ghttp_server_group(s, "/api"), *inner = ghttp_group_group(g, "/users@example.org");

    expect_bound(ghttp_group_bind_hook(g, "/*", GHTTP_HOOK_BEFORE_SERVE, before));
    expect_bound(ghttp_group_bind_hook(g, "", GHTTP_HOOK_BEFORE_SERVE, before2));
    expect_bound(ghttp_group_bind_hook_with(inner, "GET:/:id", GHTTP_HOOK_AFTER_SERVE, tell_hook, "inner"));
    expect_bound(ghttp_server_bind(s, "/api/users/:id", hello));
    expect_run("GET", "/api", "before2 before");
    expect_run("GET", "/other", "");
    expect_run("GET", "/api/users/7", "before hello");
    cr_expect(eq(str, run_at("example.org", "/api/users/7"), "before hello inner"));
    cr_expect(eq(int, ghttp_group_bind_hook(g, NULL, GHTTP_HOOK_AFTER_SERVE, a), -EINVAL));
    cr_expect(eq(int, ghttp_group_bind_hook(g, "x", GHTTP_HOOK_AFTER_SERVE, a), -EINVAL));
    cr_expect(not(zero(ptr, strstr(ghttp_server_error(s), "ghttp_group_bind_hook(): the pattern is NULL"))), "%s",
              ghttp_server_error(s));
}

Test(stages, hooks_and_statuses_have_arguments)
{
    expect_bound(ghttp_server_bind_hook_with(s, "/*", GHTTP_HOOK_BEFORE_SERVE, tell_hook, "hook"));
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_BEFORE_SERVE, tell_hook));
    expect_bound(ghttp_server_bind_status_with(s, 404, tell_hook, "status"));
    expect_bound(ghttp_server_bind_status_domain_with(s, 404, "example.org", tell_hook, "domain"));
    expect_run("GET", "/absent", "hook none status");
    cr_expect(eq(str, run_at("example.org", "/absent"), "hook none domain status"));
}

static void tell_pattern(ghttp_request *request)
{
    note(ghttp_request_route(request) ? ghttp_request_route(request) : "none");
    ghttp_request_next(request);
}

Test(stages, the_route_is_known_to_all)
{
    ghttp_group *g = ghttp_server_group(s, "/api");

    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_BEFORE_SERVE, tell_pattern));
    expect_bound(ghttp_server_use(s, tell_pattern));
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_AFTER_OUTPUT, tell_pattern));
    expect_bound(ghttp_group_get(g, "/users/:id", tell_pattern));
    expect_bound(ghttp_server_bind(s, "/x@localhost", tell_pattern));
    expect_run("GET", "/api/users/7", "GET:/api/users/:id GET:/api/users/:id GET:/api/users/:id GET:/api/users/:id");
    expect_run("GET", "/x", "/x@localhost /x@localhost /x@localhost /x@localhost");
    expect_run("GET", "/absent", "none none none");
    expect_run("POST", "/api/users/7", "none none none");
}

/* ---- the ways out ---- */

static void leave(ghttp_request *request)
{
    note("leave");
    ghttp_request_exit(request);
    ghttp_request_next(request);
}

static void leave_all(ghttp_request *request)
{
    note("leave-all");
    ghttp_request_exit_all(request);
    ghttp_request_next(request);
}

static void leave_hooks(ghttp_request *request)
{
    note("leave-hooks");
    ghttp_request_exit_hook(request);
}

static void bind_around(void)
{
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_BEFORE_SERVE, before));
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_AFTER_SERVE, served));
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_BEFORE_OUTPUT, output));
    expect_bound(ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_AFTER_OUTPUT, done));
    expect_bound(ghttp_server_bind(s, "/*", hello));
    expect_bound(ghttp_server_use(s, a));
}

Test(stages, exit_skips_what_is_further_in)
{
    bind_around();
    expect_bound(ghttp_server_bind_middleware(s, "/m", leave));
    expect_bound(ghttp_server_bind_middleware(s, "/m", b));
    expect_bound(ghttp_server_bind_hook(s, "/h", GHTTP_HOOK_BEFORE_SERVE, leave));
    expect_run("GET", "/m", "before a leave /a served output done");
    expect_run("GET", "/h", "leave before served output done");
}

Test(stages, exit_all_skips_hooks_too_but_for_the_last)
{
    bind_around();
    expect_bound(ghttp_server_bind_middleware(s, "/m", leave_all));
    expect_bound(ghttp_server_bind_hook(s, "/h", GHTTP_HOOK_BEFORE_SERVE, leave_all));
    expect_run("GET", "/m", "before a leave-all /a done");
    expect_run("GET", "/h", "leave-all done");
}

Test(stages, exit_hook_skips_those_of_the_same_moment)
{
    bind_around();
    expect_bound(ghttp_server_bind_hook(s, "/h", GHTTP_HOOK_BEFORE_SERVE, leave_hooks));
    expect_bound(ghttp_server_bind_hook(s, "/h", GHTTP_HOOK_AFTER_OUTPUT, leave_hooks));
    expect_run("GET", "/h", "leave-hooks a hello /a served output leave-hooks");
}

WORD(watch_silently)

static void tag(ghttp_request *request)
{
    ghttp_response_set_header(request, "X-Before", "1");
    ghttp_request_next(request);
    ghttp_response_set_header(request, "X-Behind", "1");
}

static void answer_first(ghttp_request *request)
{
    ghttp_response_write(request, "first");
    ghttp_request_next(request);
}

static void answer_for_silence(ghttp_request *request)
{
    ghttp_request_next(request);
    ghttp_response_writef(request, "%s", (const char *)ghttp_request_value(request, "answer"));
}

static void leave_a_value(ghttp_request *request)
{
    ghttp_request_set_value(request, "answer", "of the middleware");
}

static void expect_failure(const char *target, const char *why)
{
    run("GET", target);
    cr_expect(eq(int, r.response.status, 500), "%s", target);
    cr_expect(eq(str, body(), "Internal Server Error"), "%s", target);
    cr_expect(not(zero(ptr, strstr(logged, why))), "%s: %s", target, logged);
}

static void expect_success(const char *target, const char *text)
{
    run("GET", target);
    cr_expect(eq(int, r.response.status, 200), "%s", target);
    cr_expect(eq(str, body(), (char *)text), "%s", target);
    cr_expect(eq(str, logged, ""), "%s", target);
}

/* What is round a handler sets headers for any answer, so these are none. */
Test(stages, a_handler_that_answers_nothing_has_failed_whatever_headers_are_set_round_it)
{
    expect_bound(ghttp_server_use(s, tag));
    expect_bound(ghttp_server_bind_hook(s, "/hook", GHTTP_HOOK_BEFORE_SERVE, answer_first));
    expect_bound(ghttp_server_bind_hook(s, "/behind", GHTTP_HOOK_AFTER_SERVE, answer_first));
    expect_bound(ghttp_server_bind_middleware(s, "/first", answer_first));
    expect_bound(ghttp_server_bind_middleware(s, "/value", answer_for_silence));
    expect_bound(ghttp_server_bind(s, "/:any", watch_silently));
    expect_bound(ghttp_server_bind(s, "/value", leave_a_value));
    expect_bound(ghttp_server_bind(s, "/leave", leave));
    expect_failure("/x", "the response to GET /x failed: the handler returned without answering");
    cr_expect(eq(str, header("X-Before"), "1"));
    expect_failure("/leave", "the handler returned without answering");
    expect_success("/hook", "first");
    expect_success("/behind", "first");
    expect_success("/first", "first");
    expect_success("/value", "of the middleware");
}

Test(stages, who_leaves_before_the_handler_has_to_answer)
{
    expect_bound(ghttp_server_bind_hook(s, "/h", GHTTP_HOOK_BEFORE_SERVE, leave));
    expect_bound(ghttp_server_bind_hook(s, "/a", GHTTP_HOOK_BEFORE_SERVE, leave_all));
    expect_bound(ghttp_server_bind_hook(s, "/b", GHTTP_HOOK_BEFORE_SERVE, answer_first));
    expect_bound(ghttp_server_bind_hook(s, "/b", GHTTP_HOOK_BEFORE_SERVE, leave));
    expect_bound(ghttp_server_bind_middleware(s, "/m", watch_silently));
    expect_bound(ghttp_server_bind(s, "/*", hello));
    expect_failure("/h", "the handler was not reached, and nobody else has answered");
    expect_failure("/a", "the handler was not reached");
    expect_failure("/m", "the handler was not reached");
    expect_success("/b", "first");
}

static void fail_late(ghttp_request *request)
{
    ghttp_response_set_header(request, "X-Outer", "1");
    ghttp_request_next(request);
    ghttp_response_set_header(request, "X-Behind", "2");
}

static void fail_with_headers(ghttp_request *request)
{
    static const char *const lost[] = {"Content-Type", "ETag",     "Last-Modified",    "Cache-Control",
                                       "Expires",      "Location", "Content-Encoding", "Content-Disposition"};

    for (size_t i = 0; i < sizeof(lost) / sizeof(*lost); i++)
        cr_assert(zero(int, ghttp_response_set_header(request, lost[i], "x")));
    cr_assert(zero(int, ghttp_response_set_cookie_with(request, &(struct ghttp_cookie){.name = "seen"})));
    ghttp_response_fail(request, "why not");
}

Test(stages, a_failed_response_keeps_the_headers_that_are_not_of_its_body)
{
    char text[512] = "";

    expect_bound(ghttp_server_use(s, fail_late));
    expect_bound(ghttp_server_bind(s, "/", fail_with_headers));
    run("GET", "/");
    for (size_t i = 0; i < r.response.headers.count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s ", r.response.headers.items[i].name);
    cr_expect(eq(str, text, "X-Outer Set-Cookie X-Behind Content-Type "));
    cr_expect(eq(str, header("Content-Type"), "text/plain; charset=utf-8"));
    cr_expect(eq(str, body(), "Internal Server Error"));
}

static void fill_headers(ghttp_request *request)
{
    char name[16];

    for (int i = 0; i < 64; i++) {
        snprintf(name, sizeof(name), "X-%d", i);
        ghttp_response_set_header(request, name, "x");
    }
    ghttp_response_write(request, "no room for a Content-Type");
}

Test(stages, headers_that_leave_no_room_go_with_the_response)
{
    expect_bound(ghttp_server_bind(s, "/", fill_headers));
    run("GET", "/");
    cr_expect(eq(int, r.response.status, 500));
    cr_expect(eq(str, body(), "Internal Server Error"));
    cr_expect(eq(sz, r.response.headers.count, 1));
}

static void fail_with(ghttp_request *request)
{
    ghttp_response_write(request, "half");
    ghttp_response_fail(request, ghttp_request_query(request, "why"));
    ghttp_response_write(request, "more");
}

Test(stages, the_log_of_a_failure_names_the_place)
{
    expect_bound(ghttp_server_bind(s, "GET:/report", fail_with));
    s->chain.tells_places = true;
    run("GET", "/report?why=full");
    cr_expect(not(zero(ptr, strstr(logged, "failed: full; at test_stages.c:"))), "%s", logged);
    cr_expect(not(zero(ptr, strstr(logged, " in fail_with(); route GET:/report, handler fail_with, bound at "
                                           "test_stages.c:"))),
              "%s", logged);
    expect_bound(ghttp_server_bind(s, "/far", set_status));
    run("GET", "/far?status=1000");
    cr_expect(not(zero(ptr, strstr(logged, "outside 200..599; route ALL:/far, handler set_status"))), "%s", logged);
    s->chain.tells_places = false;
    run("GET", "/report?why=full");
    cr_expect(zero(ptr, strstr(logged, "; at")), "%s", logged);
}

Test(stages, fail_makes_a_logged_500)
{
    expect_bound(ghttp_server_bind(s, "/", fail_with));
    run("GET", "/?why=the%20disk%20is%20full");
    cr_expect(eq(int, r.response.status, 500));
    cr_expect(eq(str, body(), "Internal Server Error"));
    cr_expect(not(zero(ptr, strstr(logged, "the response to GET / failed: the disk is full"))), "%s", logged);
    run("GET", "/");
    cr_expect(not(zero(ptr, strstr(logged, "no reason"))), "%s", logged);
}

/* ---- statuses ---- */

static void page(ghttp_request *request)
{
    note("page");
    ghttp_response_set_header(request, "Content-Type", "text/html");
    ghttp_response_writef(request, "<p>%d", ghttp_response_status(request));
}

static void more_page(ghttp_request *request)
{
    note("more");
    ghttp_response_write(request, "!");
}

WORD(watch)
WORD(watch_host)

Test(stages, a_status_has_handlers_host_first)
{
    expect_bound(ghttp_server_bind_status(s, 404, watch));
    expect_bound(ghttp_server_bind_status(s, 404, page));
    expect_bound(ghttp_server_bind_status(s, 404, more_page));
    expect_bound(ghttp_server_bind_status_domain(s, 404, "Example.org", watch_host));
    cr_expect(eq(str, run_at("example.org", "/absent"), "watch_host watch page more"));
    cr_expect(eq(str, body(), "<p>404!"));
    cr_expect(eq(str, header("Content-Type"), "text/html"));
    cr_expect(eq(int, r.response.status, 404));
    cr_expect(eq(str, run_at("localhost", "/absent"), "watch page more"));
}

Test(stages, a_status_handler_is_for_a_list_of_hosts)
{
    expect_bound(ghttp_server_bind_status_domain(s, 404, "a.example, B.example", watch_host));
    expect_bound(ghttp_server_bind_status_domain(s, 404, "default", watch));
    cr_expect(eq(str, run_at("a.example", "/absent"), "watch_host watch"));
    cr_expect(eq(str, run_at("b.example", "/absent"), "watch_host watch"));
    cr_expect(eq(str, run_at("c.example", "/absent"), "watch"));
}

static void json(ghttp_request *request)
{
    ghttp_response_set_header(request, "Content-Type", "application/json");
    ghttp_response_write(request, "{}");
    ghttp_response_set_status(request, 403);
}

Test(stages, a_status_handler_that_writes_nothing_leaves_the_body)
{
    expect_bound(ghttp_server_bind_status(s, 403, watch));
    expect_bound(ghttp_server_bind(s, "/", json));
    expect_run("GET", "/", "watch");
    cr_expect(eq(str, body(), "{}"));
    cr_expect(eq(str, header("Content-Type"), "application/json"));
}

Test(stages, a_status_handler_that_writes_replaces_body_and_type)
{
    expect_bound(ghttp_server_bind_status(s, 403, more_page));
    expect_bound(ghttp_server_bind(s, "/", json));
    expect_run("GET", "/", "more");
    cr_expect(eq(str, body(), "!"));
    cr_expect(eq(str, header("Content-Type"), "text/plain; charset=utf-8"));
}

static const char *const of_body[] = {"Content-Encoding", "Content-Disposition", "Content-Language", "ETag",
                                      "Last-Modified",    "Accept-Ranges",       "Content-Range"};
static const char *const of_answer[] = {"Location", "Cache-Control", "Vary", "X-Other"};

static void described(ghttp_request *request)
{
    for (size_t i = 0; i < sizeof(of_body) / sizeof(*of_body); i++)
        ghttp_response_set_header(request, of_body[i], "old");
    for (size_t i = 0; i < sizeof(of_answer) / sizeof(*of_answer); i++)
        ghttp_response_set_header(request, of_answer[i], "old");
    ghttp_response_set_cookie_with(request, &(struct ghttp_cookie){.name = "seen"});
    set_status(request);
}

static void expect_headers(const char *of_the_body)
{
    for (size_t i = 0; i < sizeof(of_body) / sizeof(*of_body); i++)
        cr_expect(eq(str, header(of_body[i]), (char *)of_the_body), "%s", of_body[i]);
    for (size_t i = 0; i < sizeof(of_answer) / sizeof(*of_answer); i++)
        cr_expect(eq(str, header(of_answer[i]), "old"), "%s", of_answer[i]);
    cr_expect(eq(str, header("Set-Cookie"), "seen="));
}

static void with_version(ghttp_request *request)
{
    ghttp_response_set_header(request, "ETag", "\"page\"");
    page(request);
}

Test(stages, a_status_handler_that_writes_takes_the_headers_of_the_old_body_away)
{
    expect_bound(ghttp_server_bind_status(s, 404, more_page));
    expect_bound(ghttp_server_bind_status(s, 302, more_page));
    expect_bound(ghttp_server_bind_status(s, 410, with_version));
    expect_bound(ghttp_server_bind(s, "/", described));
    run("GET", "/?status=404&body=old");
    cr_expect(eq(str, body(), "!"));
    expect_headers("(none)");
    run("GET", "/?status=302");
    expect_headers("(none)");
    run("GET", "/?status=410&body=old");
    cr_expect(eq(str, header("ETag"), "\"page\""), "its own");
    cr_expect(eq(str, header("Content-Type"), "text/html"));
    cr_expect(eq(str, header("Content-Encoding"), "(none)"));
}

Test(stages, a_status_handler_that_writes_nothing_leaves_the_headers_of_the_body)
{
    expect_bound(ghttp_server_bind_status(s, 404, watch));
    expect_bound(ghttp_server_bind(s, "/", described));
    run("GET", "/?status=404&body=old");
    cr_expect(eq(str, body(), "old"));
    expect_headers("old");
}

Test(stages, a_status_handler_of_one_without_body_leaves_what_describes_it)
{
    expect_bound(ghttp_server_bind_status(s, 304, more_page));
    expect_bound(ghttp_server_bind_status(s, 416, more_page));
    expect_bound(ghttp_server_bind(s, "/", described));
    run("GET", "/?status=304");
    cr_expect(eq(str, body(), ""));
    expect_headers("old");
    run("GET", "/?status=416");
    cr_expect(eq(str, header("Content-Range"), "old"), "how long the resource is");
    cr_expect(eq(str, header("ETag"), "(none)"));
}

Test(stages, statuses_of_answers_without_a_route)
{
    expect_bound(ghttp_server_bind_status(s, 400, page));
    expect_bound(ghttp_server_bind_status(s, 501, page));
    expect_bound(ghttp_server_bind_status(s, 405, page));
    expect_bound(ghttp_server_bind_status(s, 500, page));
    expect_bound(ghttp_server_bind(s, "GET:/", set_status));
    expect_run("GET", "/%zz", "page");
    cr_expect(eq(str, body(), "<p>400"));
    cr_expect(eq(str, header("Connection"), "close"));
    expect_run("PROPFIND", "/", "page");
    expect_run("POST", "/", "page");
    cr_expect(eq(str, header("Allow"), "GET, HEAD, OPTIONS"));
    expect_run("GET", "/?status=99", "page");
    cr_expect(eq(str, body(), "<p>500"));
    expect_run("GET", "/?status=200&body=fine", "");
    cr_expect(eq(str, body(), "fine"));
}

static void fail_again(ghttp_request *request)
{
    note("again");
    ghttp_response_fail(request, "again");
}

Test(stages, a_status_handler_that_fails_is_not_called_for_that)
{
    expect_bound(ghttp_server_bind_status(s, 500, fail_again));
    expect_bound(ghttp_server_bind(s, "/", set_status));
    expect_run("GET", "/?status=99", "again");
    cr_expect(eq(int, r.response.status, 500));
    cr_expect(eq(str, body(), "Internal Server Error"));
}

Test(stages, mistakes_are_sentences)
{
    cr_expect(eq(int, ghttp_server_bind_status(s, 200, page), -EINVAL));
    expect_error("ghttp_server_bind_status(): 200 is no status for it");
    cr_expect(eq(int, ghttp_server_bind_status(s, 600, page), -EINVAL));
    expect_error("600");
    cr_expect(eq(int, ghttp_server_bind_status_domain(s, 404, "a/b", page), -EINVAL));
    expect_error("no domain");
    cr_expect(eq(int, ghttp_server_bind_status_domain(s, 404, NULL, page), -EINVAL));
    expect_error("\"\" is no domain");
    cr_expect(eq(int, ghttp_server_bind_status_domain(s, 404, "", page), -EINVAL));
    expect_error("\"\" is no domain");
    cr_expect(eq(int, ghttp_server_bind_status_domain(s, 404, "a,", page), -EINVAL));
    expect_error("\"a,\" is no domain, nor a comma list of them");
    cr_expect(eq(int, ghttp_server_bind_status_domain(s, 404, "a,A", page), -EINVAL));
    expect_error("\"a,A\" is no domain, nor a comma list of them");
    cr_expect(eq(int, ghttp_server_bind_status(s, 404, NULL), -EINVAL));
    expect_error("the handler is NULL");
    cr_expect(eq(int, ghttp_server_bind_hook(s, "x", GHTTP_HOOK_AFTER_SERVE, done), -EINVAL));
    expect_error("ghttp_server_bind_hook(): pattern \"x\": the path must begin with '/'");
    cr_expect(eq(int, ghttp_server_bind_hook(s, "/x", (ghttp_hook)4, done), -EINVAL));
    expect_error("no such moment");
    cr_expect(eq(int, ghttp_server_bind_hook(s, NULL, GHTTP_HOOK_AFTER_SERVE, done), -EINVAL));
    expect_error("the pattern is NULL");
    cr_expect(eq(int, ghttp_server_bind_middleware(s, NULL, a), -EINVAL));
    expect_error("the pattern is NULL");
    cr_expect(eq(int, ghttp_server_bind_middleware(s, "/a/*/b", a), -EINVAL));
    expect_error("ghttp_server_bind_middleware(): pattern \"/a/*/b\": something follows");
    cr_expect(eq(int, ghttp_server_use(s, NULL), -EINVAL));
    expect_error("ghttp_server_use(): the handler is NULL");
    for (int i = 0; i < 1000; i++)
        expect_bound(ghttp_server_use(s, a));
    cr_expect(eq(int, ghttp_server_use(s, a), -ENOSPC));
    expect_error("1,000");
}

/* ---- the list, and two at one place ---- */

static void tell_route(const ghttp_route *route, void *arg)
{
    char line[512];

    snprintf(line, sizeof(line), "%s %s %s %s [%s] %s;", route->method, route->domain, route->path, route->handler,
             route->middleware, strstr(route->place, "test_stages.c:") ? "here" : route->place);
    note(line);
    (void)arg;
}

Test(stages, the_list_of_routes)
{
    ghttp_group *g = ghttp_server_group(s, "/g");
    expect_bound(ghttp_group_use(g, a));
    expect_bound(ghttp_group_use(g, b));
    expect_bound(ghttp_group_post(g, "/x@example.org", hello));
    expect_bound(ghttp_server_bind(s, "/", &hello));
    expect_bound(ghttp_server_use(s, c));
    expect_bound(ghttp_server_bind_middleware(s, "GET:/g/*", d));
    expect_bound((ghttp_server_bind)(s, "/place", ghttp_request_exit));
    trace[0] = '\0';
    cr_expect(eq(int, ghttp_server_routes(s, tell_route, NULL), 5));
    cr_expect(zero(int, strncmp(trace,
                                "ALL default /* c [GLOBAL MIDDLEWARE] here; GET default /g/* d [MIDDLEWARE] here; "
                                "POST example.org /g/x hello [a, b] here; ALL default / hello [] here; "
                                "ALL default /place ",
                                170)),
              "%s", trace);
}

Test(stages, a_pattern_bound_twice_names_both_places)
{
    int line = __LINE__ + 1;
    expect_bound(ghttp_server_bind(s, "GET:/x/:a", hello));
    cr_expect(eq(int, ghttp_group_get(ghttp_server_group(s, "/x"), "/:b", hello), -EEXIST));
    char expected[256];
    snprintf(expected, sizeof(expected),
             "ghttp_group_get(): pattern \"GET:/x/:b\" at test_stages.c:%d: bound already, as \"GET:/x/:a\" at "
             "test_stages.c:%d",
             line + 1, line);
    cr_expect(eq(str, (char *)ghttp_server_error(s), expected));
}

Test(stages, a_pattern_twice_in_a_table_names_both_rows)
{
    static const ghttp_binding table[] = {
        GHTTP_BINDING("GET:/y", hello), GHTTP_BINDING("/z", hello), GHTTP_BINDING("GET:/y/", hello), {.pattern = NULL}};
    ghttp_group *g = ghttp_server_group(s, "/x");
    char expected[256];
    int line = __LINE__ + 1;
    cr_expect(eq(int, ghttp_group_bind_table(g, table), -EEXIST));
    snprintf(
        expected, sizeof(expected),
        "ghttp_group_bind_table(): pattern \"GET:/x/y/\" at row 3 of the table at test_stages.c:%d: bound already, "
        "as \"GET:/x/y\" at row 1 of the table at test_stages.c:%d",
        line, line);
    expect_error(expected);
    cr_expect(eq(int, (ghttp_group_bind_table)(g, table), -EEXIST), "a call without the macro has rows too");
    expect_error("at row 1 of a table: bound already, as \"GET:/x/y\" at row 1 of the table");
}

Test(stages, with_routeOverWrite_the_later_one_wins)
{
    expect_bound(ghttp_server_set(s, "routeOverWrite", "true"));
    expect_bound(ghttp_server_bind(s, "/x/:a@h,i", hello));
    expect_bound(ghttp_server_bind_with(s, "/x/:b@i,j", tell_argument, "later"));
    cr_expect(eq(int, (int)gf_router_count(s->router), 3));
    cr_expect(eq(str, run_at("h", "/x/1"), "hello"));
    cr_expect(eq(str, run_at("i", "/x/1"), "later later"));
    cr_expect(eq(str, (char *)ghttp_request_router(&r, "b"), "1"));
    cr_expect(zero(ptr, (void *)ghttp_request_router(&r, "a")));
    cr_expect(eq(str, run_at("j", "/x/1"), "later later"));
}
