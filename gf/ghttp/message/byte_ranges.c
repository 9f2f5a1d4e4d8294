#include "byte_ranges.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ascii.h"

/* Digits at *at, which is moved behind them. false: there are none. A number past all files is as good as the largest.
 */
static bool take_number(const char **at, off_t *ret_number)
{
    char *end;

    if (!gf_ascii_is_digit(**at))
        return false;
    errno = 0;
    *ret_number = strtoll(*at, &end, 10);
    *at = end;
    return true;
}

/* "first-last", "first-" or "-size" at *at. 0; -ERANGE: the file has none of it; -EINVAL. */
static int take_range(const char **at, off_t file_size, struct gf_range *ret_range)
{
    off_t first = 0, last = INT64_MAX;
    bool has_first = take_number(at, &first), has_last;

    if (**at != '-')
        return -EINVAL;
    ++*at;
    has_last = take_number(at, &last);
    if ((!has_first && !has_last) || (has_first && last < first))
        return -EINVAL;
    if (!has_first) { /* the last so many bytes */
        first = last > file_size ? 0 : file_size - last;
        if (!last)
            return -ERANGE;
        last = INT64_MAX;
    }
    if (first >= file_size)
        return -ERANGE;
    if (last >= file_size)
        last = file_size - 1;
    *ret_range = (struct gf_range){.offset = first, .size = last - first + 1};
    return 0;
}

static bool overlaps(const struct gf_ranges *ranges, const struct gf_range *with)
{
    for (size_t i = 0; i < ranges->count; i++) {
        const struct gf_range *range = &ranges->items[i];

        if (range->offset < with->offset + with->size && with->offset < range->offset + range->size)
            return true;
    }
    return false;
}

int gf_ranges_parse(const char *header, off_t file_size, struct gf_ranges *ret_ranges)
{
    struct gf_ranges ranges = {.count = 0};
    size_t asked = 0;

    if (!gf_ascii_equal_n(header, strnlen(header, 6), "bytes="))
        return 200;
    header += 6;
    while (*(header += strspn(header, ", \t"))) {
        struct gf_range range;
        int result = take_range(&header, file_size, &range);

        header += strspn(header, " \t");
        if (result == -EINVAL || (*header && *header != ',') || ++asked > GF_RANGES_MAX)
            return 200;
        if (result == 0 && overlaps(&ranges, &range))
            return 200;
        if (result == 0)
            ranges.items[ranges.count++] = range;
    }
    if (!asked)
        return 200;
    *ret_ranges = ranges;
    return ranges.count ? 206 : 416;
}
