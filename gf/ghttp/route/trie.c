/*
 * The trie's nodes and its table. Written while a program sets its server up, then only read: any thread.
 */
#include "trie.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "../message/arena.h"

#define FIRST_CAPACITY 64
/* Of a text: GF_PATTERN_SIZE_MAX is more than any has. */
#define GF_TRIE_SIZE_MASK 0xfffU
/* Shapes that a new one is compared with: routes that are alike are bound one after another. */
#define SHAPES_COMPARED 32
/* Bytes of a line of the cache. */
#define LINE 64
/* From this size on memory is asked for in huge pages, where the system has them: looking up the address of a page is
 * the most of what a line takes that is not in the cache. */
#define HUGE_PAGE ((size_t)2 << 20)

/* FNV-1a over the parent and the text. */
static uint32_t hash_child(uint32_t parent, const char *text, size_t size)
{
    uint64_t hash = 0xcbf29ce484222325U ^ parent;
    hash *= 0x100000001b3U;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3U;
    return (uint32_t)(hash ^ hash >> 32);
}

/* ---- memory ---- */

/* Zeroed memory that begins at the begin of a line; for free(). */
static void *allocate(size_t size)
{
    size_t unit = size >= HUGE_PAGE ? HUGE_PAGE : LINE;
    size_t rounded = (size + unit - 1) / unit * unit;
    void *memory = aligned_alloc(unit, rounded);
    if (!memory)
        return NULL;
    if (unit == HUGE_PAGE)
        madvise(memory, rounded, MADV_HUGEPAGE); /* without them it is slower, and right */
    return memset(memory, 0, rounded);
}

static uint32_t leaf_of(uint32_t slot)
{
    return slot & ((1U << GF_TRIE_NUMBER_BITS) - 1);
}

/* Where the search begins takes the lower bits of a hash, so that these say something more. */
static bool has_tag(uint32_t slot, uint32_t hash)
{
    return (slot ^ hash) >> GF_TRIE_NUMBER_BITS == 0;
}

static void put_into_table(uint32_t *table, uint32_t table_size, uint32_t hash, uint32_t leaf)
{
    uint32_t slot = hash & (table_size - 1);
    while (table[slot] != 0)
        slot = (slot + 1) & (table_size - 1);
    table[slot] = (hash >> GF_TRIE_NUMBER_BITS << GF_TRIE_NUMBER_BITS) | leaf;
}

/* The size is a power of two. */
static int grow_table(struct gf_trie *trie, uint32_t size)
{
    uint32_t *table = allocate(size * sizeof(*table));
    if (!table)
        return -ENOMEM;
    for (uint32_t leaf = 1; leaf < trie->leaf_count; leaf++) {
        const struct gf_node *node = &trie->nodes[trie->leaf_nodes[leaf]];
        put_into_table(table, size, hash_child(node->parent, node->text, node->text_size), leaf);
    }
    free(trie->table);
    trie->table = table;
    trie->table_size = size;
    return 0;
}

/* Room for so many elements, with those that there are. NULL: no memory, and nothing has changed. */
static void *grow_array(void *array, size_t count, size_t capacity, size_t element)
{
    void *grown = allocate(capacity * element);
    if (grown && count)
        memcpy(grown, array, count * element);
    return grown;
}

/* The capacity is a power of two. */
static int grow_nodes(struct gf_trie *trie, uint32_t capacity)
{
    void *nodes = grow_array(trie->nodes, trie->count, capacity, sizeof(*trie->nodes));
    void *leaves = grow_array(trie->leaves, trie->leaf_count, capacity, sizeof(*trie->leaves));
    void *leaf_nodes = grow_array(trie->leaf_nodes, trie->leaf_count, capacity, sizeof(*trie->leaf_nodes));
    if (!nodes || !leaves || !leaf_nodes) {
        free(nodes);
        free(leaves);
        free(leaf_nodes);
        return -ENOMEM;
    }
    free(trie->nodes);
    free(trie->leaves);
    free(trie->leaf_nodes);
    trie->nodes = nodes;
    trie->leaves = leaves;
    trie->leaf_nodes = leaf_nodes;
    trie->capacity = capacity;
    return 0;
}

int gf_trie_init(struct gf_trie *trie, struct gf_arena *arena)
{
    *trie = (struct gf_trie){.arena = arena, .count = 0};
    int error = grow_nodes(trie, FIRST_CAPACITY);
    if (!error)
        error = grow_table(trie, FIRST_CAPACITY);
    trie->shapes = calloc(GF_TRIE_SHAPES_MAX, sizeof(*trie->shapes));
    if (!trie->shapes)
        error = -ENOMEM;
    if (error)
        gf_trie_finish(trie);
    else
        trie->count = trie->leaf_count = trie->shape_count = 1;
    return error;
}

void gf_trie_finish(struct gf_trie *trie)
{
    free(trie->nodes);
    free(trie->leaves);
    free(trie->leaf_nodes);
    free(trie->shapes);
    free(trie->table);
}

/* At most four fifths of the slots are in use: sixteen share a line, so that probing seldom leaves it, and the smaller
 * the table is, the more of it is in the cache. */
static bool is_too_full(uint32_t table_size, size_t count)
{
    return count * 5 > (size_t)table_size * 4;
}

int gf_trie_reserve(struct gf_trie *trie, size_t more)
{
    if (more > GF_TRIE_NODES_MAX - trie->count)
        return -ENOSPC;
    uint32_t needed = trie->count + (uint32_t)more;
    uint32_t capacity = trie->capacity, table_size = trie->table_size;
    while (capacity < needed)
        capacity *= 2;
    while (is_too_full(table_size, trie->leaf_count + more))
        table_size *= 2;
    int error = capacity > trie->capacity ? grow_nodes(trie, capacity) : 0;
    return !error && table_size > trie->table_size ? grow_table(trie, table_size) : error;
}

