/*
 * Parameters: the names and values in the query, in a body (a form of either kind, or a JSON object), in the path, and
 * those that the program sets; parsed when they are first asked for.
 *
 * A query or a body counts as bad as a whole when its encoding is broken, holds a NUL, or when it has more parameters
 * than GF_PARAMETERS_MAX: then the request is marked (query_bad, form_bad) and no value of it is given out, since half
 * a form is worse than none.
 * Thread: the request's own.
 */
#include <errno.h>
#include <string.h>

#include "arena.h"
#include "convert.h"
#include "header_value.h"
#include "json_members.h"
#include "request.h"
#include "uploads.h"

/* More than any form has, and few enough that walking the list for each lookup does no harm. */
#define GF_PARAMETERS_MAX 1000

static int add_pair(struct gf_fields *fields, struct gf_arena *arena, const char *pair, size_t size)
{
    const char *equals = memchr(pair, '=', size);
    size_t name_size = equals ? (size_t)(equals - pair) : size;
    const char *value_text = equals ? equals + 1 : pair + size;
    const char *name = gf_percent_decode(arena, pair, name_size, true);
    if (!name)
        return -errno;
    const char *value = gf_percent_decode(arena, value_text, (size_t)(pair + size - value_text), true);
    if (!value)
        return -errno;
    return gf_fields_add(fields, arena, name, value);
}

/* "a=1&b=2" into fields; empty pairs are skipped. 0, -EINVAL, -E2BIG, -ENOMEM. */
static int parse_pairs(struct gf_fields *fields, struct gf_arena *arena, const char *text, size_t size)
{
    const char *end = text + size;
    while (text < end) {
        const char *ampersand = memchr(text, '&', (size_t)(end - text));
        const char *pair_end = ampersand ? ampersand : end;
        if (pair_end > text) {
            if (fields->count == GF_PARAMETERS_MAX)
                return -E2BIG;
            int error = add_pair(fields, arena, text, (size_t)(pair_end - text));
            if (error)
                return error;
        }
        text = ampersand ? ampersand + 1 : end;
    }
    return 0;
}

const char *ghttp_request_query(ghttp_request *r, const char *name)
{
    if (!r->query_parsed) {
        r->query_parsed = true;
        r->query_bad = parse_pairs(&r->query_fields, r->arena, r->query, strlen(r->query)) != 0;
        if (r->query_bad)
            r->query_fields.count = 0;
    }
    return name ? gf_fields_last(&r->query_fields, name) : NULL;
}

static int parse_body(ghttp_request *r)
{
    const char *type = gf_fields_find(&r->headers, "Content-Type");
    if (r->streamed) /* it is the handler's to read */
        return 0;
    if (gf_header_value_is(type, "multipart/form-data"))
        return gf_uploads_parse(r, type);
    if (r->body.size == 0)
        return 0;
    if (gf_header_value_is(type, "application/x-www-form-urlencoded"))
        return parse_pairs(&r->form_fields, r->arena, r->body.data, r->body.size);
    if (gf_header_value_is(type, "application/json"))
        return gf_json_members_parse(r);
    return 0;
}

void gf_request_parse_body(struct ghttp_request *r)
{
    if (r->form_parsed)
        return;
    r->form_parsed = true;
    r->form_bad = parse_body(r) != 0;
    if (!r->form_bad)
        return;
    r->form_fields.count = 0;
    r->upload_count = 0;
    r->members = NULL;
}

bool ghttp_request_is_malformed(ghttp_request *r)
{
    ghttp_request_query(r, NULL);
    gf_request_parse_body(r);
    return r->query_bad || r->form_bad;
}

const char *ghttp_request_form(ghttp_request *r, const char *name)
{
    gf_request_parse_body(r);
    return name ? gf_fields_last(&r->form_fields, name) : NULL;
}

const char *ghttp_request_router(ghttp_request *r, const char *name)
{
    return name ? gf_fields_last(&r->router_fields, name) : NULL;
}

int ghttp_request_set_param(ghttp_request *r, const char *name, const char *value)
{
    if (!name)
        return -EINVAL;
    const char *copy = value ? gf_arena_strdup(r->arena, value) : NULL;
    if (value && !copy)
        return -ENOMEM;
    for (size_t i = 0; i < r->custom_fields.count; i++) {
        if (strcmp(r->custom_fields.items[i].name, name) == 0) {
            r->custom_fields.items[i].value = copy;
            return 0;
        }
    }
    if (!value)
        return 0;
    const char *name_copy = gf_arena_strdup(r->arena, name);
    return name_copy ? gf_fields_add(&r->custom_fields, r->arena, name_copy, copy) : -ENOMEM;
}

/* ---- whichever has the higher rank -------------------------------------------------------------- */

const char *ghttp_request_get(ghttp_request *r, const char *name)
{
    if (!name)
        return NULL;
    const char *value = gf_fields_last(&r->custom_fields, name);
    if (!value)
        value = ghttp_request_form(r, name);
    if (!value)
        value = gf_json_members_get(r, name);
    if (!value)
        value = ghttp_request_query(r, name);
    if (!value)
        value = ghttp_request_router(r, name);
    return value;
}

long ghttp_request_get_int(ghttp_request *r, const char *name, long fallback)
{
    const char *text = ghttp_request_get(r, name);
    long number;
    return text && gf_convert_long(text, &number) ? number : fallback;
}

double ghttp_request_get_double(ghttp_request *r, const char *name, double fallback)
{
    const char *text = ghttp_request_get(r, name);
    double number;
    return text && gf_convert_double(text, &number) ? number : fallback;
}

bool ghttp_request_get_bool(ghttp_request *r, const char *name, bool fallback)
{
    const char *text = ghttp_request_get(r, name);
    bool truth;
    return text && gf_convert_bool(text, &truth) ? truth : fallback;
}
