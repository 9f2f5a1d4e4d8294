/*
 * A matcher: a pattern of middleware or of a hook, asked whether it fits a request. All that fit count, not the best
 * one, so these are looked at one by one; the router's trie is for routes.
 */
#ifndef GF_GHTTP_ROUTE_MATCHER_H
#define GF_GHTTP_ROUTE_MATCHER_H

#include <stdbool.h>

#include <gf/ghttp/ghttp.h>

#include "pattern.h"

struct gf_matcher {
    const char *path; /* of the pattern, without method and domain */
    unsigned methods; /* bits of method.h */
    const char **domains;
    size_t domain_count;
    const struct gf_segment *segments;
    size_t segment_count;
};

/* 0; -EINVAL with a sentence in *reason (static), -ENOMEM. All of it is in the arena. */
int gf_matcher_parse(struct gf_matcher *matcher, struct gf_arena *arena, const char *text, const char **reason);

/* Cuts r->raw_path into r->way.segments, as far as any pattern reaches. 0, -EINVAL for a bad encoding, -ENOMEM. */
int gf_matcher_cut_path(struct ghttp_request *r);

/* Whether it fits r->way.method, r->host and r->way.segments. What is for GET is for HEAD too. */
bool gf_matcher_fits(const struct gf_matcher *matcher, const struct ghttp_request *r);

/* Less than 0 when a has precedence over b, by the router's rules; 0 when neither has. */
int gf_matcher_compare(const struct gf_matcher *a, const struct gf_matcher *b);

#endif
