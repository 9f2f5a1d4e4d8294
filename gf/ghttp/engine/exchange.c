#include "exchange.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include "../message/arena.h"
#include "../message/error_log.h"
#include "../route/chain.h"
#include "answer.h"
#include "arrival.h"
#include "connection.h"
#include "head.h"
#include "lane.h"
#include "record.h"
#include "release.h"
#include "service.h"
#include "spare.h"
#include "stream.h"
#include "upload.h"
#include "worker.h"

/* Exchanges that a worker keeps for the next requests: their arenas are warm. */
#define UNUSED_MAX 256
/* A temporary file of this size or more is closed by another thread: below, that takes about a millisecond. */
#define SPOOL_LARGE ((size_t)8 << 20)

/* ---- memory ---- */

static struct gf_exchange *take_unused(struct gf_worker *worker)
{
    struct gf_exchange *x = worker->unused;
    struct gf_arena *arena;

    if (x) {
        worker->unused = x->next;
        worker->unused_count--;
        return x;
    }
    x = calloc(1, sizeof(*x));
    arena = gf_arena_new(GF_REQUEST_ARENA_MAX);
    if (!x || !arena) {
        free(x);
        gf_arena_free(arena);
        return NULL;
    }
    x->request.arena = arena;
    return x;
}

static void free_exchange(struct gf_exchange *x)
{
    gf_arena_free(x->request.arena);
    free(x);
}

static void finish_spool(void *arg)
{
    struct gf_spool *spool = arg;

    gf_spool_finish(spool, &(struct gf_buffer){.data = NULL});
    free(spool);
}

/* A large file without a name is deleted by its last close, which takes 100 ms and more for a gigabyte: not here. */
static void part_with_spool(struct ghttp_request *r)
{
    struct gf_spool *spool;

    if ((r->spool.fd < 0 && !r->spool.map) || r->body.size < SPOOL_LARGE || !(spool = malloc(sizeof(*spool))))
        return;
    *spool = r->spool;
    if (!gf_spare_run(finish_spool, spool)) {
        free(spool); /* then here after all */
        return;
    }
    gf_spool_init(&r->spool);
    gf_buffer_init(&r->body, 0);
}

static void give_back(struct gf_worker *worker, struct gf_exchange *x)
{
    struct gf_arena *arena = x->request.arena;

    part_with_spool(&x->request);

    gf_stream_free(x->stream);
    gf_upload_free(x->upload);
    x->stream = NULL;
    x->upload = NULL;
    gf_request_finish(&x->request);
    if (worker->unused_count >= UNUSED_MAX) {
        x->request.arena = arena;
        free_exchange(x);
        return;
    }
    gf_arena_reset(arena);
    x->request.arena = arena;
    x->next = worker->unused;
    worker->unused = x;
    worker->unused_count++;
}

void gf_exchange_free_unused(struct gf_worker *worker)
{
    while (worker->unused) {
        struct gf_exchange *x = worker->unused;

        worker->unused = x->next;
        free_exchange(x);
    }
    worker->unused_count = 0;
}

/* ---- a request comes in ---- */

static void set_peer(struct ghttp_request *r, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (!info || !info->client_addr)
        return;
    if (info->client_addr->sa_family == AF_INET)
        r->peer_size = 16; /* sizeof(struct sockaddr_in) */
    else if (info->client_addr->sa_family == AF_INET6)
        r->peer_size = 28; /* sizeof(struct sockaddr_in6) */
    else
        r->peer_size = sizeof(info->client_addr->sa_family);
    memcpy(&r->peer, info->client_addr, r->peer_size);
}

