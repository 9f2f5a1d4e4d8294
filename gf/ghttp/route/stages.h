/*
 * The stages that requests pass besides their route's handler: middleware, hooks, handlers of statuses. A server
 * whose program binds none has none, and its requests go straight to their handlers.
 *
 * Built while the program sets its server up, frozen by the server's start. Owns: the steps, and an arena for whatever
 * lives as long as they do.
 */
#ifndef GF_GHTTP_ROUTE_STAGES_H
#define GF_GHTTP_ROUTE_STAGES_H

#include <stddef.h>

#include <gf/ghttp/ghttp.h>

#include "matcher.h"

struct gf_arena;

/* Middleware, hooks of one moment, handlers of statuses: each request looks at all of them. */
#define GF_STAGE_STEPS_MAX 1000
#define GF_STAGE_HOOKS (GHTTP_HOOK_AFTER_OUTPUT + 1)

/* One piece of middleware, one hook, one handler of a status. */
struct gf_step {
    ghttp_handler *handler;
    void *arg;
    const char *name;                 /* of the handler, for lists of routes */
    const char *place;                /* where it was bound: "main.c:42", or "" */
    const struct gf_matcher *matcher; /* the requests that it is for; NULL: all */
    int status;                       /* of a handler of a status */
    const char *domain;               /* of a handler of a status; NULL: all */
};

struct gf_steps {
    struct gf_step *items;
    size_t count;
    size_t capacity;
};

struct gf_stages {
    struct gf_arena *arena;
    struct gf_steps middleware;            /* what is for every request first, else in the order of binding */
    size_t global_count;                   /* of it, for every request */
    struct gf_steps hooks[GF_STAGE_HOOKS]; /* those of patterns with precedence first */
    struct gf_steps statuses;              /* those of domains first */
    bool has_patterns;                     /* the path must be cut for matchers */
};

struct gf_stages *gf_stages_new(void);
void gf_stages_free(struct gf_stages *stages);

/*
 * Each adds a step, whose matcher is made of pattern (NULL: for every request). 0, or a negative errno with a sentence
 * in error: -EINVAL, -ENOSPC past GF_STAGE_STEPS_MAX, -ENOMEM; then nothing was added.
 */
int gf_stages_add_middleware(struct gf_stages *stages, const char *pattern, const struct gf_step *step, char *error,
                             size_t error_size);
int gf_stages_add_hook(struct gf_stages *stages, const char *pattern, enum ghttp_hook when, const struct gf_step *step,
                       char *error, size_t error_size);
/* step->status and step->domain say when it runs. */
int gf_stages_add_status(struct gf_stages *stages, const struct gf_step *step, char *error, size_t error_size);

#endif
