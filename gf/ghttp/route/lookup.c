/*
 * Lookup: down the trie along the segments of the path, the most specific child first, back up where that
 * leads nowhere or to no route with the request's method.
 *
 * Segments are cut at the slashes that were sent and decoded afterwards, so that %2F stays inside one. Paths may
 * be deeper than any pattern: what lies below the last node is never cut. Recursion is as deep as the deepest
 * pattern (GF_PATTERN_SEGMENTS_MAX); the visits are counted (GF_ROUTER_VISITS_MAX).
 * Thread: any; the router is only read.
 */
#include <errno.h>
#include <string.h>

#include "../message/arena.h"
#include "../message/request.h"
#include "bindings.h"
#include "segment.h"

/* A segment of the path as it was sent, and decoded. */
struct segment {
    struct gf_slice raw;
    struct gf_slice decoded;
};

/* What a segment was matched with, so that the parameters can be read off when the route is known. */
struct choice {
    enum gf_segment_kind kind;
    const struct gf_template *template;
};

struct lookup {
    const struct gf_router *router;
    const struct gf_trie *trie;
    struct ghttp_request *request;
    unsigned method;  /* the request's bit */
    unsigned allowed; /* of the routes that were passed over */
    unsigned visits;
    int error;
    const char *const *names; /* of the parameters of what was picked */
    const char *rest;         /* of the path, behind the segments that are cut */
    size_t segment_count;
    struct segment segments[GF_PATTERN_SEGMENTS_MAX + 1];
    struct choice choices[GF_PATTERN_SEGMENTS_MAX + 1];
};

/* ---- segments --------------------------------------------------------------------------------- */

/* The segment at this depth, cut when first asked for; NULL at the path's end, or with an error. */
static const struct segment *segment_at(struct lookup *lookup, size_t depth)
{
    struct segment *segment = &lookup->segments[depth];
    if (depth == lookup->segment_count) {
        segment->raw = gf_segment_cut(&lookup->rest);
        lookup->error = gf_segment_decode(lookup->request->arena, segment->raw, &segment->decoded);
        if (lookup->error)
            return NULL;
        lookup->segment_count++;
    }
    return segment->raw.size > 0 ? segment : NULL;
}

/* ---- the walk --------------------------------------------------------------------------------- */

static const struct gf_binding *with_methods(const struct gf_binding *binding, unsigned methods)
{
    while (binding && binding->route.methods != methods)
        binding = binding->next;
    return binding;
}

/* The binding of a node that has the request's method: its own before GET's for HEAD before ALL's. */
static const struct gf_binding *pick(struct lookup *lookup, uint32_t node)
{
    const struct gf_binding *bindings = lookup->trie->nodes[node].bindings;
    const struct gf_binding *picked = with_methods(bindings, lookup->method);
    if (!picked && lookup->method == GF_METHOD_HEAD)
        picked = with_methods(bindings, GF_METHOD_GET);
    if (!picked && lookup->method != 0)
        picked = with_methods(bindings, GF_METHOD_ALL);
    for (const struct gf_binding *passed = picked ? NULL : bindings; passed; passed = passed->next)
        lookup->allowed |= passed->route.methods;
    if (picked)
        lookup->names = picked->names;
    return picked;
}

static bool count_visit(struct lookup *lookup)
{
    if (++lookup->visits > GF_ROUTER_VISITS_MAX)
        lookup->error = -ELOOP;
    return lookup->error == 0;
}

static void choose(struct lookup *lookup, size_t depth, enum gf_segment_kind kind, const struct gf_template *template)
{
    lookup->choices[depth] = (struct choice){kind, template};
}

static const struct gf_binding *walk(struct lookup *lookup, uint32_t number, size_t depth);

