#include "head.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "../message/token.h"
#include "exchange.h"
#include "lane.h"
#include "service.h"

/* More headers than any client sends; each costs an entry in the connection's memory. */
#define HEADERS_MAX 100

struct reading {
    struct gf_exchange *exchange;
    const char *next; /* where the next line must stand if the lines so far hide nothing */
    unsigned hosts;
    unsigned lengths;
    unsigned encodings;
    const char *host;
    const char *length;
    const char *encoding;
    const char *expect;
    int status; /* of the refusal; 0 so far */
};

/*
 * libmicrohttpd 0.9.75 reads a header up to a NUL in it, joins folded lines, takes a bare LF for a line's end, and a
 * line that begins with a colon for the end of the head: each hides bytes, or makes a request of them, that another
 * server reads otherwise. As the head is parsed in place, with a 0 for each CR, LF and colon, all of these show as a
 * line that does not begin where the one before ends.
 */
static bool stands_in_line(struct reading *reading, const char *name, size_t name_size, const char *value,
                           size_t value_size)
{
    const char *between = name + name_size + 1;

    if (name != reading->next || between > value)
        return false;
    reading->next = value + value_size + 2;
    return strspn(between, " \t") == (size_t)(value - between);
}

/* Four names matter to where a request ends and where it goes; their lengths tell them apart from most others. */
static void note_framing(struct reading *reading, const char *name, size_t size, const char *value)
{
    if (size == 4 && gf_ascii_equal(name, "Host")) {
        reading->hosts++;
        reading->host = value;
    } else if (size == 14 && gf_ascii_equal(name, "Content-Length")) {
        reading->lengths++;
        reading->length = value;
    } else if (size == 17 && gf_ascii_equal(name, "Transfer-Encoding")) {
        reading->encodings++;
        reading->encoding = value;
    } else if (size == 6 && gf_ascii_equal(name, "Expect")) {
        reading->expect = value;
    }
}

static enum MHD_Result read_header(void *cls, enum MHD_ValueKind kind, const char *name, size_t name_size,
                                   const char *value, size_t value_size)
{
    struct reading *reading = cls;
    struct ghttp_request *r = &reading->exchange->request;

    (void)kind;
    if (!gf_is_token(name, name_size) || !value || !gf_is_field_value(value, value_size) ||
        !stands_in_line(reading, name, name_size, value, value_size))
        return reading->status = 400, MHD_NO;
    if (r->headers.count == HEADERS_MAX)
        return reading->status = 431, MHD_NO;
    while (value_size && (*value == ' ' || *value == '\t'))
        value++, value_size--;
    if (value_size && (value[value_size - 1] == ' ' || value[value_size - 1] == '\t')) {
        while (value_size && (value[value_size - 1] == ' ' || value[value_size - 1] == '\t'))
            value_size--;
        value = gf_arena_strndup(r->arena, value, value_size);
    }
    if (!value || gf_fields_add(&r->headers, r->arena, name, value) < 0)
        return reading->status = 503, MHD_NO;
    note_framing(reading, name, name_size, value);
    return MHD_YES;
}

/* libmicrohttpd 0.9.75 compares the value with its trailing blanks, and takes what it does not know as a body that ends
 * with the connection. */
static bool is_chunked_for_library(const struct reading *reading)
{
    const char *value =
        MHD_lookup_connection_value(reading->exchange->mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_TRANSFER_ENCODING);

    return value && gf_ascii_equal(value, "chunked");
}

/* Where the request ends must have one answer only (RFC 9112, 6.3 and 11.2). */
static int check_framing(const struct reading *reading, bool http_1_1)
{
    const char *length = reading->length;

    if (reading->hosts > 1 || reading->lengths > 1 || reading->encodings > 1)
        return 400;
    if (http_1_1 && !reading->hosts)
        return 400;
    if (reading->encoding && (length || !http_1_1 || !is_chunked_for_library(reading)))
        return 400;
    if (length && (!*length || strspn(length, "0123456789") != strlen(length)))
        return 400;
    if (reading->expect && !gf_ascii_equal(reading->expect, "100-continue"))
        return 417;
    return 0;
}

static size_t head_size(const struct gf_exchange *x)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    return info ? info->header_size : 0;
}

static int check_size(const struct gf_exchange *x)
{
    const struct gf_limits *limits = &x->lane->service->limits;

    if (head_size(x) > limits->header)
        return strlen(x->request.target) > limits->header ? 414 : 431;
    return 0;
}

static uint64_t announced_length(const struct reading *reading)
{
    unsigned long long length;

    if (reading->encoding)
        return GF_LENGTH_UNKNOWN;
    if (!reading->length)
        return 0;
    errno = 0;
    length = strtoull(reading->length, NULL, 10);
    return errno || length == GF_LENGTH_UNKNOWN ? GF_LENGTH_UNKNOWN - 1 : length;
}

/*
 * libmicrohttpd 0.9.75 tolerates blanks and a NUL within the request line. Target and version stand in one
 * buffer with one blank between them; when their distance is not the target's length, there was more.
 */
static bool is_line_clean(const struct gf_exchange *x, const char *method, const char *version)
{
    ptrdiff_t target = x->wire_target - method - 1;
    ptrdiff_t distance = version - x->wire_target - 1;

    return target == (ptrdiff_t)strlen(method) && distance == (ptrdiff_t)strlen(x->request.target);
}

int gf_head_read(struct gf_exchange *x, const char *method, const char *version)
{
    struct reading reading = {.exchange = x, .next = version + strlen(version) + 2};
    struct ghttp_request *r = &x->request;
    bool http_1_1 = strcmp(version, "HTTP/1.0") != 0;
    int status;

    r->method = method;
    if (!gf_is_token(method, strlen(method)) || !is_line_clean(x, method, version))
        return 400;
    MHD_get_connection_values_n(x->mhd, MHD_HEADER_KIND, read_header, &reading);
    if (reading.status)
        return reading.status;
    if (reading.next + 2 != method + head_size(x)) /* the empty line ends it */
        return 400;
    status = check_framing(&reading, http_1_1);
    if (!status)
        status = check_size(x);
    if (status)
        return status;
    x->chunked = reading.encoding != NULL;
    x->announced = announced_length(&reading);
    if (!reading.host || !*reading.host)
        r->host = "";
    else if (gf_host_parse(r->arena, reading.host, strlen(reading.host), &r->host) < 0)
        return 400;
    return 0;
}

int gf_head_keep(struct ghttp_request *r)
{
    const char *method;

    for (size_t i = 0; i < r->headers.count; i++) {
        struct gf_field *field = &r->headers.items[i];

        const char *name = gf_arena_strdup(r->arena, field->name);
        const char *value = gf_arena_strdup(r->arena, field->value);

        if (!name || !value)
            return -ENOMEM;
        *field = (struct gf_field){.name = name, .value = value};
    }
    method = gf_arena_strdup(r->arena, r->method);
    if (!method)
        return -ENOMEM;
    /* A handler that has lost its loop comes here while the loop may be telling what runs (branch.c). */
    __atomic_store_n(&r->method, method, __ATOMIC_RELEASE);
    return 0;
}
