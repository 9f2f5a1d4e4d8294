/* Forms that are read while they come in: whatever the pieces, the parts are those of the form as a whole. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/multipart.h>
#include <gf/ghttp/message/request.h>

#define TYPE "multipart/form-data; boundary=xYz"

struct source {
    struct ghttp_request request;
    const char *data;
    size_t size, piece;
    int error; /* what comes behind the data; 0: the end */
};

struct text {
    char bytes[200000];
    size_t size;
    int stop_at; /* the call that fails; 0: none */
    int calls;
};

static struct source source;
static struct text seen, expected;

static void add(struct text *text, const void *data, size_t size)
{
    cr_assert(text->size + size < sizeof(text->bytes));
    memcpy(text->bytes + text->size, data, size);
    text->size += size;
}

static void add_head(struct text *text, const char *name, const char *filename, const char *type)
{
    char head[1000];
    int size = snprintf(head, sizeof(head), "[%s|%s|%s]", name, filename ? filename : "-", type ? type : "-");
    add(text, head, (size_t)size);
}

static ssize_t read_source(struct ghttp_request *r, void *data, size_t size)
{
    struct source *from = (struct source *)r;
    size_t count = from->size < size ? from->size : size;
    if (count > from->piece)
        count = from->piece;
    if (from->size == 0)
        return from->error;
    memcpy(data, from->data, count);
    from->data += count;
    from->size -= count;
    return (ssize_t)count;
}

static int call(void)
{
    return ++seen.calls == seen.stop_at ? -ECANCELED : 0;
}

static int begin(ghttp_request *r, const struct ghttp_part *part, void *arg)
{
    cr_assert(r == &source.request && arg == &seen);
    add_head(&seen, part->name, part->raw_filename, part->type);
    return call();
}

static int data(ghttp_request *r, const void *bytes, size_t size, void *arg)
{
    cr_assert(r == &source.request && arg == &seen && size > 0);
    add(&seen, bytes, size);
    return call();
}

static int end(ghttp_request *r, void *arg)
{
    cr_assert(r == &source.request && arg == &seen);
    add(&seen, ".", 1);
    return call();
}

static const struct ghttp_multipart_callbacks callbacks = {begin, data, end};
static const struct gf_transport transport = {.read = read_source};

static void set_up(const char *type)
{
    source = (struct source){.piece = 1};
    gf_request_init(&source.request, gf_arena_new((size_t)64 << 20), 0);
    source.request.transport = &transport;
    source.request.streamed = true;
    gf_fields_add(&source.request.headers, source.request.arena, "Content-Type", type);
    seen = (struct text){.size = 0};
}

static void tear_down(void)
{
    gf_request_finish(&source.request);
    gf_arena_free(source.request.arena);
}

static int read_form(const char *bytes, size_t size, size_t piece)
{
    source.data = bytes;
    source.size = size;
    source.piece = piece;
    return ghttp_request_read_multipart(&source.request, &callbacks, &seen);
}

/* What multipart.c makes of it. */
static int parse_whole(const char *bytes, size_t size)
{
    struct gf_arena *arena = gf_arena_new((size_t)64 << 20);
    struct gf_multipart form = {.count = 0};
    int error = gf_multipart_parse(arena, TYPE, bytes, size, &form);
    expected.size = 0;
    for (size_t i = 0; i < form.count; i++) {
        const char *filename = form.parts[i].filename;
        add_head(&expected, form.parts[i].name, filename && *filename ? filename : NULL, form.parts[i].type);
        add(&expected, form.parts[i].data, form.parts[i].size);
        add(&expected, ".", 1);
    }
    gf_arena_free(arena);
    return error;
}

static void expect_same(const char *bytes, size_t size, size_t piece)
{
    int whole = parse_whole(bytes, size);
    set_up(TYPE);
    int streamed = read_form(bytes, size, piece);
    cr_expect(streamed == whole, "%d, not %d, in pieces of %zu: %.*s", streamed, whole, piece, (int)size, bytes);
    if (!whole)
        cr_expect(seen.size == expected.size && memcmp(seen.bytes, expected.bytes, seen.size) == 0,
                  "in pieces of %zu: %.*s", piece, (int)size, bytes);
    tear_down();
}

static const char form[] = "before it\r\n--xYz\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n1\r\n--xY \r\n-\r\n"
                           "--xYz \t\r\nContent-Disposition: form-data; name=f; filename=\"../x y.png\"\r\n"
                           "Content-Type: image/png\r\n\r\n\r\n\r\n--xY\r\n--xYz\r\n"
                           "Content-Disposition: form-data; name=e; filename=\"\"\r\n\r\n\r\n--xYz--\r\nbehind it";

Test(multipart_stream, any_pieces_give_the_same_parts)
{
    for (size_t piece = 1; piece <= sizeof(form); piece++)
        expect_same(form, sizeof(form) - 1, piece);
}