static const struct gf_binding *walk_templates(struct lookup *lookup, const struct gf_node *node, size_t depth)
{
    struct gf_slice text = lookup->segments[depth].decoded;
    for (uint32_t i = 0; i < node->template_count; i++) {
        const struct gf_trie_template *child = &node->templates[i];
        if (!count_visit(lookup))
            return NULL;
        if (!gf_template_match(child->template, text.text, text.size, NULL))
            continue;
        choose(lookup, depth, GF_SEGMENT_TEMPLATE, child->template);
        const struct gf_binding *found = walk(lookup, child->node, depth + 1);
        if (found || lookup->error)
            return found;
    }
    return NULL;
}

/* Whether what a leaf speaks for is the binding for this method. */
static bool is_meant(const struct gf_shape *shape, unsigned method)
{
    return shape->methods != 0 &&
           (shape->methods == method || (shape->methods == GF_METHOD_ALL && method && !shape->more));
}

/* Below a child that is text: its leaf mostly knows what there is, and its node need not be fetched. */
static const struct gf_binding *walk_leaf(struct lookup *lookup, uint32_t number, size_t depth)
{
    const struct gf_leaf *leaf = &lookup->trie->leaves[number];
    const struct gf_shape *shape = &lookup->trie->shapes[leaf->shape];
    if (is_meant(shape, lookup->method) && (!shape->one || segment_at(lookup, depth)) && !lookup->error &&
        !segment_at(lookup, depth + shape->one) && !lookup->error) {
        if (shape->one)
            choose(lookup, depth, GF_SEGMENT_ONE, NULL);
        choose(lookup, depth + shape->one, GF_SEGMENT_LITERAL, NULL);
        lookup->names = shape->names;
        return gf_router_binding(lookup->router, leaf->binding);
    }
    return lookup->error ? NULL : walk(lookup, lookup->trie->leaf_nodes[number], depth);
}

/* The children that stand for one segment. */
static const struct gf_binding *walk_segment(struct lookup *lookup, uint32_t number, size_t depth)
{
    const struct gf_node *node = &lookup->trie->nodes[number];
    struct gf_slice text = lookup->segments[depth].decoded;
    const struct gf_binding *found = NULL;
    uint32_t leaf = gf_trie_find_leaf(lookup->trie, number, text.text, text.size);
    if (leaf != 0) {
        choose(lookup, depth, GF_SEGMENT_LITERAL, NULL);
        found = walk_leaf(lookup, leaf, depth + 1);
    }
    if (!found && !lookup->error)
        found = walk_templates(lookup, node, depth);
    if (!found && !lookup->error && node->one != 0) {
        choose(lookup, depth, GF_SEGMENT_ONE, NULL);
        found = walk(lookup, node->one, depth + 1);
    }
    return found;
}

/* The route of a node at the path's end. The choice is written lest that of a branch given up be read. */
static const struct gf_binding *pick_here(struct lookup *lookup, uint32_t number, size_t depth)
{
    choose(lookup, depth, GF_SEGMENT_LITERAL, NULL);
    return pick(lookup, number);
}

/* The route for the path from depth on, below this node. */
static const struct gf_binding *walk(struct lookup *lookup, uint32_t number, size_t depth)
{
    if (!count_visit(lookup))
        return NULL;
    const struct gf_binding *found = NULL;
    if (segment_at(lookup, depth))
        found = walk_segment(lookup, number, depth);
    else if (!lookup->error)
        found = pick_here(lookup, number, depth);
    uint32_t rest = lookup->trie->nodes[number].rest;
    if (!found && !lookup->error && rest != 0) {
        choose(lookup, depth, GF_SEGMENT_REST, NULL);
        found = pick(lookup, rest);
    }
    return found;
}

/* ---- parameters ------------------------------------------------------------------------------- */

/* What "*name" stands for: the segments from depth on, each decoded, with one slash between them. */
static int join_rest(struct lookup *lookup, size_t depth, const char **ret_text)
{
    struct gf_arena *arena = lookup->request->arena;
    const char *path = lookup->segments[depth].raw.text;
    char *joined = gf_arena_alloc(arena, strlen(path) + 1);
    if (!joined)
        return -ENOMEM;
    *ret_text = joined;
    for (;;) {
        struct gf_slice decoded, raw = gf_segment_cut(&path);
        if (raw.size == 0)
            return 0;
        int error = gf_segment_decode(arena, raw, &decoded);
        if (error)
            return error;
        if (joined > *ret_text)
            *joined++ = '/';
        joined = mempcpy(joined, decoded.text, decoded.size);
    }
}

