/*
 * A service: what the engine serves for one server. The server floor fills it and freezes it before
 * gf_engine_add(); only the counters and the two flags at the end change afterwards.
 */
#ifndef GF_GHTTP_ENGINE_SERVICE_H
#define GF_GHTTP_ENGINE_SERVICE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gf/ghttp/ghttp.h>

struct gf_chain;
struct gf_error_log;
struct gf_listener;
struct gf_tls;

struct gf_limits {
    size_t body;                  /* bytes of a request's body; more is a 413 */
    size_t body_memory;           /* bytes of it that are held in memory; more goes to a file */
    size_t header;                /* bytes of a request's line and headers; more is a 431 */
    int read_timeout_ms;          /* for a whole request to arrive; 0: none */
    int write_timeout_ms;         /* without any progress while an answer is sent; 0: none */
    int idle_timeout_ms;          /* between two requests; 0: none */
    unsigned connections;         /* at once; one more is answered 503 */
    unsigned address_connections; /* at once from one address; 0: no limit */
    bool keep_alive;
};

/* Counted by all workers, read by whoever shows them. */
struct gf_service_counters {
    _Atomic unsigned connections; /* open now, idle ones included */
    _Atomic unsigned in_flight;   /* requests begun and not answered to the last byte */
    _Atomic uint64_t requests;    /* answered */
    _Atomic uint64_t refused;     /* connections over a limit */
    _Atomic uint64_t overloaded;  /* requests answered 503 because every handler thread was taken */
    _Atomic uint64_t moved;       /* connections that another process has taken over */
    _Atomic uint64_t closed;      /* connections that a drain ended with an announced close */
    _Atomic uint64_t raced;       /* requests that crossed the close of their idle connection */
    _Atomic uint64_t cut;         /* requests that a drain's deadline cut */
};

/* Connections that were refused at a limit, as far as the records tell of them: record.c. */
struct gf_turned_away {
    _Atomic int64_t second;      /* the last one in which some were */
    _Atomic unsigned recorded;   /* in that second */
    _Atomic unsigned unrecorded; /* since it was last told how many */
    _Atomic int64_t told;        /* the second of that */
};

/* A request at its end, as it is told to who keeps the records. */
struct gf_served {
    const struct ghttp_request *request; /* with what was read of it: method and version may be "" */
    const char *version;
    int status;      /* 499: the client went before there was an answer */
    uint64_t bytes;  /* of the body that was sent, or was to be sent */
    int64_t took_us; /* from the request's first line to the answer's last byte */
    bool complete;   /* answered to the last byte */
};

struct gf_service {
    ghttp_server *server;
    const char *name;
    const char *agent; /* the Server header; NULL or "": none */
    const struct gf_chain *chain;
    struct gf_listener *listeners;
    size_t listener_count;
    struct gf_tls *tls; /* NULL: no HTTPS */
    struct gf_limits limits;
    /* Told of each request at its end, on the loop: it must not block. NULL: nobody wants to know. */
    void (*record)(void *arg, const struct gf_served *served);
    void *record_arg;
    const struct gf_error_log *error_log;     /* who hears of requests that fail; NULL: the log */
    struct gf_address_counts *address_counts; /* NULL where address_connections is 0 */

    struct gf_service_counters counters;
    struct gf_turned_away turned_away;
    _Atomic bool draining; /* every answer closes its connection, idle connections are ended */
    _Atomic bool logged_refusal;
    _Atomic(const struct gf_mover *) mover; /* where idle connections go; NULL: they stay */
    _Atomic unsigned mover_round;           /* how many there were: each is asked anew for each connection */
    struct gf_branch **branches;            /* the engine's: one for each worker */
    int drained_fd; /* an eventfd that hears of the last connection's end while draining; -1: none */
};

/* A handler runs on though its client has its answer: a drain waits for it as for a request on a connection of its own,
 * until it is released. Any thread. */
void gf_service_hold(struct gf_service *service);
void gf_service_release(struct gf_service *service);

/* Takes a closed connection off the count; tells drained_fd when a drain has nothing left. Any thread. */
void gf_service_connection_gone(struct gf_service *service);
void gf_service_tell_drained(struct gf_service *service);

#endif
