/* Responses as middleware, hooks and handlers of statuses find them: read, taken over, put into a shape of one's own.
 */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <gf/gf.h>
#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/server/server.h>

static struct ghttp_request r;
static struct gf_arena *arena;
static ghttp_server *s;
static char logged[2048];
static int lines;

static void keep_line(enum glog_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    snprintf(logged, sizeof(logged), "%s", line);
    lines++;
}

static void begin(void)
{
    arena = gf_arena_new(16 << 20);
    gf_request_init(&r, arena, 1 << 20);
    s = g_server("so_far");
    glog_set_writer(keep_line, NULL);
}

static void end(void)
{
    gf_request_finish(&r);
    gf_arena_free(arena);
}

TestSuite(response_so_far, .init = begin, .fini = end);

static void run(ghttp_handler *middleware, ghttp_handler *handler)
{
    if (middleware)
        cr_assert(zero(int, ghttp_server_use(s, middleware)));
    cr_assert(zero(int, ghttp_server_bind(s, "/", handler)));
    r.method = "GET";
    r.target = "/";
    r.host = "localhost";
    cr_assert(gf_chain_prepare(&s->chain, &r) != NULL);
    gf_chain_run(&s->chain, &r);
}

static char *body(void)
{
    static char nothing[] = "";

    return r.response.body.size ? r.response.body.data : nothing;
}

/* ---- body and headers ---- */

Test(response_so_far, has_a_body_while_it_is_collected)
{
    size_t size = 9;

    cr_expect(eq(str, (char *)ghttp_response_body(&r, &size), ""));
    cr_expect(eq(sz, size, 0));
    ghttp_response_write_bytes(&r, "a\0b", 3);
    cr_expect(zero(int, memcmp(ghttp_response_body(&r, &size), "a\0b", 3)));
    cr_expect(eq(sz, size, 3));
    cr_expect(not(zero(ptr, (void *)ghttp_response_body(&r, NULL))));
    ghttp_response_clear(&r);
    cr_expect(eq(str, (char *)ghttp_response_body(&r, &size), ""), "not what was written before");
    cr_expect(eq(sz, size, 0));
}

Test(response_so_far, has_no_body_where_it_is_elsewhere)
{
    size_t size = 9;

    gf_response_set_file_bytes(&r, "file", 4);
    cr_expect(zero(ptr, (void *)ghttp_response_body(&r, &size)));
    cr_expect(eq(sz, size, 0));
    gf_response_reset(&r);
    ghttp_response_write(&r, "x");
    r.response.sent = true;
    cr_expect(zero(ptr, (void *)ghttp_response_body(&r, &size)));
    r.response.sent = false;
    ghttp_response_fail(&r, "why");
    cr_expect(zero(ptr, (void *)ghttp_response_body(&r, &size)));
}

static bool join(const char *name, const char *value, void *arg)
{
    char *text = arg;

    snprintf(text + strlen(text), 256 - strlen(text), "%s=%s;", name, value);
    return strcmp(name, "X-Last") != 0;
}

Test(response_so_far, has_headers)
{
    char text[256] = "";

    cr_expect(zero(ptr, (void *)ghttp_response_header(&r, "X-A")));
    cr_expect(zero(ptr, (void *)ghttp_response_header(&r, NULL)));
    cr_expect(zero(sz, ghttp_response_each_header(&r, join, text)));
    ghttp_response_set_header(&r, "X-A", "1");
    ghttp_response_set_header(&r, "X-Last", "2");
    ghttp_response_set_header(&r, "X-C", "3");
    cr_expect(eq(str, (char *)ghttp_response_header(&r, "x-a"), "1"));
    cr_expect(eq(sz, ghttp_response_each_header(&r, join, text), 2), "false ends it");
    cr_expect(eq(str, text, "X-A=1;X-Last=2;"));
    cr_expect(zero(sz, ghttp_response_each_header(&r, NULL, NULL)));
}

