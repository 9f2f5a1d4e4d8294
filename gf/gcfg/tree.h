/*
 * The tree and its making: the readers of YAML and JSON say what comes next, and the limits are kept here.
 *
 * Owns: all nodes of a tree. Thread: one makes a tree; nobody changes it afterwards.
 */
#ifndef GF_GCFG_TREE_H
#define GF_GCFG_TREE_H

#include <gf/gcfg/gcfg.h>

#define GF_GCFG_SIZE_MAX (1 << 20) /* bytes of text: a hundred times what people write by hand */
#define GF_GCFG_DEPTH_MAX 32       /* nobody finds his way in more; and a tree is freed by recursion */
#define GF_GCFG_NODES_MAX 10000    /* 2 MB of nodes */

struct gcfg_node {
    enum gcfg_kind kind;
    int line, column;
    char *key;  /* NULL: none */
    char *text; /* of a GCFG_TEXT */
    size_t count;
    struct gcfg_node *parent, *first, *last, *next;
};

struct gcfg {
    char *path;
    struct gcfg_node *root;
};

/* A tree that is being made. */
struct gf_gcfg_builder {
    const char *path;
    struct gcfg_node *root;
    struct gcfg_node *open; /* the map or list that the next value belongs to; NULL: before or after the top */
    char *key;              /* of the next value */
    unsigned depth;
    unsigned nodes;
    char *error;
    size_t error_size;
};

/* Writes "file:line:column: sentence" as the error; gives result back. */
int gf_gcfg_fail(struct gf_gcfg_builder *b, int result, int line, int column, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Whether the next thing in the open map is a key. */
bool gf_gcfg_wants_key(const struct gf_gcfg_builder *b);

/* Each 0, -EINVAL, -EFBIG or -ENOMEM with the error written. What they are given is copied. */
int gf_gcfg_add_key(struct gf_gcfg_builder *b, const char *key, size_t length, int line, int column);
/* text, of this length, for a GCFG_TEXT. A list or map is open until gf_gcfg_close(). */
int gf_gcfg_add(struct gf_gcfg_builder *b, enum gcfg_kind kind, const char *text, size_t length, int line, int column);
void gf_gcfg_close(struct gf_gcfg_builder *b);

void gf_gcfg_free_nodes(struct gcfg_node *node);

/* The readers: valid UTF-8 in, the builder's root out. */
int gf_gcfg_read_yaml(struct gf_gcfg_builder *b, const char *text, size_t length);
int gf_gcfg_read_json(struct gf_gcfg_builder *b, const char *text, size_t length);

#endif
