/*
 * The trie: domains, then the segments of patterns, down to the nodes where bindings hang.
 *
 * Nodes are numbers. All children that are text are in one hash table, keyed by parent and text, so that finding
 * a child costs the same below a node with three children and below one with a hundred thousand. Every node has
 * one parent, so a lookup comes to none of them twice. Owns: nodes and table; texts and templates are in the
 * arena that it was given.
 */
#ifndef GF_GHTTP_ROUTE_TRIE_H
#define GF_GHTTP_ROUTE_TRIE_H

#include <stddef.h>
#include <stdint.h>

#include "pattern.h"

struct gf_arena;
struct gf_binding;

/* Some 100 MiB: a mistake in a loop of the program ends in a message and not in the machine's swap. */
#define GF_TRIE_NODES_MAX 1000000
/* Templates of one parent are tried one by one. */
#define GF_TRIE_TEMPLATES_MAX 128

/* The parent of the domains; no node's child, so that 0 also says "none". */
#define GF_TRIE_ROOT 0

struct gf_trie_template {
    const struct gf_template *template;
    uint32_t node;
};

struct gf_node {
    const char *text; /* of a child that is text */
    size_t text_size;
    uint32_t parent;
    uint32_t hash;
    uint32_t one;  /* the child for ":name", 0 if none */
    uint32_t rest; /* the child for "*name", 0 if none */
    uint32_t template_count;
    uint32_t template_capacity;
    struct gf_trie_template *templates; /* in the order of their precedence */
    struct gf_binding *bindings;        /* what is bound to the path that ends here */
};

struct gf_trie {
    struct gf_arena *arena;
    struct gf_node *nodes;
    uint32_t count;
    uint32_t capacity;
    uint32_t *table; /* open addressing: numbers of nodes, 0 where free */
    uint32_t table_size;
};

/* 0 or -ENOMEM. */
int gf_trie_init(struct gf_trie *trie, struct gf_arena *arena);
void gf_trie_finish(struct gf_trie *trie);

/* Makes room for so many more nodes. 0, -ENOSPC past GF_TRIE_NODES_MAX, -ENOMEM. */
int gf_trie_reserve(struct gf_trie *trie, size_t more);

/* The child that is this text; 0 if none. */
uint32_t gf_trie_find_text(const struct gf_trie *trie, uint32_t parent, const char *text, size_t size);
/* The child for a pattern's segment; 0 if none. */
uint32_t gf_trie_find(const struct gf_trie *trie, uint32_t parent, const struct gf_segment *segment);
/* The same child, made if need be, for which room was reserved. 0, -ENOSPC past GF_TRIE_TEMPLATES_MAX, -ENOMEM. */
int gf_trie_add(struct gf_trie *trie, uint32_t parent, const struct gf_segment *segment, uint32_t *ret_child);

#endif
