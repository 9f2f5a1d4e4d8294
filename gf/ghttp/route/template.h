/*
 * A template: one segment of a pattern with {fields} in it, as in `u-{id}.json`.
 *
 * Each field stands for at least one byte, an earlier one for as many as it can.
 */
#ifndef GF_GHTTP_ROUTE_TEMPLATE_H
#define GF_GHTTP_ROUTE_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

struct gf_arena;

/* More fields than anybody reads in one segment. */
#define GF_TEMPLATE_FIELDS_MAX 8

struct gf_slice {
    const char *text;
    size_t size;
};

struct gf_template {
    size_t field_count;
    size_t literal_size; /* bytes of all literals */
    /* literal, field, literal … literal: one literal more than fields, percent-decoded, some of them empty */
    struct gf_slice literals[GF_TEMPLATE_FIELDS_MAX + 1];
};

/* Whether a name may stand in a pattern: letters, digits, '_', '.', '-' and whatever is not ASCII; not empty. */
bool gf_template_is_name(const char *text, size_t size);

/*
 * Parses size bytes into template; the fields' names go to names, which has room for GF_TEMPLATE_FIELDS_MAX. The
 * literals and the names are in the arena. 0; -EINVAL with a sentence in *reason, -ENOMEM.
 */
int gf_template_parse(struct gf_template *template, struct gf_arena *arena, const char *text, size_t size,
                      const char **names, const char **reason);

/* Whether two of them match the same segments: the names of their fields do not matter. */
bool gf_template_same(const struct gf_template *a, const struct gf_template *b);

/* Whether a segment matches, in time of its length by the literals' at most. values: room for the fields, or NULL. */
bool gf_template_match(const struct gf_template *template, const char *text, size_t size, struct gf_slice *values);

#endif
