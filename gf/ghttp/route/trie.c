/*
 * The trie's nodes and its table. Written while a program sets its server up, then only read: any thread.
 */
#include "trie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../message/arena.h"

#define FIRST_CAPACITY 64
/* Slots for each node: at most half of them are in use, so that probing stays short. */
#define SLOTS_PER_NODE 2

/* FNV-1a over the parent and the text. */
static uint32_t hash_child(uint32_t parent, const char *text, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325U ^ parent;
    hash *= 0x100000001b3U;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3U;
    return (uint32_t)(hash ^ hash >> 32);
}

static void put_into_table(uint32_t *table, uint32_t table_size, uint32_t hash, uint32_t node)
{
    uint32_t slot = hash & (table_size - 1);
    while (table[slot] != 0)
        slot = (slot + 1) & (table_size - 1);
    table[slot] = node;
}

/* capacity is a power of two. */
static int grow(struct gf_trie *trie, uint32_t capacity)
{
    uint32_t table_size = capacity * SLOTS_PER_NODE;
    uint32_t *table = calloc(table_size, sizeof(*table));
    if (!table)
        return -ENOMEM;
    struct gf_node *nodes = realloc(trie->nodes, capacity * sizeof(*nodes));
    if (!nodes) {
        free(table);
        return -ENOMEM;
    }
    for (uint32_t i = 1; i < trie->count; i++)
        if (nodes[i].text)
            put_into_table(table, table_size, nodes[i].hash, i);
    free(trie->table);
    trie->table = table;
    trie->table_size = table_size;
    trie->nodes = nodes;
    trie->capacity = capacity;
    return 0;
}

int gf_trie_init(struct gf_trie *trie, struct gf_arena *arena)
{
    *trie = (struct gf_trie){.arena = arena};
    int error = grow(trie, FIRST_CAPACITY);
    if (error)
        return error;
    trie->nodes[GF_TRIE_ROOT] = (struct gf_node){0};
    trie->count = 1;
    return 0;
}

void gf_trie_finish(struct gf_trie *trie)
{
    free(trie->nodes);
    free(trie->table);
}

int gf_trie_reserve(struct gf_trie *trie, size_t more)
{
    if (more > GF_TRIE_NODES_MAX - trie->count)
        return -ENOSPC;
    uint32_t needed = trie->count + (uint32_t)more;
    uint32_t capacity = trie->capacity;
    while (capacity < needed)
        capacity *= 2;
    return capacity > trie->capacity ? grow(trie, capacity) : 0;
}

uint32_t gf_trie_find_text(const struct gf_trie *trie, uint32_t parent, const char *text, size_t size)
{
    uint32_t hash = hash_child(parent, text, size);
    uint32_t slot = hash & (trie->table_size - 1);
    for (uint32_t found; (found = trie->table[slot]) != 0; slot = (slot + 1) & (trie->table_size - 1)) {
        const struct gf_node *node = &trie->nodes[found];
        if (node->hash == hash && node->parent == parent && node->text_size == size &&
            memcmp(node->text, text, size) == 0)
            return found;
    }
    return 0;
}

static uint32_t find_template(const struct gf_node *parent, const struct gf_template *template)
{
    for (uint32_t i = 0; i < parent->template_count; i++)
        if (gf_template_same(parent->templates[i].template, template))
            return parent->templates[i].node;
    return 0;
}

uint32_t gf_trie_find(const struct gf_trie *trie, uint32_t parent, const struct gf_segment *segment)
{
    switch (segment->kind) {
    case GF_SEGMENT_LITERAL:
        return gf_trie_find_text(trie, parent, segment->literal.text, segment->literal.size);
    case GF_SEGMENT_TEMPLATE:
        return find_template(&trie->nodes[parent], segment->template);
    case GF_SEGMENT_ONE:
        return trie->nodes[parent].one;
    case GF_SEGMENT_REST:
        break;
    }
    return trie->nodes[parent].rest;
}

/* Whether a is tried before b: more text, then fewer fields; of equals the first one bound. */
static bool goes_before(const struct gf_template *a, const struct gf_template *b)
{
    if (a->literal_size != b->literal_size)
        return a->literal_size > b->literal_size;
    return a->field_count < b->field_count;
}

static int insert_template(struct gf_trie *trie, struct gf_node *parent, const struct gf_template *template,
                           uint32_t child)
{
    if (parent->template_count == GF_TRIE_TEMPLATES_MAX)
        return -ENOSPC;
    if (parent->template_count == parent->template_capacity) {
        uint32_t capacity = parent->template_capacity ? parent->template_capacity * 2 : 2;
        struct gf_trie_template *templates = gf_arena_alloc(trie->arena, capacity * sizeof(*templates));
        if (!templates)
            return -ENOMEM;
        if (parent->template_count > 0)
            memcpy(templates, parent->templates, parent->template_count * sizeof(*templates));
        parent->templates = templates;
        parent->template_capacity = capacity;
    }
    uint32_t at = parent->template_count++;
    for (; at > 0 && goes_before(template, parent->templates[at - 1].template); at--)
        parent->templates[at] = parent->templates[at - 1];
    parent->templates[at] = (struct gf_trie_template){template, child};
    return 0;
}

int gf_trie_add(struct gf_trie *trie, uint32_t parent_number, const struct gf_segment *segment, uint32_t *ret_child)
{
    uint32_t child = gf_trie_find(trie, parent_number, segment);
    if (child != 0) {
        *ret_child = child;
        return 0;
    }
    child = trie->count;
    struct gf_node *parent = &trie->nodes[parent_number];
    struct gf_node *node = &trie->nodes[child];
    *node = (struct gf_node){.parent = parent_number};
    if (segment->kind == GF_SEGMENT_TEMPLATE) {
        int error = insert_template(trie, parent, segment->template, child);
        if (error)
            return error;
    } else if (segment->kind == GF_SEGMENT_ONE) {
        parent->one = child;
    } else if (segment->kind == GF_SEGMENT_REST) {
        parent->rest = child;
    } else {
        node->text = segment->literal.text;
        node->text_size = segment->literal.size;
        node->hash = hash_child(parent_number, node->text, node->text_size);
        put_into_table(trie->table, trie->table_size, node->hash, child);
    }
    trie->count++;
    *ret_child = child;
    return 0;
}
