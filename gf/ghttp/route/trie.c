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

/* Zeroed memory that begins at the begin of a line; for free(). The size is a multiple of a line's. */
static void *allocate(size_t size)
{
    void *memory = aligned_alloc(size >= HUGE_PAGE ? HUGE_PAGE : GF_TRIE_LINE, size);
    if (!memory)
        return NULL;
    if (size >= HUGE_PAGE)
        madvise(memory, size, MADV_HUGEPAGE); /* without them it is slower, and right */
    return memset(memory, 0, size);
}

static uint32_t node_of(uint32_t slot)
{
    return slot & ((1U << GF_TRIE_NUMBER_BITS) - 1);
}

/* Where the search begins takes the lower bits of a hash, so that these say something more. */
static bool has_tag(uint32_t slot, uint32_t hash)
{
    return (slot ^ hash) >> GF_TRIE_NUMBER_BITS == 0;
}

static void put_into_table(uint32_t *table, uint32_t table_size, uint32_t hash, uint32_t node)
{
    uint32_t slot = hash & (table_size - 1);
    while (table[slot] != 0)
        slot = (slot + 1) & (table_size - 1);
    table[slot] = (hash >> GF_TRIE_NUMBER_BITS << GF_TRIE_NUMBER_BITS) | node;
}

static const char *text_of(const struct gf_node *node)
{
    return node->text_size <= GF_TRIE_NEAR ? node->text.near : node->text.far;
}

/* The size is a power of two. */
static int grow_table(struct gf_trie *trie, uint32_t size)
{
    uint32_t *table = allocate(size * sizeof(*table));
    if (!table)
        return -ENOMEM;
    for (uint32_t i = 0; i < trie->table_size; i++) {
        uint32_t number = node_of(trie->table[i]);
        const struct gf_node *node = &trie->nodes[number];
        if (number != 0)
            put_into_table(table, size, hash_child(node->parent, text_of(node), node->text_size), number);
    }
    free(trie->table);
    trie->table = table;
    trie->table_size = size;
    return 0;
}

static int grow_nodes(struct gf_trie *trie, uint32_t capacity)
{
    struct gf_node *nodes = allocate(capacity * sizeof(*nodes));
    if (!nodes)
        return -ENOMEM;
    if (trie->count)
        memcpy(nodes, trie->nodes, trie->count * sizeof(*nodes));
    free(trie->nodes);
    trie->nodes = nodes;
    trie->capacity = capacity;
    return 0;
}

int gf_trie_init(struct gf_trie *trie, struct gf_arena *arena)
{
    *trie = (struct gf_trie){.arena = arena, .count = 0};
    int error = grow_nodes(trie, FIRST_CAPACITY);
    if (!error)
        error = grow_table(trie, FIRST_CAPACITY);
    if (error)
        gf_trie_finish(trie);
    else
        trie->count = 1;
    return error;
}

void gf_trie_finish(struct gf_trie *trie)
{
    free(trie->nodes);
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
    while (is_too_full(table_size, trie->table_count + more))
        table_size *= 2;
    int error = capacity > trie->capacity ? grow_nodes(trie, capacity) : 0;
    return !error && table_size > trie->table_size ? grow_table(trie, table_size) : error;
}

/* ---- children ---- */

uint32_t gf_trie_find_text(const struct gf_trie *trie, uint32_t parent, const char *text, size_t size)
{
    if (!trie->nodes[parent].has_texts)
        return 0;
    uint32_t hash = hash_child(parent, text, size), mask = trie->table_size - 1;
    for (uint32_t at = hash & mask, slot; (slot = trie->table[at]) != 0; at = (at + 1) & mask) {
        if (!has_tag(slot, hash))
            continue;
        const struct gf_node *node = &trie->nodes[node_of(slot)];
        __builtin_prefetch(node + 1); /* mostly its first child: what is next */
        if (node->parent == parent && node->text_size == size && memcmp(text_of(node), text, size) == 0)
            return node_of(slot);
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

    node->text_size = (uint32_t)text->size;
    if (text->size <= GF_TRIE_NEAR)
        memcpy(node->text.near, text->text, text->size);
    else
        node->text.far = text->text;
    trie->nodes[parent].has_texts = true;
    put_into_table(trie->table, trie->table_size, hash_child(parent, text->text, text->size), child);
    trie->table_count++;
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
    } else if (segment->kind == GF_SEGMENT_ONE) {
        parent->one = child;
    } else if (segment->kind == GF_SEGMENT_REST) {
        parent->rest = child;
    } else {
        insert_text(trie, parent_number, &segment->literal, child);
    }
    trie->count++;
    *ret_child = child;
    return 0;
}

void gf_trie_bind(struct gf_trie *trie, uint32_t number, struct gf_binding *bindings, bool more_than_one,
                  unsigned methods, const char *const *names)
{
    struct gf_node *node = &trie->nodes[number];

    node->bindings = bindings;
    node->has_one_binding = !more_than_one;
    node->methods = (uint16_t)methods;
    node->names = names;
}
