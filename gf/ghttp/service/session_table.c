/*
 * The table of sessions. Indices count from 1, so that 0 is none and zeroed memory an empty table.
 *
 * The memory: head, buckets, slots, blocks. A text of n bytes has n / BLOCK_TEXT blocks, rounded up.
 */
#include "session_table.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "session_id.h"
#include "session_store.h"

#define MAGIC "gfsessn"
#define BLOCK_TEXT 248
/* Memory is asked for in steps of so many, each a system call. */
#define SLOT_STEP 256
#define BLOCK_STEP 1024
/* What one sweep looks at. */
#define SWEEP_SLOTS 512

struct slot {
    _Atomic uint64_t content; /* the first block << 32 | bytes of the text; 0: the slot is free. Written last. */
    int64_t ends_ms;
    uint64_t change; /* the number of its last change */
    uint64_t use;    /* and of its last use */
    uint32_t next;   /* in its bucket, or in the chain of the free */
    uint32_t older, newer;
    char id[GF_SESSION_ID_SIZE];
};

struct block {
    uint32_t next;
    uint32_t owner; /* its slot, while the table is rebuilt */
    char text[BLOCK_TEXT];
};

_Static_assert(sizeof(struct slot) + sizeof(struct block) + 2 * sizeof(uint32_t) <= GF_SESSION_TABLE_COST,
               "what a session takes");

/* ---- where things are ---- */

static size_t slots_offset(const struct gf_session_table_head *head)
{
    return (sizeof(*head) + (size_t)head->bucket_count * sizeof(uint32_t) + 63) / 64 * 64;
}

static size_t blocks_offset(const struct gf_session_table_head *head)
{
    return (slots_offset(head) + (size_t)head->slot_count * sizeof(struct slot) + 63) / 64 * 64;
}

static struct slot *slot_at(const struct gf_session_table *table, uint32_t index)
{
    return (struct slot *)((char *)table->head + slots_offset(table->head)) + (index - 1);
}

static struct block *block_at(const struct gf_session_table *table, uint32_t index)
{
    return (struct block *)((char *)table->head + blocks_offset(table->head)) + (index - 1);
}

static uint32_t *bucket_of(const struct gf_session_table *table, const char *id)
{
    char digits[9];

    memcpy(digits, id, 8); /* random ones */
    digits[8] = '\0';
    return (uint32_t *)(table->head + 1) + strtoul(digits, NULL, 16) % table->head->bucket_count;
}

/* ---- the begin ---- */

static int reserve(const struct gf_session_table *table, size_t offset, size_t size)
{
    return table->reserve ? table->reserve(table->arg, offset, size) : 0;
}

int gf_session_table_format(struct gf_session_table *table, void *memory, size_t size, uint64_t max_count)
{
    struct gf_session_table_head *head = memory;
    uint64_t count = size / GF_SESSION_TABLE_COST;
    int result;

    table->head = head;
    if (count > max_count)
        count = max_count;
    if (count > UINT32_MAX / 2)
        count = UINT32_MAX / 2;
    result = reserve(table, 0, sizeof(*head) + (size_t)count * sizeof(uint32_t));
    if (result < 0)
        return result;
    head->slot_count = head->bucket_count = (uint32_t)count;
    uint64_t blocks = (size - blocks_offset(head)) / sizeof(struct block);
    head->block_count = blocks > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)blocks;
    head->size = size;
    head->lock_size = sizeof(pthread_mutex_t);
    head->layout = GF_SESSION_TABLE_LAYOUT;
    memcpy(head->magic, MAGIC, sizeof(head->magic));
    return 0;
}

bool gf_session_table_is(const void *memory, size_t size)
{
    const struct gf_session_table_head *head = memory;

    return size >= sizeof(*head) && !memcmp(head->magic, MAGIC, sizeof(head->magic)) &&
           head->layout == GF_SESSION_TABLE_LAYOUT && head->lock_size == sizeof(pthread_mutex_t) &&
           head->size == size && head->slot_count && head->bucket_count &&
           blocks_offset(head) + (size_t)head->block_count * sizeof(struct block) <= size;
}

