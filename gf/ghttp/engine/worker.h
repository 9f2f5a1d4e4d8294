/*
 * The worker: one event loop. It accepts on all listeners, drives its lanes, and runs handlers between two turns of
 * libmicrohttpd, never inside one.
 *
 * A worker is led by one thread at a time. The leader that blocks in a handler is no loss: the monitor
 * gives the loop to another thread (gf_worker_pass_on), and the one that blocked finds on return that it leads no more,
 * leaves its finished exchange to the new leader, and becomes a spare thread.
 *
 * Thread: everything but the part marked *any thread* belongs to the leader.
 */
#ifndef GF_GHTTP_ENGINE_WORKER_H
#define GF_GHTTP_ENGINE_WORKER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "exchange.h"
#include "lane.h"
#include "watch.h"

struct gf_acceptor;
struct gf_call;
struct gf_linger;
struct gf_listener;
struct gf_service;

TAILQ_HEAD(gf_linger_list, gf_linger);
LIST_HEAD(gf_lane_list, gf_lane);
LIST_HEAD(gf_acceptor_list, gf_acceptor);

struct gf_worker {
    int epoll_fd;
    int reserve_fd; /* closed to refuse a client when there are no descriptors left */
    struct gf_lane_list lanes;
    struct gf_ready_list ready; /* complete requests whose handlers have not begun */
    struct gf_exchange *unused; /* kept for the next requests */
    unsigned unused_count;
    struct gf_linger_list lingering;
    unsigned lingering_count;
    struct gf_acceptor_list pausing;
    int64_t now_ms; /* CLOCK_MONOTONIC, as of this turn */
    bool stopping;
    unsigned turns;

    /* The leadership: odd while a handler runs on the loop. Whoever adds one to an odd value, the leader at the
     * handler's end or the monitor because it has run too long, has the loop from then on. */
    _Atomic uint64_t lead;
    struct gf_exchange *running; /* what the leader runs; the monitor's once it has the loop */
    struct gf_exchange *blocked; /* what the last leader was caught in; the new one's first concern */

    /* any thread */
    int wake_fd;
    struct gf_watch wake;
    _Atomic(struct gf_exchange *) finished; /* by threads that do not lead, the last first */
    pthread_mutex_t calls_lock;
    pthread_cond_t calls_done;
    STAILQ_HEAD(, gf_call) calls;
    bool ended; /* nobody leads any more */
};

int gf_worker_init(struct gf_worker *worker);
void gf_worker_finish(struct gf_worker *worker);

/* Leads the worker until it ends or the loop has been passed on. A gf_spare_job. */
void gf_worker_lead(void *worker);

/* Any thread: runs fn(worker, arg) on the loop and waits until it has. fn must not block. */
void gf_worker_call(struct gf_worker *worker, void (*fn)(struct gf_worker *worker, void *arg), void *arg);

/* Any thread: asks the loop to end and waits until it has. */
void gf_worker_stop(struct gf_worker *worker);

/* The monitor: takes the loop from a leader that has been in its handler since lead had this (odd) value. */
bool gf_worker_pass_on(struct gf_worker *worker, uint64_t lead);

/* A handler's thread: gives the loop to another thread, if it leads it. false: there is none. */
bool gf_worker_give_up(struct gf_exchange *exchange);

/* A handler's thread: leaves the exchange for the leader to look at; and whether it still waits there. */
void gf_worker_post(struct gf_exchange *exchange);
bool gf_worker_is_posted(const struct gf_exchange *exchange);

/* The leader, from libmicrohttpd's call back. */
void gf_worker_add_ready(struct gf_worker *worker, struct gf_exchange *exchange);

#endif
