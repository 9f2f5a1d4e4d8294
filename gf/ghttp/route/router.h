/*
 * The router: patterns to handlers, `[METHOD:]/path[@domain]`.
 *
 * Built while the program sets its server up, frozen by the server's start, then read by all workers
 * without a lock. Lookup walks the segments of the path, so its cost grows with the path and not with the
 * number of routes. Owns: the routes.
 */
#ifndef GF_GHTTP_ROUTE_ROUTER_H
#define GF_GHTTP_ROUTE_ROUTER_H

#include <stddef.h>

#include <gf/ghttp/ghttp.h>

#include "pace.h"

struct gf_router;

/* The methods that routes can be bound to: GF_METHOD_… is a bit each. */
#define GF_METHODS(X)                                                                                                  \
    X(GET)                                                                                                             \
    X(HEAD)                                                                                                            \
    X(POST)                                                                                                            \
    X(PUT)                                                                                                             \
    X(PATCH)                                                                                                           \
    X(DELETE)                                                                                                          \
    X(OPTIONS)                                                                                                         \
    X(CONNECT)                                                                                                         \
    X(TRACE)

/* One binding. */
struct gf_route {
    unsigned methods;    /* bits: 1 << index in GF_METHODS; all of them for ALL */
    const char *pattern; /* as bound */
    const char *method;  /* "ALL", "GET", … */
    const char *path;    /* without method and domain */
    const char *domain;  /* "default" when it has none */
    ghttp_handler *handler;
    void *arg;
    struct gf_pace *pace; /* writable though the route is frozen */
};

struct gf_router *gf_router_new(void);
void gf_router_free(struct gf_router *router);

/*
 * Adds a binding. 0, or a negative errno with a sentence in error (-EINVAL bad pattern, -EEXIST bound
 * already, -ENOMEM); then nothing was added.
 */
int gf_router_bind(struct gf_router *router, const char *pattern, ghttp_handler *handler, void *arg, char *error,
                   size_t error_size);

/* How many bindings there are. */
size_t gf_router_count(const struct gf_router *router);
/* The n-th of them, in the order of binding. */
const struct gf_route *gf_router_route(const struct gf_router *router, size_t n);

/*
 * Finds the route for r->method, r->host and r->raw_path, sets r->route and r->router_fields (percent-decoded
 * values in the arena). Without one: r->route is NULL and r->allowed_methods has the methods that this
 * path is bound for, 0 if none. HEAD is served by a GET route. 0, -EINVAL for an undecodable value, -ENOMEM.
 */
int gf_router_find(const struct gf_router *router, struct ghttp_request *r);

#endif
