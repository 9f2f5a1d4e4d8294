/* Responses: writing, limits, headers that are refused, whole responses. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/message/status.h>

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

TestSuite(response, .init = begin, .fini = end);

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

Test(response, is_written_piece_by_piece)
{
    cr_expect(ghttp_response_status(&r) == 200 && body_is(""));
    ghttp_response_write(&r, "a");
    ghttp_response_writeln(&r, "哈喽!");
    ghttp_response_writef(&r, "%d|", 5);
    ghttp_response_writefln(&r, "%s", "x");
    ghttp_response_write_bytes(&r, "\0", 1);
    ghttp_response_write(&r, NULL);
    ghttp_response_write(&r, "");
    cr_expect(r.response.body.size == 14 && memcmp(r.response.body.data, "a哈喽!\n5|x\n\0", 14) == 0);
    ghttp_response_set_header(&r, "X-A", "1");
    ghttp_response_clear(&r);
    cr_expect(body_is("") && header_is("X-A", "1"), "the headers stay");
    ghttp_response_set_status(&r, 404);
    gf_response_reset(&r);
    cr_expect(ghttp_response_status(&r) == 200 && header_is("X-A", NULL));
}

Test(response, that_outgrows_its_memory_has_failed)
{
    r.response.body.max = 1000;
    static const char piece[600];
    ghttp_response_write_bytes(&r, piece, sizeof(piece));
    cr_expect(!r.response.failed);
    ghttp_response_write_bytes(&r, piece, sizeof(piece));
    cr_expect(r.response.failed && strstr(r.response.failure, "outgrew"));
    ghttp_response_write(&r, "x");
    ghttp_response_writefln(&r, "x");
    cr_expect(r.response.body.size == 600, "what comes later is ignored");
    gf_response_reset(&r);
    cr_expect(!r.response.failed && r.response.failure == NULL);
}

Test(response, status_is_bounded)
{
    static const int bad[] = {-1, 0, 100, 199, 600, 1000};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        gf_response_reset(&r);
        ghttp_response_set_status(&r, bad[i]);
        cr_expect(r.response.failed && ghttp_response_status(&r) == 200, "%d", bad[i]);
    }
    gf_response_reset(&r);
    ghttp_response_set_status(&r, 599);
    cr_expect(!r.response.failed && ghttp_response_status(&r) == 599);
}

Test(response, headers_are_replaced_and_taken_away)
{
    cr_expect(ghttp_response_set_header(&r, "X-A", "1") == 0);
    cr_expect(ghttp_response_set_header(&r, "X-B", "2") == 0);
    char name[] = "x-a", value[] = "3";
    cr_expect(ghttp_response_set_header(&r, name, value) == 0);
    name[0] = value[0] = '?';
    cr_expect(header_is("X-A", "3") && r.response.headers.count == 2);
    cr_expect(ghttp_response_set_header(&r, "X-a", NULL) == 0);
    cr_expect(header_is("X-A", NULL) && header_is("X-B", "2"));
    cr_expect(ghttp_response_set_header(&r, "X-Empty", "") == 0 && header_is("X-Empty", ""));
    cr_expect(ghttp_response_set_header(&r, "X-Tab", "a\tb é") == 0);
    cr_expect(ghttp_response_set_header(&r, "Connection", "Close") == 0);
}

/* The values of a name, with a bar behind each. */
static const char *values_of(const char *name)
{
    static char text[256];
    text[0] = '\0';
    for (size_t i = 0; i < r.response.headers.count; i++)
        if (strcmp(r.response.headers.items[i].name, name) == 0)
            strcat(strcat(text, r.response.headers.items[i].value), "|");
    return text;
}

