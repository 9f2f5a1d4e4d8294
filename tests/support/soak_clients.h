/*
 * The clients of a soak: every way to use a server over HTTP and HTTPS, fast and slow, all at once, each answer
 * checked; and how long the fast ones wait while a restart is going on, and while none is.
 *
 * Owns: their loads and slow clients. Thread: one at a time; soak_clients_restart_*() belong to who asks for restarts.
 */
#ifndef GF_TESTS_SUPPORT_SOAK_CLIENTS_H
#define GF_TESTS_SUPPORT_SOAK_CLIENTS_H

#include "tests/support/latency.h"
#include "tests/support/load.h"
#include "tests/support/transport.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum soak_kind {
    SOAK_KEPT_HTTP,
    SOAK_SELDOM_HTTP, /* kept too, but silent through several restarts between two requests */
    SOAK_FRESH_HTTP,
    SOAK_KEPT_HTTPS,
    SOAK_RESUMED_HTTPS, /* each request over a new connection, which offers the session of the one before */
    SOAK_HANDLER_HTTP,
    SOAK_HANDLER_HTTPS,
    SOAK_UPLOAD_HTTP,
    SOAK_UPLOAD_HTTPS,
    SOAK_DOWNLOAD_HTTP,
    SOAK_DOWNLOAD_HTTPS,
    SOAK_KINDS
};

enum { SOAK_ALL = (1 << SOAK_KINDS) - 1 };

struct soak_clients_options {
    struct transport_target http, https; /* their strings must live until soak_clients_free() */
    unsigned kinds;                      /* a set of 1 << kind */
    /* Another server than soak_server: the fast clients ask for "/file" and expect this text. NULL: soak_server. */
    const char *file;
};

/* What came of one kind of client. */
struct soak_outcome {
    const char *name;
    bool present;
    bool kept_plain; /* plain HTTP over connections that nobody needs to close */
    int clients;     /* connections at a time */
    uint64_t closed; /* connections that the server has ended, announced or not, of those that were to be kept */
    struct load_result result;
    struct latency inside, outside; /* of the fast kinds: requests during a restart, and the others */
};

struct soak_clients;

/* NULL with errno. */
struct soak_clients *soak_clients_start(const struct soak_clients_options *options);
/* Waits until each kind has been answered at least once since the start. 0 or -ETIMEDOUT. */
int soak_clients_wait_all(struct soak_clients *c, int timeout_ms);
/* Requests that have failed so far. */
uint64_t soak_clients_failures(struct soak_clients *c);

/* A restart begins, of the server with this pid: the time of it, in microseconds. */
uint64_t soak_clients_restart_begin(struct soak_clients *c, pid_t pid);
/* The time at which the answer of another process than those that have served came in, and its pid; 0: not in time. */
uint64_t soak_clients_first_answer(struct soak_clients *c, pid_t *pid, int timeout_ms);
/* The old process accepts no more: what begins later than the tail of this is no part of the restart. */
void soak_clients_restart_end(struct soak_clients *c);

/* Lets the requests under way finish, and fills in what came of each kind. */
void soak_clients_stop(struct soak_clients *c, struct soak_outcome outcomes[SOAK_KINDS]);
/* Stops first where need be. NULL is fine. */
void soak_clients_free(struct soak_clients *c);

/* As text, a line for each kind and one for each description of a failure. */
void soak_outcomes_print(const struct soak_outcome outcomes[SOAK_KINDS], FILE *file);
/* Of all kinds together. */
uint64_t soak_outcomes_requests(const struct soak_outcome outcomes[SOAK_KINDS]);
uint64_t soak_outcomes_failures(const struct soak_outcome outcomes[SOAK_KINDS]);
/* Connections that plain HTTP was to keep, and that were closed. */
uint64_t soak_outcomes_closed(const struct soak_outcome outcomes[SOAK_KINDS]);

#endif
