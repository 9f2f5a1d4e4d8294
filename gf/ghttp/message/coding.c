#include "coding.h"

#include <string.h>

#include "ascii.h"

/* "0.5" in thousandths; what is no such number counts as 1, as if nothing were said. */
static int parse_quality(const char *text, const char *end)
{
    int quality = 0, weight = 1000;

    if (text == end || (*text != '0' && *text != '1'))
        return 1000;
    quality = (*text++ - '0') * 1000;
    if (text < end && *text == '.') {
        for (text++; text < end && gf_ascii_is_digit(*text); text++) {
            weight /= 10;
            quality += (*text - '0') * weight;
        }
    }
    return text < end || quality > 1000 ? 1000 : quality;
}

/* What parameters like "; q=0.5" say. */
static int find_quality(const char *parameters, size_t size)
{
    const char *end = parameters + size;

    while (parameters < end) {
        const char *begin = parameters + strspn(parameters, "; \t");
        const char *next = begin < end ? memchr(begin, ';', (size_t)(end - begin)) : NULL;
        const char *stop = next ? next : end,
                   *equals = begin < stop ? memchr(begin, '=', (size_t)(stop - begin)) : NULL;

        if (equals && equals == begin + 1 && gf_ascii_lower(*begin) == 'q') {
            while (stop > equals + 1 && (stop[-1] == ' ' || stop[-1] == '\t'))
                stop--;
            return parse_quality(equals + 1, stop);
        }
        parameters = stop + 1;
    }
    return 1000;
}

static bool is_named(const char *name, size_t size, const char *coding)
{
    if (size > 2 && gf_ascii_equal_n(name, 2, "x-") && gf_ascii_equal(coding, "gzip"))
        return gf_ascii_equal_n(name + 2, size - 2, coding);
    return gf_ascii_equal_n(name, size, coding);
}

int gf_coding_quality(const char *header, const char *coding)
{
    int any = 0;

    while (header && *header) {
        header += strspn(header, ", \t");
        size_t size = strcspn(header, ","), name_size = strcspn(header, ",; \t");
        int quality = find_quality(header + name_size, size - name_size);

        if (name_size && is_named(header, name_size, coding))
            return quality;
        if (gf_ascii_equal_n(header, name_size, "*"))
            any = quality;
        header += size;
    }
    return any;
}

bool gf_coding_is_accepted(const char *header, const char *coding)
{
    return gf_coding_quality(header, coding) > 0;
}