Test(response, headers_are_added)
{
    cr_expect(ghttp_response_add_header(&r, "Link", "<a>") == 0);
    cr_expect(ghttp_response_set_header(&r, "X-A", "1") == 0);
    cr_expect(ghttp_response_add_header(&r, "Link", "<b>") == 0);
    cr_expect(ghttp_response_add_header(&r, "Link", "<c>") == 0);
    cr_expect(strcmp(values_of("Link"), "<a>|<b>|<c>|") == 0, "%s", values_of("Link"));
    cr_expect(ghttp_response_set_header(&r, "link", "<d>") == 0, "replaces all");
    cr_expect(r.response.headers.count == 2 && header_is("Link", "<d>") && header_is("X-A", "1"));
    cr_expect(ghttp_response_add_header(&r, "Link", "<e>") == 0);
    cr_expect(ghttp_response_set_header(&r, "Link", NULL) == 0 && r.response.headers.count == 1);
    cr_expect(ghttp_response_add_header(&r, "Vary", "") == 0);
    cr_expect(ghttp_response_add_header(&r, "vary", "Accept") == 0);
    cr_expect(ghttp_response_add_header(&r, "vary", "Origin") == 0);
    cr_expect(strcmp(values_of("vary"), "Accept, Origin|") == 0, "one line: %s", values_of("vary"));
}

/* Who takes a body aside counts on it; a list fits one value. */
Test(response, headers_that_describe_the_body_are_added_once)
{
    cr_expect(ghttp_response_add_header(&r, "Content-Language", "de, en") == 0);
    cr_expect(ghttp_response_add_header(&r, "content-language", "fr") == -EEXIST);
    cr_expect(ghttp_response_add_header(&r, "Trailer", "X-A") == 0);
    cr_expect(ghttp_response_add_header(&r, "Trailer", "X-B") == -EEXIST);
}

Test(response, headers_are_not_added_where_one_is_all)
{
    cr_expect(ghttp_response_add_header(&r, "content-type", "text/html") == 0);
    cr_expect(ghttp_response_add_header(&r, "Content-Type", "text/plain") == -EEXIST);
    cr_expect(header_is("Content-Type", "text/html") && r.response.headers.count == 1);
    cr_expect(ghttp_response_add_header(&r, "X-A", NULL) == -EINVAL);
    cr_expect(ghttp_response_add_header(&r, "X-A", "a\nb") == -EINVAL);
    cr_expect(ghttp_response_add_header(&r, "Content-Length", "1") == -EINVAL);
    cr_expect(ghttp_response_add_header(&r, "Connection", "keep-alive") == -EINVAL);
    for (int i = 1; i < 64; i++)
        cr_assert(ghttp_response_add_header(&r, "X-A", "v") == 0);
    cr_expect(ghttp_response_add_header(&r, "X-A", "v") == -ENOSPC);
    r.response.sent = true;
    cr_expect(ghttp_response_add_header(&r, "X-A", "v") == -EALREADY);
}

