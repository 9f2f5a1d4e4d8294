/*
 * The router: patterns to handlers, `[METHOD:]/path[@domain]`.
 *
 * Built while the program sets its server up, frozen by the server's start, then read by all workers
 * without a lock. Lookup walks the segments of the path, so its cost grows with the path and not with the
 * number of routes. Owns: the routes.
 */
#ifndef GF_GHTTP_ROUTE_ROUTER_H
#define GF_GHTTP_ROUTE_ROUTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gf/ghttp/ghttp.h>

#include "method.h"
#include "pace.h"

struct gf_router;
struct gf_step;

/* One binding. */
struct gf_route {
    unsigned methods;    /* bits of method.h; GF_METHOD_ALL for ALL */
    const char *pattern; /* as bound */
    const char *method;  /* "ALL", "GET", … */
    const char *path;    /* without method and domain */
    const char *domain;  /* "default" when it has none */
    ghttp_handler *handler;
    void *arg;
    const struct gf_step *middleware; /* of its groups, the outermost first; never changed once it is here */
    size_t middleware_count;
    bool streams;         /* its handler reads the body itself */
    uint64_t body_max;    /* of such a body, in bytes; 0: the server's */
    const char *name;     /* of the handler; NULL: not known */
    const char *place;    /* in the program's text where it was bound, "main.c:42"; NULL: not known */
    struct gf_pace *pace; /* writable though the route is frozen */
};

/* What is to be bound. Pattern, name and place are copied. */
struct gf_route_wish {
    const char *pattern;
    ghttp_handler *handler;
    void *arg;
    const struct gf_step *middleware; /* lives as long as the router */
    size_t middleware_count;
    bool streams;
    uint64_t body_max;
    const char *name;
    const char *place;
    bool overwrites; /* takes the place of what is bound already */
};

/* A lookup looks at no more nodes and templates than this, as a table would make it do that was built to have most of
 * its fuzzy routes overlap. Ordinary tables need a few for each segment. */
#define GF_ROUTER_VISITS_MAX 10000

struct gf_router *gf_router_new(void);
void gf_router_free(struct gf_router *router);

/*
 * Adds a binding, one for each domain that the pattern names. Two of the same domain and method that would match the
 * same paths (the names of their parameters do not matter) exclude each other.
 * 0, or a negative errno with a sentence in error: -EINVAL for a bad pattern, -EEXIST for one that is bound already,
 * -ENOMEM, also when the table is full; then nothing was added.
 */
int gf_router_add(struct gf_router *router, const struct gf_route_wish *wish, char *error, size_t error_size);
/* The same, of nothing but pattern, handler and argument. */
int gf_router_bind(struct gf_router *router, const char *pattern, ghttp_handler *handler, void *arg, char *error,
                   size_t error_size);

/* How many bindings there are. */
size_t gf_router_count(const struct gf_router *router);
/* The n-th of them, in the order of binding. */
const struct gf_route *gf_router_route(const struct gf_router *router, size_t n);

/*
 * Finds the route for r->method, r->host and r->raw_path, sets r->route and r->router_fields (percent-decoded
 * values in the arena). Without one: r->route is NULL and r->allowed_methods has the methods that this
 * path is bound for (HEAD with GET, OPTIONS with any), 0 if none. HEAD is served by a GET route.
 *
 * The order of precedence: the request's own domain before routes without one; at each segment of the path, from left
 * to right, text before {field} (the one with more text first) before :name before *name; the method before ALL. A
 * route that does not have the method is passed over for a less specific one that has it.
 * 0; -EINVAL for an undecodable value, -ENOMEM, -ELOOP past GF_ROUTER_VISITS_MAX.
 */
int gf_router_find(const struct gf_router *router, struct ghttp_request *r);
/* The same for another method than the request has: a bit of method.h. */
int gf_router_find_method(const struct gf_router *router, struct ghttp_request *r, unsigned method);

#endif
