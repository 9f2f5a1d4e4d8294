/*
 * The acceptor: one worker's side of one listener: takes its clients in, or refuses them politely at a limit.
 *
 * Thread: the one that leads the worker.
 */
#ifndef GF_GHTTP_ENGINE_ACCEPTOR_H
#define GF_GHTTP_ENGINE_ACCEPTOR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "watch.h"

struct gf_lane;
struct gf_listener;
struct gf_worker;

struct gf_acceptor {
    struct gf_watch watch; /* first: epoll gives it back */
    struct gf_worker *worker;
    struct gf_lane *lane;
    const struct gf_listener *listener;
    bool accepting;
    int64_t pause_ends_ms; /* 0: it does not pause */
    LIST_ENTRY(gf_acceptor) in_pausing;
};

/* Begins to accept, or ceases without closing the socket. Doing it twice is fine. 0 or a negative errno. */
int gf_acceptor_begin(struct gf_acceptor *acceptor);
void gf_acceptor_cease(struct gf_acceptor *acceptor);

/* Takes in the clients that wait, some of them: the others of the loop want their turn too. */
void gf_acceptor_ready(struct gf_acceptor *acceptor);
/* Takes in all that wait. */
void gf_acceptor_empty(struct gf_acceptor *acceptor);

/* Those of a worker that pause, since the system had nothing left for a client: has them try again whose time has come.
 * And when that of the next one comes. */
void gf_acceptors_try_again(struct gf_worker *worker, int64_t now_ms);
int64_t gf_acceptors_next_try(const struct gf_worker *worker);

#endif
