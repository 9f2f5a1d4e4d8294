#include "spare.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* An idle thread outside the reserve ends after this: long enough to span the bursts of a busy service,
 * short enough that one rush hour's stacks do not stay for ever. */
#define IDLE_SECONDS 30

struct spare {
    struct spare *next; /* in the stack of idle threads */
    pthread_cond_t wake;
    gf_spare_job *job;
    void *arg;
    bool leave;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t ended;
    struct spare *idle; /* the most recently used first: its stack is warm */
    unsigned threads;
    unsigned cap;
    unsigned reserve;
    bool stopping;
    _Atomic unsigned idle_count; /* changed under the lock, read without it */
} spares = {.lock = PTHREAD_MUTEX_INITIALIZER, .ended = PTHREAD_COND_INITIALIZER};

static void push_idle(struct spare *self)
{
    self->next = spares.idle;
    spares.idle = self;
    atomic_fetch_add(&spares.idle_count, 1);
}

static struct spare *pop_idle(void)
{
    struct spare *spare = spares.idle;

    if (spare) {
        spares.idle = spare->next;
        atomic_fetch_sub(&spares.idle_count, 1);
    }
    return spare;
}

static void remove_idle(struct spare *self)
{
    struct spare **link = &spares.idle;

    while (*link != self)
        link = &(*link)->next;
    *link = self->next;
    atomic_fetch_sub(&spares.idle_count, 1);
}

static void after_idle_time(struct timespec *ret_when)
{
    clock_gettime(CLOCK_MONOTONIC, ret_when);
    ret_when->tv_sec += IDLE_SECONDS;
}

/* Waits for a job with the lock held. false: the thread is to end, and is in no list. */
static bool wait_for_job(struct spare *self)
{
    struct timespec until;

    after_idle_time(&until);
    while (!self->job && !self->leave) {
        if (pthread_cond_timedwait(&self->wake, &spares.lock, &until) != ETIMEDOUT || self->job || self->leave)
            continue;
        if (atomic_load(&spares.idle_count) > spares.reserve) {
            remove_idle(self);
            return false;
        }
        after_idle_time(&until);
    }
    return self->job != NULL;
}

static void init_wake(pthread_cond_t *wake)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(wake, &attributes);
    pthread_condattr_destroy(&attributes);
}

/* The life of a thread: job, idle, job, …, end. */
static void *spare_main(void *arg)
{
    struct spare *self = arg;

    pthread_mutex_lock(&spares.lock);
    while (wait_for_job(self)) {
        gf_spare_job *job = self->job;
        void *job_arg = self->arg;

        self->job = NULL;
        pthread_mutex_unlock(&spares.lock);
        job(job_arg);
        pthread_mutex_lock(&spares.lock);
        if (spares.stopping)
            break;
        push_idle(self);
    }
    if (--spares.threads == 0)
        pthread_cond_broadcast(&spares.ended);
    pthread_mutex_unlock(&spares.lock);
    pthread_cond_destroy(&self->wake);
    free(self);
    return NULL;
}

/* A new thread, idle or with a job, with the lock held. NULL at the cap or when the system has no more. */
static struct spare *make_thread(gf_spare_job *job, void *arg)
{
    struct spare *spare;
    pthread_attr_t attributes;
    pthread_t thread;
    int result;

    if (spares.threads >= spares.cap || spares.stopping || !(spare = calloc(1, sizeof(*spare))))
        return NULL;
    init_wake(&spare->wake);
    spare->job = job;
    spare->arg = arg;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    result = pthread_create(&thread, &attributes, spare_main, spare);
    pthread_attr_destroy(&attributes);
    if (result) {
        pthread_cond_destroy(&spare->wake);
        free(spare);
        return NULL;
    }
    spares.threads++;
    return spare;
}

static void fill_reserve(void)
{
    while (atomic_load(&spares.idle_count) < spares.reserve) {
        struct spare *spare = make_thread(NULL, NULL);

        if (!spare)
            return;
        push_idle(spare);
    }
}

int gf_spare_start(unsigned cap, unsigned reserve)
{
    bool complete;

    pthread_mutex_lock(&spares.lock);
    spares.cap = cap;
    spares.reserve = reserve;
    spares.stopping = false;
    fill_reserve();
    complete = atomic_load(&spares.idle_count) >= reserve;
    pthread_mutex_unlock(&spares.lock);
    return complete ? 0 : -EAGAIN;
}

static void give(struct spare *spare, gf_spare_job *fn, void *arg)
{
    spare->job = fn;
    spare->arg = arg;
    pthread_cond_signal(&spare->wake);
}

bool gf_spare_run(gf_spare_job *fn, void *arg)
{
    struct spare *spare = NULL;

    pthread_mutex_lock(&spares.lock);
    if (atomic_load(&spares.idle_count) > spares.reserve)
        spare = pop_idle();
    if (spare)
        give(spare, fn, arg);
    else
        spare = make_thread(fn, arg);
    pthread_mutex_unlock(&spares.lock);
    return spare != NULL;
}

bool gf_spare_run_reserved(gf_spare_job *fn, void *arg)
{
    struct spare *spare, *made;

    pthread_mutex_lock(&spares.lock);
    made = make_thread(NULL, NULL);
    if (made && spares.idle) { /* it takes the place of the one that goes: nobody sees the reserve incomplete */
        spare = spares.idle;
        made->next = spare->next;
        spares.idle = made;
    } else {
        spare = made ? made : pop_idle();
    }
    if (spare)
        give(spare, fn, arg);
    pthread_mutex_unlock(&spares.lock);
    return spare != NULL;
}

bool gf_spare_has_idle(void)
{
    return atomic_load(&spares.idle_count) > 0;
}

bool gf_spare_has_reserve(void)
{
    return atomic_load_explicit(&spares.idle_count, memory_order_relaxed) >= spares.reserve;
}

void gf_spare_count(unsigned *ret_threads, unsigned *ret_idle)
{
    pthread_mutex_lock(&spares.lock);
    *ret_threads = spares.threads;
    *ret_idle = atomic_load(&spares.idle_count);
    pthread_mutex_unlock(&spares.lock);
}

bool gf_spare_stop(int timeout_ms)
{
    struct timespec until;
    bool none_left;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_mutex_lock(&spares.lock);
    spares.stopping = true;
    for (struct spare *spare; (spare = pop_idle());) {
        spare->leave = true;
        pthread_cond_signal(&spare->wake);
    }
    while (spares.threads && pthread_cond_timedwait(&spares.ended, &spares.lock, &until) != ETIMEDOUT)
        continue;
    none_left = !spares.threads;
    pthread_mutex_unlock(&spares.lock);
    return none_left;
}
