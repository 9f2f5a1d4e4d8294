#include "worker.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "../../gproc/clock.h"
#include "../route/chain.h"
#include "acceptor.h"
#include "hangup.h"
#include "lane.h"
#include "linger.h"
#include "monitor.h"
#include "release.h"
#include "service.h"
#include "spare.h"
#include "stream.h"
#include "upload.h"

/* Events taken from the kernel at a time. */
#define EVENTS_MAX 64
/* While requests follow one another, new clients, other threads and deadlines are looked at only every so many turns:
 * each look is a system call, and a turn takes well under a millisecond. */
#define TURNS_PER_LOOK 4

struct gf_call {
    STAILQ_ENTRY(gf_call) in_calls;
    void (*fn)(struct gf_worker *worker, void *arg);
    void *arg;
    bool done;
};

/* ---- life ---- */

int gf_worker_init(struct gf_worker *w)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &w->wake};
    int result;

    memset(w, 0, sizeof(*w));
    w->wake.kind = GF_WATCH_WAKE;
    LIST_INIT(&w->lanes);
    LIST_INIT(&w->pausing);
    STAILQ_INIT(&w->ready);
    STAILQ_INIT(&w->calls);
    TAILQ_INIT(&w->lingering);
    pthread_mutex_init(&w->calls_lock, NULL);
    pthread_cond_init(&w->calls_done, NULL);
    w->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    w->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    w->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (w->reserve_fd >= 0 && w->wake_fd >= 0 && w->epoll_fd >= 0 &&
        !epoll_ctl(w->epoll_fd, EPOLL_CTL_ADD, w->wake_fd, &event))
        return 0;
    result = -errno;
    gf_worker_finish(w);
    return result;
}

static void collect_finished(struct gf_worker *w);

static void close_descriptor(int fd)
{
    if (fd >= 0)
        close(fd);
}

void gf_worker_finish(struct gf_worker *w)
{
    gf_linger_finish(w);
    collect_finished(w); /* of clients that went while their handlers ran, which have ended after the loop */
    gf_exchange_free_unused(w);
    close_descriptor(w->epoll_fd);
    close_descriptor(w->wake_fd);
    close_descriptor(w->reserve_fd);
    pthread_cond_destroy(&w->calls_done);
    pthread_mutex_destroy(&w->calls_lock);
}

/* ---- what other threads want of the leader ---- */

