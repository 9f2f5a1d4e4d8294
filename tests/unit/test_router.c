/* Routes: what patterns mean, which are refused, which one wins, and that lookups stay right and bounded. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/route/router.h>

static struct ghttp_request r;
static struct gf_arena *arena;
static struct gf_router *router;
static char error[512];

static void begin(void)
{
    arena = gf_arena_new(16 << 20);
    gf_request_init(&r, arena, 1 << 20);
    router = gf_router_new();
}

static void end(void)
{
    gf_router_free(router);
    gf_request_finish(&r);
    gf_arena_free(arena);
}

TestSuite(router, .init = begin, .fini = end);

static void handler(ghttp_request *request)
{
    (void)request;
}

static void add_route(const char *pattern)
{
    cr_assert(gf_router_bind(router, pattern, handler, NULL, error, sizeof(error)) == 0, "%s", error);
}

static int find(const char *method, const char *host, const char *raw_path)
{
    gf_arena_reset(arena);
    r.router_fields = (struct gf_fields){0};
    r.method = method;
    r.host = host;
    r.raw_path = raw_path;
    return gf_router_find(router, &r);
}

/* The pattern that serves this GET; "" if none does. */
static const char *route(const char *raw_path)
{
    int result = find("GET", "", raw_path);
    cr_assert(result == 0, "%s: %d", raw_path, result);
    return r.route ? r.route->pattern : "";
}

/* "name=value;" of all parameters. */
static const char *parameters(void)
{
    static char text[512];
    text[0] = '\0';
    for (size_t i = 0; i < r.router_fields.count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s=%s;", r.router_fields.items[i].name,
                 r.router_fields.items[i].value);
    return text;
}

struct expectation {
    const char *path, *pattern, *parameters;
};

static void expect_all(const struct expectation *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *found = route(cases[i].path);
        cr_expect(strcmp(found, cases[i].pattern) == 0, "%s: found \"%s\" and not \"%s\"", cases[i].path, found,
                  cases[i].pattern);
        cr_expect(strcmp(parameters(), cases[i].parameters) == 0, "%s: %s and not %s", cases[i].path, parameters(),
                  cases[i].parameters);
    }
}

#define EXPECT_ALL(cases) expect_all(cases, sizeof(cases) / sizeof(*cases))

static bool is_route(const char *raw_path, const char *pattern)
{
    return strcmp(route(raw_path), pattern) == 0;
}

Test(router, what_the_kinds_of_segments_match)
{
    static const char *const patterns[] = {
        "/",
        "/pid",
        "/user/:name/age",
        "/static/*path",
        "/files/u-{id}.json",
        "/r/{a}-{b}",
        "/glued/{a}{b}",
        "/v1/items:batchGet",
        "/anonymous/:/x/*",
        "/twice/:n/:n",
        "/a%20b/%3Ac/%2Ad",
        "/哈/{喽}",
    };
    for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
        add_route(patterns[i]);
    static const struct expectation cases[] = {
        {"/", "/", ""},
        {"//", "/", ""},
        {"/pid", "/pid", ""},
        {"/pid/", "/pid", ""},
        {"//pid//", "/pid", ""},
        {"/%70id", "/pid", ""},
        {"/PID", "", ""},
        {"/pi", "", ""},
        {"/pidx", "", ""},
        {"/pid/x", "", ""},
        {"/user/john/age", "/user/:name/age", "name=john;"},
        {"/user/j%2Fo%20hn/age", "/user/:name/age", "name=j/o hn;"},
        {"/user/a+b/age", "/user/:name/age", "name=a+b;"},
        {"/user//age", "", ""},
        {"/user/john", "", ""},
        {"/static", "/static/*path", "path=;"},
        {"/static/", "/static/*path", "path=;"},
        {"/static/a", "/static/*path", "path=a;"},
        {"/static/a/b//c%2Fd/", "/static/*path", "path=a/b/c/d;"},
        {"/staticx", "", ""},
        {"/files/u-5.json", "/files/u-{id}.json", "id=5;"},
        {"/files/u-a.json.json", "/files/u-{id}.json", "id=a.json;"},
        {"/files/u-.json", "", ""},
        {"/files/u-5xjson", "", ""},
        {"/files/u-5", "", ""},
        {"/files/%75-%35.json", "/files/u-{id}.json", "id=5;"},
        {"/r/a-b", "/r/{a}-{b}", "a=a;b=b;"},
        {"/r/a-b-c", "/r/{a}-{b}", "a=a-b;b=c;"},
        {"/r/---", "/r/{a}-{b}", "a=-;b=-;"},
        {"/r/--", "", ""},
        {"/r/-b", "", ""},
        {"/r/a-", "", ""},
        {"/glued/abc", "/glued/{a}{b}", "a=ab;b=c;"},
        {"/glued/a哈", "/glued/{a}{b}", "a=a;b=哈;"},
        {"/glued/a", "", ""},
        {"/v1/items:batchGet", "/v1/items:batchGet", ""},
        {"/anonymous/1/x", "/anonymous/:/x/*", ""},
        {"/anonymous/1/x/y/z", "/anonymous/:/x/*", ""},
        {"/twice/1/2", "/twice/:n/:n", "n=1;n=2;"},
        {"/a%20b/:c/*d", "/a%20b/%3Ac/%2Ad", ""},
        {"/%e5%93%88/%E5%96%BD", "/哈/{喽}", "喽=喽;"},
    };
    EXPECT_ALL(cases);
    find("GET", "", "/twice/1/2");
    cr_expect(strcmp(ghttp_request_router(&r, "n"), "2") == 0, "of a repeated name the last");
}

