/* Set-Cookie: what is printed, what is refused, and what the settings say about it. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/message/set_cookie.h>
#include <gf/ghttp/server/server.h>

static struct ghttp_request r;
static struct gf_arena *arena;

static void begin(void)
{
    arena = gf_arena_new(1 << 20);
    gf_request_init(&r, arena, 0);
    r.server = gf_server_new("cookies");
}

static void end(void)
{
    gf_request_finish(&r);
    gf_arena_free(arena);
}

TestSuite(set_cookie, .init = begin, .fini = end);

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static const char *set_cookie_number(size_t number)
{
    for (size_t i = 0; i < r.response.headers.count; i++)
        if (strcmp(r.response.headers.items[i].name, "Set-Cookie") == 0 && number-- == 0)
            return r.response.headers.items[i].value;
    return NULL;
}

Test(set_cookie, is_printed_with_its_attributes)
{
    static const struct {
        struct ghttp_cookie cookie;
        const char *text;
    } cases[] = {
        {{.name = "a", .value = "1"}, "a=1"},
        {{.name = "a"}, "a="},
        {{.name = "a", .value = "b", .path = "/x y"}, "a=b; Path=/x y"},
        {{.name = "a", .value = "b", .domain = "example.org"}, "a=b; Domain=example.org"},
        {{.name = "a", .value = "b", .max_age = 60}, "a=b; Max-Age=60"},
        {{.name = "a", .value = "b", .max_age = -1}, "a=b; Max-Age=0"},
        {{.name = "a", .value = "b", .expires = 1}, "a=b; Expires=Thu, 01 Jan 1970 00:00:01 GMT"},
        {{.name = "a", .value = "b", .expires = 1709210096}, "a=b; Expires=Thu, 29 Feb 2024 12:34:56 GMT"},
        {{.name = "a", .value = "b", .same_site = GHTTP_SAME_SITE_STRICT}, "a=b; SameSite=Strict"},
        {{.name = "a", .value = "b", .secure = true, .same_site = GHTTP_SAME_SITE_NONE, .partitioned = true},
         "a=b; Secure; SameSite=None; Partitioned"},
        {{.name = "__Host-a", .value = "b", .path = "/", .secure = true, .http_only = true},
         "__Host-a=b; Path=/; Secure; HttpOnly"},
        {{.name = "__Secure-a", .value = "b", .secure = true, .same_site = GHTTP_SAME_SITE_LAX},
         "__Secure-a=b; Secure; SameSite=Lax"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *text = "";
        cr_expect(gf_cookie_print(arena, &cases[i].cookie, &text) == 0, "case %zu", i);
        cr_expect(same(text, cases[i].text), "case %zu: %s", i, text);
    }
}

Test(set_cookie, that_no_browser_keeps_is_refused)
{
    static const struct ghttp_cookie cases[] = {
        {.name = NULL, .value = "1"},
        {.name = "", .value = "1"},
        {.name = "a b", .value = "1"},
        {.name = "a=b", .value = "1"},
        {.name = "a\r\nX: 1", .value = "1"},
        {.name = "a", .value = "1;2"},
        {.name = "a", .value = "1 2"},
        {.name = "a", .value = "1,2"},
        {.name = "a", .value = "1\"2"},
        {.name = "a", .value = "1\\2"},
        {.name = "a", .value = "1\n2"},
        {.name = "a", .value = "\x7f"},
        {.name = "a", .value = "哈喽"},
        {.name = "a", .value = "1", .path = "x"},
        {.name = "a", .value = "1", .path = "/;Secure"},
        {.name = "a", .value = "1", .path = "/\r\n"},
        {.name = "a", .value = "1", .domain = ""},
        {.name = "a", .value = "1", .domain = "a;b"},
        {.name = "a", .value = "1", .same_site = GHTTP_SAME_SITE_NONE},
        {.name = "a", .value = "1", .same_site = (enum ghttp_same_site)4},
        {.name = "a", .value = "1", .partitioned = true},
        {.name = "__Secure-a", .value = "1"},
        {.name = "__Host-a", .value = "1", .path = "/"},
        {.name = "__host-a", .value = "1", .path = "/x", .secure = true},
        {.name = "__Host-a", .value = "1", .path = "/", .secure = true, .domain = "example.org"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        cr_expect(ghttp_response_set_cookie_with(&r, &cases[i]) == -EINVAL, "case %zu", i);
    cr_expect(ghttp_response_set_cookie_with(&r, NULL) == -EINVAL);
    cr_expect(r.response.headers.count == 0);
}

Test(set_cookie, has_a_greatest_length)
{
    char value[GF_COOKIE_BYTES_MAX + 1];
    memset(value, 'v', sizeof(value));
    value[GF_COOKIE_BYTES_MAX] = 0;
    cr_expect(ghttp_response_set_cookie(&r, "a", value) == -E2BIG);
    value[GF_COOKIE_BYTES_MAX - 1] = 0;
    cr_expect(ghttp_response_set_cookie(&r, "a", value) == 0);
    cr_expect(ghttp_response_set_cookie(&r, "b", value) == -E2BIG, "all headers together have one too");
}

Test(set_cookie, takes_the_place_of_one_by_the_same_name)
{
    const struct ghttp_cookie with = {.name = "ab", .value = "2"};
    cr_expect(ghttp_response_set_cookie(&r, "ab", "1") == 0);
    cr_expect(ghttp_response_set_cookie(&r, "a", "1") == 0);
    cr_expect(ghttp_response_set_cookie_with(&r, &with) == 0);
    cr_expect(same(set_cookie_number(0), "ab=2"));
    cr_expect(same(set_cookie_number(1), "a=1; Path=/; Max-Age=31536000"));
    cr_expect(set_cookie_number(2) == NULL);
    r.response.sent = true;
    cr_expect(ghttp_response_set_cookie(&r, "c", "1") == -EALREADY);
}

Test(set_cookie, has_the_defaults_of_the_server)
{
    cr_assert(ghttp_server_set(r.server, "cookieMaxAge", "90s") == 0);
    cr_assert(ghttp_server_set(r.server, "cookiePath", "/app") == 0);
    cr_assert(ghttp_server_set(r.server, "cookieDomain", "example.org") == 0);
    cr_assert(ghttp_server_set(r.server, "cookieSameSite", "Strict") == 0);
    cr_assert(ghttp_server_set(r.server, "cookieSecure", "on") == 0);
    cr_assert(ghttp_server_set(r.server, "cookieHttpOnly", "on") == 0);
    cr_expect(ghttp_response_set_cookie(&r, "a", "1") == 0);
    cr_expect(same(set_cookie_number(0),
                   "a=1; Path=/app; Domain=example.org; Max-Age=90; Secure; HttpOnly; SameSite=Strict"));
    cr_expect(ghttp_response_remove_cookie(&r, "a") == 0);
    cr_expect(same(set_cookie_number(0), "a=; Path=/app; Domain=example.org; Max-Age=0; Expires=Thu, 01 Jan 1970 "
                                         "00:00:01 GMT; Secure; HttpOnly; SameSite=Strict"));
}

static void hello(ghttp_request *request)
{
    ghttp_response_write(request, "hello");
}

Test(set_cookie, settings_that_cannot_be_are_found_at_the_start)
{
    static const struct {
        const char *key, *value, *word;
    } cases[] = {
        {"cookieSameSite", "sometimes", "cookieSameSite"},
        {"cookieSameSite", "none", "cookieSecure"},
        {"cookiePath", "app", "cookiePath"},
        {"cookieDomain", "a b", "cookieDomain"},
        {"sessionIdName", "", "sessionIdName"},
        {"sessionIdName", "a;b", "sessionIdName"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char name[16];
        snprintf(name, sizeof(name), "s%zu", i);
        ghttp_server *s = ghttp_server_get(name);
        cr_assert(ghttp_server_bind(s, "/", hello) == 0);
        cr_assert(ghttp_server_set(s, cases[i].key, cases[i].value) == 0);
        cr_expect(ghttp_server_start(s) == -EINVAL, "case %zu", i);
        cr_expect(strstr(ghttp_server_error(s), cases[i].word), "case %zu: %s", i, ghttp_server_error(s));
    }
}
