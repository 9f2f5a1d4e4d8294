/*
 * Byte ranges: the parts of a file that a client asks for (RFC 9110, 14). Thread: any.
 */
#ifndef GF_GHTTP_MESSAGE_BYTE_RANGES_H
#define GF_GHTTP_MESSAGE_BYTE_RANGES_H

#include <stddef.h>
#include <sys/types.h>

/* More than any viewer of documents asks for at once; who asks for more gets the whole file. */
#define GF_RANGES_MAX 16

struct gf_range {
    off_t offset, size;
};

struct gf_ranges {
    struct gf_range items[GF_RANGES_MAX];
    size_t count;
};

/*
 * Reads a Range header for a file of this size. 206: the ranges that the file has are in *ret_ranges, in the order
 * asked for; 416: it has none of them; 200: the header does not count, as it is malformed, of another unit, has too
 * many ranges, or ranges that overlap: what nobody needs, and what makes an answer larger than the file.
 */
int gf_ranges_parse(const char *header, off_t file_size, struct gf_ranges *ret_ranges);

#endif
