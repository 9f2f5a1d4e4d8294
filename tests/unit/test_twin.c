/* Twins of requests: what each has, and that neither sees what the other one changes. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <string.h>

#include <gf/gf.h>
#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/message/twin.h>

static struct gf_arena *arena;
static struct ghttp_request r, twin;
static char wire_method[] = "POST", wire_name[] = "X-A", wire_value[] = "sent";
static int outputs;

static void begin(void)
{
    arena = gf_arena_new(1 << 20);
    gf_request_init(&r, arena, 1 << 20);
    r.method = wire_method;
    r.query = "a=query";
    cr_assert(zero(int, gf_fields_add(&r.headers, arena, wire_name, wire_value)));
    cr_assert(zero(int, gf_buffer_append(&r.body, "{\"a\":1}", 7)));
}

static void end(void)
{
    gf_request_finish(&r);
    gf_arena_free(arena);
}

TestSuite(twin, .init = begin, .fini = end);

static void count_output(struct ghttp_request *request, void *arg)
{
    (void)request, (void)arg;
    outputs++;
}

Test(twin, has_all_that_the_request_had)
{
    static int value;

    cr_assert(zero(int, ghttp_request_set_value(&r, "key", &value)));
    cr_assert(zero(int, ghttp_response_set_header(&r, "X-Outer", "1")));
    ghttp_response_write(&r, "before ");
    cr_assert(zero(int, gf_twin_begin(&r, &twin)));
    cr_expect(eq(str, (char *)ghttp_request_query(&twin, "a"), "query"));
    cr_expect(not(zero(ptr, ghttp_request_json(&twin))));
    cr_expect(eq(ptr, ghttp_request_value(&twin, "key"), &value));
    cr_expect(eq(int, ghttp_response_flush(&twin), -ENOTSUP));
    ghttp_response_write(&twin, "after");
    cr_expect(eq(i64, ghttp_request_read(&twin, (char[3]){0}, 3), 3));
    cr_expect(eq(str, twin.response.body.data, "before after"));
    gf_twin_end(&r, &twin);
    cr_expect(eq(str, r.response.body.data, "before after"));
    cr_expect(not(zero(ptr, ghttp_request_json(&r))));
    cr_expect(eq(i64, ghttp_request_read(&r, (char[16]){0}, 16), 4), "it goes on where the twin has ended");
}

Test(twin, does_not_need_the_wire)
{
    cr_assert(zero(int, gf_twin_begin(&r, &twin)));
    memset(wire_method, 'x', strlen(wire_method));
    memset(wire_value, 'x', strlen(wire_value));
    cr_expect(eq(str, (char *)ghttp_request_method(&twin), "POST"));
    cr_expect(eq(str, (char *)ghttp_request_header(&twin, "x-a"), "sent"));
    cr_expect(eq(str, (char *)ghttp_request_method(&r), "xxxx"), "which the engine may look at");
    gf_request_finish(&twin);
}

/* As after a limit, when both have threads of their own. */
Test(twin, and_request_change_nothing_of_each_other)
{
    static int one, two;
    struct gf_arena *other = gf_arena_new(1 << 20);

    cr_assert(zero(int, ghttp_request_set_value(&r, "key", &one)));
    cr_assert(zero(int, ghttp_response_set_header(&r, "X-Outer", "1")));
    cr_assert(zero(int, ghttp_request_set_param(&r, "p", "first")));
    cr_assert(zero(int, gf_request_before_output(&r, count_output, NULL)));
    cr_assert(zero(int, gf_twin_begin(&r, &twin)));
    r.arena = other;
    ghttp_response_set_header(&r, "X-Late", "1");
    ghttp_response_set_header(&twin, "X-Inner", "1");
    ghttp_response_set_header(&twin, "X-Outer", "2");
    ghttp_request_set_value(&twin, "key", &two);
    ghttp_request_set_param(&twin, "p", "second");
    ghttp_response_write(&twin, "lost");
    ghttp_response_write_status(&r, 503);
    cr_expect(eq(str, (char *)gf_fields_find(&r.response.headers, "X-Outer"), "1"));
    cr_expect(zero(ptr, (void *)gf_fields_find(&r.response.headers, "X-Inner")));
    cr_expect(zero(ptr, (void *)gf_fields_find(&twin.response.headers, "X-Late")));
    cr_expect(eq(ptr, ghttp_request_value(&r, "key"), &one));
    cr_expect(eq(str, (char *)ghttp_request_get(&r, "p"), "first"));
    cr_expect(eq(str, r.response.body.data, "Service Unavailable"));
    gf_request_run_before_output(&r);
    cr_expect(zero(int, outputs), "it is the twin's");
    cr_expect(zero(sz, r.body.size));
    cr_expect(zero(ptr, ghttp_request_json(&r)));
    gf_request_finish(&twin);
    gf_request_finish(&r);
    gf_arena_free(other);
    gf_request_init(&r, arena, 0);
}