static void wake_leader(struct gf_worker *w)
{
    uint64_t one = 1;

    while (write(w->wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
}

void gf_worker_call(struct gf_worker *w, void (*fn)(struct gf_worker *worker, void *arg), void *arg)
{
    struct gf_call call = {.fn = fn, .arg = arg};

    pthread_mutex_lock(&w->calls_lock);
    if (w->ended) { /* nobody leads: nobody to be in the way of */
        fn(w, arg);
        pthread_mutex_unlock(&w->calls_lock);
        return;
    }
    STAILQ_INSERT_TAIL(&w->calls, &call, in_calls);
    wake_leader(w);
    while (!call.done)
        pthread_cond_wait(&w->calls_done, &w->calls_lock);
    pthread_mutex_unlock(&w->calls_lock);
}

static void answer_calls(struct gf_worker *w)
{
    struct gf_call *call;

    pthread_mutex_lock(&w->calls_lock);
    while ((call = STAILQ_FIRST(&w->calls))) {
        STAILQ_REMOVE_HEAD(&w->calls, in_calls);
        pthread_mutex_unlock(&w->calls_lock);
        call->fn(w, call->arg);
        pthread_mutex_lock(&w->calls_lock);
        call->done = true;
        pthread_cond_broadcast(&w->calls_done);
    }
    pthread_mutex_unlock(&w->calls_lock);
}

static void mark_stopping(struct gf_worker *w, void *arg)
{
    (void)arg;
    w->stopping = true;
}

void gf_worker_stop(struct gf_worker *w)
{
    gf_worker_call(w, mark_stopping, NULL);
    pthread_mutex_lock(&w->calls_lock);
    while (!w->ended)
        pthread_cond_wait(&w->calls_done, &w->calls_lock);
    pthread_mutex_unlock(&w->calls_lock);
}

/* A thread that does not lead leaves the exchange here; one wake-up for as many as come before it is heard. */
void gf_worker_post(struct gf_exchange *x)
{
    struct gf_worker *w = x->worker;
    struct gf_exchange *first;

    if (atomic_exchange(&x->posted, true))
        return; /* the leader has yet to look at it, and will find everything */
    first = atomic_load_explicit(&w->finished, memory_order_relaxed);
    do
        x->next = first;
    while (!atomic_compare_exchange_weak_explicit(&w->finished, &first, x, memory_order_release, memory_order_relaxed));
    if (!first)
        wake_leader(w);
}

bool gf_worker_is_posted(const struct gf_exchange *x)
{
    return atomic_load(&x->posted);
}

static void collect_finished(struct gf_worker *w)
{
    struct gf_exchange *x = atomic_exchange_explicit(&w->finished, NULL, memory_order_acquire);

    while (x) {
        struct gf_exchange *next = x->next;

        atomic_store(&x->posted, false); /* before the look: what comes after it posts again */
        if (x->stream) {
            gf_stream_hear(x);
        } else if (x->upload) {
            gf_upload_hear(x);
        } else {
            gf_exchange_answer(x);
            gf_exchange_resume(x);
        }
        x = next;
    }
}

/* ---- handlers ---- */

void gf_worker_add_ready(struct gf_worker *w, struct gf_exchange *x)
{
    STAILQ_INSERT_TAIL(&w->ready, x, in_ready);
}

/* The handler has returned on a thread that does not lead. */
static void leave(struct gf_exchange *x)
{
    if (x->stream)
        gf_stream_finish(x);
    else if (x->upload)
        gf_upload_finish(x);
    else
        gf_worker_post(x);
}

/* On a spare thread: a route that is known to block. */
static void run_aside(void *arg)
{
    struct gf_exchange *x = arg;
    struct gf_pace *pace = x->pace;
    int64_t begin = gf_clock_ns();

    gf_chain_run(x->lane->service->chain, &x->request);
    gf_pace_ran(pace, gf_clock_ns() - begin);
    leave(x);
}

/* On the loop. false: it took so long that another thread leads now; then nothing of the worker is ours. */
static bool run_here(struct gf_worker *w, struct gf_exchange *x)
{
    uint64_t lead = atomic_load_explicit(&w->lead, memory_order_relaxed) + 1;

    w->running = x;
    x->lead = lead;
    atomic_store(&w->lead, lead);
    gf_monitor_wake();
    gf_chain_run(x->lane->service->chain, &x->request);
    if (atomic_compare_exchange_strong(&w->lead, &lead, lead + 1)) {
        gf_exchange_answer(x);
        return true;
    }
    leave(x);
    return false;
}

static void answer_refusal(struct gf_exchange *x, int status)
{
    gf_response_reset(&x->request);
    ghttp_response_write_status(&x->request, status);
    if (status == 503)
        ghttp_response_set_header(&x->request, "Retry-After", "1");
    gf_exchange_answer(x);
}

/* Every thread is taken: better a client that is told so than a loop that nobody could pass on. */
static void answer_overloaded(struct gf_exchange *x)
{
    atomic_fetch_add_explicit(&x->lane->service->counters.overloaded, 1, memory_order_relaxed);
    answer_refusal(x, 503);
}

/* The exchange may be finished, and gone, before gf_spare_run() returns: so it is suspended before. */
static void begin_aside(struct gf_exchange *x)
{
    gf_exchange_suspend(x);
    if (gf_spare_run(run_aside, x))
        return;
    if (x->upload)
        gf_upload_abandon(x);
    answer_overloaded(x);
    gf_exchange_resume(x);
}

static bool run_ready(struct gf_worker *w)
{
    struct gf_exchange *x;

    while ((x = STAILQ_FIRST(&w->ready))) {
        STAILQ_REMOVE_HEAD(&w->ready, in_ready);
        if (x->refusal) {
            answer_refusal(x, x->refusal);
            continue;
        }
        if (!x->prepared)
            x->pace = gf_chain_prepare(x->lane->service->chain, &x->request);
        x->state = GF_EXCHANGE_RUNNING;
        if (!x->pace)
            gf_exchange_answer(x);
        else if (x->upload || gf_pace_is_slow(x->pace))
            begin_aside(x);
        else if (!gf_spare_has_reserve())
            answer_overloaded(x);
        else if (!run_here(w, x))
            return false;
    }
    return true;
}

bool gf_worker_pass_on(struct gf_worker *w, uint64_t lead)
{
    if (!gf_spare_has_idle() || !atomic_compare_exchange_strong(&w->lead, &lead, lead + 1))
        return false;
    w->blocked = w->running;
    gf_pace_caught(w->blocked->pace);
    return gf_spare_run_reserved(gf_worker_lead, w);
}

/* As the monitor would, at the handler's own wish: it is about to wait for its client. */
bool gf_worker_give_up(struct gf_exchange *x)
{
    struct gf_worker *w = x->worker;
    uint64_t lead = x->lead;

    if (!lead || atomic_load(&w->lead) != lead)
        return true; /* it does not lead, or no more */
    if (!gf_spare_has_idle())
        return false;
    if (!atomic_compare_exchange_strong(&w->lead, &lead, lead + 1))
        return true; /* the monitor was faster */
    w->blocked = x;
    gf_pace_caught(x->pace);
    return gf_spare_run_reserved(gf_worker_lead, w);
}

/* ---- the loop ---- */

static int wait_time(const struct gf_worker *w)
{
    int64_t next = gf_linger_next_deadline(w);
    const struct gf_lane *lane;

    if (!STAILQ_EMPTY(&w->ready))
        return 0;
    if (gf_acceptors_next_try(w) < next)
        next = gf_acceptors_next_try(w);
    LIST_FOREACH(lane, &w->lanes, in_worker)
    {
        int64_t deadline = gf_connections_next_deadline(lane);

        if (gf_lane_next_run(lane) < deadline)
            deadline = gf_lane_next_run(lane);
        if (gf_hangups_next_look(lane) < deadline)
            deadline = gf_hangups_next_look(lane);
        if (lane->release_due && lane->release_after_ms < deadline)
            deadline = lane->release_after_ms;
        if (deadline < next)
            next = deadline;
    }
    if (next == INT64_MAX)
        return -1;
    if (next <= w->now_ms)
        return 0;
    return next - w->now_ms > 60000 ? 60000 : (int)(next - w->now_ms);
}

static void hear_wake(struct gf_worker *w)
{
    uint64_t count;

    while (read(w->wake_fd, &count, sizeof(count)) < 0 && errno == EINTR)
        continue;
    answer_calls(w);
    collect_finished(w);
}

static void take_event(struct gf_worker *w, struct gf_watch *watch)
{
    switch (watch->kind) {
    case GF_WATCH_WAKE:
        hear_wake(w);
        break;
    case GF_WATCH_LISTENER:
        gf_acceptor_ready((struct gf_acceptor *)watch);
        break;
    case GF_WATCH_LANE:
        ((struct gf_lane *)watch)->runnable = true;
        break;
    case GF_WATCH_LINGER:
        gf_linger_ready((struct gf_linger *)watch);
        break;
    }
}

/* The wake-up comes last: what it calls may free what another event of this turn points to. */
static void wait_for_events(struct gf_worker *w)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(w->epoll_fd, events, EVENTS_MAX, wait_time(w));
    bool woken = false;

    w->now_ms = gf_clock_ms();
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == &w->wake)
            woken = true;
        else
            take_event(w, events[i].data.ptr);
    }
    if (woken)
        take_event(w, &w->wake);
}