/* ---- chains of blocks ---- */

static uint32_t blocks_for(size_t size)
{
    return (uint32_t)(size ? (size + BLOCK_TEXT - 1) / BLOCK_TEXT : 1);
}

static void free_block(struct gf_session_table *table, uint32_t index)
{
    block_at(table, index)->next = table->head->free_block;
    table->head->free_block = index;
    table->head->free_block_count++;
}

/* false: it leads out of the table. */
static bool free_chain(struct gf_session_table *table, uint64_t content)
{
    uint32_t at = (uint32_t)(content >> 32);

    for (uint32_t left = blocks_for((uint32_t)content); left; left--) {
        if (!at || at > table->head->block_high)
            return false;
        uint32_t next = block_at(table, at)->next;
        free_block(table, at);
        at = next;
    }
    return true;
}

/* 0: there is none, or no memory for it. */
static uint32_t take_block(struct gf_session_table *table)
{
    struct gf_session_table_head *head = table->head;
    uint32_t index = head->free_block;

    if (index && index <= head->block_high) {
        head->free_block = block_at(table, index)->next;
        head->free_block_count--;
        return index;
    }
    if (head->block_high == head->block_count)
        return 0;
    if (head->block_high == head->block_ready) {
        uint32_t step =
            head->block_count - head->block_ready < BLOCK_STEP ? head->block_count - head->block_ready : BLOCK_STEP;
        if (reserve(table, blocks_offset(head) + (size_t)head->block_ready * sizeof(struct block),
                    step * sizeof(struct block)) < 0)
            return 0;
        head->block_ready += step;
    }
    return ++head->block_high;
}

/* ---- index and order ---- */

static void append_as_newest(struct gf_session_table *table, uint32_t index)
{
    struct slot *slot = slot_at(table, index);

    slot->older = table->head->newest;
    slot->newer = 0;
    if (slot->older)
        slot_at(table, slot->older)->newer = index;
    else
        table->head->oldest = index;
    table->head->newest = index;
}

static void take_out_of_order(struct gf_session_table *table, uint32_t index)
{
    const struct slot *slot = slot_at(table, index);

    if (slot->older)
        slot_at(table, slot->older)->newer = slot->newer;
    else
        table->head->oldest = slot->newer;
    if (slot->newer)
        slot_at(table, slot->newer)->older = slot->older;
    else
        table->head->newest = slot->older;
}

static bool is_slot(const struct gf_session_table *table, uint32_t index)
{
    return index <= table->head->slot_high;
}

static bool is_in_order(const struct gf_session_table *table, uint32_t index)
{
    const struct slot *slot = slot_at(table, index);

    return is_slot(table, slot->older) && is_slot(table, slot->newer);
}

static void use(struct gf_session_table *table, uint32_t index)
{
    slot_at(table, index)->use = ++table->head->number;
    if (!is_in_order(table, index)) {
        gf_session_table_rebuild(table);
    } else if (table->head->newest != index) {
        take_out_of_order(table, index);
        append_as_newest(table, index);
    }
}

/* 0: there is none, ended or not. */
static uint32_t find_any(struct gf_session_table *table, const char *id)
{
    uint32_t at = *bucket_of(table, id);

    for (uint32_t steps = 0; at; steps++) {
        if (!is_slot(table, at) || steps > table->head->slot_high) {
            gf_session_table_rebuild(table);
            return 0;
        }
        if (!memcmp(slot_at(table, at)->id, id, GF_SESSION_ID_SIZE))
            break;
        at = slot_at(table, at)->next;
    }
    return at;
}

static uint32_t find(struct gf_session_table *table, const char *id, int64_t now_ms)
{
    uint32_t index = find_any(table, id);

    return index && slot_at(table, index)->ends_ms > now_ms ? index : 0;
}

