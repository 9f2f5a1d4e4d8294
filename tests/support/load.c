/*
 * Load that misses nothing: see load.h. Here are its threads, its windows and its result; what one connection does is
 * in load_connection.c.
 */
#include "tests/support/load.h"

#include "tests/support/load_connection.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 64,     /* taken at once */
    SCAN_US = 20000, /* how often time-outs are looked for */
    DEFAULT_TIMEOUT_MS = 10000,
};

/* ---- a thread -------------------------------------------------------------------------------------------------- */

/* Those whose time has come; returns in how many milliseconds the next look is due. */
static int scan(struct load_thread *t)
{
    bool stopping = atomic_load(&t->load->stopping);
    uint64_t now = load_now_us(), next = now + SCAN_US;
    for (int i = 0; i < t->connection_count; i++) {
        struct load_connection *c = &t->connections[i];
        if (c->state == LOAD_FINISHED)
            continue;
        if (c->wake_us <= now || (stopping && c->state == LOAD_RESTING))
            load_connection_advance(c);
        if (c->state == LOAD_RESTING && c->wake_us < next)
            next = c->wake_us;
    }
    return next > now ? (int)((next - now + 999) / 1000) : 0;
}

static void *run(void *arg)
{
    struct load_thread *t = arg;
    struct epoll_event events[EVENTS];
    uint64_t scan_at = 0;
    bool resting_matters = t->load->options.pause_us > 0;
    int timeout = 0;
    while (t->finished < t->connection_count) {
        if (resting_matters || load_now_us() >= scan_at) {
            timeout = scan(t);
            scan_at = load_now_us() + (uint64_t)timeout * 1000;
            if (t->finished == t->connection_count)
                break;
        }
        int n = epoll_wait(t->epoll, events, EVENTS, timeout);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr)
                load_connection_advance(events[i].data.ptr);
            else
                scan_at = 0; /* told to stop */
        }
    }
    return NULL;
}

static int start_thread(struct load *l, struct load_thread *t, int connections)
{
    struct epoll_event woken = {.events = EPOLLIN | EPOLLET, .data.ptr = NULL};
    t->load = l;
    t->epoll = epoll_create1(EPOLL_CLOEXEC);
    t->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    t->connections = calloc((size_t)connections, sizeof(*t->connections));
    if (t->epoll < 0 || t->wake < 0 || !t->connections)
        return -ENOMEM;
    for (int i = 0; i < connections; i++) {
        struct load_connection *c = &t->connections[i];
        c->thread = t;
        t->connection_count++;
        if (l->options.make && !(c->own_request = calloc(1, LOAD_REQUEST_MAX)))
            return -ENOMEM;
    }
    if (epoll_ctl(t->epoll, EPOLL_CTL_ADD, t->wake, &woken) < 0)
        return -errno;
    return -pthread_create(&t->thread, NULL, run, t);
}

static void finish_thread(struct load_thread *t)
{
    for (int i = 0; i < t->connection_count; i++)
        load_connection_finish(&t->connections[i]);
    for (int i = 0; i < LOAD_WINDOWS_MAX; i++)
        free(t->windows[i]);
    free(t->connections);
    if (t->epoll >= 0)
        close(t->epoll);
    if (t->wake >= 0)
        close(t->wake);
}

/* ---- start and end --------------------------------------------------------------------------------------------- */

static void load_discard(struct load *l)
{
    for (int i = 0; i < l->thread_count; i++)
        finish_thread(&l->threads[i]);
    pthread_cond_destroy(&l->reached);
    pthread_mutex_destroy(&l->lock);
    free(l->threads);
    free(l->request);
    free(l);
}

