/*
 * The table of sessions in a stretch of memory that several processes share: slots, found by id, each with a chain of
 * blocks that hold its text. Everything is an index, nothing an address, since each process has the memory elsewhere.
 *
 * A process may die at any instruction. So a session is what its slot says in one 64-bit word, which is written last,
 * and all else (the index, the order of use, what is free) can be made anew from the slots: gf_session_table_rebuild().
 * An index that leads out of the table, by a fault of the other process, has the table rebuilt instead of followed.
 *
 * Owns: nothing; the memory is the caller's. Thread: one at a time, of all processes: under the caller's lock.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_TABLE_H
#define GF_GHTTP_SERVICE_SESSION_TABLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Changes with every change of the structures in this file and in session_table.c. */
#define GF_SESSION_TABLE_LAYOUT 1

/* The begin of the memory. */
struct gf_session_table_head {
    char magic[8];
    uint32_t layout;
    uint32_t lock_size; /* of pthread_mutex_t, which the C library may change */
    uint64_t size;      /* of the memory */
    uint32_t slot_count, bucket_count, block_count;
    uint32_t slot_high, block_high;   /* so many have been used once; the rest is untouched memory */
    uint32_t slot_ready, block_ready; /* so many have memory behind them */
    uint32_t free_slot, free_block;   /* the first of each chain; 0: empty */
    uint32_t free_block_count;
    uint32_t oldest, newest; /* in the order of use */
    uint32_t used;           /* slots */
    uint32_t sweep_at;
    int64_t swept_ms;
    uint64_t number;  /* of the last change or use */
    uint64_t evicted; /* that had time left */
    uint64_t rebuilt; /* how often */
    pthread_mutex_t lock;
};

struct gf_session_table {
    struct gf_session_table_head *head;
    /* Sees to it that there is memory behind this part, where the memory is not all there from the start. 0, or a
     * negative errno. NULL: it is there. */
    int (*reserve)(void *arg, size_t offset, size_t size);
    void *arg;
};

/* What one session, however small, takes at least. */
#define GF_SESSION_TABLE_COST 384

/* Makes an empty table of zeroed memory, for max_count sessions at most. The lock is the caller's to make. 0, or what
 * reserve says. */
int gf_session_table_format(struct gf_session_table *table, void *memory, size_t size, uint64_t max_count);
/* Whether this memory is a table that this process understands. */
bool gf_session_table_is(const void *memory, size_t size);

/* The text (malloc'ed), its end, and the number of its last change; counts as a use. -ENOENT, also when its time is
 * over; -ENOMEM. */
int gf_session_table_read(struct gf_session_table *table, const char *id, int64_t now_ms, char **ret_text,
                          int64_t *ret_ends_ms, uint64_t *ret_change);
/* The number of the last change; 0: there is none, or its time is over. */
uint64_t gf_session_table_change(struct gf_session_table *table, const char *id, int64_t now_ms);
/* Makes or replaces it; what was used least lately makes room. -E2BIG; -ENOSPC: there is too little room for this one
 * alone. */
int gf_session_table_write(struct gf_session_table *table, const char *id, const char *text, int64_t now_ms,
                           int64_t ends_ms);
/* -ENOENT. */
int gf_session_table_touch(struct gf_session_table *table, const char *id, int64_t now_ms, int64_t ends_ms);
/* Nothing if there is none. */
void gf_session_table_remove(struct gf_session_table *table, const char *id);
/* Removes what has ended among a few hundred slots, from where the last call stopped. How many. */
unsigned gf_session_table_sweep(struct gf_session_table *table, int64_t now_ms);

/* Makes everything anew from the slots: whoever held the lock has died. */
void gf_session_table_rebuild(struct gf_session_table *table);

#endif