static bool take_out_of_bucket(struct gf_session_table *table, uint32_t index)
{
    uint32_t *link = bucket_of(table, slot_at(table, index)->id);

    for (uint32_t steps = 0; *link != index; steps++) {
        if (!*link || !is_slot(table, *link) || steps > table->head->slot_high)
            return false;
        link = &slot_at(table, *link)->next;
    }
    *link = slot_at(table, index)->next;
    return true;
}

/* The word first: from then on the session is gone, whatever happens to the rest. */
static void remove_slot(struct gf_session_table *table, uint32_t index)
{
    struct slot *slot = slot_at(table, index);
    uint64_t content = atomic_exchange(&slot->content, 0);

    if (!is_in_order(table, index) || !take_out_of_bucket(table, index) || !free_chain(table, content)) {
        gf_session_table_rebuild(table);
        return;
    }
    take_out_of_order(table, index);
    slot->next = table->head->free_slot;
    table->head->free_slot = index;
    table->head->used--;
}

/* ---- room ---- */

/* Not the one that is being written. false: there is no other, or the table had to be rebuilt. */
static bool evict_oldest(struct gf_session_table *table, uint32_t kept, int64_t now_ms)
{
    uint32_t oldest = table->head->oldest;
    uint64_t rebuilt = table->head->rebuilt;

    if (!oldest || oldest == kept || !is_slot(table, oldest))
        return false;
    table->head->evicted += slot_at(table, oldest)->ends_ms > now_ms;
    remove_slot(table, oldest);
    return table->head->rebuilt == rebuilt;
}

static uint32_t take_slot(struct gf_session_table *table)
{
    struct gf_session_table_head *head = table->head;
    uint32_t index = head->free_slot;

    if (index && is_slot(table, index)) {
        head->free_slot = slot_at(table, index)->next;
        return index;
    }
    if (head->slot_high == head->slot_count)
        return 0;
    if (head->slot_high == head->slot_ready) {
        uint32_t step =
            head->slot_count - head->slot_ready < SLOT_STEP ? head->slot_count - head->slot_ready : SLOT_STEP;
        if (reserve(table, slots_offset(head) + (size_t)head->slot_ready * sizeof(struct slot),
                    step * sizeof(struct slot)) < 0)
            return 0;
        head->slot_ready += step;
    }
    return ++head->slot_high;
}

/* A chain with the text, that nothing points to yet; if the table is rebuilt meanwhile, it has been freed by that. 0:
 * there is no room. */
static uint32_t make_chain(struct gf_session_table *table, const char *text, size_t size, uint32_t kept, int64_t now_ms)
{
    uint32_t first = 0, *link = &first;
    uint64_t rebuilt = table->head->rebuilt;

    for (size_t done = 0; done < size || !first; done += BLOCK_TEXT) {
        uint32_t index;

        while (!(index = take_block(table)))
            if (!evict_oldest(table, kept, now_ms))
                goto fail;
        struct block *block = block_at(table, index);
        size_t part = size - done < BLOCK_TEXT ? size - done : BLOCK_TEXT;
        memcpy(block->text, text + done, part);
        block->next = 0;
        *link = index;
        link = &block->next;
    }
    return first;
fail:
    while (first && table->head->rebuilt == rebuilt) {
        uint32_t next = block_at(table, first)->next;
        free_block(table, first);
        first = next;
    }
    return 0;
}

/* ---- sessions ---- */

static bool copy_text(const struct gf_session_table *table, uint64_t content, char *text)
{
    size_t size = (uint32_t)content, done = 0;

    for (uint32_t at = (uint32_t)(content >> 32); done < size; at = block_at(table, at)->next) {
        size_t part = size - done < BLOCK_TEXT ? size - done : BLOCK_TEXT;

        if (!at || at > table->head->block_high)
            return false;
        memcpy(text + done, block_at(table, at)->text, part);
        done += part;
    }
    text[size] = '\0';
    return true;
}

