/*
 * The arena: all memory of one request, given back at once when the request ends.
 *
 * Owns: its blocks. Thread: one at a time, whoever has the request.
 */
#ifndef GF_GHTTP_MESSAGE_ARENA_H
#define GF_GHTTP_MESSAGE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

struct gf_arena;

/* A new arena that never holds more than max bytes; NULL when memory is short. */
struct gf_arena *gf_arena_new(size_t max);
/* Runs what was deferred, gives the memory back. NULL is fine. */
void gf_arena_free(struct gf_arena *arena);
/* Runs what was deferred and forgets everything, keeping the first block for the next request. */
void gf_arena_reset(struct gf_arena *arena);

/* Zeroed, aligned for any type; NULL past the maximum or without memory. Size 0 gives a valid pointer. */
void *gf_arena_alloc(struct gf_arena *arena, size_t size);
char *gf_arena_strdup(struct gf_arena *arena, const char *text);
char *gf_arena_strndup(struct gf_arena *arena, const char *text, size_t size);
char *gf_arena_vprintf(struct gf_arena *arena, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));
char *gf_arena_printf(struct gf_arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* fn(arg) at the reset or the end, last deferred first. 0 or -ENOMEM. */
int gf_arena_defer(struct gf_arena *arena, void (*fn)(void *arg), void *arg);

#endif