/* ---- children ---- */

static const char *text_of(const struct gf_trie *trie, uint32_t leaf)
{
    return trie->leaves[leaf].text_size <= GF_TRIE_NEAR ? trie->leaves[leaf].text
                                                        : trie->nodes[trie->leaf_nodes[leaf]].text;
}

uint32_t gf_trie_find_leaf(const struct gf_trie *trie, uint32_t parent, const char *text, size_t size)
{
    if (!trie->nodes[parent].has_texts)
        return 0;
    uint32_t hash = hash_child(parent, text, size), mask = trie->table_size - 1;
    for (uint32_t at = hash & mask, slot; (slot = trie->table[at]) != 0; at = (at + 1) & mask) {
        if (!has_tag(slot, hash))
            continue;
        const struct gf_leaf *leaf = &trie->leaves[leaf_of(slot)];
        if (leaf->parent == parent && leaf->text_size == size && memcmp(text_of(trie, leaf_of(slot)), text, size) == 0)
            return leaf_of(slot);
    }
    return 0;
}

uint32_t gf_trie_find_text(const struct gf_trie *trie, uint32_t parent, const char *text, size_t size)
{
    return trie->leaf_nodes[gf_trie_find_leaf(trie, parent, text, size)];
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
    if ((parent->template_count & (parent->template_count - 1)) == 0) { /* a power of two, or none: no room is left */
        uint32_t capacity = parent->template_count ? parent->template_count * 2U : 1;
        struct gf_trie_template *templates = gf_arena_alloc(trie->arena, capacity * sizeof(*templates));
        if (!templates)
            return -ENOMEM;
        if (parent->template_count > 0)
            memcpy(templates, parent->templates, parent->template_count * sizeof(*templates));
        parent->templates = templates;
    }
    uint32_t at = parent->template_count++;
    for (; at > 0 && goes_before(template, parent->templates[at - 1].template); at--)
        parent->templates[at] = parent->templates[at - 1];
    parent->templates[at] = (struct gf_trie_template){template, child};
    return 0;
}

static void insert_text(struct gf_trie *trie, uint32_t parent, const struct gf_slice *text, uint32_t child)
{
    struct gf_node *node = &trie->nodes[child];
    uint32_t leaf = trie->leaf_count++;

    node->text = text->text;
    node->text_size = (uint32_t)text->size;
    node->leaf = leaf;
    trie->nodes[parent].has_texts = true;
    trie->leaf_nodes[leaf] = child;
    trie->leaves[leaf] = (struct gf_leaf){.parent = parent & ((1U << GF_TRIE_NUMBER_BITS) - 1),
                                          .text_size = text->size & GF_TRIE_SIZE_MASK};
    if (text->size <= GF_TRIE_NEAR)
        memcpy(trie->leaves[leaf].text, text->text, text->size);
    put_into_table(trie->table, trie->table_size, hash_child(parent, text->text, text->size), leaf);
}

/* A leaf's word about ":name" holds only as long as nothing goes before that. */
static void forget_one(struct gf_trie *trie, uint32_t leaf)
{
    if (trie->shapes[trie->leaves[leaf].shape].one)
        trie->leaves[leaf].shape = 0;
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
    trie->nodes[child] = (struct gf_node){.parent = parent_number};
    if (segment->kind == GF_SEGMENT_TEMPLATE) {
        int error = insert_template(trie, parent, segment->template, child);
        if (error)
            return error;
        forget_one(trie, parent->leaf);
    } else if (segment->kind == GF_SEGMENT_ONE) {
        parent->one = child;
    } else if (segment->kind == GF_SEGMENT_REST) {
        parent->rest = child;
    } else {
        insert_text(trie, parent_number, &segment->literal, child);
        forget_one(trie, parent->leaf);
    }
    trie->count++;
    *ret_child = child;
    return 0;
}

/* ---- bindings ---- */

/* The number of a shape, new or not; 0: there are too many. */
static uint32_t keep_shape(struct gf_trie *trie, const struct gf_shape *shape)
{
    for (uint32_t i = trie->shape_count - 1; i > 0 && i + SHAPES_COMPARED >= trie->shape_count; i--) {
        const struct gf_shape *kept = &trie->shapes[i];
        if (kept->one == shape->one && kept->more == shape->more && kept->methods == shape->methods &&
            kept->names == shape->names)
            return i;
    }
    if (trie->shape_count == GF_TRIE_SHAPES_MAX)
        return 0;
    trie->shapes[trie->shape_count] = *shape;
    return trie->shape_count++;
}

/* The leaf whose path this node ends, or the one above ":name"; 0: none, or it cannot speak for this node. */
static uint32_t find_speaker(const struct gf_trie *trie, uint32_t number, bool *ret_one)
{
    const struct gf_node *node = &trie->nodes[number], *parent = &trie->nodes[node->parent];
    *ret_one = !node->leaf;
    if (node->leaf)
        return node->leaf;
    return parent->one == number && !parent->has_texts && parent->template_count == 0 ? parent->leaf : 0;
}

void gf_trie_bind(struct gf_trie *trie, uint32_t node, struct gf_binding *bindings, uint32_t number,
                  const struct gf_shape *shape)
{
    struct gf_shape spoken = *shape;
    struct gf_leaf *leaf = &trie->leaves[find_speaker(trie, node, &spoken.one)];

    trie->nodes[node].bindings = bindings;
    if (leaf == trie->leaves)
        return;
    leaf->binding = number & ((1U << GF_TRIE_NUMBER_BITS) - 1);
    leaf->shape = number == leaf->binding ? keep_shape(trie, &spoken) & (GF_TRIE_SHAPES_MAX - 1) : 0;
}
