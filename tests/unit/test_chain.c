/* The chain: what a server answers by itself, and how it completes what a handler has made. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/route/chain.h>
#include <gf/glog/glog.h>

static struct ghttp_request r;
static struct gf_arena *arena;
static struct gf_chain chain;
static char logged[1024];

static void keep_line(enum glog_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    strncpy(logged, line, sizeof(logged) - 1);
}

static void begin(void)
{
    arena = gf_arena_new(16 << 20);
    gf_request_init(&r, arena, 1 << 20);
    chain.router = gf_router_new();
    glog_set_writer(keep_line, NULL);
}

static void end(void)
{
    gf_router_free(chain.router);
    gf_request_finish(&r);
    gf_arena_free(arena);
}

TestSuite(chain, .init = begin, .fini = end);

static void add_route(const char *pattern, ghttp_handler *handler, void *arg)
{
    char error[256];
    cr_assert(gf_router_bind(chain.router, pattern, handler, arg, error, sizeof(error)) == 0, "%s", error);
}

static struct gf_pace *prepare(const char *method, const char *target)
{
    gf_request_finish(&r);
    gf_arena_reset(arena);
    gf_request_init(&r, arena, 1 << 20);
    r.method = method;
    r.target = target;
    r.host = "localhost";
    return gf_chain_prepare(&chain, &r);
}

static void run(const char *target)
{
    cr_assert(prepare("GET", target) != NULL, "%s", target);
    gf_chain_run(&chain, &r);
}

static bool body_is(const char *expected)
{
    return r.response.body.size == strlen(expected) &&
           memcmp(r.response.body.data ? r.response.body.data : "", expected, strlen(expected)) == 0;
}

static bool header_is(const char *name, const char *expected)
{
    const char *value = gf_fields_find(&r.response.headers, name);
    return value && expected ? strcmp(value, expected) == 0 : value == expected;
}

static void hello(ghttp_request *request)
{
    ghttp_response_write(request, ghttp_request_arg(request) ? ghttp_request_arg(request) : "hello");
}

static void html(ghttp_request *request)
{
    ghttp_response_set_header(request, "content-type", "text/html");
    ghttp_response_write(request, "<p>");
}

static void set_status(ghttp_request *request)
{
    ghttp_response_set_status(request, (int)ghttp_request_get_int(request, "status", 200));
    ghttp_response_write(request, ghttp_request_query(request, "body"));
}

static void fail(ghttp_request *request)
{
    ghttp_response_set_header(request, "Location", "/x");
    ghttp_response_write(request, "half an answer");
    ghttp_response_redirect(request, "/\r\n", 302);
}

static void many_headers(ghttp_request *request)
{
    for (int i = 0; i < 64; i++)
        ghttp_response_set_header(request, gf_arena_printf(arena, "X-%d", i), "");
    ghttp_response_write(request, "x");
}

Test(chain, what_needs_no_handler)
{
    add_route("/", hello, NULL);
    add_route("GET:/get/:x", hello, NULL);
    add_route("POST:/get/:x", hello, NULL);
    add_route("DELETE:/get/*all", hello, NULL);
    static const struct {
        const char *method, *target;
        int status;
        const char *body, *allow;
    } cases[] = {
        {"GET", "/absent", 404, "Not Found", NULL},
        {"OPTIONS", "/absent", 404, "Not Found", NULL},
        {"PUT", "/get/1", 405, "Method Not Allowed", "GET, HEAD, POST, DELETE, OPTIONS"},
        {"OPTIONS", "/get/1", 204, "", "GET, HEAD, POST, DELETE, OPTIONS"},
        {"GET", "/get", 405, "Method Not Allowed", "DELETE, OPTIONS"},
        {"OPTIONS", "*", 204, "", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS, CONNECT, TRACE"},
        {"GET", "/%zz", 400, "Bad Request", NULL},
        {"GET", "*", 400, "Bad Request", NULL},
        {"CONNECT", "h:443", 400, "Bad Request", NULL},
        {"get", "/", 501, "Not Implemented", NULL},
        {"PROPFIND", "/", 501, "Not Implemented", NULL},
        {"", "/", 501, "Not Implemented", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cr_expect(prepare(cases[i].method, cases[i].target) == NULL, "case %zu", i);
        cr_expect(ghttp_response_status(&r) == cases[i].status, "case %zu: %d", i, ghttp_response_status(&r));
        cr_expect(body_is(cases[i].body) && header_is("Allow", cases[i].allow), "case %zu", i);
    }
}

Test(chain, runs_the_handler_of_the_route)
{
    add_route("/", hello, NULL);
    add_route("/with/:name", hello, "argument");
    struct gf_pace *pace = prepare("GET", "http://h/with/%61?x");
    cr_assert(pace != NULL && pace == r.route->pace && !gf_pace_is_slow(pace));
    gf_chain_run(&chain, &r);
    cr_expect(body_is("argument") && ghttp_response_status(&r) == 200);
    cr_expect(strcmp(ghttp_request_router(&r, "name"), "a") == 0 && strcmp(r.host, "h") == 0);
    cr_expect(prepare("HEAD", "/") != NULL && ghttp_request_arg(&r) == NULL);
    cr_expect(prepare("OPTIONS", "/") != NULL, "a route for ALL serves OPTIONS itself");
}

Test(chain, completes_what_the_handler_made)
{
    add_route("/hello", hello, NULL);
    add_route("/html", html, NULL);
    add_route("/status", set_status, NULL);
    static const struct {
        const char *target;
        int status;
        const char *body, *type;
    } cases[] = {
        {"/hello", 200, "hello", "text/plain; charset=utf-8"},
        {"/html", 200, "<p>", "text/html"},
        {"/status", 200, "", NULL},
        {"/status?status=403", 403, "Forbidden", "text/plain; charset=utf-8"},
        {"/status?status=403&body=no", 403, "no", "text/plain; charset=utf-8"},
        {"/status?status=599", 599, "599", "text/plain; charset=utf-8"},
        {"/status?status=302", 302, "", NULL},
        {"/status?status=204&body=no", 204, "", NULL},
        {"/status?status=205&body=no", 205, "", NULL},
        {"/status?status=304&body=no", 304, "", NULL},
        {"/status?status=99", 500, "Internal Server Error", "text/plain; charset=utf-8"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        run(cases[i].target);
        cr_expect(ghttp_response_status(&r) == cases[i].status, "%s", cases[i].target);
        cr_expect(body_is(cases[i].body) && header_is("Content-Type", cases[i].type), "%s", cases[i].target);
    }
}

static void say_nothing(ghttp_request *request)
{
    (void)request;
}

static void write_nothing(ghttp_request *request)
{
    ghttp_response_write(request, "");
}

static void set_200(ghttp_request *request)
{
    ghttp_response_set_status(request, 200);
}

static void set_one_header(ghttp_request *request)
{
    ghttp_response_set_header(request, "X-A", "");
}

static void set_cookie(ghttp_request *request)
{
    ghttp_response_set_cookie_with(request, &(struct ghttp_cookie){.name = "a"});
}

static void serve_empty_resource(ghttp_request *request)
{
    static const gres_file file = {"empty", (const unsigned char *)"", 0, 1577836800,
                                   "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"};

    ghttp_response_serve_resource(request, &file);
}

static void ask_and_take_back(ghttp_request *request)
{
    ghttp_request_get(request, "a");
    ghttp_request_exit(request);
    ghttp_response_set_header(request, "X-A", NULL);
    ghttp_response_clear(request);
}

Test(chain, a_handler_that_answers_nothing_has_failed)
{
    ghttp_handler *const silent[] = {say_nothing, ask_and_take_back};
    ghttp_handler *const terse[] = {write_nothing, set_200, set_one_header, set_cookie, serve_empty_resource};
    char pattern[32];

    chain.tells_places = true;
    for (size_t i = 0; i < 2; i++) {
        snprintf(pattern, sizeof(pattern), "/silent/%zu", i);
        add_route(pattern, silent[i], NULL);
        run(pattern);
        cr_expect(ghttp_response_status(&r) == 500 && body_is("Internal Server Error"), "%zu", i);
        cr_expect(strstr(logged, "failed: the handler returned without answering; route ALL:/silent/"), "%s", logged);
    }
    logged[0] = '\0';
    for (size_t i = 0; i < sizeof(terse) / sizeof(*terse); i++) {
        snprintf(pattern, sizeof(pattern), "/terse/%zu", i);
        add_route(pattern, terse[i], NULL);
        run(pattern);
        cr_expect(ghttp_response_status(&r) == 200 && body_is("") && !*logged, "%zu: %s", i, logged);
    }
}

Test(chain, replaces_a_failed_response_as_a_whole)
{
    add_route("/fail/:x", fail, NULL);
    add_route("/headers", many_headers, NULL);
    run("/fail/%0A1");
    cr_expect(ghttp_response_status(&r) == 500 && body_is("Internal Server Error") && !r.response.failed);
    cr_expect(header_is("Location", NULL) && r.response.headers.count == 1);
    cr_expect(strstr(logged, "GET /fail/") && strstr(logged, "control characters") && !strchr(logged, '\n'), "%s",
              logged);
    run("/headers");
    cr_expect(ghttp_response_status(&r) == 500 && strstr(logged, "Content-Type"), "%s", logged);
}

Test(chain, too_many_overlapping_routes_are_a_500)
{
    char text[256];
    for (unsigned mask = 0; mask < 1U << 13; mask++) {
        text[0] = '\0';
        for (unsigned bit = 0; bit < 13; bit++)
            strcat(text, mask & 1U << bit ? "/a" : "/:x");
        strcat(text, "/end");
        add_route(text, hello, NULL);
    }
    cr_expect(prepare("GET", "/a/a/a/a/a/a/a/a/a/a/a/a/a/other") == NULL);
    cr_expect(ghttp_response_status(&r) == 500 && strstr(logged, "overlap"), "%s", logged);
}
