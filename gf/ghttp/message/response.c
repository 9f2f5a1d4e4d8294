/*
 * The response that handlers make: status, headers, a body that is collected until the handler ends.
 *
 * What cannot be carried out (memory, a status or a URL that HTTP does not allow) marks the response as failed;
 * what is written later is ignored then, and the client gets a 500 in its place: never half an answer.
 * Thread: the request's own.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "ascii.h"
#include "body_headers.h"
#include "request.h"
#include "status.h"
#include "token.h"

/* An answer's head must fit libmicrohttpd's pool of 32 KiB for a connection, beside the request's, else the
 * connection would be dropped without an answer. */
#define HEADERS_MAX 64
#define HEADER_BYTES_MAX ((size_t)8192)
/* ": " and the line's end. */
#define HEADER_OVERHEAD ((size_t)4)
/* Memory that a body may keep when its content is forgotten. */
#define BODY_KEEP ((size_t)65536)

#define PLAIN_TEXT "text/plain; charset=utf-8"

static void drop_file(struct ghttp_request *r)
{
    if (r->response.file_fd >= 0)
        close(r->response.file_fd);
    r->response.file_fd = -1;
    r->response.file_bytes = NULL;
}

bool gf_response_has_file(const struct ghttp_request *r)
{
    return r->response.file_fd >= 0 || r->response.file_bytes;
}

bool gf_response_is_settled(const struct ghttp_request *r)
{
    return r->response.sent || r->response.final;
}

void gf_response_set_file(struct ghttp_request *r, int fd, off_t offset, off_t size)
{
    if (r->response.final) {
        close(fd);
        return;
    }
    gf_buffer_reset(&r->response.body, BODY_KEEP);
    drop_file(r);
    r->response.answered = true;
    r->response.file_fd = fd;
    r->response.file_offset = offset;
    r->response.file_size = size;
}

void gf_response_set_file_bytes(struct ghttp_request *r, const void *bytes, off_t size)
{
    if (r->response.final)
        return;
    gf_buffer_reset(&r->response.body, BODY_KEEP);
    drop_file(r);
    r->response.answered = true;
    r->response.file_bytes = bytes;
    r->response.file_offset = 0;
    r->response.file_size = size;
}

void gf_response_reset(struct ghttp_request *r)
{
    r->response.status = 200;
    r->response.headers.count = 0;
    r->response.failed = false;
    r->response.final = false;
    r->response.answered = r->response.has_headers = false;
    r->response.failure = r->response.failure_file = r->response.failure_function = NULL;
    gf_buffer_reset(&r->response.body, BODY_KEEP);
    drop_file(r);
}

/* Whether a header speaks of the body, or of what comes of a response that there is no more: where to go, how long to
 * keep it. */