static struct load *load_new(const struct load_options *options)
{
    struct load *l = calloc(1, sizeof(*l));
    pthread_condattr_t monotonic;
    if (!l)
        return NULL;
    l->options = *options;
    struct load_options *o = &l->options;
    o->connections = o->connections > 0 ? o->connections : 1;
    o->threads = o->threads > 0 ? o->threads : 1;
    o->threads = o->threads < o->connections ? o->threads : o->connections;
    o->timeout_ms = o->timeout_ms > 0 ? o->timeout_ms : DEFAULT_TIMEOUT_MS;
    pthread_mutex_init(&l->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&l->reached, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int size = asprintf(&l->request, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", o->path ? o->path : "/",
                        o->fresh ? "Connection: close\r\n" : "");
    l->threads = calloc((size_t)o->threads, sizeof(*l->threads));
    if (size < 0)
        l->request = NULL;
    l->request_size = size < 0 ? 0 : (size_t)size;
    l->begin_us = load_now_us();
    return l;
}

struct load *load_start(const struct load_options *options)
{
    struct load *l = load_new(options);
    int error = -ENOMEM;
    if (!l || !l->request || !l->threads)
        goto fail;
    for (int i = 0; i < l->options.threads; i++) {
        int rest = l->options.connections % l->options.threads;
        struct load_thread *t = &l->threads[l->thread_count++];
        error = start_thread(l, t, l->options.connections / l->options.threads + (i < rest ? 1 : 0));
        if (error < 0)
            goto fail_started;
    }
    return l;

fail_started:
    finish_thread(&l->threads[--l->thread_count]);
    load_stop(l);
fail:
    if (l)
        load_discard(l);
    errno = -error;
    return NULL;
}

static void collect(struct load *l)
{
    struct load_result *r = &l->result;
    for (int i = 0; i < l->thread_count; i++)
        latency_merge(&r->latency, &l->threads[i].latency);
    r->requests = atomic_load(&l->answered);
    r->failures = atomic_load(&l->failed);
    r->raced = atomic_load(&l->raced);
    r->connections = atomic_load(&l->connections);
    r->announced = atomic_load(&l->announced);
    r->closed_idle = atomic_load(&l->closed_idle);
    r->resumed = atomic_load(&l->resumed);
    r->seconds = (double)(load_now_us() - l->begin_us) / 1e6;
}

void load_wait(struct load *l)
{
    if (l->joined)
        return;
    for (int i = 0; i < l->thread_count; i++)
        pthread_join(l->threads[i].thread, NULL);
    l->joined = true;
    collect(l);
}

void load_stop(struct load *l)
{
    uint64_t one = 1;
    atomic_store(&l->stopping, true);
    for (int i = 0; i < l->thread_count; i++)
        if (write(l->threads[i].wake, &one, sizeof(one)) < 0)
            continue; /* it looks every SCAN_US anyway */
    load_wait(l);
}

void load_free(struct load *l)
{
    if (!l)
        return;
    load_stop(l);
    load_discard(l);
}

/* ---- questions ------------------------------------------------------------------------------------------------- */

uint64_t load_requests(struct load *l)
{
    return atomic_load(&l->answered);
}

uint64_t load_failures(struct load *l)
{
    return atomic_load(&l->failed);
}

int load_wait_requests(struct load *l, uint64_t requests, int timeout_ms)
{
    struct timespec deadline;
    int error = 0;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += timeout_ms / 1000;
    deadline.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (deadline.tv_nsec >= 1000000000L) {
        deadline.tv_sec++;
        deadline.tv_nsec -= 1000000000L;
    }
    pthread_mutex_lock(&l->lock);
    atomic_store(&l->awaited, requests);
    while (atomic_load(&l->answered) < requests && error == 0)
        error = pthread_cond_timedwait(&l->reached, &l->lock, &deadline);
    pthread_mutex_unlock(&l->lock);
    return -error;
}

int load_mark_begin(struct load *l)
{
    int window = -ENOSPC;
    pthread_mutex_lock(&l->lock);
    if (atomic_load(&l->windows) < LOAD_WINDOWS_MAX) {
        window = atomic_load(&l->windows);
        atomic_store(&l->window[window].begin_us, load_now_us());
        atomic_store(&l->windows, window + 1);
    }
    pthread_mutex_unlock(&l->lock);
    return window;
}

void load_mark_end(struct load *l, int window)
{
    if (window >= 0)
        atomic_store(&l->window[window].end_us, load_now_us());
}

void load_window(struct load *l, int window, struct latency *latency)
{
    memset(latency, 0, sizeof(*latency));
    for (int i = 0; window >= 0 && i < l->thread_count; i++)
        if (l->threads[i].windows[window])
            latency_merge(latency, l->threads[i].windows[window]);
}

const struct load_result *load_result(struct load *l)
{
    return &l->result;
}

void load_print(struct load *l, FILE *file)
{
    const struct load_result *r = &l->result;
    fprintf(file,
            "%llu requests in %.2f s (%.0f/s), %llu failures, of these %llu raced; %llu connections, %llu closed as "
            "announced, %llu while idle, %llu resumed; p50 %llu us, p99 %llu us, max %llu us\n",
            (unsigned long long)r->requests, r->seconds, (double)r->requests / r->seconds,
            (unsigned long long)r->failures, (unsigned long long)r->raced, (unsigned long long)r->connections,
            (unsigned long long)r->announced, (unsigned long long)r->closed_idle, (unsigned long long)r->resumed,
            (unsigned long long)latency_percentile(&r->latency, 0.5),
            (unsigned long long)latency_percentile(&r->latency, 0.99), (unsigned long long)r->latency.max_us);
    for (int i = 0; i < l->failures_kept; i++)
        fprintf(file, "  %s\n", r->failure[i]);
}
