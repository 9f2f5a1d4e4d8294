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
    free(router->chunks);
    free(router);
}

size_t gf_router_count(const struct gf_router *router)
{
    return router->count;
}

const struct gf_route *gf_router_route(const struct gf_router *router, size_t n)
{
    return n < router->count ? &gf_router_binding(router, n)->route : NULL;
}

static struct gf_segment domain_segment(const char *domain)
{
    return (struct gf_segment){.kind = GF_SEGMENT_LITERAL, .literal = {domain, strlen(domain)}};
}

/* What is bound to the same paths and method on this domain; NULL if nothing is. */
static struct gf_binding *find_same(const struct gf_router *router, const struct gf_pattern *pattern,
                                    const char *domain)
{
    struct gf_segment first = domain_segment(domain);
    uint32_t node = gf_trie_find(&router->trie, GF_TRIE_ROOT, &first);
    for (size_t i = 0; node != 0 && i < pattern->segment_count; i++)
        node = gf_trie_find(&router->trie, node, &pattern->segments[i]);
    if (node == 0)
        return NULL;
    struct gf_binding *binding = router->trie.nodes[node].bindings;
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

static int add_chunk(struct gf_router *router)
{
    struct gf_binding **chunks = realloc(router->chunks, (router->chunk_count + 1) * sizeof(struct gf_binding *));
    if (!chunks)
        return -ENOMEM;
    router->chunks = chunks;
    chunks[router->chunk_count] = gf_arena_alloc(router->arena, GF_ROUTER_CHUNK * sizeof(struct gf_binding));
    if (!chunks[router->chunk_count])
        return -ENOMEM;
    router->chunk_count++;
    return 0;
}

static int reserve(struct gf_router *router, const struct gf_pattern *pattern)
{
    size_t needed = router->count + pattern->domain_count;
    int error = 0;
    while (!error && router->chunk_count * GF_ROUTER_CHUNK < needed)
        error = add_chunk(router);
    return error ? error : gf_trie_reserve(&router->trie, pattern->domain_count * (pattern->segment_count + 1));
}

static bool has_names(const struct gf_names *names, const struct gf_pattern *pattern)
{
    if (!names->items || names->count != pattern->name_count)
        return false;
    for (size_t i = 0; i < names->count; i++) {
        const char *a = names->items[i], *b = pattern->names[i];
        if (a && b ? strcmp(a, b) != 0 : a != b)
            return false;
    }
    return true;
}

static size_t hash_names(const struct gf_pattern *pattern)
{
    size_t hash = pattern->name_count;
    for (size_t i = 0; i < pattern->name_count; i++)
        for (const char *c = pattern->names[i] ? pattern->names[i] : ""; *c; c++)
            hash = hash * 31 + (unsigned char)*c;
    return hash;
}

/* A pattern's names, shared with the routes before it where they are the same. */
static const char *const *copy_names(struct gf_router *router, const struct gf_pattern *pattern)
{
    struct gf_names *kept = &router->kept_names[hash_names(pattern) % GF_ROUTER_NAMES_KEPT];
    if (has_names(kept, pattern))
        return kept->items;
    size_t size = pattern->name_count * sizeof(pattern->names[0]);
    void *names = gf_arena_alloc(router->arena, size);
    if (names)
        *kept = (struct gf_names){memcpy(names, pattern->names, size), pattern->name_count};
    return names;
}

/* A new binding at a node, for which there is room. */
static struct gf_binding *link_binding(struct gf_router *router, uint32_t node)
{
    struct gf_binding *binding = gf_router_binding(router, router->count);
    *binding = (struct gf_binding){.next = router->trie.nodes[node].bindings, .number = (uint32_t)router->count};
    router->trie.nodes[node].bindings = binding;
    router->count++;
    return binding;
}

/* Tells the trie what a lookup asks the first binding of a node for. */
static void note_first(struct gf_router *router, uint32_t node)
{
    struct gf_binding *binding = router->trie.nodes[node].bindings;
    struct gf_shape shape = {.more = binding->next != NULL, .methods = binding->route.methods, .names = binding->names};
    gf_trie_bind(&router->trie, node, binding, binding->number, &shape);
}

/* Writes a binding, new or to be replaced; what the trie has of it stays. */
static void fill(struct gf_binding *binding, const struct gf_pattern *pattern, size_t domain,
                 const struct gf_route_wish *wish, const char *const *names)
{
    binding->names = names;
    binding->route = (struct gf_route){
        .methods = pattern->methods,
        .pattern = pattern->text,
        .method = pattern->method,
        .path = pattern->path,
        .domain = pattern->domains[domain],
        .handler = wish->handler,
        .arg = wish->arg,
        .middleware = wish->middleware,
        .middleware_count = wish->middleware_count,
        .streams = wish->streams,
        .body_max = wish->body_max,
        .name = wish->name,
        .place = wish->place,
        .pace = &binding->pace,
    };
}

/* Links in those that are not bound already; replaces those that are. */
static void add_or_replace(struct gf_router *router, const struct gf_pattern *pattern, const struct gf_route_wish *wish,
                           const char *const *names, const uint32_t *nodes)
{
    for (size_t i = 0; i < pattern->domain_count; i++) {
        struct gf_binding *same = find_same(router, pattern, pattern->domains[i]);
        fill(same ? same : link_binding(router, nodes[i]), pattern, i, wish, names);
        note_first(router, nodes[i]);
    }
}

static int add_bindings(struct gf_router *router, const struct gf_pattern *pattern, const struct gf_route_wish *wish)
{
    int error = reserve(router, pattern);
    if (error)
        return error;
    const char *const *names = copy_names(router, pattern);
    uint32_t *nodes = gf_arena_alloc(router->arena, pattern->domain_count * sizeof(*nodes));
    if (!names || !nodes)
        return -ENOMEM;
    for (size_t i = 0; i < pattern->domain_count; i++) {
        error = add_path(router, pattern, pattern->domains[i], &nodes[i]);
        if (error)
            return error;
    }
    add_or_replace(router, pattern, wish, names, nodes);
    return 0;
}

/* The texts of a wish, copied where there are any. */
static int copy_texts(struct gf_router *router, struct gf_route_wish *wish)
{
    const char *name = wish->name ? gf_arena_strdup(router->arena, wish->name) : NULL;
    const char *place = wish->place ? gf_arena_strdup(router->arena, wish->place) : NULL;
    if ((wish->name && !name) || (wish->place && !place))
        return -ENOMEM;
    wish->name = name;
    wish->place = place;
    return 0;
}

static const char *reason_of(int error)
{
    return error == -ENOSPC ? "the table of routes is full (1,000,000 nodes, 128 {field} segments at one place)"
                            : "out of memory";
}

static int refuse_same(const struct gf_route_wish *wish, const struct gf_route *same, char *error, size_t error_size)
{
    if (wish->place && same->place)
        snprintf(error, error_size, "pattern \"%.120s\" at %.100s: bound already, as \"%.120s\" at %.100s",
                 wish->pattern, wish->place, same->pattern, same->place);
    else
        snprintf(error, error_size, "pattern \"%.200s\": bound already, as \"%.200s\"", wish->pattern, same->pattern);
    return -EEXIST;
}

int gf_router_add(struct gf_router *router, const struct gf_route_wish *wanted, char *error, size_t error_size)
{
    struct gf_route_wish wish = *wanted;
    const char *shown = wish.pattern ? wish.pattern : "";
    const char *reason = "it has no handler";
    struct gf_pattern pattern;
    int result = wish.handler ? gf_pattern_parse(&pattern, router->arena, wish.pattern, &reason) : -EINVAL;
    if (result == -EINVAL) {
        snprintf(error, error_size, "pattern \"%.200s\": %s", shown, reason);
        return result;
    }
    for (size_t i = 0; !result && !wish.overwrites && i < pattern.domain_count; i++) {
        const struct gf_binding *same = find_same(router, &pattern, pattern.domains[i]);
        if (same)
            return refuse_same(&wish, &same->route, error, error_size);
    }
    if (!result)
        result = copy_texts(router, &wish);
    if (!result)
        result = add_bindings(router, &pattern, &wish);
    if (result)
        snprintf(error, error_size, "pattern \"%.200s\": %s", shown, reason_of(result));
    return result == -ENOSPC ? -ENOMEM : result;
}

int gf_router_bind(struct gf_router *router, const char *pattern, ghttp_handler *handler, void *arg, char *error,
                   size_t error_size)
{
    struct gf_route_wish wish = {.pattern = pattern, .handler = handler, .arg = arg};
    return gf_router_add(router, &wish, error, error_size);
}
