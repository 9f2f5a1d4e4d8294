/*
 * Parameters: the names and values in the query, in a form's body and in the path, parsed when they are
 * first asked for.
 *
 * A query or a form counts as bad as a whole when its percent-encoding is broken, holds an encoded NUL, or
 * when it has more parameters than GF_PARAMETERS_MAX: then the request is marked (query_bad, form_bad) and no
 * value of it is given out, since half a form is worse than none.
 * Thread: the request's own.
 */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"
#include "ascii.h"
#include "request.h"

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

static bool is_urlencoded_form(const ghttp_request *r)
{
    const char *type = gf_fields_find(&r->headers, "Content-Type");
    return type && gf_ascii_equal_n(type, strcspn(type, "; \t"), "application/x-www-form-urlencoded");
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

const char *ghttp_request_form(ghttp_request *r, const char *name)
{
    if (!r->form_parsed) {
        r->form_parsed = true;
        if (r->body.size > 0 && is_urlencoded_form(r))
            r->form_bad = parse_pairs(&r->form_fields, r->arena, r->body.data, r->body.size) != 0;
        if (r->form_bad)
            r->form_fields.count = 0;
    }
    return name ? gf_fields_last(&r->form_fields, name) : NULL;
}

const char *ghttp_request_router(ghttp_request *r, const char *name)
{
    return name ? gf_fields_last(&r->router_fields, name) : NULL;
}

const char *ghttp_request_get(ghttp_request *r, const char *name)
{
    const char *value = ghttp_request_form(r, name);
    if (!value)
        value = ghttp_request_query(r, name);
    if (!value)
        value = ghttp_request_router(r, name);
    return value;
}

long ghttp_request_get_int(ghttp_request *r, const char *name, long fallback)
{
    const char *text = ghttp_request_get(r, name);
    /* strtol() would skip white space. */
    if (!text || (!gf_ascii_is_digit(text[0]) && text[0] != '-' && text[0] != '+'))
        return fallback;
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' ? number : fallback;
}

/* The program's locale may want a decimal comma; parameters have a point. */
static pthread_once_t plain_once = PTHREAD_ONCE_INIT;
static locale_t plain_locale;

static void make_plain_locale(void)
{
    plain_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

double ghttp_request_get_double(ghttp_request *r, const char *name, double fallback)
{
    const char *text = ghttp_request_get(r, name);
    /* strtod() would also take white space, hexadecimal, "inf" and "nan". */
    if (!text || text[strspn(text, "0123456789+-.eE")] != '\0')
        return fallback;
    pthread_once(&plain_once, make_plain_locale);
    if (!plain_locale)
        return fallback;
    char *end = NULL;
    double number = strtod_l(text, &end, plain_locale);
    return end != text && *end == '\0' && isfinite(number) ? number : fallback;
}

static bool is_one_of(const char *text, const char *const words[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (gf_ascii_equal(text, words[i]))
            return true;
    return false;
}

bool ghttp_request_get_bool(ghttp_request *r, const char *name, bool fallback)
{
    static const char *const yes[] = {"1", "true", "on", "yes"};
    static const char *const no[] = {"0", "false", "off", "no", ""};
    const char *text = ghttp_request_get(r, name);
    if (!text)
        return fallback;
    if (is_one_of(text, yes, sizeof(yes) / sizeof(*yes)))
        return true;
    if (is_one_of(text, no, sizeof(no) / sizeof(*no)))
        return false;
    return fallback;
}
