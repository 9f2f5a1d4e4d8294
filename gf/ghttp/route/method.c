/*
 * The table of methods. Thread: any.
 */
#include "method.h"

#include <string.h>

#include "../message/ascii.h"

static const char *const names[] = {
#define GF_METHOD_TEXT(name) #name,
    GF_METHODS(GF_METHOD_TEXT)
#undef GF_METHOD_TEXT
};

#define GF_METHOD_SIZE(name) sizeof(", " #name) +
_Static_assert(GF_METHODS(GF_METHOD_SIZE) 0 <= GF_METHODS_TEXT_SIZE, "all methods fit an Allow header's text");
#undef GF_METHOD_SIZE

unsigned gf_method_bit(const char *method)
{
    for (unsigned i = 0; i < GF_METHOD_COUNT; i++)
        if (strcmp(names[i], method) == 0)
            return 1U << i;
    return 0;
}

unsigned gf_method_bits_named(const char *name, size_t size)
{
    if (gf_ascii_equal_n(name, size, "ALL"))
        return GF_METHOD_ALL;
    for (unsigned i = 0; i < GF_METHOD_COUNT; i++)
        if (gf_ascii_equal_n(name, size, names[i]))
            return 1U << i;
    return 0;
}

const char *gf_method_name(unsigned bits)
{
    for (unsigned i = 0; i < GF_METHOD_COUNT; i++)
        if (bits == 1U << i)
            return names[i];
    return "ALL";
}

void gf_methods_format(unsigned bits, char text[GF_METHODS_TEXT_SIZE])
{
    char *end = text;
    *end = '\0';
    for (unsigned i = 0; i < GF_METHOD_COUNT; i++) {
        if (!(bits & 1U << i))
            continue;
        if (end > text)
            end = stpcpy(end, ", ");
        end = stpcpy(end, names[i]);
    }
}
