/*
 * The exchange: one request and its answer on libmicrohttpd, from the request's first line to the answer's last byte.
 *
 * Exactly one side has it at a time: libmicrohttpd while it reads or writes, the worker's leader while it
 * runs the handler (and no MHD_run() meanwhile), or another thread while the connection is suspended. So
 * what the request points to in the connection's memory stays valid for as long as a handler runs.
 */
#ifndef GF_GHTTP_ENGINE_EXCHANGE_H
#define GF_GHTTP_ENGINE_EXCHANGE_H

#include <stdbool.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "../message/request.h"

struct MHD_Connection;
struct gf_connection;
struct gf_lane;
struct gf_pace;
struct gf_stream;
struct gf_upload;
struct gf_worker;

enum gf_exchange_state {
    GF_EXCHANGE_BEGUN,    /* the first line is in */
    GF_EXCHANGE_BODY,     /* the head is in and good */
    GF_EXCHANGE_READY,    /* complete, waits in the worker's list */
    GF_EXCHANGE_RUNNING,  /* a handler has it */
    GF_EXCHANGE_ANSWERED, /* libmicrohttpd has the response */
};

struct gf_exchange {
    struct ghttp_request request; /* first: the program's pointer is ours */
    STAILQ_ENTRY(gf_exchange) in_ready;
    struct gf_exchange *next; /* among the finished, or the unused */
    struct gf_lane *lane;
    struct gf_worker *worker;
    struct gf_connection *connection;
    struct MHD_Connection *mhd;
    int64_t began_us;        /* CLOCK_MONOTONIC; 0 where nobody keeps records */
    const char *wire_target; /* where the target stands in the connection's memory */
    struct gf_pace *pace;    /* of the route, while a handler runs */
    enum gf_exchange_state state;
    int refusal;              /* the status that is answered in place of the program; 0: none */
    uint64_t announced;       /* bytes of the body, or GF_LENGTH_UNKNOWN (head.h) */
    struct gf_upload *upload; /* NULL: the body is collected before the handler runs */
    struct gf_stream *stream; /* NULL: the answer is collected until the handler ends */
    uint64_t lead;            /* the worker's leadership while the handler runs on the loop; 0: on a thread aside */
    _Atomic bool posted;      /* it is in the worker's list of what other threads have left */
    bool prepared;            /* its route was looked for with the head already */
    bool suspended;
    bool broken; /* libmicrohttpd took no answer: its next call back closes the connection */
    bool file;   /* the answer comes from a file */
    bool chunked;
    bool closing; /* the answer says that the connection closes */
    bool trailed; /* a chunked body with trailers, where 0.9.75 can be led astray: the connection ends with it */
};

STAILQ_HEAD(gf_ready_list, gf_exchange);

/* libmicrohttpd has read a request's first line. NULL without memory: the connection closes. */
struct gf_exchange *gf_exchange_begin(struct gf_lane *lane, struct MHD_Connection *mhd, const char *target);

/*
 * libmicrohttpd's call back: first with the head alone, then with each piece of the body, then, as often as it looks,
 * with nothing more to come. 0, or negative: the connection is to be closed.
 */
int gf_exchange_receive(struct gf_exchange *exchange, const char *method, const char *version, const char *data,
                        size_t *size);

/* Gives the request's response to libmicrohttpd. Only the leader may. */
void gf_exchange_answer(struct gf_exchange *exchange);

/* Takes the connection out of the daemon's hands while another thread has the exchange, and gives it back. */
void gf_exchange_suspend(struct gf_exchange *exchange);
void gf_exchange_resume(struct gf_exchange *exchange);

/* Gives back an exchange whose end has come before its handler's. */
void gf_exchange_release(struct gf_exchange *exchange);

/* It is over: answered to the last byte, or the connection broke. */
void gf_exchange_end(struct gf_exchange *exchange, bool complete);

/* Frees what the worker has kept for the next requests. */
void gf_exchange_free_unused(struct gf_worker *worker);

#endif