static void run_lanes(struct gf_worker *w)
{
    struct gf_lane *lane;

    LIST_FOREACH(lane, &w->lanes, in_worker)
    {
        if (gf_lane_is_due(lane))
            gf_lane_run(lane);
        if (lane->release_due)
            gf_release_idle(lane);
    }
}

static void expire(struct gf_worker *w)
{
    struct gf_lane *lane;

    gf_linger_expire(w, w->now_ms);
    gf_acceptors_try_again(w, w->now_ms);
    LIST_FOREACH(lane, &w->lanes, in_worker)
    {
        gf_connections_expire(lane, w->now_ms);
        gf_hangups_find(lane, w->now_ms);
    }
}

static void end_loop(struct gf_worker *w)
{
    pthread_mutex_lock(&w->calls_lock);
    while (!STAILQ_EMPTY(&w->calls)) { /* one may come until the end is seen */
        pthread_mutex_unlock(&w->calls_lock);
        answer_calls(w);
        pthread_mutex_lock(&w->calls_lock);
    }
    w->ended = true;
    pthread_cond_broadcast(&w->calls_done);
    pthread_mutex_unlock(&w->calls_lock);
}

void gf_worker_lead(void *arg)
{
    struct gf_worker *w = arg;

    if (w->blocked) {
        gf_exchange_suspend(w->blocked);
        w->blocked = NULL;
    }
    while (!w->stopping) {
        if (!run_ready(w))
            return;
        run_lanes(w); /* sends what was answered, and reads what has come meanwhile */
        if (!STAILQ_EMPTY(&w->ready) && ++w->turns % TURNS_PER_LOOK)
            continue;
        expire(w);
        wait_for_events(w);
        if (STAILQ_EMPTY(&w->ready))
            run_lanes(w);
    }
    end_loop(w);
}