Test(multipart_stream, a_form_cut_anywhere_is_judged_as_a_whole_one)
{
    for (size_t size = 0; size < sizeof(form); size++) {
        expect_same(form, size, 1);
        expect_same(form, size, 1000);
    }
}

Test(multipart_stream, a_form_broken_anywhere_is_judged_as_a_whole_one)
{
    static const char breakers[] = {'\r', '\n', '-', 'x', ' ', '"', ':', '\0', '\xff'};
    char broken[sizeof(form)];
    for (size_t i = 0; i < sizeof(form) - 1; i++) {
        for (size_t n = 0; n < sizeof(breakers); n++) {
            memcpy(broken, form, sizeof(form));
            broken[i] = breakers[n];
            expect_same(broken, sizeof(form) - 1, 1 + (i + n) % 7);
        }
    }
}

/* Longer than the window, with what might be a delimiter at each of its places. */
Test(multipart_stream, long_parts_come_through_whole)
{
    static const char head[] = "--xYz\r\nContent-Disposition: form-data; name=f; filename=f\r\n\r\n";
    static const char tail[] = "\r\n--xYz--";
    static const size_t pieces[] = {1, 13, 65535, 65536, 65537, 1000000};
    size_t long_size = 150000, size = 0;
    char *bytes = malloc(long_size + sizeof(head) + sizeof(tail));
    memcpy(bytes, head, sizeof(head) - 1);
    size += sizeof(head) - 1;
    for (size_t i = 0; i < long_size; i++)
        bytes[size++] = "\r\n--xY\r\n--xy--xYz\r\r\n-"[i % 21];
    memcpy(bytes + size, tail, sizeof(tail) - 1);
    size += sizeof(tail) - 1;
    for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++)
        expect_same(bytes, size, pieces[i]);
    free(bytes);
}

Test(multipart_stream, headers_without_end_are_refused)
{
    size_t size = 100000;
    char *bytes = malloc(size);
    memset(bytes, 'a', size);
    memcpy(bytes, "--xYz\r\n", 7);
    set_up(TYPE);
    cr_expect(read_form(bytes, size, 100) == -E2BIG);
    tear_down();
    memset(bytes + 5, ' ', size - 5); /* a delimiter's padding has no end */
    set_up(TYPE);
    cr_expect(read_form(bytes, size, 100) == -EINVAL);
    tear_down();
    free(bytes);
}

Test(multipart_stream, what_is_no_form_is_refused)
{
    static const char *const types[] = {"text/plain", "multipart/form-data",
                                        "multipart/form-data; boundary=", "multipart/mixed; boundary=xYz"};
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        set_up(types[i]);
        cr_expect(read_form(form, sizeof(form) - 1, 100) == -EINVAL, "%s", types[i]);
        cr_expect(seen.calls == 0);
        tear_down();
    }
}

Test(multipart_stream, too_many_parts_are_refused)
{
    static const char part[] = "--xYz\r\nContent-Disposition: form-data; name=f\r\n\r\n1\r\n";
    char *bytes = malloc(1001 * sizeof(part) + 100);
    for (int count = 1000; count <= 1001; count++) {
        size_t size = 0;
        for (int i = 0; i < count; i++, size += sizeof(part) - 1)
            memcpy(bytes + size, part, sizeof(part) - 1);
        memcpy(bytes + size, "--xYz--", 7);
        set_up(TYPE);
        cr_expect(read_form(bytes, size + 7, 4096) == (count == 1000 ? 0 : -E2BIG));
        tear_down();
    }
    free(bytes);
}

Test(multipart_stream, a_callback_ends_it_and_errors_of_reading_come_through)
{
    for (int i = 1; i <= 6; i++) {
        set_up(TYPE);
        seen.stop_at = i;
        cr_expect(read_form(form, sizeof(form) - 1, 100) == -ECANCELED);
        cr_expect(seen.calls == i);
        tear_down();
    }
    set_up(TYPE);
    source.error = -ETIMEDOUT;
    cr_expect(read_form(form, sizeof(form) - 50, 3) == -ETIMEDOUT);
    cr_expect(source.request.response.status == 408);
    tear_down();
}

Test(multipart_stream, collected_bodies_are_read_too)
{
    char piece[7];
    set_up(TYPE);
    source.request.streamed = false;
    gf_buffer_init(&source.request.body, 100);
    cr_expect(ghttp_request_read(&source.request, piece, sizeof(piece)) == 0);
    gf_buffer_append(&source.request.body, "0123456789", 10);
    cr_expect(ghttp_request_read(&source.request, NULL, 3) == -EINVAL);
    cr_expect(ghttp_request_read(&source.request, piece, sizeof(piece)) == 7 && !memcmp(piece, "0123456", 7));
    cr_expect(ghttp_request_read(&source.request, piece, sizeof(piece)) == 3 && !memcmp(piece, "789", 3));
    cr_expect(ghttp_request_read(&source.request, piece, sizeof(piece)) == 0);
    tear_down();
}
