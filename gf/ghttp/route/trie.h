/*
 * The trie: domains, then the segments of patterns, down to the nodes where bindings hang.
 *
 * Nodes are numbers. All children that are text are in one hash table, keyed by parent and text, so that finding
 * a child costs the same below a node with three children and below one with a hundred thousand. Every node has
 * one parent, so a lookup comes to none of them twice. Owns: nodes and table; templates and long texts are in the
 * arena that it was given.
 *
 * With many routes the time goes into waiting for memory. So a node is a line of the cache, with its text, if that is
 * short, and with what a lookup asks its first binding for; the table is small, and says of nearly all others that they
 * are not meant; and the node of "/a/:id" mostly is the neighbour of that of "/a".
 */
#ifndef GF_GHTTP_ROUTE_TRIE_H
#define GF_GHTTP_ROUTE_TRIE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pattern.h"

struct gf_arena;
struct gf_binding;

/* Some 100 MiB: a mistake in a loop of the program ends in a message and not in the machine's swap. */
#define GF_TRIE_NODES_MAX 1000000
/* So many bits of a slot are a node's number. */
#define GF_TRIE_NUMBER_BITS 20
/* Templates of one parent are tried one by one. */
#define GF_TRIE_TEMPLATES_MAX 128

/* The parent of the domains; no node's child, so that 0 also says "none". */
#define GF_TRIE_ROOT 0

struct gf_trie_template {
    const struct gf_template *template;
    uint32_t node;
};

/* Bytes of a line of the cache. */
#define GF_TRIE_LINE 64
/* Texts up to this size are in their node: what is left of the line. Most segments of patterns are shorter. */
#define GF_TRIE_NEAR 16

struct gf_node {
    _Alignas(GF_TRIE_LINE) uint32_t parent;
    uint32_t one;       /* the child for ":name", 0 if none */
    uint32_t rest;      /* the child for "*name", 0 if none */
    uint32_t text_size; /* of a child that is text */
    uint16_t methods;   /* of the first binding; 0 if none */
    uint8_t template_count;
    bool has_texts;                     /* children that are text */
    bool has_one_binding;               /* and not more */
    struct gf_trie_template *templates; /* in the order of their precedence; as many as a power of two has room for */
    struct gf_binding *bindings;        /* what is bound to the path that ends here */
    const char *const *names;           /* of the first binding */
    union {
        char near[GF_TRIE_NEAR];
        const char *far;
    } text;
};

struct gf_trie {
    struct gf_arena *arena;
    struct gf_node *nodes;
    uint32_t count;
    uint32_t capacity;
    /* Open addressing, a power of two of slots: the number of a node, and above it some bits of the hash of its parent
     * and text; 0 where free. */
    uint32_t *table;
    uint32_t table_size;
    uint32_t table_count;
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
/* The node's bindings are these now, the first of which has these methods and names of parameters. */
void gf_trie_bind(struct gf_trie *trie, uint32_t node, struct gf_binding *bindings, bool more_than_one,
                  unsigned methods, const char *const *names);

#endif
