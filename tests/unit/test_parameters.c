/* Parameters of the query, a form and the path; headers, JSON and values that a program leaves. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
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

TestSuite(parameters, .init = begin, .fini = end);

static bool is(const char *value, const char *expected)
{
    return value && expected ? strcmp(value, expected) == 0 : value == expected;
}

static void ask(const char *query, const char *type, const char *body)
{
    end();
    begin();
    r.query = query;
    if (type)
        gf_fields_add(&r.headers, arena, "content-TYPE", type);
    if (body)
        gf_buffer_append(&r.body, body, strlen(body));
}

#define FORM "application/x-www-form-urlencoded"

Test(parameters, of_the_query)
{
    ask("a=1&b=%E5%93%88+x&&c&=d&a=2&e=f=g&h=%2B", NULL, NULL);
    cr_expect(is(ghttp_request_query(&r, "a"), "2"), "of a repeated name the last");
    cr_expect(is(ghttp_request_query(&r, "b"), "哈 x"));
    cr_expect(is(ghttp_request_query(&r, "c"), ""));
    cr_expect(is(ghttp_request_query(&r, ""), "d"));
    cr_expect(is(ghttp_request_query(&r, "e"), "f=g"));
    cr_expect(is(ghttp_request_query(&r, "h"), "+"));
    cr_expect(is(ghttp_request_query(&r, "A"), NULL), "with regard to case");
    cr_expect(is(ghttp_request_query(&r, NULL), NULL));
    cr_expect(!r.query_bad && r.query_fields.count == 7);
}

/* A form's values have the request's memory, and no more. */
Test(parameters, of_a_form_that_outgrow_their_memory_make_it_malformed)
{
    static char value[1 << 19];

    for (int halves = 1; halves <= 2; halves++) {
        gf_request_finish(&r);
        gf_arena_free(arena);
        arena = gf_arena_new(1 << 20);
        gf_request_init(&r, arena, 4 << 20);
        gf_fields_add(&r.headers, arena, "Content-Type", FORM);
        gf_buffer_append(&r.body, "b=1&a=", 6);
        memset(value, 'x', sizeof(value));
        for (int i = 0; i < halves; i++)
            gf_buffer_append(&r.body, value, sizeof(value));
        cr_expect(is(ghttp_request_form(&r, "b"), halves == 1 ? "1" : NULL), "%d", halves);
        cr_expect(ghttp_request_is_malformed(&r) == (halves == 2), "%d", halves);
    }
}

Test(parameters, of_a_form)
{
    static const struct {
        const char *type, *body, *expected;
    } cases[] = {
        {FORM, "a=1+2", "1 2"},
        {"Application/X-WWW-Form-Urlencoded;charset=utf-8", "a=1", "1"},
        {FORM " ; charset=utf-8", "a=1", "1"},
        {FORM "x", "a=1", NULL},
        {"text/plain", "a=1", NULL},
        {NULL, "a=1", NULL},
        {FORM, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ask("", cases[i].type, cases[i].body);
        cr_expect(is(ghttp_request_form(&r, "a"), cases[i].expected), "case %zu", i);
    }
}

Test(parameters, a_bad_query_or_form_gives_nothing)
{
    static const char *const bad[] = {"a=1&b=%", "a=1&b=%0", "a=1&%zz=1", "a=%00", "a=1&b=%00"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        ask(bad[i], FORM, bad[i]);
        cr_expect(ghttp_request_get(&r, "a") == NULL && r.query_bad && r.form_bad, "%s", bad[i]);
    }
    ask("", FORM, NULL);
    gf_buffer_append(&r.body, "a=1\0", 4);
    cr_expect(ghttp_request_form(&r, "a") == NULL && r.form_bad, "a NUL in the body");
}

Test(parameters, are_a_thousand_at_most)
{
    static char text[1001 * 8];
    for (int i = 0, at = 0; i < 1001; i++)
        at += sprintf(text + at, "&p%d=%d", i, i % 10);
    ask("", FORM, text);
    cr_expect(ghttp_request_form(&r, "p5") == NULL && r.form_bad);
    *strrchr(text, '&') = '\0';
    ask(text, FORM, NULL);
    cr_expect(is(ghttp_request_query(&r, "p5"), "5") && is(ghttp_request_query(&r, "p999"), "9") && !r.query_bad);
}

Test(parameters, rank_form_query_router)
{
    ask("a=query&b=query", FORM, "a=form");
    gf_fields_add(&r.router_fields, arena, "a", "router");
    gf_fields_add(&r.router_fields, arena, "b", "router");
    gf_fields_add(&r.router_fields, arena, "c", "router");
    cr_expect(is(ghttp_request_get(&r, "a"), "form"));
    cr_expect(is(ghttp_request_get(&r, "b"), "query"));
    cr_expect(is(ghttp_request_get(&r, "c"), "router"));
    cr_expect(is(ghttp_request_get(&r, "d"), NULL));
    cr_expect(is(ghttp_request_router(&r, "a"), "router"));
}

Test(parameters, as_whole_numbers)
{
    static const struct {
        const char *query;
        long expected;
    } cases[] = {
        {"n=42", 42},   {"n=-7", -7},
        {"n=%2B7", 7},  {"n=007", 7},
        {"n=", 99},     {"n=%205", 99},
        {"n=5x", 99},   {"n=x", 99},
        {"n=-", 99},    {"n=1.5", 99},
        {"n=0x10", 99}, {"n=9223372036854775807", 9223372036854775807L},
        {"m=1", 99},    {"n=99999999999999999999", 99},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ask(cases[i].query, NULL, NULL);
        cr_expect(ghttp_request_get_int(&r, "n", 99) == cases[i].expected, "%s", cases[i].query);
    }
}

Test(parameters, as_numbers)
{
    static const struct {
        const char *query;
        double expected;
    } cases[] = {
        {"n=1.5", 1.5}, {"n=-2e3", -2000}, {"n=.5", .5},    {"n=7", 7},      {"n=", 99},
        {"n=nan", 99},  {"n=inf", 99},     {"n=0x1p3", 99}, {"n=1e999", 99}, {"n=1,5", 99},
        {"n=%201", 99}, {"n=1.5.5", 99},   {"n=-", 99},     {"m=1", 99},
    };
    setlocale(LC_ALL, "de_DE.UTF-8");
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        ask(cases[i].query, NULL, NULL);
        cr_expect(ghttp_request_get_double(&r, "n", 99) == cases[i].expected, "%s", cases[i].query);
    }
}