static bool goes_with_body(const char *name)
{
    static const char *const names[] = {"Cache-Control", "Expires", "Location", "Refresh"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (gf_ascii_equal(name, names[i]))
            return true;
    return gf_body_headers_have(name);
}

void gf_response_take_back(struct ghttp_request *r)
{
    struct gf_fields *headers = &r->response.headers;
    const char *failure = r->response.failure;
    size_t kept = 0;

    for (size_t i = 0; i < headers->count; i++)
        if (!goes_with_body(headers->items[i].name))
            headers->items[kept++] = headers->items[i];
    gf_response_reset(r);
    headers->count = kept;
    r->response.failure = failure;
}

/* Neither failed nor final. */
static bool can_write(const ghttp_request *r)
{
    return !r->response.failed && !r->response.final;
}

/* The first reason stays. */
static void fail(ghttp_request *r, const char *reason)
{
    if (!can_write(r))
        return;
    r->response.failed = true;
    r->response.failure = reason;
}

void ghttp_response_fail_at(ghttp_request *r, const char *reason, const char *file, int line, const char *function)
{
    const char *copy = reason ? gf_arena_strdup(r->arena, reason) : NULL;
    if (!can_write(r))
        return;
    fail(r, copy ? copy : "the handler gave no reason");
    r->response.failure_file = file;
    r->response.failure_line = line;
    r->response.failure_function = function;
}

void(ghttp_response_fail)(ghttp_request *r, const char *reason)
{
    ghttp_response_fail_at(r, reason, NULL, 0, NULL);
}

static void check_body(ghttp_request *r, int error)
{
    if (error == -EMSGSIZE)
        fail(r, "the body outgrew the memory that a response may take");
    else if (error == -EINVAL)
        fail(r, "the format could not be printed");
    else if (error)
        fail(r, "out of memory");
}

/* ---- the body --------------------------------------------------------------------------------- */

void ghttp_response_write_bytes(ghttp_request *r, const void *data, size_t size)
{
    r->response.answered = true;
    if (can_write(r) && size > 0)
        check_body(r, gf_buffer_append(&r->response.body, data, size));
}

void ghttp_response_write(ghttp_request *r, const char *text)
{
    ghttp_response_write_bytes(r, text, text ? strlen(text) : 0);
}

void ghttp_response_writeln(ghttp_request *r, const char *text)
{
    ghttp_response_write(r, text);
    ghttp_response_write_bytes(r, "\n", 1);
}

__attribute__((format(printf, 2, 0))) static void write_formatted(ghttp_request *r, const char *format,
                                                                  va_list arguments)
{
    r->response.answered = true;
    if (can_write(r))
        check_body(r, gf_buffer_vprintf(&r->response.body, format, arguments));
}

void ghttp_response_writef(ghttp_request *r, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_formatted(r, format, arguments);
    va_end(arguments);
}

void ghttp_response_writefln(ghttp_request *r, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_formatted(r, format, arguments);
    va_end(arguments);
    ghttp_response_write_bytes(r, "\n", 1);
}

void ghttp_response_clear(ghttp_request *r)
{
    if (r->response.final)
        return;
    gf_buffer_reset(&r->response.body, BODY_KEEP);
    drop_file(r);
}

/* ---- the head --------------------------------------------------------------------------------- */

void ghttp_response_set_status(ghttp_request *r, int status)
{
    if (gf_response_is_settled(r))
        return;
    r->response.answered = true;
    if (status >= 200 && status <= 599)
        r->response.status = status;
    else
        fail(r, "the handler set a status outside 200..599");
}

int ghttp_response_status(const ghttp_request *r)
{
    return r->response.status;
}

static bool has_control(const char *text)
{
    for (; *text; text++)
        if (gf_ascii_is_control(*text))
            return true;
    return false;
}

/* Whether the library sets this header itself, or must refuse this value of it: a framing that differs from the
 * body's would let one answer be read as two. */
static bool is_reserved(const char *name, const char *value)
{
    if (gf_ascii_equal(name, "Content-Length") || gf_ascii_equal(name, "Transfer-Encoding") ||
        gf_ascii_equal(name, "Date"))
        return true;
    return value && gf_ascii_equal(name, "Connection") && !gf_ascii_equal(value, "close");
}

static struct gf_field *find_header(ghttp_request *r, const char *name)
{
    struct gf_fields *headers = &r->response.headers;
    for (size_t i = 0; i < headers->count; i++)
        if (gf_ascii_equal(headers->items[i].name, name))
            return &headers->items[i];
    return NULL;
}

/* Whether this header fits beside the others. */
static int check_limits(const ghttp_request *r, const struct gf_field *replaced, size_t name_size, size_t value_size)
{
    const struct gf_fields *headers = &r->response.headers;
    if (name_size > HEADER_BYTES_MAX || value_size > HEADER_BYTES_MAX)
        return -E2BIG;
    size_t total = name_size + value_size + HEADER_OVERHEAD;
    for (size_t i = 0; i < headers->count; i++)
        if (&headers->items[i] != replaced)
            total += strlen(headers->items[i].name) + strlen(headers->items[i].value) + HEADER_OVERHEAD;
    if (total > HEADER_BYTES_MAX)
        return -E2BIG;
    return !replaced && headers->count >= HEADERS_MAX ? -ENOSPC : 0;
}

int gf_response_put_header(struct ghttp_request *r, struct gf_field *replaced, const char *name, const char *value)
{
    if (!gf_is_field_value(value, strlen(value)))
        return -EINVAL;
    int error = check_limits(r, replaced, strlen(name), strlen(value));
    if (error)
        return error;
    const char *value_copy = gf_arena_strdup(r->arena, value);
    const char *name_copy = gf_arena_strdup(r->arena, name);
    if (!value_copy || !name_copy)
        return -ENOMEM;
    r->response.has_headers = true;
    if (!replaced)
        return gf_fields_add(&r->response.headers, r->arena, name_copy, value_copy);
    *replaced = (struct gf_field){.name = name_copy, .value = value_copy};
    return 0;
}

/* Leaves the first of a name, which has been replaced. */
static void drop_others(struct gf_fields *headers, const struct gf_field *first)
{
    size_t kept = (size_t)(first - headers->items) + 1;
    for (size_t i = kept; i < headers->count; i++)
        if (!gf_ascii_equal(headers->items[i].name, first->name))
            headers->items[kept++] = headers->items[i];
    headers->count = kept;
}

static int check_header(const ghttp_request *r, const char *name, const char *value)
{
    if (gf_response_is_settled(r))
        return -EALREADY;
    return name && gf_is_token(name, strlen(name)) && !is_reserved(name, value) ? 0 : -EINVAL;
}

int ghttp_response_set_header(ghttp_request *r, const char *name, const char *value)
{
    int error = check_header(r, name, value);
    if (error)
        return error;
    if (!value) {
        gf_fields_remove(&r->response.headers, name);
        return 0;
    }
    struct gf_field *old = find_header(r, name);
    error = gf_response_put_header(r, old, name, value);
    if (!error && old)
        drop_others(&r->response.headers, old);
    return error;
}

/* Whether an answer may have one header of this name only: a second one would be read in one way by a cache and in
 * another by a browser. */
static bool is_single(const char *name)
{
    static const char *const names[] = {"Location",
                                        "Expires",
                                        "Age",
                                        "Retry-After",
                                        "Connection",
                                        "Server",
                                        "Strict-Transport-Security",
                                        "X-Content-Type-Options",
                                        "Access-Control-Allow-Origin",
                                        "Access-Control-Allow-Credentials",
                                        "Access-Control-Max-Age"};

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (gf_ascii_equal(name, names[i]))
            return true;
    return gf_body_headers_have(name); /* which those who take the body aside rely on; lists fit one value */
}

int ghttp_response_add_header(ghttp_request *r, const char *name, const char *value)
{
    int error = value ? check_header(r, name, value) : -EINVAL;
    if (error)
        return error;
    struct gf_field *old = find_header(r, name);
    if (old && is_single(name))
        return -EEXIST;
    if (!old || !gf_ascii_equal(name, "Vary"))
        return gf_response_put_header(r, NULL, name, value);
    /* in one line, since all that looks whether a word is in it looks there */
    const char *list = *old->value ? gf_arena_printf(r->arena, "%s, %s", old->value, value) : value;
    return list ? gf_response_put_header(r, old, name, list) : -ENOMEM;
}

/* Without the checks of ghttp_response_set_header(): it is done for most answers. */
int gf_response_default_type(ghttp_request *r)
{
    if (r->response.headers.count >= HEADERS_MAX)
        return -ENOSPC;
    return gf_fields_add(&r->response.headers, r->arena, "Content-Type", PLAIN_TEXT);
}

/* ---- whole responses -------------------------------------------------------------------------- */

static void set_content_type(ghttp_request *r, const char *type)
{
    if (!r->response.final && ghttp_response_set_header(r, "Content-Type", type) != 0)
        fail(r, "the headers outgrew their memory");
}

void ghttp_response_write_json(ghttp_request *r, const struct cJSON *json)
{
    char *text = json ? cJSON_PrintUnformatted(json) : NULL;
    if (!text) {
        fail(r, json ? "the JSON could not be printed" : "the handler wrote JSON that is NULL");
        return;
    }
    ghttp_response_clear(r);
    set_content_type(r, "application/json");
    ghttp_response_write(r, text);
    cJSON_free(text);
}

void ghttp_response_write_status(ghttp_request *r, int status)
{
    const char *text = gf_status_text(status);
    ghttp_response_set_status(r, status);
    ghttp_response_clear(r);
    set_content_type(r, PLAIN_TEXT);
    if (text)
        ghttp_response_write(r, text);
    else
        ghttp_response_writef(r, "%d", status);
}

static bool is_redirection(int status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

void ghttp_response_redirect(ghttp_request *r, const char *url, int status)
{
    if (status == 0)
        status = 302;
    if (!is_redirection(status)) {
        fail(r, "the handler redirected with a status that is none for it");
        return;
    }
    if (!url || *url == '\0' || has_control(url)) {
        fail(r, "the handler redirected to a URL that is empty or has control characters");
        return;
    }
    int error = ghttp_response_set_header(r, "Location", url);
    if (error) {
        fail(r, error == -EALREADY ? "the handler redirected when the head of its response had been sent"
                                   : "the handler redirected to a URL that is too long");
        return;
    }
    ghttp_response_write_status(r, status);
}

/* ---- sending early ---------------------------------------------------------------------------- */

int ghttp_response_flush(ghttp_request *r)
{
    if (r->response.failed)
        return -EIO;
    if (r->response.final)
        return -EALREADY;
    r->response.answered = true;
    if (gf_response_has_file(r)) /* it is sent when the handler has ended */
        return 0;
    if (!r->transport)
        return -ENOTSUP;
    if (!r->response.sent)
        gf_request_run_before_output(r);
    return r->transport->flush(r);
}
