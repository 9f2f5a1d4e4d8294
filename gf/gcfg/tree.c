#include "tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int gf_gcfg_fail(struct gf_gcfg_builder *b, int result, int line, int column, const char *format, ...)
{
    va_list arguments;
    int used;

    if (!b->error_size)
        return result;
    used = snprintf(b->error, b->error_size, "%s:%d:%d: ", b->path, line, column);
    if (used < 0 || (size_t)used >= b->error_size)
        return result;
    va_start(arguments, format);
    vsnprintf(b->error + used, b->error_size - (size_t)used, format, arguments);
    va_end(arguments);
    return result;
}

static int fail_memory(struct gf_gcfg_builder *b, int line, int column)
{
    return gf_gcfg_fail(b, -ENOMEM, line, column, "no memory");
}

bool gf_gcfg_wants_key(const struct gf_gcfg_builder *b)
{
    return b->open && b->open->kind == GCFG_MAP && !b->key;
}

int gf_gcfg_add_key(struct gf_gcfg_builder *b, const char *key, size_t length, int line, int column)
{
    if (!length)
        return gf_gcfg_fail(b, -EINVAL, line, column, "a key is empty");
    if (memchr(key, 0, length))
        return gf_gcfg_fail(b, -EINVAL, line, column, "a key contains a zero byte");
    for (const struct gcfg_node *other = b->open->first; other; other = other->next)
        if (strlen(other->key) == length && !memcmp(other->key, key, length))
            return gf_gcfg_fail(b, -EINVAL, line, column, "the key \"%.64s\" is in line %d already", other->key,
                                other->line);
    b->key = strndup(key, length);
    return b->key ? 0 : fail_memory(b, line, column);
}

/* Takes the key and the place of a new node. */
static void append(struct gf_gcfg_builder *b, struct gcfg_node *node)
{
    node->key = b->key;
    b->key = NULL;
    node->parent = b->open;
    if (!b->open) {
        b->root = node;
        return;
    }
    if (b->open->last)
        b->open->last->next = node;
    else
        b->open->first = node;
    b->open->last = node;
    b->open->count++;
}

int gf_gcfg_add(struct gf_gcfg_builder *b, enum gcfg_kind kind, const char *text, size_t length, int line, int column)
{
    bool container = kind == GCFG_LIST || kind == GCFG_MAP;
    struct gcfg_node *node;

    if (!b->open && kind != GCFG_MAP)
        return gf_gcfg_fail(b, -EINVAL, line, column, "the file is no map of keys and values");
    if (b->nodes == GF_GCFG_NODES_MAX)
        return gf_gcfg_fail(b, -EFBIG, line, column, "more than %d values", GF_GCFG_NODES_MAX);
    if (container && b->depth == GF_GCFG_DEPTH_MAX)
        return gf_gcfg_fail(b, -EFBIG, line, column, "more than %d levels", GF_GCFG_DEPTH_MAX);
    if (kind == GCFG_TEXT && memchr(text, 0, length))
        return gf_gcfg_fail(b, -EINVAL, line, column, "a value contains a zero byte");
    node = calloc(1, sizeof(*node));
    if (!node)
        return fail_memory(b, line, column);
    *node = (struct gcfg_node){.kind = kind, .line = line, .column = column};
    if (kind == GCFG_TEXT && !(node->text = strndup(text, length))) {
        free(node);
        return fail_memory(b, line, column);
    }
    append(b, node);
    b->nodes++;
    if (container) {
        b->open = node;
        b->depth++;
    }
    return 0;
}

void gf_gcfg_close(struct gf_gcfg_builder *b)
{
    b->open = b->open->parent;
    b->depth--;
}

/* As deep as GF_GCFG_DEPTH_MAX at most. */
void gf_gcfg_free_nodes(struct gcfg_node *node)
{
    while (node) {
        struct gcfg_node *next = node->next;

        gf_gcfg_free_nodes(node->first);
        free(node->key);
        free(node->text);
        free(node);
        node = next;
    }
}