Test(response, headers_that_http_does_not_allow)
{
    static const struct {
        const char *name, *value;
    } cases[] = {
        {"", "x"},
        {NULL, "x"},
        {"A B", "x"},
        {"A:", "x"},
        {"A\r\nB", "x"},
        {"É", "x"},
        {"A(", "x"},
        {"A", "x\r\nB: c"},
        {"A", "x\n"},
        {"A", "\r"},
        {"A", "\x01"},
        {"A", "\x7f"},
        {"content-length", "1"},
        {"Transfer-Encoding", "chunked"},
        {"DATE", "now"},
        {"Connection", "keep-alive"},
        {"connection", "close, upgrade"},
        {"Content-Length", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        cr_expect(ghttp_response_set_header(&r, cases[i].name, cases[i].value) == -EINVAL, "case %zu", i);
    cr_expect(r.response.headers.count == 0 && !r.response.failed);
}

Test(response, headers_are_bounded)
{
    for (int i = 0; i < 64; i++)
        cr_assert(ghttp_response_set_header(&r, gf_arena_printf(arena, "X-%d", i), "v") == 0);
    cr_expect(ghttp_response_set_header(&r, "X-64", "v") == -ENOSPC);
    cr_expect(ghttp_response_set_header(&r, "x-5", "w") == 0, "a replacement is none more");
    gf_response_reset(&r);
    static char value[9000];
    memset(value, 'v', sizeof(value) - 1);
    cr_expect(ghttp_response_set_header(&r, "X-A", value) == -E2BIG);
    value[8000] = '\0';
    cr_expect(ghttp_response_set_header(&r, "X-A", value) == 0);
    cr_expect(ghttp_response_set_header(&r, "x-a", value) == 0, "a replacement needs no room beside the old one");
    value[300] = '\0';
    cr_expect(ghttp_response_set_header(&r, "X-B", value) == -E2BIG);
    cr_expect(r.response.headers.count == 1);
}

Test(response, goes_back_to_pages_of_the_same_host_only)
{
    static const struct {
        const char *referer, *location;
    } cases[] = {
        {"http://shop.example:81/cart?item=7", "/cart?item=7"},
        {"https://SHOP.example:81/cart", "/cart"},
        {"http://shop.example:81/", "/"},
        {"http://shop.example:81", "/"},
        {NULL, "/"},
        {"", "/"},
        {"/cart", "/"},
        {"http://shop.example/cart", "/"},
        {"http://shop.example:810/cart", "/"},
        {"http://evil.example/cart", "/"},
        {"http://shop.example:81@evil.example/cart", "/"},
        {"http://shop.example:81.evil.example/cart", "/"},
        {"http://shop.example:81//evil.example/", "/"},
        {"http://shop.example:81/\\evil.example/", "/"},
        {"http://shop.example:81/a\tb", "/"},
        {"javascript://shop.example:81/x", "/"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        end();
        begin();
        gf_fields_add(&r.headers, arena, "Host", "shop.example:81");
        if (cases[i].referer)
            gf_fields_add(&r.headers, arena, "Referer", cases[i].referer);
        ghttp_response_redirect_back(&r, 303);
        cr_expect(header_is("Location", cases[i].location), "%s", cases[i].referer);
        cr_expect(ghttp_response_status(&r) == 303 && !r.response.failed, "%s", cases[i].referer);
    }
}

Test(response, goes_back_nowhere_where_no_host_is_known)
{
    gf_fields_add(&r.headers, arena, "Referer", "http:///cart");
    ghttp_response_redirect_back(&r, 0);
    cr_expect(header_is("Location", "/") && ghttp_response_status(&r) == 302);
}

Test(response, as_json)
{
    struct cJSON *json = cJSON_Parse("{\"a\": [1, \"哈\"]}");
    ghttp_response_write(&r, "before");
    ghttp_response_set_header(&r, "content-type", "text/html");
    ghttp_response_write_json(&r, json);
    cr_expect(body_is("{\"a\":[1,\"哈\"]}") && header_is("Content-Type", "application/json"));
    cJSON_Delete(json);
    ghttp_response_write_json(&r, NULL);
    cr_expect(r.response.failed);
}

Test(response, as_a_status)
{
    ghttp_response_write(&r, "before");
    ghttp_response_write_status(&r, 404);
    cr_expect(ghttp_response_status(&r) == 404 && body_is("Not Found"));
    cr_expect(header_is("Content-Type", "text/plain; charset=utf-8"));
    ghttp_response_write_status(&r, 299);
    cr_expect(ghttp_response_status(&r) == 299 && body_is("299"), "one without a text");
    cr_expect(strcmp(gf_status_text(200), "OK") == 0 &&
              strcmp(gf_status_text(511), "Network Authentication Required") == 0);
    cr_expect(gf_status_text(299) == NULL && gf_status_text(0) == NULL && gf_status_text(-1) == NULL);
}

Test(response, as_a_redirection)
{
    static const int statuses[] = {301, 302, 303, 307, 308};
    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
        ghttp_response_redirect(&r, "/there?x=1", statuses[i]);
        cr_expect(ghttp_response_status(&r) == statuses[i] && header_is("Location", "/there?x=1"));
    }
    ghttp_response_redirect(&r, "http://h/", 0);
    cr_expect(ghttp_response_status(&r) == 302 && header_is("location", "http://h/") && body_is("Found"));

    static char too_long[9000];
    memset(too_long, 'a', sizeof(too_long) - 1);
    const char *const bad[] = {"", NULL, "/a\r\nSet-Cookie: x", "/\x7f", "/\t", too_long};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        gf_response_reset(&r);
        ghttp_response_redirect(&r, bad[i], 302);
        cr_expect(r.response.failed && header_is("Location", NULL), "url %zu", i);
    }
    gf_response_reset(&r);
    ghttp_response_redirect(&r, "/", 200);
    cr_expect(r.response.failed);
}
