/*
 * The list of fields. Lists are short (limits are set where they are filled), so lookup walks them.
 *
 * Thread: one at a time, whoever has the request.
 */
#include "fields.h"

#include <errno.h>
#include <string.h>

#include "arena.h"
#include "ascii.h"

#define FIRST_CAPACITY ((size_t)8)

/* The old items stay in the arena: doubling makes that at most as much again as the list itself. */
static int grow(struct gf_fields *fields, struct gf_arena *arena)
{
    size_t capacity = fields->capacity ? fields->capacity * 2 : FIRST_CAPACITY;
    struct gf_field *items = gf_arena_alloc(arena, capacity * sizeof(*items));
    if (!items)
        return -ENOMEM;
    if (fields->count > 0)
        memcpy(items, fields->items, fields->count * sizeof(*items));
    fields->items = items;
    fields->capacity = capacity;
    return 0;
}

int gf_fields_add(struct gf_fields *fields, struct gf_arena *arena, const char *name, const char *value)
{
    if (fields->count == fields->capacity) {
        int error = grow(fields, arena);
        if (error)
            return error;
    }
    fields->items[fields->count++] = (struct gf_field){.name = name, .value = value};
    return 0;
}

const char *gf_fields_find(const struct gf_fields *fields, const char *name)
{
    for (size_t i = 0; i < fields->count; i++)
        if (gf_ascii_equal(fields->items[i].name, name))
            return fields->items[i].value;
    return NULL;
}

const char *gf_fields_last(const struct gf_fields *fields, const char *name)
{
    for (size_t i = fields->count; i > 0; i--)
        if (strcmp(fields->items[i - 1].name, name) == 0)
            return fields->items[i - 1].value;
    return NULL;
}

size_t gf_fields_each(const struct gf_fields *fields, ghttp_pair *fn, void *arg)
{
    size_t count = 0;
    bool goes_on = fn != NULL;
    for (size_t i = 0; i < fields->count && goes_on; i++) {
        if (!fields->items[i].value)
            continue;
        count++;
        goes_on = fn(fields->items[i].name, fields->items[i].value, arg);
    }
    return count;
}

void gf_fields_remove(struct gf_fields *fields, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < fields->count; i++)
        if (!gf_ascii_equal(fields->items[i].name, name))
            fields->items[kept++] = fields->items[i];
    fields->count = kept;
}
