#include "exchange.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>

#include <gf/glog/glog.h>

#include "../message/arena.h"
#include "connection.h"
#include "head.h"
#include "lane.h"
#include "release.h"
#include "service.h"
#include "worker.h"

/* Exchanges that a worker keeps for the next requests: their arenas are warm. */
#define UNUSED_MAX 256

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

static void give_back(struct gf_worker *worker, struct gf_exchange *x)
{
    struct gf_arena *arena = x->request.arena;

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
    x->suspended = x->chunked = x->closing = x->trailed = false;
    x->wire_target = target;
    x->request.server = lane->service->server;
    x->request.secure = lane->tls;
    x->request.target = gf_arena_strdup(x->request.arena, target ? target : "");
    hide_query(target);
    set_peer(&x->request, mhd);
    connection->exchange = x;
    gf_connection_wait(connection, GF_WAIT_READ);
    atomic_fetch_add_explicit(&lane->service->counters.in_flight, 1, memory_order_relaxed);
    return x;
}

/* An answer before the body is read: libmicrohttpd closes the connection behind it. */
static void refuse_head(struct gf_exchange *x, int status)
{
    gf_response_reset(&x->request);
    ghttp_response_write_status(&x->request, status);
    x->connection->lingers = true;
    gf_exchange_answer(x);
}

static int receive_head(struct gf_exchange *x, const char *method, const char *version)
{
    int status = x->request.target ? gf_head_read(x, method, version) : 503;

    if (status)
        refuse_head(x, status);
    else
        x->state = GF_EXCHANGE_BODY;
    return 0;
}

/* A chunked body shows its size only as it comes; libmicrohttpd takes no answer in the middle of one. */
static int receive_body(struct gf_exchange *x, const char *data, size_t *size)
{
    int result = gf_buffer_append(&x->request.body, data, *size);

    x->connection->consumed += *size;
    *size = 0;
    if (result < 0) {
        gf_connection_refuse(x->connection, result == -EMSGSIZE ? 413 : 503);
        x->connection->lingers = true;
    }
    return result;
}

static void become_ready(struct gf_exchange *x)
{
    x->state = GF_EXCHANGE_READY;
    x->trailed = x->chunked && MHD_get_connection_values(x->mhd, MHD_FOOTER_KIND, NULL, NULL) > 0;
    gf_connection_wait(x->connection, GF_WAIT_HANDLER);
    gf_worker_add_ready(x->worker, x);
}

int gf_exchange_receive(struct gf_exchange *x, const char *method, const char *version, const char *data, size_t *size)
{
    if (x->state == GF_EXCHANGE_BEGUN)
        return receive_head(x, method, version);
    if (*size)
        return receive_body(x, data, size);
    if (x->state == GF_EXCHANGE_BODY)
        become_ready(x);
    return 0;
}

/* ---- an answer goes out ---- */

static bool closes_after(const struct gf_exchange *x)
{
    const struct gf_service *service = x->lane->service;

    return x->state < GF_EXCHANGE_READY || x->trailed || !service->limits.keep_alive ||
           (atomic_load_explicit(&service->draining, memory_order_relaxed) && !gf_release_is_possible(x->connection));
}

static struct MHD_Response *make_response(struct gf_exchange *x)
{
    const struct gf_response *made = &x->request.response;
    const char *agent = x->lane->service->agent;
    struct MHD_Response *response =
        MHD_create_response_from_buffer(made->body.size, made->body.data, MHD_RESPMEM_PERSISTENT);
    bool good = response != NULL;

    if (good && agent && *agent)
        good = MHD_add_response_header(response, "Server", agent) == MHD_YES;
    for (size_t i = 0; good && i < made->headers.count; i++)
        good = MHD_add_response_header(response, made->headers.items[i].name, made->headers.items[i].value) == MHD_YES;
    x->closing = closes_after(x);
    if (good && x->closing && !gf_fields_find(&made->headers, "Connection"))
        good = MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    if (!good && response) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

/* What libmicrohttpd keeps of each header and each cookie, and what an answer has besides the headers of its handler.
 */
#define PARSED_FIELD_SIZE 64
#define ANSWER_HEAD_SIZE 512

static size_t count_char(const char *text, char c)
{
    size_t count = 0;

    for (; text && (text = strchr(text, c)); text++)
        count++;
    return count;
}

/* libmicrohttpd drops a connection without a word when an answer's head has no room beside the request's. */
static bool has_room_for_head(const struct gf_exchange *x)
{
    const struct ghttp_request *r = &x->request;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *cookies = gf_fields_find(&r->headers, "Cookie");
    size_t used = ANSWER_HEAD_SIZE + r->headers.count * PARSED_FIELD_SIZE + (info ? info->header_size : 0);

    if (cookies)
        used += strlen(cookies) + (1 + count_char(cookies, ';')) * PARSED_FIELD_SIZE;
    for (size_t i = 0; i < r->response.headers.count; i++)
        used += strlen(r->response.headers.items[i].name) + strlen(r->response.headers.items[i].value) + 4;
    return used <= gf_lane_memory(x->lane);
}

/* The last resort: an answer of which not even the text of a 500 had room. */
static void make_bare(struct gf_exchange *x)
{
    gf_response_reset(&x->request);
    x->request.response.status = 500;
}

void gf_exchange_answer(struct gf_exchange *x)
{
    struct MHD_Response *response;
    bool queued;

    if (!x->request.response.failed && !has_room_for_head(x)) {
        glog_error("the answer to %.256s: its headers do not fit beside those of the request; raise maxHeaderBytes",
                   x->request.target);
        x->request.response.failed = true;
    }
    if (x->request.response.failed)
        make_bare(x);
    response = make_response(x);
    gf_connection_wait(x->connection, GF_WAIT_WRITE);
    x->lane->runnable = true;
    x->state = GF_EXCHANGE_ANSWERED;
    queued = response && MHD_queue_response(x->mhd, (unsigned)x->request.response.status, response) == MHD_YES;
    if (response)
        MHD_destroy_response(response);
    if (!queued)
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
}

void gf_exchange_end(struct gf_exchange *x, bool complete)
{
    struct gf_connection *c = x->connection;
    struct gf_service *service = x->lane->service;

    if (x->state == GF_EXCHANGE_READY) /* the client has gone before its turn came */
        STAILQ_REMOVE(&x->worker->ready, x, gf_exchange, in_ready);
    count_bytes(x, complete);
    c->exchange = NULL;
    if (x->state == GF_EXCHANGE_ANSWERED) {
        c->answered++;
        atomic_fetch_add_explicit(&service->counters.requests, 1, memory_order_relaxed);
        if (complete && x->closing)
            atomic_fetch_add_explicit(&service->counters.closed, 1, memory_order_relaxed);
    } else {
        c->lingers = true;
    }
    if (!c->ended_here)
        gf_connection_wait(c, GF_WAIT_IDLE);
    c->release_tried = false;
    c->lane->release_due |= gf_release_is_possible(c);
    atomic_fetch_sub_explicit(&service->counters.in_flight, 1, memory_order_relaxed);
    give_back(x->worker, x);
}
