/* Cookies, credentials, languages and URLs: what a client says of itself in its headers. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>

static struct ghttp_request r;
static struct gf_arena *arena;

static void begin(void)
{
    arena = gf_arena_new(16 << 20);
    gf_request_init(&r, arena, 1 << 20);
}

static void end(void)
{
    gf_request_finish(&r);
    gf_arena_free(arena);
}

TestSuite(cookies, .init = begin, .fini = end);

static bool is(const char *value, const char *expected)
{
    return value && expected ? strcmp(value, expected) == 0 : value == expected;
}

static void ask(const char *name, const char *value)
{
    end();
    begin();
    if (value)
        gf_fields_add(&r.headers, arena, name, value);
}

Test(cookies, are_found)
{
    static const struct {
        const char *header, *expected;
    } cases[] = {
        {"a=1", "1"},         {"b=2; a=1", "1"}, {"b=2;a=1;", "1"}, {" ;; b ; a = 1 ", "1"},
        {"a=\"1 2\"", "1 2"}, {"a=\"", "\""},    {"a=\"\"", ""},    {"a=\"x", "\"x"},
        {"a=", ""},           {"a=b=c", "b=c"},  {"a=%20", "%20"},  {"a=1; a=2", "1"},
        {"A=1", NULL},        {"aa=1", NULL},    {"a", NULL},       {"=a", NULL},
        {"x y=1; a=3", "3"},  {"", NULL},        {NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ask("cookie", cases[i].header);
        cr_expect(is(ghttp_request_cookie(&r, "a"), cases[i].expected), "case %zu: %s", i,
                  ghttp_request_cookie(&r, "a"));
    }
    cr_expect(ghttp_request_cookie(&r, NULL) == NULL);
    ask("Cookie", "b=2");
    gf_fields_add(&r.headers, arena, "Cookie", "a=1");
    cr_expect(is(ghttp_request_cookie(&r, "a"), "1") && is(ghttp_request_cookie(&r, "b"), "2"), "two headers");
}

Test(cookies, basic_auth)
{
    static const struct {
        const char *header;
        int result;
        const char *user, *password;
    } cases[] = {
        {"Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", 0, "Aladdin", "open sesame"},
        {"basic  YTpiOmM=", 0, "a", "b:c"},
        {"Basic Og==", 0, "", ""},
        {"Basic w6Q6w7Y=", 0, "ä", "ö"},
        {"Basic", -EINVAL, NULL, NULL},
        {"Basic YWI=", -EINVAL, NULL, NULL},     /* no colon */
        {"Basic YTpiOmM", 0, "a", "b:c"},        /* no padding */
        {"Basic YTpiOmN=", -EINVAL, NULL, NULL}, /* bits left over */
        {"Basic Y=piOmM=", -EINVAL, NULL, NULL},
        {"Basic YTpi===", -EINVAL, NULL, NULL},
        {"Basic Y===", -EINVAL, NULL, NULL},
        {"Basic YTpi\tYTpi", -EINVAL, NULL, NULL},
        {"Basic ADpi", -EINVAL, NULL, NULL}, /* a NUL */
        {"Bearer YTpi", -ENOENT, NULL, NULL},
        {"Basicx YTpi", -ENOENT, NULL, NULL},
        {NULL, -ENOENT, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const char *user = NULL, *password = NULL;
        ask("Authorization", cases[i].header);
        cr_expect(ghttp_request_basic_auth(&r, &user, &password) == cases[i].result, "case %zu", i);
        cr_expect(is(user, cases[i].user) && is(password, cases[i].password), "case %zu", i);
    }
}

Test(cookies, languages)
{
    static const struct {
        const char *header, *list, *expected;
    } cases[] = {
        {"de", "en,de", "de"},
        {"fr, de;q=0.5, en;q=0.9", "en,de", "en"},
        {"de-AT, en;q=0.9", "en,de", "de"},
        {"zh", "en, zh-CN", "zh-CN"},
        {"en-GB, en;q=0.5, de;q=0.8", "en,de", "en"},
        {"DE", "en,de", "de"},
        {"*", "en,de", "en"},
        {"en;q=0, *", "en,de", "de"},
        {"*;q=0.5, de;q=0.1", "de,en", "en"},
        {"fr", "en,de", "en"},
        {"e", "en,de", "en"},
        {"d", "en,de", "en"},
        {"de;q=1.1, en;q=0.1", "de,en", "en"},
        {"de;q=x, en;q=0.001", "de,en", "en"},
        {",, ;q=1,de ; q=0.2", "en,de", "de"},
        {"", "en,de", "en"},
        {NULL, "en,de", "en"},
        {"de", "", NULL},
        {"de", NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ask("Accept-Language", cases[i].header);
        cr_expect(is(ghttp_request_language(&r, cases[i].list), cases[i].expected), "case %zu: %s", i,
                  ghttp_request_language(&r, cases[i].list));
    }
}

Test(cookies, urls)
{
    static const struct {
        const char *target, *host;
        bool secure;
        const char *expected;
    } cases[] = {
        {"/a%20b?c=d&e", "Example.org:8080", false, "http://Example.org:8080/a%20b?c=d&e"},
        {"/", "[::1]:1", true, "https://[::1]:1/"},
        {"/a?b=://c", "h", false, "http://h/a?b=://c"},
        {"http://other:1/x?y", "h", false, "http://other:1/x?y"},
        {"http://other", "h", true, "https://other/"},
        {"/a?b", NULL, false, "/a?b"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ask("Host", cases[i].host);
        r.target = cases[i].target;
        r.secure = cases[i].secure;
        cr_assert(gf_request_parse_target(&r) == 0);
        cr_expect(is(ghttp_request_url(&r), cases[i].expected), "case %zu: %s", i, ghttp_request_url(&r));
        cr_expect(is(ghttp_request_scheme(&r), cases[i].secure ? "https" : "http"));
    }
}

Test(cookies, referer_and_ajax)
{
    cr_expect(ghttp_request_referer(&r) == NULL && !ghttp_request_is_ajax(&r));
    ask("referer", "http://a/");
    cr_expect(is(ghttp_request_referer(&r), "http://a/"));
    ask("x-requested-with", "xmlhttprequest");
    cr_expect(ghttp_request_is_ajax(&r));
    ask("x-requested-with", "fetch");
    cr_expect(!ghttp_request_is_ajax(&r));
}
