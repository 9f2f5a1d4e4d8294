/* All headers, values and parameters of a request, one after the other. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>

#define FORM "application/x-www-form-urlencoded"
#define JSON "application/json"

static struct ghttp_request r;
static struct gf_arena *arena;
static char text[512];

static void begin(void)
{
    arena = gf_arena_new(64 << 20);
    gf_request_init(&r, arena, 16 << 20);
}

static void end(void)
{
    gf_request_finish(&r);
    gf_arena_free(arena);
}

TestSuite(enumerations, .init = begin, .fini = end);

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

static bool take_pair(const char *name, const char *value, void *arg)
{
    char *to = arg;

    snprintf(to + strlen(to), sizeof(text) - strlen(to), "%s=%s ", name, value);
    return strcmp(name, "stop") != 0;
}

/* Expects these pairs of an enumeration, and that it counts them. */
#define expect_each(which, count, pairs)                                                                               \
    do {                                                                                                               \
        text[0] = '\0';                                                                                                \
        cr_expect(eq(sz, ghttp_request_each_##which(&r, take_pair, text), count));                                     \
        cr_expect(eq(str, text, pairs));                                                                               \
        cr_expect(zero(sz, ghttp_request_each_##which(&r, NULL, NULL)));                                               \
    } while (0)

Test(enumerations, of_headers_with_repeated_ones)
{
    gf_fields_add(&r.headers, arena, "Accept", "a");
    gf_fields_add(&r.headers, arena, "accept", "b");
    gf_fields_add(&r.headers, arena, "stop", "");
    gf_fields_add(&r.headers, arena, "X", "y");
    expect_each(header, 3, "Accept=a accept=b stop= ");
}

Test(enumerations, of_the_query)
{
    ask("a=1&b=%20&a=2&c", NULL, NULL);
    expect_each(query, 4, "a=1 b=  a=2 c= ");
    ask("a=1&b=%zz", NULL, NULL);
    expect_each(query, 0, "");
}

Test(enumerations, of_a_form)
{
    ask("q=1", FORM, "a=1&stop=2&a=3");
    expect_each(form, 2, "a=1 stop=2 ");
    ask("", FORM, "a=%00");
    expect_each(form, 0, "");
}

Test(enumerations, of_the_path)
{
    gf_fields_add(&r.router_fields, arena, "id", "7");
    expect_each(router, 1, "id=7 ");
}

Test(enumerations, of_cookies)
{
    gf_fields_add(&r.headers, arena, "Cookie", "a=1; b=\"2\"; a=3");
    expect_each(cookie, 3, "a=1 b=2 a=3 ");
}

Test(enumerations, of_all_parameters_as_they_rank)
{
    ask("a=query&b=query&b=later&c=query", FORM, "a=form&d=form&a=last");
    gf_fields_add(&r.router_fields, arena, "c", "router");
    gf_fields_add(&r.router_fields, arena, "e", "router");
    ghttp_request_set_param(&r, "d", "set");
    ghttp_request_set_param(&r, "f", "set");
    ghttp_request_set_param(&r, "f", NULL);
    expect_each(param, 5, "d=set a=last b=later c=query e=router ");
}

/* What a member of JSON cannot be given as is as if absent: the query has its say, earlier members do not. */
Test(enumerations, of_all_parameters_with_json)
{
    ask("a=query&o=query&stop=query", JSON, "{\"a\":1,\"o\":\"early\",\"t\":true,\"o\":{},\"n\":null}");
    expect_each(param, 4, "a=1 t=true o=query stop=query ");
    cr_expect(eq(str, (char *)ghttp_request_get(&r, "o"), "query"));
}

static bool count_right(const char *name, const char *value, void *arg)
{
    *(size_t *)arg += strcmp(value, ghttp_request_get(&r, name)) == 0;
    return true;
}

/* Of a small alphabet, so that all sources have names in common. */
Test(enumerations, give_what_get_gives)
{
    unsigned state = 1;

    for (int i = 0; i < 200; i++) {
        char query[128] = "", body[128] = "";
        size_t right = 0, count;

        for (int j = 0; j < 8; j++) {
            state = state * 1103515245 + 12345;
            snprintf(query + strlen(query), sizeof(query) - strlen(query), "%c=q%d&", 'a' + (state >> 16) % 6, j);
            snprintf(body + strlen(body), sizeof(body) - strlen(body), "%c=f%d&", 'a' + (state >> 20) % 6, j);
        }
        ask(query, FORM, body);
        count = ghttp_request_each_param(&r, count_right, &right);
        cr_expect(eq(sz, right, count), "%s %s", query, body);
    }
}

static bool go_on(const char *name, const char *value, void *arg)
{
    (void)name;
    (void)value;
    (void)arg;
    return true;
}

/* Sorted, not compared each with each: that would take minutes. */
Test(enumerations, bear_many_members, .timeout = 20)
{
    char *body = malloc(4 << 20);
    size_t size = 1;

    body[0] = '{';
    for (int i = 0; i < 50000; i++)
        size += (size_t)snprintf(body + size, 32, "%s\"k%d\":%d", i ? "," : "", i % 40000, i);
    snprintf(body + size, 2, "}");
    ask("", JSON, body);
    free(body);
    cr_expect(eq(sz, ghttp_request_each_param(&r, go_on, NULL), 40000));
}
