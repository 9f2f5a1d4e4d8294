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
};

struct gf_router {
    struct gf_arena *arena;
    struct gf_trie trie;
    struct gf_binding **bindings; /* in the order of binding */
    size_t count;
    size_t capacity;
};

#endif
