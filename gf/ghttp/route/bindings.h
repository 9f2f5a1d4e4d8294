/*
 * The inside of the router, shared by the room that binds (router.c) and the one that looks up (lookup.c).
 */
#ifndef GF_GHTTP_ROUTE_BINDINGS_H
#define GF_GHTTP_ROUTE_BINDINGS_H

#include "router.h"
#include "trie.h"

struct gf_arena;

/* A route, and what only the router needs of it. In the router's arena. */
struct gf_binding {
    struct gf_route route;
    struct gf_pace pace;
    const char *const *names; /* of its parameters from left to right, NULL where there is none */
    struct gf_binding *next;  /* with another method at the same node */
    uint32_t number;
};

/* Bindings of one piece of memory, where the number says which it is: a lookup need not fetch a pointer to it. */
#define GF_ROUTER_CHUNK 128

/* Names of parameters from left to right, in the router's arena. */
struct gf_names {
    const char *const *items;
    size_t count;
};

/* Routes mostly have one of a few lists of names. Those that were used last are kept, to be shared: a lookup finds them
 * in the cache. */
#define GF_ROUTER_NAMES_KEPT 64

struct gf_router {
    struct gf_arena *arena;
    struct gf_names kept_names[GF_ROUTER_NAMES_KEPT]; /* at a hash of theirs */
    struct gf_trie trie;
    struct gf_binding **chunks; /* of bindings in the order of binding, GF_ROUTER_CHUNK in each */
    size_t chunk_count;
    size_t count; /* of bindings */
};

static inline struct gf_binding *gf_router_binding(const struct gf_router *router, size_t number)
{
    return &router->chunks[number / GF_ROUTER_CHUNK][number % GF_ROUTER_CHUNK];
}

#endif
