/*
 * The arena's blocks. A block is taken from malloc and never returned before the reset; the first one is
 * kept for the next request, so that a request of ordinary size costs no malloc at all.
 *
 * Thread: one at a time, whoever has the request.
 */
#include "arena.h"

#include <errno.h>
#include <stdalign.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fits the headers, parameters and routes of an ordinary request. */
#define FIRST_BLOCK_SIZE ((size_t)4096)
/* Blocks double up to this; what is larger gets a block to itself. */
#define BLOCK_SIZE_MAX ((size_t)65536)

#define ALIGNMENT alignof(max_align_t)

struct block {
    struct block *next;
    size_t size; /* bytes of data */
    size_t used;
    alignas(max_align_t) unsigned char data[];
};

struct deferred {
    struct deferred *next;
    void (*fn)(void *arg);
    void *arg;
};

struct gf_arena {
    size_t max;  /* held never passes this */
    size_t held; /* bytes of data in all blocks */
    struct block *first;
    struct block *current; /* where small pieces come from */
    struct block *others;  /* all but the first */
    struct deferred *deferred;
};

static struct block *block_new(size_t size)
{
    struct block *block = malloc(sizeof(*block) + size);
    if (!block)
        return NULL;
    block->next = NULL;
    block->size = size;
    block->used = 0;
    return block;
}

struct gf_arena *gf_arena_new(size_t max)
{
    struct gf_arena *arena = calloc(1, sizeof(*arena));
    if (!arena)
        return NULL;
    size_t size = max < FIRST_BLOCK_SIZE ? max : FIRST_BLOCK_SIZE;
    arena->first = block_new(size);
    if (!arena->first) {
        free(arena);
        return NULL;
    }
    arena->max = max;
    arena->held = size;
    arena->current = arena->first;
    return arena;
}

void gf_arena_free(struct gf_arena *arena)
{
    if (!arena)
        return;
    gf_arena_reset(arena);
    free(arena->first);
    free(arena);
}

void gf_arena_reset(struct gf_arena *arena)
{
    /* What runs here may allocate and defer once more: each is taken off the list before it runs. */
    while (arena->deferred) {
        struct deferred *deferred = arena->deferred;
        arena->deferred = deferred->next;
        deferred->fn(deferred->arg);
    }
    while (arena->others) {
        struct block *block = arena->others;
        arena->others = block->next;
        free(block);
    }
    arena->first->used = 0;
    arena->held = arena->first->size;
    arena->current = arena->first;
}

/* A new block with room for size bytes; it becomes the current one where it has room to spare. */
static struct block *add_block(struct gf_arena *arena, size_t size)
{
    size_t left = arena->max - arena->held;
    if (size > left)
        return NULL;
    size_t wanted = arena->current->size < BLOCK_SIZE_MAX / 2 ? arena->current->size * 2 : BLOCK_SIZE_MAX;
    if (wanted < size)
        wanted = size;
    if (wanted > left)
        wanted = left;
    struct block *block = block_new(wanted);
    if (!block)
        return NULL;
    arena->held += wanted;
    block->next = arena->others;
    arena->others = block;
    if (wanted - size > arena->current->size - arena->current->used)
        arena->current = block;
    return block;
}

void *gf_arena_alloc(struct gf_arena *arena, size_t size)
{
    if (size > SIZE_MAX - ALIGNMENT)
        return NULL;
    /* At least one unit, so that no two results are the same pointer. */
    size_t rounded = size ? (size + ALIGNMENT - 1) & ~(ALIGNMENT - 1) : ALIGNMENT;
    struct block *block = arena->current;
    if (rounded > block->size - block->used)
        block = add_block(arena, rounded);
    if (!block)
        return NULL;
    void *memory = block->data + block->used;
    block->used += rounded;
    return memset(memory, 0, size);
}

char *gf_arena_strndup(struct gf_arena *arena, const char *text, size_t size)
{
    if (size == SIZE_MAX)
        return NULL;
    char *copy = gf_arena_alloc(arena, size + 1);
    if (copy && size > 0)
        memcpy(copy, text, size);
    return copy;
}

char *gf_arena_strdup(struct gf_arena *arena, const char *text)
{
    return gf_arena_strndup(arena, text, strlen(text));
}

char *gf_arena_vprintf(struct gf_arena *arena, const char *format, va_list arguments)
{
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (size < 0)
        return NULL;
    char *text = gf_arena_alloc(arena, (size_t)size + 1);
    if (text)
        vsnprintf(text, (size_t)size + 1, format, arguments);
    return text;
}

char *gf_arena_printf(struct gf_arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = gf_arena_vprintf(arena, format, arguments);
    va_end(arguments);
    return text;
}

int gf_arena_defer(struct gf_arena *arena, void (*fn)(void *arg), void *arg)
{
    struct deferred *deferred = gf_arena_alloc(arena, sizeof(*deferred));
    if (!deferred)
        return -ENOMEM;
    deferred->fn = fn;
    deferred->arg = arg;
    deferred->next = arena->deferred;
    arena->deferred = deferred;
    return 0;
}
