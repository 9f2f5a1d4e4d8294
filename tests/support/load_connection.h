/*
 * One connection of a load: the state machine that asks, checks and starts again. Only load.c includes this.
 *
 * Owns: its transport, its request and its answer. Thread: the one of its load_thread.
 */
#ifndef GF_TESTS_SUPPORT_LOAD_CONNECTION_H
#define GF_TESTS_SUPPORT_LOAD_CONNECTION_H

#include "tests/support/load.h"

#include <pthread.h>
#include <stdatomic.h>

struct load_window_times {
    _Atomic uint64_t begin_us, end_us; /* end 0: still open */
};

struct load {
    struct load_options options;
    char *request; /* where each is the same */
    size_t request_size;
    uint64_t begin_us;
    atomic_bool stopping;
    _Atomic uint64_t next;                    /* number of the next request */
    _Atomic uint64_t answered, failed, raced; /* the counters that others may ask for meanwhile, or that are rare */
    _Atomic uint64_t connections, announced, closed_idle, resumed;
    _Atomic uint64_t awaited; /* load_wait_requests() is to be woken at this number */
    atomic_int windows;
    struct load_window_times window[LOAD_WINDOWS_MAX];

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t reached;
    int failures_kept;
    struct load_result result;

    struct load_thread *threads;
    int thread_count;
    bool joined;
};

struct load_thread {
    struct load *load;
    pthread_t thread;
    int epoll, wake;
    struct load_connection *connections;
    int connection_count, finished;
    struct latency latency;
    struct latency *windows[LOAD_WINDOWS_MAX]; /* made when first needed */
    char buffer[65536];
};

struct load_connection {
    struct load_thread *thread;
    struct transport *transport; /* NULL: to be connected */
    enum { LOAD_RESTING, LOAD_CONNECTING, LOAD_SENDING, LOAD_RECEIVING, LOAD_FINISHED } state;
    uint64_t n;        /* the request's number */
    uint64_t used;     /* requests answered on this transport */
    bool made;         /* there has been a transport */
    uint64_t began_us; /* this request */
    uint64_t wake_us;  /* resting: until then; else: timed out then */
    char *own_request; /* where each is different */
    size_t size, sent;
    struct answer answer;
    char last[24]; /* how the answer before on this transport begins */
    void *session; /* TLS, to be resumed */
    size_t session_size;
};

uint64_t load_now_us(void);
/* Goes on as far as possible without blocking; to be called after each event of its socket and when wake_us has come.
 */
void load_connection_advance(struct load_connection *c);
void load_connection_finish(struct load_connection *c);

#endif
