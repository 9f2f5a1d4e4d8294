/*
 * The trie: domains, then the segments of patterns, down to the nodes where bindings hang.
 *
 * Nodes are numbers. All children that are text are in one hash table, keyed by parent and text, so that finding
 * a child costs the same below a node with three children and below one with a hundred thousand. Every node has
 * one parent, so a lookup comes to none of them twice. Owns: nodes, leaves, shapes and table; templates and texts are
 * in the arena that it was given.
 *
 * With many routes the time goes into waiting for memory that is not in the cache. So what most lookups need of a child
 * that is text is apart from its node, in its leaf, and small: its text, if that is short, and what is bound to it or
 * to
 * ":name" below it. A leaf and its part of the table are 30 bytes, and most lookups fetch nothing else of what belongs
 * to one route alone.
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
/* So many bits are enough for a node's number, a leaf's or a binding's. */
#define GF_TRIE_NUMBER_BITS 20
/* Templates of one parent are tried one by one. */
#define GF_TRIE_TEMPLATES_MAX 128

/* The parent of the domains; no node's child, so that 0 also says "none". */
#define GF_TRIE_ROOT 0

struct gf_trie_template {
    const struct gf_template *template;
    uint32_t node;
};

/* Texts up to this size are in their leaf. Most segments of patterns are shorter. */
#define GF_TRIE_NEAR 16
/* Different shapes that are kept: a few in most programs, and as many as a leaf can name. */
#define GF_TRIE_SHAPES_MAX 4096

struct gf_node {
    const char *text; /* of a child that is text */
    uint32_t text_size;
    uint32_t parent;
    uint32_t one;  /* the child for ":name", 0 if none */
    uint32_t rest; /* the child for "*name", 0 if none */
    uint32_t leaf; /* of a child that is text, else 0 */
    uint8_t template_count;
    bool has_texts;                     /* children that are text */
    struct gf_trie_template *templates; /* in the order of their precedence; as many as a power of two has room for */
    struct gf_binding *bindings;        /* what is bound to the path that ends here */
};

/* What a lookup asks a binding for. Most routes have one of few shapes. */
struct gf_shape {
    bool one;                 /* it is bound to the child for ":name", and not to the node itself */
    bool more;                /* there are other bindings with it */
    unsigned methods;         /* 0: the leaf says nothing of a binding */
    const char *const *names; /* of its parameters */
};

/* A child that is text, in short. */
struct gf_leaf {
    char text[GF_TRIE_NEAR]; /* if it is not longer */
    uint32_t parent : 20;
    uint32_t text_size : 12;
    uint32_t binding : 20; /* number of the first one of the path that ends here, or with ":name" behind it */
    uint32_t shape : 12;   /* of that; 0: the node has to be asked */
};

struct gf_trie {
    struct gf_arena *arena;
    struct gf_node *nodes;
    uint32_t count;
    uint32_t capacity;
    struct gf_leaf *leaves; /* from 1 on; as many as there could be nodes */
    uint32_t *leaf_nodes;   /* the node of each */
    uint32_t leaf_count;    /* with the 0th */
    struct gf_shape *shapes;
    uint32_t shape_count;
    /* Open addressing, a power of two of slots: the number of a leaf, and above it some bits of the hash of its parent
     * and text; 0 where free. */
    uint32_t *table;
    uint32_t table_size;
};

/* 0 or -ENOMEM. */
int gf_trie_init(struct gf_trie *trie, struct gf_arena *arena);
void gf_trie_finish(struct gf_trie *trie);

/* Makes room for so many more nodes. 0, -ENOSPC past GF_TRIE_NODES_MAX, -ENOMEM. */
int gf_trie_reserve(struct gf_trie *trie, size_t more);

/* The leaf of the child that is this text; 0 if none. */
uint32_t gf_trie_find_leaf(const struct gf_trie *trie, uint32_t parent, const char *text, size_t size);
/* The child that is this text; 0 if none. */
uint32_t gf_trie_find_text(const struct gf_trie *trie, uint32_t parent, const char *text, size_t size);
/* The child for a pattern's segment; 0 if none. */
uint32_t gf_trie_find(const struct gf_trie *trie, uint32_t parent, const struct gf_segment *segment);
/* The same child, made if need be, for which room was reserved. 0, -ENOSPC past GF_TRIE_TEMPLATES_MAX, -ENOMEM. */
int gf_trie_add(struct gf_trie *trie, uint32_t parent, const struct gf_segment *segment, uint32_t *ret_child);
/* The node's bindings are these now; the first has this number, and this shape but for "one". */
void gf_trie_bind(struct gf_trie *trie, uint32_t node, struct gf_binding *bindings, uint32_t number,
                  const struct gf_shape *shape);

#endif
