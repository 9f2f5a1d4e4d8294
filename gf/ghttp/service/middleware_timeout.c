/*
 * A time limit on what is further in.
 *
 * C cannot end a function from outside, so the limit is on the waiting: the handler runs on another thread, with a twin
 * of the request, and this one waits for it, no longer than the limit. In time, the request becomes what the twin has
 * become. Else it is answered as it stood before, with the limit's status, while the handler runs on with memory that
 * stays until it returns, and writes to a response that nobody will send.
 *
 * Thread: the request's own; what is shared with the handler's is struct timed, under its lock.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

#include "../../gproc/clock.h"
#include "../engine/service.h"
#include "../engine/spare.h"
#include "../message/arena.h"
#include "../message/error_log.h"
#include "../message/request.h"
#include "../message/twin.h"
#include "../route/chain.h"
#include "../server/server.h"

/* The longest path that the log shows. */
#define LOGGED_SIZE 512
/* A day, as the longest of the settings' times. */
#define LIMIT_MAX_MS 86400000L

struct timed {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    bool done;          /* the handler has returned */
    bool late;          /* nobody waits for it any more */
    atomic_int holders; /* once it is late: the handler, and the request, some of whose texts are in the twin's arena */
    struct gf_service *service;
    struct gf_arena *next_arena; /* of the request, for what comes after the limit */
    struct ghttp_request twin;
};

long ghttp_request_time_left(const ghttp_request *r)
{
    int64_t left;

    if (!r->deadline_ms)
        return LONG_MAX;
    left = r->deadline_ms - gf_clock_ms();
    return left > 0 ? (long)left : 0;
}

/* ---- life ---- */

static struct timed *timed_new(ghttp_request *r)
{
    struct timed *timed = calloc(1, sizeof(*timed));
    pthread_condattr_t attributes;

    if (!timed)
        return NULL;
    timed->next_arena = gf_arena_new(GF_REQUEST_ARENA_MAX);
    if (!timed->next_arena || gf_twin_begin(r, &timed->twin) < 0) {
        gf_arena_free(timed->next_arena);
        free(timed);
        return NULL;
    }
    pthread_mutex_init(&timed->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&timed->ended, &attributes);
    pthread_condattr_destroy(&attributes);
    timed->service = r->server ? &r->server->service : NULL;
    return timed;
}

static void timed_free(struct timed *timed)
{
    pthread_cond_destroy(&timed->ended);
    pthread_mutex_destroy(&timed->lock);
    gf_arena_free(timed->next_arena);
    free(timed);
}

/* Of one that is late; the last one frees the twin's arena. */
static void let_go(void *arg)
{
    struct timed *timed = arg;

    if (atomic_fetch_sub(&timed->holders, 1) > 1)
        return;
    gf_arena_free(timed->twin.arena);
    timed_free(timed);
}

/* ---- the handler's thread ---- */

static void run_twin(void *arg)
{
    struct timed *timed = arg;
    struct gf_service *service = timed->service;
    bool late;

    ghttp_request_next(&timed->twin);
    pthread_mutex_lock(&timed->lock);
    timed->done = true;
    late = timed->late;
    pthread_cond_signal(&timed->ended);
    pthread_mutex_unlock(&timed->lock);
    if (!late)
        return; /* it is the request's again, and perhaps gone */
    gf_request_finish(&timed->twin);
    let_go(timed);
    if (service)
        gf_service_release(service);
}

/* ---- the request's thread ---- */

/* false: the limit has come first. */
static bool wait_for(struct timed *timed, int64_t deadline_ms)
{
    struct timespec until = {.tv_sec = deadline_ms / 1000, .tv_nsec = deadline_ms % 1000 * 1000000};
    bool done;

    pthread_mutex_lock(&timed->lock);
    while (!timed->done && pthread_cond_timedwait(&timed->ended, &timed->lock, &until) != ETIMEDOUT)
        continue;
    done = timed->done;
    if (!done) {
        timed->late = true;
        atomic_store(&timed->holders, 2);
        if (timed->service) /* a drain waits for it, as for any handler */
            gf_service_hold(timed->service);
    }
    pthread_mutex_unlock(&timed->lock);
    return done;
}

