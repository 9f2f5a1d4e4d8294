#include "connection.h"

#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "address_counts.h"
#include "arrival.h"
#include "exchange.h"
#include "lane.h"
#include "linger.h"
#include "record.h"
#include "refusal.h"
#include "release.h"
#include "service.h"
#include "tcp_facts.h"
#include "upload.h"
#include "worker.h"

/* How long a half-closed connection is read for a request that crossed its close: longer than any sensible round
 * trip, and an end for clients that do not care. */
#define GOODBYE_MS 1000
/* What a client that has only just connected is left for its first request while the server drains, and how often
 * these are looked at. */
#define FIRST_REQUEST_MS 1000
#define DRAIN_LOOK_MS 250

/* Of other sockets the kernel does not count the bytes. */
static bool is_tcp(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    return info && info->client_addr &&
           (info->client_addr->sa_family == AF_INET || info->client_addr->sa_family == AF_INET6);
}

struct gf_connection *gf_connection_new(struct gf_lane *lane, struct MHD_Connection *mhd)
{
    struct gf_connection *c = calloc(1, sizeof(*c));
    const union MHD_ConnectionInfo *info;

    if (!c)
        return NULL;
    c->lane = lane;
    c->mhd = mhd;
    info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
    c->fd = info ? info->connect_fd : -1;
    c->countable = !lane->tls && is_tcp(mhd);
    c->adopted = lane->adopting;
    c->consumed = lane->accepting_consumed;
    c->answered = lane->adopting;
    c->address_key = lane->accepting_key;
    lane->accepting = false; /* counted: gf_connection_free() takes it off again */
    c->wait = GF_WAIT_READ;
    c->since_ms = lane->worker->now_ms;
    TAILQ_INSERT_TAIL(&lane->waits[c->wait], c, in_wait);
    lane->connections++;
    atomic_fetch_add_explicit(&lane->service->counters.connections, 1, memory_order_relaxed);
    return c;
}

void gf_connection_wait(struct gf_connection *c, enum gf_wait wait)
{
    TAILQ_REMOVE(&c->lane->waits[c->wait], c, in_wait);
    c->wait = wait;
    c->looked_at = false;
    c->since_ms = c->lane->worker->now_ms;
    TAILQ_INSERT_TAIL(&c->lane->waits[wait], c, in_wait);
}

/*
 * libmicrohttpd 0.9.75 closes a connection without a word when its first line has no blank in it, and when a head has
 * used its memory up to the last bytes. As nothing was sent on it yet, the answer can still be given here. 0: there is
 * none.
 */
static int find_unsaid_refusal(const struct gf_connection *c)
{
    struct gf_tcp_facts facts;

    if (c->lane->tls || c->answered || c->ended_here || c->refused ||
        (c->exchange && c->exchange->state != GF_EXCHANGE_BEGUN) || !gf_tcp_facts(c->fd, &facts) || !facts.received ||
        facts.acknowledged || !facts.all_taken)
        return 0;
    return c->exchange ? 431 : 400;
}

/* Unread bytes would turn the close into a reset, and the client might lose the answer with them. */
static void close_gently(struct gf_connection *c)
{
    char byte;
    ssize_t waiting = recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    int unsaid;

    if (!waiting || (waiting < 0 && errno != EAGAIN))
        return; /* the client has closed first */
    unsaid = find_unsaid_refusal(c);
    if (unsaid) {
        gf_connection_refuse(c, unsaid);
        c->lingers = true;
    }
    if (waiting > 0 || c->lingers)
        gf_linger_add(c->lane->worker, c->fd);
}

