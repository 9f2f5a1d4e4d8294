/* Parameters of which there are several, members of a JSON body, and what the program sets itself. */
#include <criterion/criterion.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
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

TestSuite(parameter_lists, .init = begin, .fini = end);

static bool is(const char *value, const char *expected)
{
    return value && expected ? strcmp(value, expected) == 0 : value == expected;
}

#define FORM "application/x-www-form-urlencoded"
#define JSON "application/json"

static void ask(const char *query, const char *type, const char *body)
{
    end();
    begin();
    r.query = query;
    if (type)
        gf_fields_add(&r.headers, arena, "Content-Type", type);
    if (body)
        gf_buffer_append(&r.body, body, strlen(body));
}

/* All values of a name with a blank behind each. */
static const char *all(const char *name)
{
    static char text[256];
    size_t count = 9;
    const char *const *values = ghttp_request_get_all(&r, name, &count);
    text[0] = '\0';
    cr_expect((values == NULL) == (count == 0));
    for (size_t i = 0; i < count; i++)
        strcat(strcat(text, values[i]), " ");
    return text;
}

static bool take_pair(const char *key, const char *value, void *arg)
{
    char *text = arg;
    sprintf(text + strlen(text), "%s=%s ", key, value);
    return strcmp(key, "stop") != 0;
}

/* All pairs of a map with a blank behind each. */
static const char *each(const char *prefix)
{
    static char text[256];
    text[0] = '\0';
    ghttp_request_each(&r, prefix, take_pair, text);
    return text;
}

Test(parameter_lists, lists)
{
    ask("a=1&b[]=x&a=2&a[]=3&a[7]=4&a[k]=5&aa=6&a[=7&a[]x=8&b[]=y", NULL, NULL);
    cr_expect(is(all("a"), "1 2 3 4 "), "%s", all("a"));
    cr_expect(is(all("b"), "x y ") && is(all("c"), "") && is(all(NULL), ""));
    cr_expect(is(ghttp_request_get(&r, "a"), "2") && is(ghttp_request_get(&r, "b[]"), "y"));
    ask("a=1&a=2&b=1", FORM, "a[]=3");
    cr_expect(is(all("a"), "3 ") && is(all("b"), "1 "), "from the highest source");
    gf_fields_add(&r.router_fields, arena, "c", "router");
    cr_expect(is(all("c"), "router "));
    cr_expect(ghttp_request_set_param(&r, "a", "4") == 0 && is(all("a"), "4 "));
}

Test(parameter_lists, maps)
{
    ask("m[a]=1&m[b]=2&m[a]=3&m[]=4&m[c][d]=5&m=6&m[e=7&m[f]x=8&mm[g]=9", NULL, NULL);
    cr_expect(is(each("m"), "b=2 a=3 "), "%s", each("m"));
    cr_expect(is(each("m[c]"), "d=5 ") && is(each("x"), "") && is(each(NULL), ""));
    ask("m[a]=1", FORM, "m[b]=2&m[stop]=3&m[c]=4");
    cr_expect(is(each("m"), "b=2 stop=3 "));
    cr_expect(ghttp_request_set_param(&r, "m[z]", "1") == 0 && is(each("m"), "z=1 "));
}

Test(parameter_lists, set_by_the_program)
{
    char name[] = "a", value[] = "1";
    ask("a=query", FORM, "a=form");
    cr_expect(ghttp_request_set_param(&r, name, value) == 0);
    name[0] = value[0] = 'x';
    cr_expect(is(ghttp_request_get(&r, "a"), "1"), "copied");
    cr_expect(ghttp_request_set_param(&r, "a", "2") == 0 && ghttp_request_get_int(&r, "a", 0) == 2);
    cr_expect(ghttp_request_set_param(&r, "a", NULL) == 0 && is(ghttp_request_get(&r, "a"), "form"));
    cr_expect(ghttp_request_set_param(&r, "b", NULL) == 0 && is(ghttp_request_get(&r, "b"), NULL));
    cr_expect(ghttp_request_set_param(&r, NULL, "1") == -EINVAL);
}

Test(parameter_lists, members_of_json)
{
    static const struct {
        const char *json, *expected;
    } cases[] = {
        {"{\"a\":\"x\"}", "x"},
        {"{\"a\":\"\"}", ""},
        {"{\"a\":5}", "5"},
        {"{\"a\":-0.5}", "-0.5"},
        {"{\"a\":1e15}", "1000000000000000"},
        {"{\"a\":9007199254740991}", "9007199254740991"},
        {"{\"a\":9007199254740993}", "9.0071992547409920e+15"},
        {"{\"a\":0.1}", "0.1"},
        {"{\"a\":1.0000000000000002}", "1.0000000000000002"},
        {"{\"a\":true,\"b\":1}", "true"},
        {"{\"a\":false}", "false"},
        {"{\"a\":1,\"a\":2}", "2"},
        {"{\"a\":null}", "query"},
        {"{\"a\":{}}", "query"},
        {"{\"A\":1}", "query"},
        {"[\"a\"]", "query"},
        {"\"a\"", "query"},
        {"{\"a\":\"\\\\u0000\"}", "\\u0000"},
    };
    setlocale(LC_ALL, "de_DE.UTF-8");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ask("a=query", JSON "; charset=utf-8", cases[i].json);
        cr_expect(is(ghttp_request_get(&r, "a"), cases[i].expected), "%s: %s", cases[i].json,
                  ghttp_request_get(&r, "a"));
        cr_expect(!ghttp_request_is_malformed(&r), "%s", cases[i].json);
        cr_expect(ghttp_request_form(&r, "a") == NULL);
    }
    ask("a=query", "text/plain", "{\"a\":1}");
    cr_expect(is(ghttp_request_get(&r, "a"), "query"), "another type");
    ask("a=query", JSON, NULL);
    cr_expect(is(ghttp_request_get(&r, "a"), "query") && !ghttp_request_is_malformed(&r), "no body");
    ask("a=query", JSON, "{\"a\":1}");
    cr_expect(ghttp_request_set_param(&r, "a", "custom") == 0 && is(ghttp_request_get(&r, "a"), "custom"));
}

Test(parameter_lists, malformed_json)
{
    static const char *const bad[] = {"{\"a\":1", "{\"a\":1} x", "{\"a\":1,\"b\":\"\\u0000\"}",
                                      "{\"a\":1,\"\\\\\\u0000\":1}", "x"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ask("a=query", JSON, bad[i]);
        cr_expect(ghttp_request_is_malformed(&r), "%s", bad[i]);
        cr_expect(is(ghttp_request_get(&r, "a"), "query"), "%s", bad[i]);
    }
    ask("a=%", NULL, NULL);
    cr_expect(ghttp_request_is_malformed(&r));
    ask("a=1", FORM, "b=2");
    cr_expect(!ghttp_request_is_malformed(&r));
}

Test(parameter_lists, lists_and_maps_of_json)
{
    ask("a=9&m[z]=9", JSON, "{\"a\":[1,\"x\",null,[2],true],\"m\":{\"k\":1,\"l\":{},\"n\":\"y\"},\"s\":\"one\"}");
    cr_expect(is(all("a"), "1 x true ") && is(all("s"), "one "), "%s", all("a"));
    cr_expect(is(each("m"), "k=1 n=y "), "%s", each("m"));
    ask("a=9&m[z]=9", JSON, "{\"a\":[],\"m\":1}");
    cr_expect(is(all("a"), "9 ") && is(each("m"), "z=9 "));
}