Test(router, the_more_specific_wins)
{
    static const char *const patterns[] = {
        "/*all",        "/:username", "/u-{id}", "/u-{id}.{type}", "/{whole}", "/exact",
        "/exact/*rest", "/:a/list",   "/:a/:b",  "/:a/*more",      "/x/y/:z",  "/x/:y/z",
    };
    /* The order of binding does not matter. */
    for (size_t round = 0; round < 2; round++) {
        for (size_t i = 0, n = sizeof(patterns) / sizeof(*patterns); i < n; i++)
            add_route(patterns[round ? n - 1 - i : i]);
        static const struct expectation cases[] = {
            {"/", "/*all", "all=;"},
            {"/exact", "/exact", ""},
            {"/u-5", "/u-{id}", "id=5;"},
            {"/u-5.js", "/u-{id}.{type}", "id=5;type=js;"},
            {"/name", "/{whole}", "whole=name;"},
            {"/exact/a/b", "/exact/*rest", "rest=a/b;"},
            {"/exact/list", "/exact/*rest", "rest=list;"},
            {"/b/list", "/:a/list", "a=b;"},
            {"/b/c", "/:a/:b", "a=b;b=c;"},
            {"/b/c/d", "/:a/*more", "a=b;more=c/d;"},
            {"/x/y/z", "/x/y/:z", "z=z;"},
            {"/x/1/z", "/x/:y/z", "y=1;"},
            {"/x/1/2", "/:a/*more", "a=x;more=1/2;"},
        };
        EXPECT_ALL(cases);
        gf_router_free(router);
        router = gf_router_new();
    }
}

/* Segment by segment from the left, as GoFrame's tree does: the deeper one goes first only where they agree so far. */
Test(router, the_first_segment_that_differs_decides_and_not_the_depth)
{
    add_route("/:a/b/c");
    add_route("/x/d");
    cr_expect(is_route("/x/b/c", "/:a/b/c"), "a branch in which nothing fits is left again");
    add_route("/x/*rest");
    cr_expect(is_route("/x/b/c", "/x/*rest"));
    cr_expect(is_route("/y/b/c", "/:a/b/c"));
    add_route("/x/:a/c");
    cr_expect(is_route("/x/b/c", "/x/:a/c"));
    cr_expect(is_route("/x/b/d", "/x/*rest"));
}

Test(router, templates_at_one_place_are_bounded)
{
    char text[32];

    for (int i = 0; i < 128; i++) {
        snprintf(text, sizeof(text), "/a/{x}.%d", i);
        add_route(text);
    }
    add_route("/b/{x}.128");
    cr_expect(gf_router_bind(router, "/a/{x}.128", handler, NULL, error, sizeof(error)) < 0);
    cr_expect(strstr(error, "128 {field} segments at one place") != NULL, "%s", error);
    cr_expect(is_route("/a/y.127", "/a/{x}.127"));
}