Test(parameters, as_truth)
{
    static const char *const yes[] = {"b=1", "b=true", "b=On", "b=YES"};
    static const char *const no[] = {"b=0", "b=false", "b=OFF", "b=no", "b=", "b"};
    static const char *const neither[] = {"b=2", "b=maybe", "c=1", "b=%20"};
    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
        ask(yes[i], NULL, NULL);
        cr_expect(ghttp_request_get_bool(&r, "b", false), "%s", yes[i]);
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++) {
        ask(no[i], NULL, NULL);
        cr_expect(!ghttp_request_get_bool(&r, "b", true), "%s", no[i]);
    }
    for (size_t i = 0; i < sizeof(neither) / sizeof(*neither); i++) {
        ask(neither[i], NULL, NULL);
        cr_expect(ghttp_request_get_bool(&r, "b", true) && !ghttp_request_get_bool(&r, "b", false), "%s", neither[i]);
    }
}

Test(parameters, headers_regard_no_case)
{
    gf_fields_add(&r.headers, arena, "X-One", "1");
    gf_fields_add(&r.headers, arena, "x-one", "2");
    gf_fields_add(&r.headers, arena, "X-On", "3");
    cr_expect(is(ghttp_request_header(&r, "x-ONE"), "1"), "the first of a name");
    cr_expect(is(ghttp_request_header(&r, "X-On"), "3"));
    cr_expect(is(ghttp_request_header(&r, "X-O"), NULL) && is(ghttp_request_header(&r, NULL), NULL));
    gf_fields_remove(&r.headers, "X-ONE");
    cr_expect(r.headers.count == 1 && is(ghttp_request_header(&r, "X-One"), NULL));
    for (int i = 0; i < 100; i++)
        gf_fields_add(&r.headers, arena, gf_arena_printf(arena, "H%d", i), "x");
    cr_expect(r.headers.count == 101 && ghttp_request_header(&r, "h99") && is(ghttp_request_header(&r, "x-on"), "3"));
}

Test(parameters, the_body_and_its_json)
{
    size_t size = 9;
    cr_expect(is(ghttp_request_body(&r, &size), "") && size == 0);
    cr_expect(ghttp_request_json(&r) == NULL);
    ask("", NULL, " {\"a\":[1,2]} ");
    struct cJSON *json = ghttp_request_json(&r);
    cr_assert(json != NULL);
    cr_expect(cJSON_GetArraySize(cJSON_GetObjectItem(json, "a")) == 2);
    cr_expect(ghttp_request_json(&r) == json, "parsed once");
    cr_expect(is(ghttp_request_body(&r, &size), " {\"a\":[1,2]} ") && size == 13);
    ask("", NULL, "{} x");
    cr_expect(ghttp_request_json(&r) == NULL, "something follows");
    ask("", NULL, "{\"a\":");
    cr_expect(ghttp_request_json(&r) == NULL);
    ask("", NULL, NULL);
    for (int i = 0; i < 100000; i++)
        gf_buffer_append(&r.body, "[", 1);
    cr_expect(ghttp_request_json(&r) == NULL, "nested without end");
}

static int runs;

static void count(void *arg)
{
    runs += *(int *)arg;
}

Test(parameters, values_and_what_is_deferred)
{
    int one = 1, two = 2;
    char key[] = "k";
    cr_expect(ghttp_request_value(&r, "k") == NULL);
    cr_expect(ghttp_request_set_value(&r, "absent", NULL) == 0);
    cr_expect(ghttp_request_set_value(&r, key, &one) == 0);
    key[0] = 'x';
    cr_expect(ghttp_request_value(&r, "k") == &one, "the key is copied");
    cr_expect(ghttp_request_set_value(&r, "k", &two) == 0 && ghttp_request_value(&r, "k") == &two);
    cr_expect(ghttp_request_set_value(&r, "k", NULL) == 0 && ghttp_request_value(&r, "k") == NULL);
    cr_expect(ghttp_request_alloc(&r, 100) != NULL);
    cr_expect(ghttp_request_defer(&r, count, &two) == 0);
    gf_arena_reset(arena);
    cr_expect(runs == 2);
}