void gf_connection_free(struct gf_connection *c)
{
    struct gf_lane *lane = c->lane;

    if (c->wait != GF_WAIT_GOODBYE && !c->ended_here && !c->released)
        close_gently(c);
    if (c->adopted) /* the process before us may still keep a copy, which would keep the connection open */
        shutdown(c->fd, SHUT_WR);
    if (c->exchange)
        gf_exchange_end(c->exchange, false);
    if (c->watched_here) /* a child that is about to execute may hold the file open, and so the entry that points to mhd
                          */
        epoll_ctl(lane->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    TAILQ_REMOVE(&lane->waits[c->wait], c, in_wait);
    if (lane->tried == c)
        lane->tried = NULL;
    lane->connections--;
    gf_service_connection_gone(lane->service);
    if (lane->service->address_counts)
        gf_address_counts_leave(lane->service->address_counts, c->address_key);
    free(c);
}

void gf_connection_refuse(struct gf_connection *c, int status)
{
    size_t size;
    const char *text = gf_refusal_text(status, &size);

    if (!c->lane->tls)
        send(c->fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    c->refused = status;
    if (!c->exchange) /* else its end is recorded */
        gf_record_refusal(c, status);
}

void gf_connection_cut(struct gf_connection *c)
{
    c->ended_here = true;
    shutdown(c->fd, SHUT_RDWR);
    /* where libmicrohttpd 0.9.75 has no room to read, it would never see that end */
    MHD_set_connection_option(c->mhd, MHD_CONNECTION_OPTION_TIMEOUT, 1u);
    gf_connection_wait(c, GF_WAIT_HANDLER);
}

void gf_connection_say_goodbye(struct gf_connection *c)
{
    if (c->lane->tls) {
        const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION);

        if (info)
            gnutls_bye(info->tls_session, GNUTLS_SHUT_WR);
    }
    shutdown(c->fd, SHUT_WR);
    gf_connection_wait(c, GF_WAIT_GOODBYE);
}

/* A client that sends on, too slowly, would lose the answer to a reset: libmicrohttpd must let go, and we must not. */
static void refuse_late(struct gf_connection *c)
{
    gf_connection_refuse(c, 408);
    if (!c->lane->tls)
        gf_release_to_linger(c);
    gf_connection_cut(c);
}

static void expire_read(struct gf_connection *c)
{
    struct gf_service *service = c->lane->service;

    if (c->exchange && c->exchange->upload) { /* its handler has a word to say to the client */
        gf_upload_expire(c->exchange);
        return;
    }
    if (atomic_load(&service->draining) && c->exchange)
        atomic_fetch_add(&service->counters.cut, 1);
    if (c->exchange || (!c->lane->tls && gf_arrival_has_begun(c)))
        refuse_late(c);
    else
        gf_connection_cut(c);
}

/* Slow but moving is allowed; a client that takes nothing is not. */
static void expire_write(struct gf_connection *c)
{
    struct gf_tcp_facts facts = {.acknowledged = 0};
    bool known = gf_tcp_facts(c->fd, &facts); /* not of Unix sockets, whose clients are trusted not to stall */

    if (known && facts.acknowledged == c->sent) {
        gf_connection_cut(c);
        return;
    }
    c->sent = facts.acknowledged;
    gf_connection_wait(c, GF_WAIT_WRITE);
}

static void end_silence(struct gf_connection *c)
{
    if (atomic_load(&c->lane->service->draining))
        atomic_fetch_add(&c->lane->service->counters.closed, 1);
    gf_connection_say_goodbye(c);
}

/* The time for silence is over. A request that has begun, or lies there as a whole, has the time of a request. */
static void expire_idle(struct gf_connection *c)
{
    if (gf_arrival_has_begun(c)) {
        gf_connection_wait(c, GF_WAIT_READ);
        return;
    }
    end_silence(c);
}

static void expire_one(struct gf_connection *c)
{
    switch (c->wait) {
    case GF_WAIT_READ:
        expire_read(c);
        break;
    case GF_WAIT_WRITE:
        expire_write(c);
        break;
    case GF_WAIT_IDLE:
        expire_idle(c);
        break;
    default:
        gf_connection_cut(c);
    }
}

static int wait_limit_ms(const struct gf_lane *lane, enum gf_wait wait)
{
    const struct gf_limits *limits = &lane->service->limits;

    switch (wait) {
    case GF_WAIT_READ:
        return limits->read_timeout_ms;
    case GF_WAIT_WRITE:
        return limits->write_timeout_ms;
    case GF_WAIT_IDLE:
        return lane->drain_since_ms ? lane->drain_grace_ms : limits->idle_timeout_ms;
    case GF_WAIT_GOODBYE:
        return GOODBYE_MS;
    default:
        return 0;
    }
}

/* A connection without a request counts its idleness from the drain's begin: it was promised nothing before. */
static int64_t deadline_of(const struct gf_lane *lane, const struct gf_connection *c)
{
    int limit = wait_limit_ms(lane, c->wait);
    int64_t since = c->since_ms;

    if (!limit && !(c->wait == GF_WAIT_IDLE && lane->drain_since_ms))
        return INT64_MAX;
    if (c->wait == GF_WAIT_IDLE && lane->drain_since_ms > since)
        since = lane->drain_since_ms;
    return since + limit;
}

static void expire_list(struct gf_lane *lane, struct gf_wait_list *list, int64_t now_ms)
{
    struct gf_connection *c;

    while ((c = TAILQ_FIRST(list)) && deadline_of(lane, c) <= now_ms)
        expire_one(c); /* moves it to another list, or to the end of this one */
}

/*
 * While draining: connections that have not sent a byte of a request yet are idle ones, in the list of those that wait
 * for one. That list has two lengths of waiting then, so it is walked, now and then.
 */
static void say_goodbye_to_silent(struct gf_lane *lane, int64_t now_ms)
{
    int grace_ms = lane->drain_grace_ms > FIRST_REQUEST_MS ? lane->drain_grace_ms : FIRST_REQUEST_MS;
    struct gf_connection *c, *next;

    if (now_ms < lane->drain_look_ms)
        return;
    lane->drain_look_ms = now_ms + DRAIN_LOOK_MS;
    for (c = TAILQ_FIRST(&lane->waits[GF_WAIT_READ]); c; c = next) {
        int64_t since = c->since_ms > lane->drain_since_ms ? c->since_ms : lane->drain_since_ms;

        next = TAILQ_NEXT(c, in_wait);
        if (!c->exchange && now_ms - since >= grace_ms && !gf_arrival_has_begun(c))
            end_silence(c);
    }
}

void gf_connections_expire(struct gf_lane *lane, int64_t now_ms)
{
    for (enum gf_wait wait = 0; wait < GF_WAITS; wait++)
        if (wait != GF_WAIT_HANDLER)
            expire_list(lane, &lane->waits[wait], now_ms);
    if (lane->drain_since_ms)
        say_goodbye_to_silent(lane, now_ms);
}

int64_t gf_connections_next_deadline(const struct gf_lane *lane)
{
    int64_t next = lane->drain_since_ms && !TAILQ_EMPTY(&lane->waits[GF_WAIT_READ]) ? lane->drain_look_ms : INT64_MAX;

    for (enum gf_wait wait = 0; wait < GF_WAITS; wait++) {
        const struct gf_connection *c = TAILQ_FIRST(&lane->waits[wait]);
        int64_t deadline = c ? deadline_of(lane, c) : INT64_MAX;

        if (deadline < next)
            next = deadline;
    }
    return next;
}