Test(router, the_methods_of_a_path)
{
    static const char *const patterns[] = {
        "/x",     "GET:/x",        "post:/y",     "Get: /y",    "HEAD:/z",
        "GET:/z", "DELETE:/w/:id", "GET:/w/*any", "POST:/s/*r", "PUT:/:x",
    };
    for (size_t i = 0; i < sizeof(patterns) / sizeof(*patterns); i++)
        add_route(patterns[i]);
    static const struct {
        const char *method, *path, *pattern;
        unsigned allowed;
    } cases[] = {
        {"GET", "/x", "GET:/x", 0},
        {"HEAD", "/x", "GET:/x", 0},
        {"POST", "/x", "/x", 0},
        {"OPTIONS", "/x", "/x", 0},
        {"POST", "/y", "post:/y", 0},
        {"GET", "/y", "Get: /y", 0},
        {"HEAD", "/y", "Get: /y", 0},
        {"HEAD", "/z", "HEAD:/z", 0},
        {"GET", "/z", "GET:/z", 0},
        {"PUT", "/z", "PUT:/:x", 0},
        {"DELETE", "/w/1", "DELETE:/w/:id", 0},
        {"GET", "/w/1", "GET:/w/*any", 0},
        {"PUT", "/s", "PUT:/:x", 0},
        {"DELETE", "/y", "", GF_METHOD_GET | GF_METHOD_HEAD | GF_METHOD_POST | GF_METHOD_PUT | GF_METHOD_OPTIONS},
        {"PATCH", "/w/1", "", GF_METHOD_DELETE | GF_METHOD_GET | GF_METHOD_HEAD | GF_METHOD_OPTIONS},
        {"GET", "/s/1", "", GF_METHOD_POST | GF_METHOD_OPTIONS},
        {"OPTIONS", "/s/1", "", GF_METHOD_POST | GF_METHOD_OPTIONS},
        {"get", "/s/1", "", GF_METHOD_POST | GF_METHOD_OPTIONS},
        {"GET", "/a/b/c", "", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cr_assert(find(cases[i].method, "", cases[i].path) == 0);
        cr_expect(strcmp(r.route ? r.route->pattern : "", cases[i].pattern) == 0, "%s %s: %s", cases[i].method,
                  cases[i].path, r.route ? r.route->pattern : "none");
        cr_expect(r.allowed_methods == cases[i].allowed, "%s %s: %#x", cases[i].method, cases[i].path,
                  r.allowed_methods);
    }
}

Test(router, the_parameters_are_named_by_each_route)
{
    add_route("GET:/user/:id");
    add_route("POST:/user/:name");
    add_route("PUT:/user/{key}");
    find("GET", "", "/user/7");
    cr_expect(strcmp(parameters(), "id=7;") == 0, "%s", parameters());
    find("POST", "", "/user/7");
    cr_expect(strcmp(parameters(), "name=7;") == 0, "%s", parameters());
    find("PUT", "", "/user/7");
    cr_expect(strcmp(parameters(), "key=7;") == 0, "%s", parameters());
}

Test(router, a_branch_given_up_leaves_no_parameters)
{
    add_route("POST:/s/*r");
    add_route("GET:/:x");
    cr_expect(strcmp(route("/s"), "GET:/:x") == 0 && strcmp(parameters(), "x=s;") == 0, "%s", parameters());
    add_route("/a/:b/{c}/d");
    add_route("/a/*rest");
    cr_expect(strcmp(route("/a/1/2/3"), "/a/*rest") == 0 && strcmp(parameters(), "rest=1/2/3;") == 0);
}

Test(router, domains)
{
    add_route("/x");
    add_route("/x@Example.org, api.example.org");
    add_route("POST:/only@example.org");
    add_route("/all/*@[::1]");
    cr_expect(gf_router_count(router) == 5, "one for each domain");
    static const struct {
        const char *method, *host, *path, *domain;
    } cases[] = {
        {"GET", "", "/x", "default"},
        {"GET", "other", "/x", "default"},
        {"GET", "default", "/x", "default"},
        {"GET", "example.org", "/x", "example.org"},
        {"GET", "api.example.org", "/x", "api.example.org"},
        {"GET", "sub.api.example.org", "/x", "default"},
        {"POST", "example.org", "/only", "example.org"},
        {"POST", "other", "/only", ""},
        {"GET", "[::1]", "/all/a", "[::1]"},
        {"GET", "[::1]", "/x", "default"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cr_assert(find(cases[i].method, cases[i].host, cases[i].path) == 0);
        cr_expect(strcmp(r.route ? r.route->domain : "", cases[i].domain) == 0, "%s%s: %s", cases[i].host,
                  cases[i].path, r.route ? r.route->domain : "none");
    }
    find("GET", "example.org", "/only");
    cr_expect(r.route == NULL && r.allowed_methods == (GF_METHOD_POST | GF_METHOD_OPTIONS));
    const struct gf_route *first = gf_router_route(router, 1);
    cr_expect(strcmp(first->domain, "example.org") == 0 && strcmp(first->path, "/x") == 0);
    cr_expect(strcmp(first->method, "ALL") == 0 && gf_router_route(router, 5) == NULL);
    cr_expect(strcmp(gf_router_route(router, 3)->method, "POST") == 0);
}

Test(router, an_at_sign_before_a_slash_is_text)
{
    add_route("/@user/posts");
    add_route("/%40me");
    cr_expect(strcmp(route("/@user/posts"), "/@user/posts") == 0);
    cr_expect(strcmp(route("/@me"), "/%40me") == 0);
}

Test(router, bad_patterns_are_refused_with_a_reason)
{
    static const char *const bad[] = {
        "",
        "x",
        "x/y",
        "GET",
        "GET:",
        "GET:x",
        "FOO:/x",
        ":/x",
        "/a*b",
        "/*a/b",
        "/*/b",
        "/{",
        "/{}",
        "/}",
        "/{a",
        "/a}",
        "/{a b}",
        "/{a{b}}",
        "/:a b",
        "/:a:b",
        "/*a*",
        "/x@",
        "/x@a b",
        "/x@a,",
        "/x@a,,b",
        "/x@a,A",
        "/x@ex_ample!",
        "/x@h:80",
        "/%",
        "/%zz",
        "/%00",
        "/x?y",
        "/x#y",
        "/x\ny",
        "/\x01",
        "GET:/x@\t",
        "GET:@a",
        "/{a}{b}{c}{d}{e}{f}{g}{h}{i}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        error[0] = '\0';
        cr_expect(gf_router_bind(router, bad[i], handler, NULL, error, sizeof(error)) == -EINVAL, "%s", bad[i]);
        cr_expect(strstr(error, bad[i]) && strlen(error) > strlen(bad[i]) + 12, "%s", error);
    }
    cr_expect(gf_router_bind(router, NULL, handler, NULL, error, sizeof(error)) == -EINVAL);
    cr_expect(gf_router_bind(router, "/x", NULL, NULL, error, sizeof(error)) == -EINVAL && strstr(error, "handler"));
    static char longest[5000] = "/";
    memset(longest + 1, 'a', sizeof(longest) - 2);
    cr_expect(gf_router_bind(router, longest, handler, NULL, error, sizeof(error)) == -EINVAL);
    static char deep[65 * 2 + 1];
    for (int i = 0; i < 65; i++)
        memcpy(deep + 2 * i, "/a", 2);
    cr_expect(gf_router_bind(router, deep, handler, NULL, error, sizeof(error)) == -EINVAL);
    cr_expect(gf_router_count(router) == 0);
    deep[64 * 2] = '\0';
    add_route(deep);
    cr_expect(strcmp(route(deep), deep) == 0);
}

Test(router, what_is_bound_already_is_refused)
{
    static const struct {
        const char *first, *second;
    } same[] = {
        {"/x", "/x/"},
        {"/x", "ALL:/x"},
        {"/a//b", "/a/b"},
        {"/p%61th", "/path"},
        {"GET:/u/:id", "get:/u/:name"},
        {"/v/*a", "/v/*"},
        {"/w/u-{id}.json", "/w/u-{name}.json"},
        {"/d@b", "/d@a,B"},
    };
    for (size_t i = 0; i < sizeof(same) / sizeof(*same); i++) {
        if (i != 1)
            add_route(same[i].first);
        size_t count = gf_router_count(router);
        int result = gf_router_bind(router, same[i].second, handler, NULL, error, sizeof(error));
        cr_expect(result == -EEXIST, "%s %s", same[i].first, same[i].second);
        cr_expect(strstr(error, same[i].first) && strstr(error, same[i].second), "%s", error);
        cr_expect(gf_router_count(router) == count);
    }
    find("GET", "a", "/d");
    cr_expect(r.route == NULL, "of a refused list no domain is bound");
    static const char *const different[] = {"GET:/x",  "/x@h",           "POST:/u/:id",
                                            "/u/{id}", "/w/v-{id}.json", "/w/{id}.json"};
    for (size_t i = 0; i < sizeof(different) / sizeof(*different); i++)
        add_route(different[i]);
}

Test(router, values_that_cannot_be_decoded)
{
    add_route("/:x");
    add_route("/s/*rest");
    cr_expect(find("GET", "", "/%zz") == -EINVAL);
    cr_expect(find("GET", "", "/s/a/%00") == -EINVAL);
    cr_expect(find("GET", "", "/s/a/b/c/d/%4") == -EINVAL);
    cr_expect(find("GET", "", "") == 0 && r.route == NULL);
}

Test(router, paths_may_be_deeper_than_patterns)
{
    static char path[8001];
    for (int i = 0; i < 4000; i++)
        memcpy(path + 2 * i, "/a", 2);
    add_route("/a/:b/c");
    cr_expect(strcmp(route(path), "") == 0);
    add_route("/a/*rest");
    cr_expect(strcmp(route(path), "/a/*rest") == 0);
    cr_expect(strlen(ghttp_request_router(&r, "rest")) == 7997);
    memset(path + 1, '/', 7999);
    cr_expect(strcmp(route(path), "") == 0);
}

static double seconds_of(clock_t begun)
{
    return (double)(clock() - begun) / CLOCKS_PER_SEC;
}

Test(router, a_hundred_thousand_routes)
{
    char text[128], path[128];
    for (int i = 0; i < 50000; i++) {
        snprintf(text, sizeof(text), "/flat%d", i);
        add_route(text);
        snprintf(text, sizeof(text), "GET:/deep/%d/:id/part%d/*rest", i % 100, i);
        add_route(text);
    }
    clock_t begun = clock();
    for (int i = 0; i < 50000; i++) {
        snprintf(path, sizeof(path), "/flat%d", i);
        cr_assert(strcmp(route(path), path) == 0, "%s", path);
        snprintf(path, sizeof(path), "/deep/%d/x%d/part%d/y/z", i % 100, i, i);
        snprintf(text, sizeof(text), "GET:/deep/%d/:id/part%d/*rest", i % 100, i);
        cr_assert(strcmp(route(path), text) == 0, "%s", path);
        snprintf(text, sizeof(text), "id=x%d;rest=y/z;", i);
        cr_assert(strcmp(parameters(), text) == 0, "%s", parameters());
    }
    cr_expect(strcmp(route("/flat50000"), "") == 0);
    cr_expect(strcmp(route("/deep/5/x/part4/y"), "") == 0, "part4 is below another number");
    /* A table that was walked would take minutes. */
    cr_expect(seconds_of(begun) < 5);
}

Test(router, overlapping_routes_end_in_an_error_and_not_in_a_stall)
{
    /* All 2^13 paths of "a" and ":x" with "end" below: a path of a's without the end fits all of them. */
    char text[256];
    for (unsigned mask = 0; mask < 1U << 13; mask++) {
        text[0] = '\0';
        for (unsigned bit = 0; bit < 13; bit++)
            strcat(text, mask & 1U << bit ? "/a" : "/:x");
        strcat(text, "/end");
        add_route(text);
    }
    cr_expect(find("GET", "", "/a/a/a/a/a/a/a/a/a/a/a/a/a/other") == -ELOOP);
    cr_expect(find("GET", "", "/a/a/a/a/a/a/a/a/a/a/a/a/a/end") == 0 && r.route);
    cr_expect(find("GET", "", "/b/b/b/b/b/b/b/b/b/b/b/b/b/other") == 0 && !r.route);
}

Test(router, templates_do_not_backtrack)
{
    static char path[100001];
    add_route("/{a}a{b}a{c}a{d}a{e}a{f}a{g}b");
    path[0] = '/';
    memset(path + 1, 'a', sizeof(path) - 2);
    clock_t begun = clock();
    cr_expect(strcmp(route(path), "") == 0);
    path[sizeof(path) - 2] = 'b';
    path[1] = 'x';
    cr_expect(strcmp(route(path), "/{a}a{b}a{c}a{d}a{e}a{f}a{g}b") == 0);
    memset(path + 2, 'x', sizeof(path) - 4);
    cr_expect(strcmp(route(path), "") == 0);
    cr_expect(seconds_of(begun) < 1);

    char text[32];
    for (int i = 0; i < 127; i++) {
        snprintf(text, sizeof(text), "/t%d-{x}", i);
        add_route(text);
    }
    cr_expect(gf_router_bind(router, "/more-{x}", handler, NULL, error, sizeof(error)) == -ENOMEM);
    cr_expect(strstr(error, "full"), "%s", error);
    cr_expect(strcmp(route("/more-5"), "") == 0 && strcmp(route("/t5-5"), "/t5-{x}") == 0);
}

/* Texts of up to 16 bytes are kept in another place than longer ones. */
Test(router, texts_of_any_length)
{
    static const char *const paths[] = {
        "/123456789012345",   "/1234567890123456",     "/12345678901234567",
        "/12345678901234568", "/1234567890123456/:id", "/12345678901234567/:id",
    };

    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
        add_route(paths[i]);
    for (size_t i = 0; i < 4; i++)
        cr_expect(strcmp(route(paths[i]), paths[i]) == 0, "%s", paths[i]);
    cr_expect(strcmp(route("/1234567890123456/x"), paths[4]) == 0);
    cr_expect(strcmp(route("/12345678901234567/x"), paths[5]) == 0);
    cr_expect(strcmp(route("/12345678901234569"), "") == 0);
    cr_expect(strcmp(route("/1234567890123457"), "") == 0);
    cr_expect(strcmp(route("/12345678901234"), "") == 0);
}

static void expect_value(const char *method, const char *path, const char *name, const char *value)
{
    cr_assert(find(method, "", path) == 0 && r.route, "%s %s", method, path);
    cr_assert(r.router_fields.count == 1, "%s %s", method, path);
    cr_expect(strcmp(r.router_fields.items[0].name, name) == 0, "%s %s: %s", method, path,
              r.router_fields.items[0].name);
    cr_expect(strcmp(r.router_fields.items[0].value, value) == 0, "%s %s: %s", method, path,
              r.router_fields.items[0].value);
}

/* Lists of names are shared between routes, and known without the route. */
Test(router, names_are_those_of_the_method)
{
    char text[64];

    add_route("GET:/x/:got");
    add_route("POST:/x/:posted");
    add_route("/x/:any");
    add_route("/y/:got");
    expect_value("GET", "/x/1", "got", "1");
    expect_value("HEAD", "/x/1", "got", "1");
    expect_value("POST", "/x/1", "posted", "1");
    expect_value("PUT", "/x/1", "any", "1");
    expect_value("PUT", "/y/1", "got", "1");
    for (int i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "/many/%d/:name%d", i, i % 200);
        add_route(text);
    }
    for (int i = 0; i < 1000; i++) {
        char name[16];

        snprintf(text, sizeof(text), "/many/%d/v", i);
        snprintf(name, sizeof(name), "name%d", i % 200);
        expect_value("GET", text, name, "v");
    }
}

Test(router, names_change_with_the_route_that_is_overwritten)
{
    struct gf_route_wish wish = {.pattern = "/x/:new", .handler = handler, .overwrites = true};

    add_route("/x/:old");
    expect_value("GET", "/x/1", "old", "1");
    cr_assert(gf_router_add(router, &wish, error, sizeof(error)) == 0);
    expect_value("GET", "/x/1", "new", "1");
}

/* What was bound first is remembered in short, also when something goes before it later. */
Test(router, the_more_specific_wins_whenever_it_is_bound)
{
    add_route("/a/:x");
    cr_expect(strcmp(route("/a/1.json"), "/a/:x") == 0);
    add_route("/a/{t}.json");
    cr_expect(strcmp(route("/a/1.json"), "/a/{t}.json") == 0);
    cr_expect(strcmp(route("/a/1"), "/a/:x") == 0);
    add_route("/a/text");
    cr_expect(strcmp(route("/a/text"), "/a/text") == 0 && strcmp(route("/a/1"), "/a/:x") == 0);
    add_route("/a");
    add_route("/a/*rest");
    cr_expect(strcmp(route("/a"), "/a") == 0 && strcmp(route("/a/1/2"), "/a/*rest") == 0);

    add_route("/b/text");
    add_route("/b/:x");
    cr_expect(strcmp(route("/b/text"), "/b/text") == 0 && strcmp(route("/b/1"), "/b/:x") == 0);

    add_route("/c");
    add_route("/c/:x");
    cr_expect(strcmp(route("/c"), "/c") == 0 && strcmp(route("/c/1"), "/c/:x") == 0);
    add_route("/c/:x/d");
    cr_expect(strcmp(route("/c"), "/c") == 0 && strcmp(route("/c/1"), "/c/:x") == 0);
    cr_expect(strcmp(route("/c/1/d"), "/c/:x/d") == 0 && strcmp(route("/c/1/e"), "") == 0);

    add_route("/d/:x/:y");
    cr_expect(strcmp(route("/d/1"), "") == 0 && strcmp(route("/d/1/2"), "/d/:x/:y") == 0);
    add_route("POST:/e/:x");
    cr_expect(strcmp(route("/e/1"), "") == 0 && r.allowed_methods != 0);
    add_route("/e/:x");
    cr_expect(strcmp(route("/e/1"), "/e/:x") == 0);
}
