/*
 * Binding: a pattern becomes a path of nodes for each of its domains. Everything that can fail is done before
 * the first route is linked in, so that a refused pattern leaves none behind (at most nodes without routes).
 *
 * Thread: the one that sets the server up.
 */
#include "router.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../message/arena.h"
#include "bindings.h"
#include "pattern.h"

/* Patterns of a full trie fit; a backstop, since GF_TRIE_NODES_MAX comes first. */
#define ROUTER_ARENA_MAX ((size_t)1 << 30)
#define FIRST_CAPACITY ((size_t)16)

struct gf_router *gf_router_new(void)
{
    struct gf_router *router = calloc(1, sizeof(*router));
    if (!router)
        return NULL;
    router->arena = gf_arena_new(ROUTER_ARENA_MAX);
    if (!router->arena)
        goto fail_router;
    if (gf_trie_init(&router->trie, router->arena) != 0)
        goto fail_arena;
    return router;

fail_arena:
    gf_arena_free(router->arena);
fail_router:
    free(router);
    return NULL;
}

void gf_router_free(struct gf_router *router)
{
    if (!router)
        return;
    gf_trie_finish(&router->trie);
    gf_arena_free(router->arena);
    free(router->bindings);
    free(router);
}

size_t gf_router_count(const struct gf_router *router)
{
    return router->count;
}

const struct gf_route *gf_router_route(const struct gf_router *router, size_t n)
{
    return n < router->count ? &router->bindings[n]->route : NULL;
}

static struct gf_segment domain_segment(const char *domain)
{
    return (struct gf_segment){.kind = GF_SEGMENT_LITERAL, .literal = {domain, strlen(domain)}};
}

/* What is bound to the same paths and method on this domain; NULL if nothing is. */
static const struct gf_binding *find_same(const struct gf_router *router, const struct gf_pattern *pattern,
                                          const char *domain)
{
    struct gf_segment first = domain_segment(domain);
    uint32_t node = gf_trie_find(&router->trie, GF_TRIE_ROOT, &first);
    for (size_t i = 0; node != 0 && i < pattern->segment_count; i++)
        node = gf_trie_find(&router->trie, node, &pattern->segments[i]);
    if (node == 0)
        return NULL;
    const struct gf_binding *binding = router->trie.nodes[node].bindings;
    while (binding && binding->route.methods != pattern->methods)
        binding = binding->next;
    return binding;
}

/* The node where the pattern ends on this domain, made if need be. */
static int add_path(struct gf_router *router, const struct gf_pattern *pattern, const char *domain, uint32_t *ret_node)
{
    uint32_t node = 0;
    struct gf_segment first = domain_segment(domain);
    int error = gf_trie_add(&router->trie, GF_TRIE_ROOT, &first, &node);
    for (size_t i = 0; !error && i < pattern->segment_count; i++)
        error = gf_trie_add(&router->trie, node, &pattern->segments[i], &node);
    if (!error)
        *ret_node = node;
    return error;
}

static int reserve(struct gf_router *router, const struct gf_pattern *pattern)
{
    size_t needed = router->count + pattern->domain_count;
    if (needed > router->capacity) {
        size_t capacity = router->capacity ? router->capacity : FIRST_CAPACITY;
        while (capacity < needed)
            capacity *= 2;
        struct gf_binding **bindings = realloc(router->bindings, capacity * sizeof(struct gf_binding *));
        if (!bindings)
            return -ENOMEM;
        router->bindings = bindings;
        router->capacity = capacity;
    }
    return gf_trie_reserve(&router->trie, pattern->domain_count * (pattern->segment_count + 1));
}

static const char *const *copy_names(struct gf_router *router, const struct gf_pattern *pattern)
{
    size_t size = pattern->name_count * sizeof(pattern->names[0]);
    void *names = gf_arena_alloc(router->arena, size);
    return names ? memcpy(names, pattern->names, size) : NULL;
}

static void link_binding(struct gf_router *router, struct gf_binding *binding, uint32_t node_number)
{
    struct gf_node *node = &router->trie.nodes[node_number];
    binding->route.pace = &binding->pace;
    binding->next = node->bindings;
    node->bindings = binding;
    router->bindings[router->count++] = binding;
}

static int add_bindings(struct gf_router *router, const struct gf_pattern *pattern, ghttp_handler *handler, void *arg)
{
    int error = reserve(router, pattern);
    if (error)
        return error;
    const char *const *names = copy_names(router, pattern);
    struct gf_binding *bindings = gf_arena_alloc(router->arena, pattern->domain_count * sizeof(*bindings));
    uint32_t *nodes = gf_arena_alloc(router->arena, pattern->domain_count * sizeof(*nodes));
    if (!names || !bindings || !nodes)
        return -ENOMEM;
    for (size_t i = 0; i < pattern->domain_count; i++) {
        error = add_path(router, pattern, pattern->domains[i], &nodes[i]);
        if (error)
            return error;
    }
    for (size_t i = 0; i < pattern->domain_count; i++) {
        bindings[i].names = names;
        bindings[i].route = (struct gf_route){
            .methods = pattern->methods,
            .pattern = pattern->text,
            .method = pattern->method,
            .path = pattern->path,
            .domain = pattern->domains[i],
            .handler = handler,
            .arg = arg,
        };
        link_binding(router, &bindings[i], nodes[i]);
    }
    return 0;
}

static const char *reason_of(int error)
{
    return error == -ENOSPC ? "the table of routes is full (1,000,000 nodes, 128 {field} segments at one place)"
                            : "out of memory";
}

int gf_router_bind(struct gf_router *router, const char *pattern_text, ghttp_handler *handler, void *arg, char *error,
                   size_t error_size)
{
    const char *shown = pattern_text ? pattern_text : "";
    const char *reason = "it has no handler";
    struct gf_pattern pattern;
    int result = handler ? gf_pattern_parse(&pattern, router->arena, pattern_text, &reason) : -EINVAL;
    if (result == -EINVAL) {
        snprintf(error, error_size, "pattern \"%.200s\": %s", shown, reason);
        return result;
    }
    for (size_t i = 0; !result && i < pattern.domain_count; i++) {
        const struct gf_binding *same = find_same(router, &pattern, pattern.domains[i]);
        if (same) {
            snprintf(error, error_size, "pattern \"%.200s\": bound already, as \"%.200s\"", shown, same->route.pattern);
            return -EEXIST;
        }
    }
    if (!result)
        result = add_bindings(router, &pattern, handler, arg);
    if (result)
        snprintf(error, error_size, "pattern \"%.200s\": %s", shown, reason_of(result));
    return result == -ENOSPC ? -ENOMEM : result;
}