int gf_session_table_read(struct gf_session_table *table, const char *id, int64_t now_ms, char **ret_text,
                          int64_t *ret_ends_ms, uint64_t *ret_change)
{
    uint32_t index = find(table, id, now_ms);
    const struct slot *slot = index ? slot_at(table, index) : NULL;
    uint64_t content = slot ? atomic_load(&slot->content) : 0;
    char *text;

    if (!content || (uint32_t)content > GF_SESSION_TEXT_MAX)
        return -ENOENT;
    text = malloc((size_t)(uint32_t)content + 1);
    if (!text)
        return -ENOMEM;
    if (!copy_text(table, content, text)) {
        free(text);
        gf_session_table_rebuild(table);
        return -ENOENT;
    }
    *ret_text = text;
    *ret_ends_ms = slot->ends_ms;
    *ret_change = slot->change;
    use(table, index);
    return 0;
}

uint64_t gf_session_table_change(struct gf_session_table *table, const char *id, int64_t now_ms)
{
    uint32_t index = find(table, id, now_ms);

    return index ? slot_at(table, index)->change : 0;
}

/* After a rebuild since it was taken it is free already, somewhere among the free: in there twice, two sessions would
 * get it. */
static void give_slot_back(struct gf_session_table *table, uint32_t index, uint64_t rebuilt)
{
    if (table->head->rebuilt != rebuilt)
        return;
    slot_at(table, index)->next = table->head->free_slot;
    table->head->free_slot = index;
}

static int write_new(struct gf_session_table *table, const char *id, const char *text, size_t size, int64_t now_ms,
                     int64_t ends_ms)
{
    uint32_t index, first;
    uint64_t rebuilt;

    while (!(index = take_slot(table)))
        if (!evict_oldest(table, 0, now_ms))
            return -ENOSPC;
    rebuilt = table->head->rebuilt;
    first = make_chain(table, text, size, 0, now_ms);
    if (!first) {
        give_slot_back(table, index, rebuilt);
        return -ENOSPC;
    }
    struct slot *slot = slot_at(table, index);
    memcpy(slot->id, id, GF_SESSION_ID_SIZE);
    slot->ends_ms = ends_ms;
    slot->change = slot->use = ++table->head->number;
    atomic_store(&slot->content, (uint64_t)first << 32 | size);
    slot->next = *bucket_of(table, id);
    *bucket_of(table, id) = index;
    append_as_newest(table, index);
    table->head->used++;
    return 0;
}

int gf_session_table_write(struct gf_session_table *table, const char *id, const char *text, int64_t now_ms,
                           int64_t ends_ms)
{
    uint32_t index = find_any(table, id), first;
    size_t size = strlen(text);
    uint64_t rebuilt = table->head->rebuilt;

    if (size > GF_SESSION_TEXT_MAX)
        return -E2BIG;
    if (!index)
        return write_new(table, id, text, size, now_ms, ends_ms);
    use(table, index);
    if (table->head->rebuilt != rebuilt)
        return -EIO; /* whether it is still there, nobody knows */
    first = make_chain(table, text, size, index, now_ms);
    if (!first)
        return -ENOSPC;
    struct slot *slot = slot_at(table, index);
    slot->change = ++table->head->number;
    slot->ends_ms = ends_ms;
    if (!free_chain(table, atomic_exchange(&slot->content, (uint64_t)first << 32 | size)))
        gf_session_table_rebuild(table);
    return 0;
}

int gf_session_table_touch(struct gf_session_table *table, const char *id, int64_t now_ms, int64_t ends_ms)
{
    uint32_t index = find(table, id, now_ms);

    if (!index)
        return -ENOENT;
    slot_at(table, index)->ends_ms = ends_ms;
    use(table, index);
    return 0;
}

void gf_session_table_remove(struct gf_session_table *table, const char *id)
{
    uint32_t index = find_any(table, id);

    if (index)
        remove_slot(table, index);
}

