/*
 * The engine: all workers of the process and what they serve. The face of this floor: the floors above call
 * nothing else of it but listeners and TLS.
 *
 * Thread: any, one at a time for the same service.
 */
#ifndef GF_GHTTP_ENGINE_ENGINE_H
#define GF_GHTTP_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "release.h"
#include "service.h"

struct gf_engine_facts {
    unsigned workers;
    unsigned threads; /* that run handlers or lead workers */
    unsigned idle_threads;
};

/* Starts the workers; once in a process, a second call does nothing. 0, or a negative errno with a sentence. */
int gf_engine_start(unsigned workers, unsigned handler_threads, char *error, size_t error_size);

/* Ends workers, monitor and threads. false: handlers still run, which only the end of the process can end. */
bool gf_engine_stop(void);

/* Gets everything ready to serve a service on all its listeners; gf_engine_resume() lets clients in. 0, or a negative
 * errno with a sentence; then nothing is left. */
int gf_engine_add(struct gf_service *service, char *error, size_t error_size);

/* Ceases to accept, without closing a listener: whoever connects waits in the backlog, for whoever accepts next. */
void gf_engine_cease(struct gf_service *service);
/* Accepts at once all who wait in the backlog: the listeners are about to be closed. */
void gf_engine_empty(struct gf_service *service);
/* Accepts, or accepts again. */
void gf_engine_resume(struct gf_service *service);

/*
 * From now on each answer closes its connection; one that is idle is left grace_ms for a last request and is
 * then half-closed. service->drained_fd hears of the end.
 */
void gf_engine_drain(struct gf_service *service, int grace_ms);

/* The drain is off: answers keep their connections open again. */
void gf_engine_undrain(struct gf_service *service);

/*
 * From now on each plain-HTTP connection goes to the mover as soon as it is idle, and no answer on it closes it for the
 * drain's sake. NULL: connections stay again.
 */
void gf_engine_set_mover(struct gf_service *service, const struct gf_mover *mover);

/*
 * Takes over a plain-HTTP connection that another process has moved here: consumed bytes of it were read there. fd
 * belongs to the engine in every outcome. 0, -EINVAL: it is no such connection; -ENOENT: the service has no plain HTTP.
 */
int gf_engine_adopt(struct gf_service *service, int fd, uint64_t consumed);

/*
 * Ends the service with whatever is left of its connections, and returns how many requests that has cut. Handlers
 * that still run keep their connection until they return; false in *ret_clean then, and the service must stay.
 */
unsigned gf_engine_remove(struct gf_service *service, bool *ret_clean);

/* Returns once every worker has turned: each loop is alive. */
void gf_engine_probe(void);

void gf_engine_facts(struct gf_engine_facts *ret_facts);

/* A request whose handler runs now. */
struct gf_running {
    char method[16];
    char route[112];              /* the pattern that it was found by */
    int64_t since_ms;             /* CLOCK_MONOTONIC */
    const ghttp_request *request; /* whose it is; only to be compared, for it may have ended by now */
};

/*
 * Copies of the requests that run in this service, those that began first, the oldest first, room at most; how many.
 * Thread: any, at any time. Each loop is asked, so that a handler that calls this may lose its own.
 */
size_t gf_engine_running(struct gf_service *service, struct gf_running *running, size_t room);

#endif
