/*
 * Comparing patterns with requests, and with each other. Thread: any; matchers do not change.
 */
#include "matcher.h"

#include <errno.h>
#include <string.h>

#include "../message/arena.h"
#include "../message/request.h"
#include "method.h"
#include "segment.h"

/* One more than a pattern can have tells a path that is deeper than any. */
#define SEGMENTS_MAX (GF_PATTERN_SEGMENTS_MAX + 1)

int gf_matcher_parse(struct gf_matcher *matcher, struct gf_arena *arena, const char *text, const char **reason)
{
    struct gf_pattern pattern;
    int error = gf_pattern_parse(&pattern, arena, text, reason);
    if (error)
        return error;
    struct gf_segment *segments = gf_arena_alloc(arena, pattern.segment_count * sizeof(*segments));
    if (!segments)
        return -ENOMEM;
    memcpy(segments, pattern.segments, pattern.segment_count * sizeof(*segments));
    *matcher = (struct gf_matcher){
        .path = pattern.path,
        .methods = pattern.methods,
        .domains = pattern.domains,
        .domain_count = pattern.domain_count,
        .segments = segments,
        .segment_count = pattern.segment_count,
    };
    return 0;
}

int gf_matcher_cut_path(struct ghttp_request *r)
{
    struct gf_slice segments[SEGMENTS_MAX];
    const char *rest = r->raw_path;
    size_t count = 0;
    while (count < SEGMENTS_MAX) {
        struct gf_slice raw = gf_segment_cut(&rest);
        if (raw.size == 0)
            break;
        int error = gf_segment_decode(r->arena, raw, &segments[count]);
        if (error)
            return error;
        count++;
    }
    struct gf_slice *copy = gf_arena_alloc(r->arena, count * sizeof(*copy));
    if (!copy)
        return -ENOMEM;
    r->way.segments = memcpy(copy, segments, count * sizeof(*copy));
    r->way.segment_count = count;
    return 0;
}

/* ---- with a request --------------------------------------------------------------------------- */

static bool fits_method(const struct gf_matcher *matcher, unsigned method)
{
    return (matcher->methods & method) != 0 || (method == GF_METHOD_HEAD && (matcher->methods & GF_METHOD_GET) != 0);
}

static bool fits_host(const struct gf_matcher *matcher, const char *host)
{
    for (size_t i = 0; i < matcher->domain_count; i++)
        if (strcmp(matcher->domains[i], "default") == 0 || strcmp(matcher->domains[i], host) == 0)
            return true;
    return false;
}

static bool fits_segment(const struct gf_segment *segment, struct gf_slice text)
{
    if (segment->kind == GF_SEGMENT_LITERAL)
        return segment->literal.size == text.size && memcmp(segment->literal.text, text.text, text.size) == 0;
    return segment->kind == GF_SEGMENT_ONE || gf_template_match(segment->template, text.text, text.size, NULL);
}

bool gf_matcher_fits(const struct gf_matcher *matcher, const struct ghttp_request *r)
{
    if (!fits_method(matcher, r->way.method) || !fits_host(matcher, r->host))
        return false;
    for (size_t i = 0; i < matcher->segment_count; i++) {
        if (matcher->segments[i].kind == GF_SEGMENT_REST)
            return true;
        if (i == r->way.segment_count || !fits_segment(&matcher->segments[i], r->way.segments[i]))
            return false;
    }
    return matcher->segment_count == r->way.segment_count;
}

/* ---- with each other -------------------------------------------------------------------------- */

static bool is_for_all_hosts(const struct gf_matcher *matcher)
{
    return strcmp(matcher->domains[0], "default") == 0;
}

/* The rank of the segment at this depth; a path's end comes before "*name", which fits there too. */
static int rank(const struct gf_matcher *matcher, size_t depth)
{
    return depth < matcher->segment_count ? (int)matcher->segments[depth].kind : (int)GF_SEGMENT_LITERAL;
}

static size_t literal_size(const struct gf_matcher *matcher, size_t depth)
{
    bool is_template = depth < matcher->segment_count && matcher->segments[depth].kind == GF_SEGMENT_TEMPLATE;
    return is_template ? matcher->segments[depth].template->literal_size : 0;
}

int gf_matcher_compare(const struct gf_matcher *a, const struct gf_matcher *b)
{
    if (is_for_all_hosts(a) != is_for_all_hosts(b))
        return is_for_all_hosts(a) ? 1 : -1;
    for (size_t i = 0; i < a->segment_count || i < b->segment_count; i++) {
        int difference = rank(a, i) - rank(b, i);
        if (difference != 0)
            return difference;
        if (literal_size(a, i) != literal_size(b, i))
            return literal_size(a, i) > literal_size(b, i) ? -1 : 1;
    }
    return (a->methods == GF_METHOD_ALL) - (b->methods == GF_METHOD_ALL);
}