unsigned gf_session_table_sweep(struct gf_session_table *table, int64_t now_ms)
{
    struct gf_session_table_head *head = table->head;
    unsigned removed = 0;

    for (unsigned i = 0; i < SWEEP_SLOTS && i < head->slot_high; i++) {
        head->sweep_at = head->sweep_at < head->slot_high ? head->sweep_at + 1 : 1;
        const struct slot *slot = slot_at(table, head->sweep_at);
        if (!atomic_load(&slot->content) || slot->ends_ms > now_ms)
            continue;
        remove_slot(table, head->sweep_at);
        removed++;
    }
    return removed;
}

/* ---- after a death ---- */

/* Takes the blocks of a slot for it. false, and none is taken: it is none, or one is taken already. */
static bool claim(struct gf_session_table *table, uint32_t index)
{
    const struct slot *slot = slot_at(table, index);
    uint64_t content = atomic_load(&slot->content);
    uint32_t first = (uint32_t)(content >> 32), left = blocks_for((uint32_t)content), at = first;

    if ((uint32_t)content > GF_SESSION_TEXT_MAX)
        return false;
    for (; left && at && at <= table->head->block_high && !block_at(table, at)->owner; left--) {
        block_at(table, at)->owner = index;
        at = block_at(table, at)->next;
    }
    if (!left)
        return true;
    for (uint32_t given = blocks_for((uint32_t)content) - left; given; given--) {
        block_at(table, first)->owner = 0;
        first = block_at(table, first)->next;
    }
    return false;
}

static int compare_uses(const void *one, const void *other, void *arg)
{
    const struct gf_session_table *table = arg;
    uint64_t a = slot_at(table, *(const uint32_t *)one)->use, b = slot_at(table, *(const uint32_t *)other)->use;

    return a < b ? -1 : a > b;
}

/* Without memory to sort them, in the order of the slots: then other sessions than the oldest may go first. */
static void restore_order(struct gf_session_table *table)
{
    const struct gf_session_table_head *head = table->head;
    uint32_t *indices = malloc(((size_t)head->used + 1) * sizeof(*indices)), count = 0;

    for (uint32_t i = 1; i <= head->slot_high; i++)
        if (atomic_load(&slot_at(table, i)->content)) {
            if (indices)
                indices[count++] = i;
            else
                append_as_newest(table, i);
        }
    if (indices)
        qsort_r(indices, count, sizeof(*indices), compare_uses, table);
    for (uint32_t i = 0; indices && i < count; i++)
        append_as_newest(table, indices[i]);
    free(indices);
}

static void restore_slot(struct gf_session_table *table, uint32_t index)
{
    struct slot *slot = slot_at(table, index);

    if (atomic_load(&slot->content) && claim(table, index)) {
        slot->next = *bucket_of(table, slot->id);
        *bucket_of(table, slot->id) = index;
        table->head->used++;
    } else {
        atomic_store(&slot->content, 0);
        slot->next = table->head->free_slot;
        table->head->free_slot = index;
    }
}

void gf_session_table_rebuild(struct gf_session_table *table)
{
    struct gf_session_table_head *head = table->head;

    head->rebuilt++;
    if (head->slot_high > head->slot_count)
        head->slot_high = head->slot_count;
    if (head->block_high > head->block_count)
        head->block_high = head->block_count;
    memset(head + 1, 0, (size_t)head->bucket_count * sizeof(uint32_t));
    head->free_slot = head->free_block = head->free_block_count = 0;
    head->oldest = head->newest = head->used = 0;
    for (uint32_t i = 1; i <= head->block_high; i++)
        block_at(table, i)->owner = 0;
    for (uint32_t i = 1; i <= head->slot_high; i++)
        restore_slot(table, i);
    for (uint32_t i = 1; i <= head->block_high; i++)
        if (!block_at(table, i)->owner)
            free_block(table, i);
    restore_order(table);
}