/* ---- a shape of one's own ---- */

static void give_data(ghttp_request *request)
{
    ghttp_response_set_data(request, cJSON_CreateString("value"));
}

static void give_error(ghttp_request *request)
{
    ghttp_response_set_error(request, 7, "no such user");
    ghttp_response_set_status(request, 404);
}

static void shape(ghttp_request *request)
{
    const char *message = "fine";
    int code = 0;

    ghttp_request_next(request);
    if (ghttp_response_error(request, &code, &message) == -ENOENT)
        ghttp_response_writef(request, "[%s]", cJSON_GetStringValue(ghttp_response_data(request)));
    else
        ghttp_response_writef(request, "%d %s", code, message);
}

Test(response_so_far, has_data)
{
    run(shape, give_data);
    cr_expect(eq(str, body(), "[value]"));
}

Test(response_so_far, has_an_error)
{
    run(shape, give_error);
    cr_expect(eq(str, body(), "7 no such user"));
    cr_expect(zero(ptr, ghttp_response_data(&r)));
}

/* ---- failures ---- */

static void fail(ghttp_request *request)
{
    ghttp_response_set_header(request, "ETag", "\"of the old body\"");
    ghttp_response_set_header(request, "X-Kept", "1");
    ghttp_response_write(request, "half");
    ghttp_response_fail(request, "the disk is full");
}

static void take_over(ghttp_request *request)
{
    ghttp_request_next(request);
    if (!ghttp_response_failure(request))
        return;
    cr_expect(zero(int, ghttp_response_recover(request)));
    cr_expect(eq(int, ghttp_response_recover(request), -ENOENT), "there is one failure only");
    ghttp_response_writef(request, "sorry, %d", ghttp_response_status(request));
}

Test(response_so_far, can_be_taken_over_when_it_has_failed)
{
    run(take_over, fail);
    cr_expect(eq(str, body(), "sorry, 500"));
    cr_expect(eq(str, (char *)ghttp_response_header(&r, "X-Kept"), "1"));
    cr_expect(zero(ptr, (void *)ghttp_response_header(&r, "ETag")));
    cr_expect(eq(str, (char *)ghttp_response_failure(&r), "the disk is full"));
    cr_expect(not(zero(ptr, strstr(logged, "the response to GET / failed: the disk is full"))), "%s", logged);
    cr_expect(eq(int, lines, 1));
}

static void tell_failure(ghttp_request *request)
{
    ghttp_response_writef(request, "because %s", ghttp_response_failure(request));
}

Test(response_so_far, tells_handlers_of_statuses_why_it_failed)
{
    cr_assert(zero(int, ghttp_server_bind_status(s, 500, tell_failure)));
    run(NULL, fail);
    cr_expect(eq(str, body(), "because the disk is full"));
    cr_expect(eq(int, lines, 1));
}

static void hello(ghttp_request *request)
{
    ghttp_response_write(request, "hello");
    cr_expect(eq(int, ghttp_response_recover(request), -ENOENT));
    cr_expect(zero(ptr, (void *)ghttp_response_failure(request)));
}

Test(response_so_far, is_not_taken_over_without_a_failure)
{
    run(NULL, hello);
    cr_expect(eq(str, body(), "hello"));
    ghttp_response_fail(&r, "late");
    r.response.sent = true;
    cr_expect(eq(int, ghttp_response_recover(&r), -EALREADY));
}

/* Where there are no stages at all, a handler may. */
static void fail_and_recover(ghttp_request *request)
{
    ghttp_response_fail(request, "first");
    ghttp_response_recover(request);
    ghttp_response_write(request, "second");
}

Test(response_so_far, may_be_taken_over_by_its_handler)
{
    run(NULL, fail_and_recover);
    cr_expect(eq(int, ghttp_response_status(&r), 500));
    cr_expect(eq(str, body(), "second"));
    cr_expect(not(zero(ptr, strstr(logged, "failed: first"))), "%s", logged);
}
