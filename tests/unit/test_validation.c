/* Parameters read into a struct: conversions, rules, all errors at once, and nothing written when there is one. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/patterns.h>
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

TestSuite(validation, .init = begin, .fini = end);

struct person {
    char name[8];
    const char *mail;
    int age;
    long id;
    double height;
    bool admin;
};

static const struct ghttp_field fields[] = {
    {.name = "name",
     .type = GHTTP_FIELD_TEXT,
     GHTTP_FIELD_AT(struct person, name),
     .required = true,
     .min_length = 2,
     .max_length = 5},
    {.name = "mail",
     .type = GHTTP_FIELD_STRING,
     GHTTP_FIELD_AT(struct person, mail),
     .pattern = "^[^@]+@[^@]+$",
     .message = "that is no address"},
    {.name = "age", .type = GHTTP_FIELD_INT, GHTTP_FIELD_AT(struct person, age), .min = 18, .max = 120},
    {.name = "id", .type = GHTTP_FIELD_LONG, GHTTP_FIELD_AT(struct person, id), .fallback = "-7"},
    {.name = "height", .type = GHTTP_FIELD_DOUBLE, GHTTP_FIELD_AT(struct person, height), .min = 0.5},
    {.name = "admin", .type = GHTTP_FIELD_BOOL, GHTTP_FIELD_AT(struct person, admin)},
};

static int parse(const char *query, struct person *person)
{
    end();
    begin();
    r.query = query;
    return ghttp_request_parse(&r, fields, sizeof(fields) / sizeof(*fields), person);
}

Test(validation, reads_a_struct)
{
    struct person person = {.age = 1};
    cr_assert(parse("name=Anna&mail=a@b&age=30&id=123456789012&height=1.75&admin=on", &person) == 0);
    cr_expect(strcmp(person.name, "Anna") == 0 && strcmp(person.mail, "a@b") == 0);
    cr_expect(person.age == 30 && person.id == 123456789012 && person.admin);
    cr_expect(person.height > 1.74 && person.height < 1.76);
    cr_expect(ghttp_response_status(&r) == 200 && r.response.body.size == 0);
}

Test(validation, what_is_absent_stays_or_falls_back)
{
    struct person person = {.age = 1, .mail = "before", .admin = true};
    cr_assert(parse("name=%E5%93%88%E5%93%88&age=", &person) == 0);
    cr_expect(person.age == 1 && person.id == -7 && person.admin && strcmp(person.mail, "before") == 0);
    cr_assert(parse("name=Anna&mail=&id=", &person) == 0);
    cr_expect(person.id == -7 && strcmp(person.mail, "") == 0);
}

/* The rule that the only error names. */
static const char *only_rule(const char *query)
{
    static char rule[32];
    struct person person, before;
    memset(&person, 0x5a, sizeof(person));
    before = person;
    int result = parse(query, &person);
    if (result == 0)
        return "none";
    cr_expect(result == -EINVAL && ghttp_response_status(&r) == 400);
    cr_expect(memcmp(&person, &before, sizeof(person)) == 0, "nothing is written");
    cJSON *json = cJSON_Parse(r.response.body.data);
    const cJSON *errors = cJSON_GetObjectItem(cJSON_GetObjectItem(json, "data"), "errors");
    cr_assert(cJSON_GetArraySize(errors) == 1, "%s", r.response.body.data);
    snprintf(rule, sizeof(rule), "%s",
             cJSON_GetStringValue(cJSON_GetObjectItem(cJSON_GetArrayItem(errors, 0), "rule")));
    cJSON_Delete(json);
    return rule;
}

