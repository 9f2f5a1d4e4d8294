/*
 * The language that a client would like best (RFC 9110, 12.5.4; lookup as in RFC 4647, 3.4).
 *
 * Thread: the request's own.
 */
#include <string.h>

#include "arena.h"
#include "ascii.h"
#include "request.h"

/* A range of the header: "en-US;q=0.8". The quality in thousandths. */
struct range {
    const char *text;
    size_t size;
    int quality;
};

/* "0.8", "1", "1.000"; 0 for what is none. */
static int read_quality(const char *text, size_t size)
{
    int quality = 0, scale = 1000;
    for (size_t i = 0; i < size; i++) {
        if (i == 1 ? text[i] != '.' : !gf_ascii_is_digit(text[i]))
            return 0;
        if (i == 1)
            continue;
        quality += (text[i] - '0') * scale;
        scale /= 10;
    }
    return size >= 1 && size <= 5 && quality <= 1000 ? quality : 0;
}

/* The range at the beginning of the text; where the next one may begin. */
static const char *read_range(const char *text, struct range *range)
{
    text += strspn(text, " \t,");
    size_t size = strcspn(text, ",");
    *range = (struct range){.text = text, .size = strcspn(text, ",; \t"), .quality = 1000};
    const char *parameter = memchr(text, ';', size);
    if (parameter) {
        parameter += 1 + strspn(parameter + 1, " \t");
        bool is_quality = gf_ascii_lower(parameter[0]) == 'q' && parameter[1] == '=';
        range->quality = is_quality ? read_quality(parameter + 2, strcspn(parameter + 2, ", \t;")) : 0;
    }
    return text + size;
}

/* Whether a language fits a range: the same, or one is the other with something behind a '-'. */
static bool fits(const char *language, size_t language_size, const struct range *range)
{
    size_t shorter = language_size < range->size ? language_size : range->size;
    for (size_t i = 0; i < shorter; i++)
        if (gf_ascii_lower(language[i]) != gf_ascii_lower(range->text[i]))
            return false;
    if (shorter == 0)
        return false;
    return (language_size == shorter || language[shorter] == '-') &&
           (range->size == shorter || range->text[shorter] == '-');
}

static bool is_star(const struct range *range)
{
    return range->size == 1 && range->text[0] == '*';
}

/* How much the header wants this language: the best quality of a range that it fits, a star's where it fits no other;
 * 0 for none. */
static int quality_of(const char *header, const char *language, size_t size)
{
    int best = -1, others = 0;
    while (*header) {
        struct range range;
        header = read_range(header, &range);
        if (is_star(&range))
            others = range.quality;
        else if (fits(language, size, &range) && range.quality > best)
            best = range.quality;
    }
    return best >= 0 ? best : others;
}

const char *ghttp_request_language(ghttp_request *r, const char *list)
{
    const char *header = gf_fields_find(&r->headers, "Accept-Language");
    const char *best = NULL;
    size_t best_size = 0;
    int best_quality = 0;
    if (!list)
        return NULL;
    while (*list) {
        list += strspn(list, " ,");
        size_t size = strcspn(list, " ,");
        int quality = header && size > 0 ? quality_of(header, list, size) : 0;
        if (size > 0 && (!best || quality > best_quality)) {
            best = list;
            best_size = size;
            best_quality = quality;
        }
        list += size;
    }
    return best ? gf_arena_strndup(r->arena, best, best_size) : NULL;
}
