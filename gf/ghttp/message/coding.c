#include "coding.h"

#include <string.h>

#include "ascii.h"

/* Whether parameters like "; q=0.000" say that it is not wanted. */
static bool is_refused(const char *parameters, size_t size)
{
    const char *end = parameters + size, *at = memchr(parameters, '=', size);

    if (!at)
        return false;
    for (at++; at < end; at++)
        if (*at != '0' && *at != '.' && *at != ' ')
            return false;
    return true;
}

bool gf_coding_is_accepted(const char *header, const char *coding)
{
    bool any = false;

    while (header && *header) {
        header += strspn(header, ", \t");
        size_t size = strcspn(header, ","), name_size = strcspn(header, ",; \t");
        bool refused = is_refused(header + name_size, size - name_size);

        if (name_size && gf_ascii_equal_n(header, name_size, coding))
            return !refused;
        if (gf_ascii_equal_n(header, name_size, "*"))
            any = !refused;
        header += size;
    }
    return any;
}