Test(validation, rules)
{
    static const struct {
        const char *query, *rule;
    } cases[] = {
        {"age=20", "required"},
        {"name=", "required"},
        {"name=a", "min-length"},
        {"name=%E5%93%88", "min-length"},
        {"name=abcdef", "max-length"},
        {"name=%E5%93%88%E5%93%88%E5%93%88", "max-length"}, /* nine bytes do not fit into char[8] */
        {"name=%E5%93%88%E5%93%88ab", "max-length"},        /* nor do eight with the 0 behind them */
        {"name=%E5%93%88%E5%93%88a", "none"},
        {"name=%ff%fe", "utf-8"}, /* bytes that UTF-8 never has */
        {"name=a%c3", "utf-8"},   /* cut */
        {"name=%c3a", "utf-8"},
        {"name=%c0%af", "utf-8"}, /* "/", longer than need be */
        {"name=%e0%80%af", "utf-8"},
        {"name=%ed%a0%80", "utf-8"},    /* half of a pair of UTF-16 */
        {"name=%f4%90%80%80", "utf-8"}, /* beyond the last character */
        {"name=%80a", "utf-8"},
        {"name=%f0%9f%98%80%f0", "utf-8"},
        {"name=a%f0%9f%98%80", "none"},
        {"name=ab&mail=ab", "regex"},
        {"name=ab&age=17", "min"},
        {"name=ab&age=121", "max"},
        {"name=ab&age=18", "none"},
        {"name=ab&age=120", "none"},
        {"name=ab&age=x", "integer"},
        {"name=ab&age=2147483648", "integer"},
        {"name=ab&id=9223372036854775808", "integer"},
        {"name=ab&height=0.4", "min"},
        {"name=ab&height=1e9", "none"},
        {"name=ab&height=nan", "float"},
        {"name=ab&admin=maybe", "boolean"},
        {"name=ab&age=%", "form"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        cr_expect(strcmp(only_rule(cases[i].query), cases[i].rule) == 0, "%s: %s", cases[i].query,
                  only_rule(cases[i].query));
}

Test(validation, tells_all_errors_at_once)
{
    struct person person;
    cr_assert(parse("name=a&mail=b&age=200", &person) == -EINVAL);
    cr_expect(strcmp(r.response.body.data,
                     "{\"code\":51,\"message\":\"name must have at least 2 characters; that is no address; age must "
                     "be at most 120\",\"data\":{\"errors\":[{\"field\":\"name\",\"rule\":\"min-length\","
                     "\"message\":\"name must have at least 2 characters\"},{\"field\":\"mail\",\"rule\":\"regex\","
                     "\"message\":\"that is no address\"},{\"field\":\"age\",\"rule\":\"max\",\"message\":\"age must "
                     "be at most 120\"}]}}") == 0,
              "%s", r.response.body.data);
    cr_expect(strcmp(gf_fields_find(&r.response.headers, "Content-Type"), "application/json") == 0);
}

Test(validation, reads_json_too)
{
    struct person person = {0};
    gf_fields_add(&r.headers, arena, "Content-Type", "application/json");
    const char *body = "{\"name\":\"Anna\",\"age\":44,\"admin\":true,\"height\":1.5}";
    gf_buffer_append(&r.body, body, strlen(body));
    cr_assert(ghttp_request_parse(&r, fields, sizeof(fields) / sizeof(*fields), &person) == 0);
    cr_expect(person.age == 44 && person.admin && strcmp(person.name, "Anna") == 0);
}

Test(validation, a_table_that_cannot_be_right)
{
    struct person person;
    struct ghttp_field bad[] = {
        {.name = "age", .type = GHTTP_FIELD_LONG, GHTTP_FIELD_AT(struct person, age)},
        {.name = NULL, .type = GHTTP_FIELD_INT, GHTTP_FIELD_AT(struct person, age)},
        {.name = "name", .type = GHTTP_FIELD_TEXT, .size = 0},
        {.name = "name", .type = (enum ghttp_field_type)6, GHTTP_FIELD_AT(struct person, name)},
        {.name = "mail", .type = GHTTP_FIELD_STRING, GHTTP_FIELD_AT(struct person, mail), .pattern = "("},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        end();
        begin();
        r.query = "age=1&name=a&mail=b";
        cr_expect(ghttp_request_parse(&r, &bad[i], 1, &person) == -EFAULT, "case %zu", i);
        cr_expect(ghttp_response_status(&r) == 500);
    }
    cr_expect(ghttp_request_parse(&r, NULL, 0, NULL) == 0);
}

/* For a page that shows its form again: the same sentences as in the 400, which is taken back. */
Test(validation, tells_what_is_wrong_with_a_field)
{
    struct person person = {.age = 0};
    cr_assert(parse("name=A&mail=nowhere&age=30", &person) == -EINVAL);
    cr_expect(strcmp(ghttp_request_field_error(&r, "name"), "name must have at least 2 characters") == 0);
    cr_expect(strcmp(ghttp_request_field_error(&r, "mail"), "that is no address") == 0);
    cr_expect(!ghttp_request_field_error(&r, "age") && !ghttp_request_field_error(&r, "nothing"));
    cr_expect(!ghttp_request_field_error(&r, ""));
    ghttp_response_clear(&r);
    cr_expect(r.response.body.size == 0);
    cr_expect(ghttp_request_parse(&r, &fields[2], 1, &person) == 0 && person.age == 30);
    cr_expect(!ghttp_request_field_error(&r, "name"), "an error of the parse before");
    cr_assert(parse("name=%00", &person) == -EINVAL);
    cr_expect(ghttp_request_field_error(&r, "") && !ghttp_request_field_error(&r, "name"));
}

static void *match_many(void *arg)
{
    bool match = false;
    for (int i = 0; i < 2000; i++) {
        char pattern[32];
        snprintf(pattern, sizeof(pattern), "^a{%d}$", 1 + i % 50);
        if (gf_pattern_match(pattern, "aaa", &match) != 0 || match != (1 + i % 50 == 3))
            return arg;
    }
    return NULL;
}

Test(validation, patterns_are_shared_by_threads_and_bounded)
{
    pthread_t threads[4];
    void *failed;
    bool match;
    for (size_t i = 0; i < 4; i++)
        cr_assert(pthread_create(&threads[i], NULL, match_many, threads) == 0);
    for (size_t i = 0; i < 4; i++)
        cr_expect(pthread_join(threads[i], &failed) == 0 && failed == NULL);
    char *text = gf_arena_alloc(arena, 65538);
    memset(text, 'a', 65536);
    cr_expect(gf_pattern_match("a", text, &match) == 0 && match);
    text[65536] = 'a';
    cr_expect(gf_pattern_match("a", text, &match) == 0 && !match);
    int error = 0;
    for (int i = 0; i < 1000 && !error; i++) {
        char pattern[32];
        snprintf(pattern, sizeof(pattern), "x%d", i);
        error = gf_pattern_match(pattern, "", &match);
    }
    cr_expect(error == -ENOSPC && gf_pattern_match("a", "b", &match) == 0, "those that there are go on");
}

struct sources {
    const char *any, *query, *body, *router, *header, *cookie;
};

#define SOURCE(member, source)                                                                                         \
    {                                                                                                                  \
        .name = "n", .type = GHTTP_FIELD_STRING, GHTTP_FIELD_AT(struct sources, member), .in = source                  \
    }

static const struct ghttp_field source_fields[] = {
    SOURCE(any, GHTTP_IN_ANY),       SOURCE(query, GHTTP_IN_QUERY),   SOURCE(body, GHTTP_IN_BODY),
    SOURCE(router, GHTTP_IN_ROUTER), SOURCE(header, GHTTP_IN_HEADER), SOURCE(cookie, GHTTP_IN_COOKIE),
};

/* Values of the same name in all of them; the body of this type. */
static void ask_everywhere(const char *type, const char *body)
{
    end();
    begin();
    r.query = "n=query";
    gf_fields_add(&r.headers, arena, "Content-Type", type);
    gf_fields_add(&r.headers, arena, "N", "header");
    gf_fields_add(&r.headers, arena, "Cookie", "n=cookie");
    gf_fields_add(&r.router_fields, arena, "n", "router");
    gf_buffer_append(&r.body, body, strlen(body));
}

Test(validation, reads_from_the_source_that_a_field_names)
{
    struct sources found = {.any = NULL};
    static const char *const bodies[][2] = {{"application/x-www-form-urlencoded", "n=body"},
                                            {"application/json", "{\"n\":\"body\"}"}};
    for (size_t i = 0; i < 2; i++) {
        ask_everywhere(bodies[i][0], bodies[i][1]);
        cr_assert(ghttp_request_parse(&r, source_fields, 6, &found) == 0);
        cr_expect(strcmp(found.any, "body") == 0 && strcmp(found.query, "query") == 0);
        cr_expect(strcmp(found.body, "body") == 0 && strcmp(found.router, "router") == 0);
        cr_expect(strcmp(found.header, "header") == 0 && strcmp(found.cookie, "cookie") == 0);
    }
}

Test(validation, misses_what_is_in_another_source)
{
    struct ghttp_field field = SOURCE(header, GHTTP_IN_HEADER);
    struct sources found = {.header = "before"};
    field.required = true;
    field.name = "token";
    end();
    begin();
    r.query = "token=query";
    cr_expect(ghttp_request_parse(&r, &field, 1, &found) == -EINVAL && strcmp(found.header, "before") == 0);
    cr_expect(strcmp(ghttp_request_field_error(&r, "token"), "token is required") == 0);
    field.in = (enum ghttp_field_source)6;
    cr_expect(ghttp_request_parse(&r, &field, 1, &found) == -EFAULT);
}