/* A parameter without a name has no use for its value. */
static int add_value(struct lookup *lookup, const char *name, struct gf_slice value)
{
    struct ghttp_request *r = lookup->request;
    if (!name)
        return 0;
    const char *copy = gf_arena_strndup(r->arena, value.text, value.size);
    return copy ? gf_fields_add(&r->router_fields, r->arena, name, copy) : -ENOMEM;
}

static int add_template_values(struct lookup *lookup, size_t depth, const char *const *names)
{
    const struct gf_template *template = lookup->choices[depth].template;
    struct gf_slice text = lookup->segments[depth].decoded;
    struct gf_slice values[GF_TEMPLATE_FIELDS_MAX];
    int error = 0;
    gf_template_match(template, text.text, text.size, values);
    for (size_t i = 0; !error && i < template->field_count; i++)
        error = add_value(lookup, names[i], values[i]);
    return error;
}

static int add_rest(struct lookup *lookup, size_t depth, const char *name)
{
    const char *text = NULL;
    if (!name)
        return 0;
    int error = join_rest(lookup, depth, &text);
    return error ? error : gf_fields_add(&lookup->request->router_fields, lookup->request->arena, name, text);
}

static int add_parameters(struct lookup *lookup)
{
    const char *const *names = lookup->names;
    int error = 0;
    /* The last cut "segment" is the path's end, or what "*name" begins with. */
    for (size_t depth = 0; !error && depth < lookup->segment_count; depth++) {
        const struct choice *choice = &lookup->choices[depth];
        if (choice->kind == GF_SEGMENT_REST)
            return add_rest(lookup, depth, *names);
        if (lookup->segments[depth].raw.size == 0)
            return 0;
        if (choice->kind == GF_SEGMENT_TEMPLATE) {
            error = add_template_values(lookup, depth, names);
            names += choice->template->field_count;
        } else if (choice->kind == GF_SEGMENT_ONE) {
            error = add_value(lookup, *names++, lookup->segments[depth].decoded);
        }
    }
    return error;
}

static const struct gf_binding *walk_domain(struct lookup *lookup, const char *domain)
{
    uint32_t node = gf_trie_find_text(lookup->trie, GF_TRIE_ROOT, domain, strlen(domain));
    return node != 0 ? walk(lookup, node, 0) : NULL;
}

int gf_router_find_method(const struct gf_router *router, struct ghttp_request *r, unsigned method)
{
    struct lookup lookup; /* not zeroed: segments and choices are written before they are read */
    lookup.router = router;
    lookup.trie = &router->trie;
    lookup.request = r;
    lookup.method = method;
    lookup.allowed = 0;
    lookup.visits = 0;
    lookup.error = 0;
    lookup.rest = r->raw_path;
    lookup.segment_count = 0;

    const struct gf_binding *found = walk_domain(&lookup, r->host);
    if (!found && !lookup.error)
        found = walk_domain(&lookup, "default");
    if (lookup.error)
        return lookup.error;
    r->router_fields.count = 0;
    int error = found ? add_parameters(&lookup) : 0;
    if (error)
        return error;
    if (lookup.allowed & GF_METHOD_GET)
        lookup.allowed |= GF_METHOD_HEAD;
    r->route = found ? &found->route : NULL;
    r->allowed_methods = found || lookup.allowed == 0 ? 0 : lookup.allowed | GF_METHOD_OPTIONS;
    return 0;
}

int gf_router_find(const struct gf_router *router, struct ghttp_request *r)
{
    return gf_router_find_method(router, r, gf_method_bit(r->method));
}
