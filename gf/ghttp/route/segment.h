/*
 * Segments of a request's path: cut at the slashes that were sent and decoded afterwards, so that %2F stays inside
 * one. The router and the patterns of middleware see the same segments, so that neither can be led past the other.
 */
#ifndef GF_GHTTP_ROUTE_SEGMENT_H
#define GF_GHTTP_ROUTE_SEGMENT_H

#include <errno.h>
#include <string.h>

#include "../message/request.h"
#include "template.h"

/* The next segment at *path, which moves behind it; empty where the path ends. Doubled slashes count as one. */
static inline struct gf_slice gf_segment_cut(const char **path)
{
    const char *begin = *path;
    while (*begin == '/')
        begin++;
    const char *end = begin;
    while (*end && *end != '/')
        end++;
    *path = end;
    return (struct gf_slice){begin, (size_t)(end - begin)};
}

/* The raw slice itself where nothing is encoded in it. 0, -EINVAL or -ENOMEM. */
static inline int gf_segment_decode(struct gf_arena *arena, struct gf_slice raw, struct gf_slice *ret_decoded)
{
    if (!memchr(raw.text, '%', raw.size)) {
        *ret_decoded = raw;
        return 0;
    }
    const char *text = gf_percent_decode(arena, raw.text, raw.size, false);
    if (!text)
        return errno == EINVAL ? -EINVAL : -ENOMEM;
    *ret_decoded = (struct gf_slice){text, strlen(text)};
    return 0;
}

#endif
