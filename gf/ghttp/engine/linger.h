/*
 * Lingering: reads what a client still sends after its connection was answered for the last time, so that
 * the close does not become a reset that takes the answer with it.
 *
 * Owns: duplicates of the closed connections' descriptors. Thread: the one that leads the worker.
 */
#ifndef GF_GHTTP_ENGINE_LINGER_H
#define GF_GHTTP_ENGINE_LINGER_H

#include <stdint.h>

struct gf_linger;
struct gf_worker;

/* Half-closes the connection and keeps a duplicate of fd until the client has closed, 5 s at most. */
void gf_linger_add(struct gf_worker *worker, int fd);
/* Reads and forgets what has come. */
void gf_linger_ready(struct gf_linger *linger);
/* Closes those whose time is over. */
void gf_linger_expire(struct gf_worker *worker, int64_t now_ms);
int64_t gf_linger_next_deadline(const struct gf_worker *worker);
void gf_linger_finish(struct gf_worker *worker);

#endif
