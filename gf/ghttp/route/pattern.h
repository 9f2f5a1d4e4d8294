/*
 * A pattern, `[METHOD:]/path[@domain,domain…]`, taken apart.
 *
 * The method is what stands before the first ':' if that is letters only and a '/' follows, so that
 * `/v1/items:batchGet` is a path. The domains are what follows the last '@' if no '/' is in it. Segments of the path:
 * `:name` or `:` (one segment), `*name` or `*` (the rest, also empty; only as the last), text with {fields},
 * text. Text may be percent-encoded, so that %40 is an '@' and %3A a ':'. Doubled and trailing slashes do not count.
 */
#ifndef GF_GHTTP_ROUTE_PATTERN_H
#define GF_GHTTP_ROUTE_PATTERN_H

#include <stddef.h>

#include "template.h"

/* Patterns are typed by people. */
#define GF_PATTERN_SIZE_MAX ((size_t)4096)
/* The depth of the trie, and with it of the lookup's recursion. */
#define GF_PATTERN_SEGMENTS_MAX 64
/* RFC 1035. */
#define GF_PATTERN_DOMAIN_SIZE_MAX ((size_t)253)
/* A name for each field that the segments of a path of that size could have. */
#define GF_PATTERN_NAMES_MAX (GF_PATTERN_SEGMENTS_MAX * GF_TEMPLATE_FIELDS_MAX)

/* In the order of their precedence. */
enum gf_segment_kind { GF_SEGMENT_LITERAL, GF_SEGMENT_TEMPLATE, GF_SEGMENT_ONE, GF_SEGMENT_REST };

struct gf_segment {
    enum gf_segment_kind kind;
    struct gf_slice literal;            /* percent-decoded */
    const struct gf_template *template; /* of GF_SEGMENT_TEMPLATE */
};

/* All texts are in the arena that it was parsed with. */
struct gf_pattern {
    const char *text;   /* as given */
    unsigned methods;   /* bits of method.h */
    const char *method; /* "ALL", "GET", … */
    const char *path;   /* as written, without doubled and trailing slashes */
    const char **domains;
    size_t domain_count; /* at least one: "default" */
    struct gf_segment segments[GF_PATTERN_SEGMENTS_MAX];
    size_t segment_count;
    const char *names[GF_PATTERN_NAMES_MAX]; /* of all parameters from left to right, NULL where there is none */
    size_t name_count;
};

/* 0; -EINVAL with a sentence in *reason (static), -ENOMEM. */
int gf_pattern_parse(struct gf_pattern *pattern, struct gf_arena *arena, const char *text, const char **reason);

#endif
