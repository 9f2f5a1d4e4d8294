/*
 * Load that misses nothing: many connections ask without a pause, each answer is checked to the byte, and every way in
 * which a request can fail has a name and a count.
 *
 * Owns: its threads and connections. Thread: the functions may be called by any thread; start and free by one.
 */
#ifndef GF_TESTS_SUPPORT_LOAD_H
#define GF_TESTS_SUPPORT_LOAD_H

#include "tests/support/answer.h"
#include "tests/support/latency.h"
#include "tests/support/transport.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
    LOAD_FAILURES_KEPT = 10,
    LOAD_WINDOWS_MAX = 64,
    LOAD_REQUEST_MAX = 64 << 10,
};

/* Behind it a failure has the beginning of the answer before on its connection, where there was one. */
#define LOAD_ANSWERED_LAST "; answered last: "

struct load_options {
    struct transport_target target; /* its strings must live until load_free() */
    int threads;                    /* 0: one */
    int connections;                /* of all threads together; 0: one */
    bool fresh;                     /* a new connection for each request, which asks for its close */
    bool once;                      /* a connection that the server has ended is not made again: it is done */
    uint64_t requests;              /* 0: until load_stop(), or once all are done */
    int timeout_ms;                 /* for connecting and for each request; 0: ten seconds */
    int pause_us;                   /* between the answer and the next request of a connection */
    bool raced_is_fine;             /* count raced requests, but not as failures */

    const char *path; /* what is asked for by GET; NULL: "/" */
    /* Instead of path: writes request number n (from 0) into the buffer of LOAD_REQUEST_MAX bytes and returns its size.
     */
    size_t (*make)(uint64_t n, char *buffer, void *arg);

    /* An answer is right when its status is 200 and its body is one of these, NULL at the end. NULL: any body. */
    const char *const *expected;
    /* Instead: is this the answer to request number n? Else why not, in at most size bytes. */
    bool (*check)(uint64_t n, const struct answer *answer, char *why, size_t size, void *arg);
    void *arg; /* of make and check, which several threads call at the same time */
};

struct load_result {
    uint64_t requests; /* answered, and rightly */
    uint64_t failures; /* requests that were not, connections that were refused or broke in their handshake */
    uint64_t raced;    /* of these: nothing came back on a used connection that was closed after the request was sent */
    uint64_t connections; /* made in all */
    uint64_t announced;   /* ended as "Connection: close" had said: no failure */
    uint64_t closed_idle; /* ended by the server between two requests, without a word: no failure */
    uint64_t resumed;     /* TLS sessions (each connection of this load offers the session of the one before) */
    double seconds;
    struct latency latency;
    char failure[LOAD_FAILURES_KEPT][512]; /* the first ones: what was sent, how it failed, at which byte */
};

struct load;

/* NULL with errno. */
struct load *load_start(const struct load_options *options);
/* So far: answered rightly, and failed. */
uint64_t load_requests(struct load *l);
uint64_t load_failures(struct load *l);
/* Waits until so many have been answered since the start: 0 or -ETIMEDOUT. */
int load_wait_requests(struct load *l, uint64_t requests, int timeout_ms);

/*
 * A window of time: the latency of all requests that are under way at any moment of it. Begin gives its number, or
 * -ENOSPC; load_window() is to be asked after the load has stopped.
 */
int load_mark_begin(struct load *l);
void load_mark_end(struct load *l, int window);
void load_window(struct load *l, int window, struct latency *latency);

/* Waits until the wanted number of requests is done. */
void load_wait(struct load *l);
/* Lets the requests under way finish, and ends the threads. */
void load_stop(struct load *l);
/* After load_stop() or load_wait(). */
const struct load_result *load_result(struct load *l);
/* The result as text, failures included. */
void load_print(struct load *l, FILE *file);
/* Stops first where need be. NULL is fine. */
void load_free(struct load *l);

#endif