static void answer_late(ghttp_request *r, const ghttp_timeout *limit)
{
    ghttp_response_write_status(r, limit->status ? limit->status : 503);
    if (!limit->message)
        return;
    ghttp_response_clear(r);
    ghttp_response_write(r, limit->message);
}

/* From now on the twin's arena is its handler's. */
static void go_on_without(ghttp_request *r, struct timed *timed)
{
    r->arena = timed->next_arena;
    timed->next_arena = NULL;
    /* It cannot fail: a new arena has room. */
    gf_arena_defer(r->arena, let_go, timed);
}

static void answer_overloaded(ghttp_request *r)
{
    if (r->server)
        atomic_fetch_add_explicit(&r->server->service.counters.overloaded, 1, memory_order_relaxed);
    ghttp_response_write_status(r, 503);
    if (ghttp_response_set_header(r, "Retry-After", "1") != 0)
        ghttp_response_fail(r, "its headers leave no room for Retry-After");
}

static void serve_in_time(ghttp_request *r, const ghttp_timeout *limit, int64_t deadline_ms)
{
    struct timed *timed = timed_new(r);

    if (!timed) {
        ghttp_response_fail(r, "there is no memory for a time limit");
        return;
    }
    timed->twin.deadline_ms = deadline_ms;
    if (!gf_spare_run(run_twin, timed)) {
        gf_twin_end(r, &timed->twin);
        timed_free(timed);
        answer_overloaded(r);
    } else if (wait_for(timed, deadline_ms)) {
        gf_twin_end(r, &timed->twin);
        timed_free(timed);
    } else {
        go_on_without(r, timed);
        gf_request_report(r, GLOG_WARNING, limit->status ? limit->status : 503,
                          "%.32s %.*s: no answer within %d ms; its handler runs on", r->method, LOGGED_SIZE, r->path,
                          limit->ms);
        answer_late(r, limit);
    }
}

/*
 * A handler that reads the body itself cannot be left to run on without the connection, which a twin has not, so it
 * runs here. Its reading ends at the limit, and what it has made by then is replaced, unless that is a failure, which
 * is to be logged.
 */
static void serve_streamed(ghttp_request *r, const ghttp_timeout *limit, int64_t deadline_ms)
{
    int64_t before = r->deadline_ms;

    r->deadline_ms = deadline_ms;
    ghttp_request_next(r);
    r->deadline_ms = before;
    if (r->response.sent || r->response.failed || gf_clock_ms() < deadline_ms)
        return;
    gf_response_take_back(r);
    answer_late(r, limit);
}

void ghttp_middleware_timeout(ghttp_request *r)
{
    const ghttp_timeout *limit = ghttp_request_arg(r);
    int64_t deadline_ms;

    if (!limit || limit->ms <= 0 || limit->ms > LIMIT_MAX_MS) {
        ghttp_response_fail(r, "ghttp_middleware_timeout() was bound without its argument, or with another limit than "
                               "1 ms to a day");
        return;
    }
    if (r->response.sent) { /* its status is on the wire */
        ghttp_request_next(r);
        return;
    }
    deadline_ms = gf_clock_ms() + limit->ms;
    if (r->deadline_ms && r->deadline_ms < deadline_ms)
        deadline_ms = r->deadline_ms;
    if (r->streamed) {
        serve_streamed(r, limit, deadline_ms);
        return;
    }
    /* It will wait: better away from the loop than caught on it. */
    gf_pace_caught(r->route ? r->route->pace : r->way.chain->pace);
    serve_in_time(r, limit, deadline_ms);
}
