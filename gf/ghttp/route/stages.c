/*
 * Binding middleware, hooks and handlers of statuses. Thread: the one that sets the server up.
 */
#include "stages.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../message/arena.h"

/* Patterns, names and groups; a backstop. */
#define STAGES_ARENA_MAX ((size_t)1 << 28)
#define FIRST_CAPACITY ((size_t)8)

struct gf_stages *gf_stages_new(void)
{
    struct gf_stages *stages = calloc(1, sizeof(*stages));
    if (!stages)
        return NULL;
    stages->arena = gf_arena_new(STAGES_ARENA_MAX);
    if (!stages->arena)
        goto fail;
    return stages;

fail:
    free(stages);
    return NULL;
}

void gf_stages_free(struct gf_stages *stages)
{
    if (!stages)
        return;
    free(stages->middleware.items);
    for (size_t i = 0; i < GF_STAGE_HOOKS; i++)
        free(stages->hooks[i].items);
    free(stages->statuses.items);
    gf_arena_free(stages->arena);
    free(stages);
}

/* Puts a step before the one at this place. */
static int insert(struct gf_steps *steps, size_t place, const struct gf_step *step)
{
    if (steps->count == GF_STAGE_STEPS_MAX)
        return -ENOSPC;
    if (steps->count == steps->capacity) {
        size_t capacity = steps->capacity ? 2 * steps->capacity : FIRST_CAPACITY;
        struct gf_step *items = realloc(steps->items, capacity * sizeof(*items));
        if (!items)
            return -ENOMEM;
        steps->items = items;
        steps->capacity = capacity;
    }
    memmove(steps->items + place + 1, steps->items + place, (steps->count - place) * sizeof(*steps->items));
    steps->items[place] = *step;
    steps->count++;
    return 0;
}

static int explain(int result, const char *pattern, const char *reason, char *error, size_t error_size)
{
    if (result == -ENOSPC)
        reason = "there are 1,000 of them already";
    else if (result == -ENOMEM)
        reason = "out of memory";
    if (result && pattern)
        snprintf(error, error_size, "pattern \"%.200s\": %s", pattern, reason);
    else if (result)
        snprintf(error, error_size, "%s", reason);
    return result;
}

/* The matcher for a pattern, or NULL for none. */
static int add_matcher(struct gf_stages *stages, const char *pattern, const struct gf_matcher **ret_matcher,
                       const char **reason)
{
    struct gf_matcher *matcher = NULL;
    int error = 0;
    if (pattern) {
        matcher = gf_arena_alloc(stages->arena, sizeof(*matcher));
        error = matcher ? gf_matcher_parse(matcher, stages->arena, pattern, reason) : -ENOMEM;
    }
    if (error)
        return error;
    stages->has_patterns |= matcher != NULL;
    *ret_matcher = matcher;
    return 0;
}

int gf_stages_add_middleware(struct gf_stages *stages, const char *pattern, const struct gf_step *step, char *error,
                             size_t error_size)
{
    struct gf_step added = *step;
    const char *reason = NULL;
    int result = add_matcher(stages, pattern, &added.matcher, &reason);
    if (!result)
        result = insert(&stages->middleware, pattern ? stages->middleware.count : stages->global_count, &added);
    if (!result && !pattern)
        stages->global_count++;
    return explain(result, pattern, reason, error, error_size);
}

/* Behind those that have precedence over it, and those that were there before with the same. */
static size_t hook_place(const struct gf_steps *hooks, const struct gf_matcher *matcher)
{
    size_t place = hooks->count;
    while (place > 0 && gf_matcher_compare(matcher, hooks->items[place - 1].matcher) < 0)
        place--;
    return place;
}

int gf_stages_add_hook(struct gf_stages *stages, const char *pattern, enum ghttp_hook when, const struct gf_step *step,
                       char *error, size_t error_size)
{
    struct gf_step added = *step;
    const char *reason = NULL;
    int result = add_matcher(stages, pattern, &added.matcher, &reason);
    if (!result)
        result = insert(&stages->hooks[when], hook_place(&stages->hooks[when], added.matcher), &added);
    return explain(result, pattern, reason, error, error_size);
}

int gf_stages_add_status(struct gf_stages *stages, const struct gf_step *step, char *error, size_t error_size)
{
    size_t place = stages->statuses.count;
    while (step->domain && place > 0 && !stages->statuses.items[place - 1].domain)
        place--;
    return explain(insert(&stages->statuses, place, step), NULL, NULL, error, error_size);
}
