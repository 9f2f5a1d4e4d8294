/*
 * Sessions in memory: a table (session_table.h) in a file of memory that belongs to no folder. At a restart the new
 * process gets its descriptor, and both work on the same table, so nothing that either of them writes is lost: not
 * while the old one drains, not when the new one fails and the old one goes on.
 *
 * It is bounded, since what clients can begin must not take the machine's memory; where it is full, the session goes
 * that nobody has used for longest. One lock guards the table, across the processes; it is held for microseconds, and
 * one that died with it in its hands leaves a table that is put in order by the next who comes.
 *
 * Owns: the memory, in this process. Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_MEMORY_H
#define GF_GHTTP_SERVICE_SESSION_MEMORY_H

#include "session_store.h"

/*
 * Makes a store for this many sessions in so many bytes, all told. now_ms NULL: the real time. 0, or a negative errno
 * with a sentence.
 */
int gf_session_memory_new(size_t size, uint64_t max_count, int64_t (*now_ms)(void), struct gf_session_store **ret_store,
                          char *error, size_t error_size);

/*
 * Takes over the memory of another process: the descriptor is the store's then, or closed. -EPROTO: its layout is that
 * of another version.
 */
int gf_session_memory_adopt(int fd, int64_t (*now_ms)(void), struct gf_session_store **ret_store, char *error,
                            size_t error_size);

/* Its descriptor, which stays the store's; negative if this is no store of this kind. */
int gf_session_memory_fd(const struct gf_session_store *store);

#endif