static struct gf_connection *connection_of(struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

/*
 * libmicrohttpd would parse the query next, and spend 56 bytes of the connection's memory on each argument of it. It
 * is parsed by the message floor when a handler asks, so it is hidden here: what follows the '?' is cut off, in
 * libmicrohttpd's own buffer, behind which only we look (head.c).
 */
static void hide_query(const char *target)
{
    char *question_mark = target ? strchr(target, '?') : NULL;

    if (question_mark && question_mark[1])
        question_mark[1] = 0;
}

static int flush(struct ghttp_request *r)
{
    return gf_stream_flush((struct gf_exchange *)r);
}

static ssize_t read_body(struct ghttp_request *r, void *data, size_t size)
{
    return gf_upload_read((struct gf_exchange *)r, data, size);
}

static const struct gf_transport transport = {.flush = flush, .read = read_body};

struct gf_exchange *gf_exchange_begin(struct gf_lane *lane, struct MHD_Connection *mhd, const char *target)
{
    struct gf_connection *connection = connection_of(mhd);
    struct gf_exchange *x;

    if (!connection)
        return NULL;
    if (connection->wait == GF_WAIT_GOODBYE) { /* no answer could reach the client; it will ask again elsewhere */
        atomic_fetch_add(&lane->service->counters.raced, 1);
        return NULL;
    }
    x = take_unused(lane->worker);
    if (!x)
        return NULL;
    gf_request_init(&x->request, x->request.arena, lane->service->limits.body);
    x->lane = lane;
    x->worker = lane->worker;
    x->connection = connection;
    x->mhd = mhd;
    x->pace = NULL;
    x->state = GF_EXCHANGE_BEGUN;
    x->prepared = x->suspended = x->chunked = x->closing = x->trailed = x->file = x->broken = false;
    x->refusal = 0;
    x->announced = 0;
    x->lead = 0;
    x->began_us = gf_record_begin(lane->service);
    x->request.error_log = lane->service->error_log;
    x->request.transport = &transport;
    x->wire_target = target;
    x->request.server = lane->service->server;
    x->request.secure = lane->tls;
    x->request.proxies = lane->service->chain->proxies;
    x->request.target = gf_arena_strdup(x->request.arena, target ? target : "");
    hide_query(target);
    set_peer(&x->request, mhd);
    connection->exchange = x;
    gf_connection_wait(connection, GF_WAIT_READ);
    x->request.began_ms = connection->since_ms;
    atomic_fetch_add_explicit(&lane->service->counters.in_flight, 1, memory_order_relaxed);
    return x;
}

/*
 * An answer before the body is read: libmicrohttpd closes the connection behind it. Where the head is too large its
 * memory has hardly room for another one beside it, so that answer is sent past it; a negative errno then.
 */
static int refuse_head(struct gf_exchange *x, int status)
{
    if ((status == 414 || status == 431) && !x->lane->tls) {
        gf_connection_refuse(x->connection, status);
        x->connection->lingers = true;
        return -E2BIG;
    }
    gf_response_reset(&x->request);
    ghttp_response_write_status(&x->request, status);
    x->connection->lingers = true;
    gf_exchange_answer(x);
    return 0;
}

/* The route, where one may have its handler read the body itself; NULL: the body is collected. */
static const struct gf_route *find_streaming(struct gf_exchange *x)
{
    const struct gf_chain *chain = x->lane->service->chain;

    if (!chain->has_streaming || !x->announced)
        return NULL;
    x->pace = gf_chain_prepare(chain, &x->request);
    x->prepared = true;
    return x->pace && gf_chain_streams(&x->request) ? x->request.route : NULL;
}

/* Who takes the body. 0, or the status to refuse it with. */
static int direct_body(struct gf_exchange *x)
{
    const struct gf_route *route = find_streaming(x);
    uint64_t max = route && route->body_max ? route->body_max : x->lane->service->limits.body;

    if (x->announced != GF_LENGTH_UNKNOWN && x->announced > max)
        return 413;
    if (!route) {
        x->state = GF_EXCHANGE_BODY;
        return 0;
    }
    return gf_upload_begin(x, max) < 0 ? 503 : 0;
}

/* The handler may still fail, and the log ask for it, when the connection with its memory has gone. */
static const char *keep_version(struct gf_arena *arena, const char *version)
{
    if (!strcmp(version, MHD_HTTP_VERSION_1_1))
        return MHD_HTTP_VERSION_1_1;
    return gf_arena_strdup(arena, version);
}

static int receive_head(struct gf_exchange *x, const char *method, const char *version)
{
    int status;

    x->request.version = keep_version(x->request.arena, version);
    status = x->request.target ? gf_head_read(x, method, version) : 503;
    if (!status)
        status = direct_body(x);
    return status ? refuse_head(x, status) : 0;
}

static int status_of(struct gf_exchange *x, int error)
{
    if (error == -EMSGSIZE)
        return 413;
    if (error == -ENOMEM)
        return 503;
    gf_request_report(
        &x->request, GLOG_ERROR, 507,
        "the body of %.64s %.256s was refused after %zu bytes: its temporary file in %.256s: %s; make room "
        "there, have TMPDIR name another folder, or raise formParsingMemory",
        x->request.method, x->request.target, x->request.body.size, gf_spool_folder(), strerror(-error));
    return 507;
}

/*
 * A chunked body shows its size only as it comes; libmicrohttpd takes no answer in the middle of one. So the refusal is
 * sent past it. Over TLS that is impossible: what the server itself has failed at is said behind the body's end, and a
 * body that is too long ends its connection.
 */
static int refuse_body(struct gf_exchange *x, int error)
{
    int status = status_of(x, error);

    if (x->lane->tls && status != 413) {
        x->refusal = status;
        return 0;
    }
    gf_connection_refuse(x->connection, status);
    x->connection->lingers = true;
    return error;
}

static int receive_body(struct gf_exchange *x, const char *data, size_t *size)
{
    struct ghttp_request *r = &x->request;
    int result = 0;

    x->connection->consumed += *size;
    if (!x->refusal)
        result = gf_spool_append(&r->spool, &r->body, x->lane->service->limits.body_memory, data, *size);
    *size = 0;
    return result < 0 ? refuse_body(x, result) : 0;
}

static void complete_body(struct gf_exchange *x)
{
    int result = x->refusal ? 0 : gf_spool_complete(&x->request.spool, &x->request.body);

    if (result < 0)
        x->refusal = status_of(x, result);
}

static void become_ready(struct gf_exchange *x)
{
    x->state = GF_EXCHANGE_READY;
    complete_body(x);
    x->trailed = x->chunked && MHD_get_connection_values(x->mhd, MHD_FOOTER_KIND, NULL, NULL) > 0;
    gf_connection_wait(x->connection, GF_WAIT_HANDLER);
    gf_worker_add_ready(x->worker, x);
}

int gf_exchange_receive(struct gf_exchange *x, const char *method, const char *version, const char *data, size_t *size)
{
    if (x->broken)
        return -EIO;
    if (x->state == GF_EXCHANGE_BEGUN)
        return receive_head(x, method, version);
    if (x->upload) {
        gf_upload_receive(x, data, size);
        return 0;
    }
    if (*size)
        return receive_body(x, data, size);
    if (x->state == GF_EXCHANGE_BODY)
        become_ready(x);
    return 0;
}

/* ---- an answer goes out ---- */

void gf_exchange_answer(struct gf_exchange *x)
{
    bool queued;

    if (x->upload && gf_upload_is_open(x->upload))
        x->connection->lingers = true;
    queued = gf_answer_queue(x);
    gf_connection_wait(x->connection, GF_WAIT_WRITE);
    x->lane->runnable = true;
    x->state = GF_EXCHANGE_ANSWERED;
    x->broken = !queued;
    if (queued)
        return;
    glog_error("the answer to %.256s could not be made: its connection is closed", x->request.target);
    gf_connection_cut(x->connection);
}

void gf_exchange_suspend(struct gf_exchange *x)
{
    if (x->suspended)
        return;
    x->suspended = true;
    x->lane->suspended++;
    MHD_suspend_connection(x->mhd);
}

void gf_exchange_resume(struct gf_exchange *x)
{
    if (!x->suspended)
        return;
    x->suspended = false;
    x->lane->suspended--;
    x->lane->runnable = true; /* 0.9.75 resumes only within the next MHD_run() */
    MHD_resume_connection(x->mhd);
}

static void count_bytes(struct gf_exchange *x, bool complete)
{
    struct gf_connection *c = x->connection;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    if (!complete || x->chunked || !info) /* the bytes of chunk framing are not known */
        c->countable = false;
    else
        c->consumed += info->header_size;
    c->bodies += x->announced != 0;
    if (complete)
        gf_arrival_begin(c);
}

void gf_exchange_end(struct gf_exchange *x, bool complete)
{
    struct gf_connection *c = x->connection;
    struct gf_service *service = x->lane->service;

    if (x->state == GF_EXCHANGE_READY) /* the client has gone before its turn came */
        STAILQ_REMOVE(&x->worker->ready, x, gf_exchange, in_ready);
    gf_record_exchange(x, complete);
    count_bytes(x, complete);
    c->exchange = NULL;
    if (x->state == GF_EXCHANGE_ANSWERED) {
        c->answered++;
        atomic_fetch_add_explicit(&service->counters.requests, 1, memory_order_relaxed);
        if (complete && x->closing && atomic_load_explicit(&service->draining, memory_order_relaxed))
            atomic_fetch_add_explicit(&service->counters.closed, 1, memory_order_relaxed);
    } else {
        c->lingers = true;
    }
    if (!c->ended_here)
        gf_connection_wait(c, GF_WAIT_IDLE);
    gf_release_note_answer(c);
    if (x->file)
        x->lane->files--;
    atomic_fetch_sub_explicit(&service->counters.in_flight, 1, memory_order_relaxed);
    if (x->stream ? gf_stream_end(x) : !x->upload || gf_upload_end(x))
        give_back(x->worker, x);
}

void gf_exchange_release(struct gf_exchange *x)
{
    give_back(x->worker, x);
}
