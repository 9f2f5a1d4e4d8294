/*
 * The connection: one accepted socket in a lane, and what it waits for.
 *
 * Every connection is in exactly one of its lane's waiting lists. All waits of a list have the same length, so
 * each list is sorted by itself and a deadline costs O(1).
 * Thread: the one that leads the worker.
 */
#ifndef GF_GHTTP_ENGINE_CONNECTION_H
#define GF_GHTTP_ENGINE_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

struct MHD_Connection;
struct gf_exchange;
struct gf_lane;
struct gf_worker;

enum gf_wait {
    GF_WAIT_READ, /* for a whole request, from the connect, from its first line, or once it was found to have begun */
    GF_WAIT_HANDLER, /* for the program, as long as it likes; or, once cut, for libmicrohttpd to let go of it */
    GF_WAIT_WRITE,   /* for the client to take the answer */
    GF_WAIT_IDLE,    /* for the next request */
    GF_WAIT_GOODBYE, /* for the client to close a half-closed connection */
    GF_WAITS
};

struct gf_connection {
    TAILQ_ENTRY(gf_connection) in_wait;
    struct gf_lane *lane;
    struct MHD_Connection *mhd;
    struct gf_exchange *exchange; /* the request that is under way */
    int fd;                       /* libmicrohttpd's; it closes it */
    enum gf_wait wait;
    int64_t since_ms;     /* begin of the wait */
    uint64_t sent;        /* what the client had acknowledged when GF_WAIT_WRITE was last looked at */
    uint64_t consumed;    /* bytes of the requests so far, of plain HTTP */
    unsigned answered;    /* requests answered on it */
    uint64_t before;      /* where consumed is not known: bytes, of TLS records, that were read before this wait */
    unsigned bodies;      /* requests that had one, as far as consumed counts them */
    unsigned mover_round; /* the mover that was asked for it last */
    unsigned stayed;      /* answers since, after which it has not moved */
    bool taken;           /* the mover would take it */
    bool stays;           /* it cannot move any more: its next answer says so */
    int refused;          /* the status that was sent past libmicrohttpd; 0: none */
    bool countable;       /* consumed is exact */
    bool ended_here;      /* we have ended it: no second goodbye */
    bool adopted;         /* it came from another process */
    bool released;        /* another process has it; what libmicrohttpd holds is a placeholder */
    bool release_tried;   /* it was not idle then */
    bool looked_at;       /* in this wait, for a hang-up */
    bool lingers;         /* close it only once the client has stopped sending */
    uint64_t address_key; /* for the limit per address */
};

TAILQ_HEAD(gf_wait_list, gf_connection);

/* libmicrohttpd's announcement of a new connection, and of its end while the descriptor is still open. */
struct gf_connection *gf_connection_new(struct gf_lane *lane, struct MHD_Connection *mhd);
void gf_connection_free(struct gf_connection *connection);

/* Puts it into another list, from now. */
void gf_connection_wait(struct gf_connection *connection, enum gf_wait wait);

/*
 * Sends a short answer on the bare socket, past libmicrohttpd, where that cannot answer any more or not yet.
 * Only on plain HTTP and while no answer is being sent.
 */
void gf_connection_refuse(struct gf_connection *connection, int status);

/* Ends it at once: libmicrohttpd sees the end and lets go of it. */
void gf_connection_cut(struct gf_connection *connection);

/* Says goodbye to an idle one: half-closed, and still read, so that a request which crosses it is counted. */
void gf_connection_say_goodbye(struct gf_connection *connection);

/* Ends what has waited too long in this lane. */
void gf_connections_expire(struct gf_lane *lane, int64_t now_ms);

/* When gf_connections_expire() has to look again, in CLOCK_MONOTONIC milliseconds; INT64_MAX: never. */
int64_t gf_connections_next_deadline(const struct gf_lane *lane);

#endif
