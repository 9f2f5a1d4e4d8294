#include "monitor.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "../route/pace.h"
#include "worker.h"

/* Looks without anything running before it goes to sleep: a service with some traffic does not have to wake it
 * for each request, an idle one costs nothing. */
#define QUIET_LOOKS 5

static struct {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct gf_worker *workers;
    uint64_t *seen; /* each worker's lead at the last look */
    unsigned count;
    bool stopping;         /* under the lock */
    _Atomic bool sleeping; /* changed under the lock, read without it */
} monitor = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static bool is_in_handler(uint64_t lead)
{
    return lead & 1;
}

/* true: something has run since the last look. */
static bool look_at(unsigned n)
{
    uint64_t lead = atomic_load(&monitor.workers[n].lead);
    bool same = lead == monitor.seen[n];

    monitor.seen[n] = lead;
    if (same && is_in_handler(lead))
        gf_worker_pass_on(&monitor.workers[n], lead);
    return !same || is_in_handler(lead);
}

static bool look(void)
{
    bool active = false;

    for (unsigned n = 0; n < monitor.count; n++)
        active |= look_at(n);
    return active;
}

/*
 * Sleeps until a leader begins a handler. It says so before it looks for the last time, and a leader shows its handler
 * before it looks whether the monitor sleeps: one of the two sees the other.
 */
static void sleep_until_woken(void)
{
    pthread_mutex_lock(&monitor.lock);
    atomic_store(&monitor.sleeping, true);
    if (look())
        atomic_store(&monitor.sleeping, false);
    while (atomic_load(&monitor.sleeping) && !monitor.stopping)
        pthread_cond_wait(&monitor.wake, &monitor.lock);
    pthread_mutex_unlock(&monitor.lock);
}

static bool is_stopping(void)
{
    bool stopping;

    pthread_mutex_lock(&monitor.lock);
    stopping = monitor.stopping;
    pthread_mutex_unlock(&monitor.lock);
    return stopping;
}

static void *monitor_main(void *arg)
{
    const struct timespec pause = {.tv_nsec = GF_PACE_LIMIT_NS};
    int quiet = 0;

    (void)arg;
    while (!is_stopping()) {
        clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
        quiet = look() ? 0 : quiet + 1;
        if (quiet >= QUIET_LOOKS)
            sleep_until_woken();
    }
    return NULL;
}

void gf_monitor_wake(void)
{
    if (!atomic_load(&monitor.sleeping))
        return;
    pthread_mutex_lock(&monitor.lock);
    atomic_store(&monitor.sleeping, false);
    pthread_cond_signal(&monitor.wake);
    pthread_mutex_unlock(&monitor.lock);
}

int gf_monitor_start(struct gf_worker *workers, unsigned count)
{
    int result;

    monitor.seen = calloc(count, sizeof(*monitor.seen));
    if (!monitor.seen)
        return -ENOMEM;
    monitor.workers = workers;
    monitor.count = count;
    monitor.stopping = false;
    atomic_store(&monitor.sleeping, false);
    result = pthread_create(&monitor.thread, NULL, monitor_main, NULL);
    if (result) {
        free(monitor.seen);
        monitor.seen = NULL;
    }
    return -result;
}

void gf_monitor_stop(void)
{
    pthread_mutex_lock(&monitor.lock);
    monitor.stopping = true;
    pthread_cond_signal(&monitor.wake);
    pthread_mutex_unlock(&monitor.lock);
    pthread_join(monitor.thread, NULL);
    free(monitor.seen);
    monitor.seen = NULL;
}
