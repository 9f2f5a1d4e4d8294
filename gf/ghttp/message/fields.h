/*
 * Fields: an ordered list of names and values, for headers and for parameters. In the request's arena.
 */
#ifndef GF_GHTTP_MESSAGE_FIELDS_H
#define GF_GHTTP_MESSAGE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include <gf/ghttp/ghttp_types.h>

struct gf_arena;

struct gf_field {
    const char *name;
    const char *value;
};

struct gf_fields {
    struct gf_field *items;
    size_t count;
    size_t capacity;
};

/* Appends; name and value are kept as pointers. 0 or -ENOMEM. */
int gf_fields_add(struct gf_fields *fields, struct gf_arena *arena, const char *name, const char *value);
/* The first value of a name, without regard to case (headers); NULL when there is none. */
const char *gf_fields_find(const struct gf_fields *fields, const char *name);
/* The last value of a name, with regard to case (parameters); NULL when there is none. */
const char *gf_fields_last(const struct gf_fields *fields, const char *name);
/* Calls fn for each that has a value, in their order, until it gives false. How often it was called. */
size_t gf_fields_each(const struct gf_fields *fields, ghttp_pair *fn, void *arg);
/* Takes away all of a name, without regard to case. */
void gf_fields_remove(struct gf_fields *fields, const char *name);

#endif
