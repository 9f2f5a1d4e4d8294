/*
 * A lane: one worker's share of one service's HTTP or HTTPS: a libmicrohttpd daemon without a socket of its own
 * and without threads, driven by the worker.
 *
 * Thread: the one that leads the worker.
 */
#ifndef GF_GHTTP_ENGINE_LANE_H
#define GF_GHTTP_ENGINE_LANE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "connection.h"
#include "watch.h"

struct MHD_Daemon;
struct gf_service;

/* What libmicrohttpd 0.9.75 watches its connections with (daemon.c, new_connection_process_()). */
#define GF_LANE_EVENTS (EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLET)

struct gf_lane {
    struct gf_watch watch; /* first: epoll gives it back */
    LIST_ENTRY(gf_lane) in_worker;
    struct gf_worker *worker;
    struct gf_service *service;
    struct MHD_Daemon *daemon;
    int epoll_fd; /* the daemon's */
    bool tls;
    bool runnable;               /* the daemon has something to do without an event */
    bool called;                 /* it has called back since this was last looked at */
    unsigned fruitless;          /* turns in a row in which it wanted to be run and has done nothing */
    int64_t run_after_ms;        /* it has a pause until then, but for events; 0: none */
    struct gf_connection *tried; /* by standstill.c; NULL: none, or it has gone meanwhile */
    unsigned connections;        /* open in this lane */
    unsigned suspended;          /* of them in the hands of a handler thread */
    unsigned files;              /* answers from files under way */
    int64_t drain_since_ms;      /* 0: it does not drain */
    int drain_grace_ms;          /* what an idle connection is left for one more request */
    int64_t drain_look_ms;       /* when the connections without a request are looked at again */
    bool release_due;            /* connections may have become idle, and the service has a mover */
    int64_t release_after_ms;    /* not before this */
    bool adopting;               /* the connection that is being added comes from another process */
    uint64_t accepting_consumed; /* bytes of it that were consumed there */
    uint64_t accepting_key;      /* address key of the connection that is being added */
    bool accepting;              /* it has not been counted yet */
    int64_t look_ms;             /* when to look for hang-ups again */
    struct gf_wait_list waits[GF_WAITS];
};

/* Makes a lane in a worker. 0 or a negative errno with a sentence in error. */
int gf_lane_new(struct gf_worker *worker, struct gf_service *service, bool tls, struct gf_lane **ret_lane, char *error,
                size_t error_size);

/* Ends it with all its connections. None may be suspended: libmicrohttpd would abort the process. */
void gf_lane_free(struct gf_lane *lane);

/* What a connection's head, parsed form and answer's head have to share, in bytes. */
size_t gf_lane_memory(const struct gf_lane *lane);

/* Lets libmicrohttpd read, parse and write what it can. */
void gf_lane_run(struct gf_lane *lane);

/* Whether it is to be run now, and when without an event; INT64_MAX: never. */
bool gf_lane_is_due(const struct gf_lane *lane);
int64_t gf_lane_next_run(const struct gf_lane *lane);

/*
 * Gives an accepted socket to the lane, which closes it in every outcome. Of an adopted one, consumed bytes were read
 * by another process before. 0 or a negative errno.
 */
int gf_lane_add(struct gf_lane *lane, int fd, const struct sockaddr_storage *peer, socklen_t size, uint64_t address_key,
                bool adopted, uint64_t consumed);

#endif
