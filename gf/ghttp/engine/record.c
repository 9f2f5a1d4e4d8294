#include "record.h"

#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "connection.h"
#include "exchange.h"
#include "lane.h"
#include "service.h"
#include "stream.h"

/* No server sends it; in records it has meant this since nginx. */
#define CLIENT_HAS_GONE 499

static int64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

int64_t gf_record_begin(const struct gf_service *service)
{
    return service->record ? now_us() : 0;
}

static uint64_t count_bytes(const struct gf_exchange *x)
{
    const struct gf_response *response = &x->request.response;

    if (x->state != GF_EXCHANGE_ANSWERED)
        return 0;
    if (x->stream)
        return gf_stream_taken(x->stream);
    if (!strcmp(x->request.method, "HEAD"))
        return 0;
    return x->file || response->file_bytes ? (uint64_t)response->file_size : response->body.size;
}

static int find_status(const struct gf_exchange *x)
{
    if (x->connection->refused)
        return x->connection->refused;
    return x->state == GF_EXCHANGE_ANSWERED ? x->request.response.status : CLIENT_HAS_GONE;
}

void gf_record_exchange(const struct gf_exchange *x, bool complete)
{
    const struct gf_service *service = x->lane->service;
    struct gf_served served;

    if (!service->record)
        return;
    served = (struct gf_served){.request = &x->request,
                                .version = x->version ? x->version : "",
                                .status = find_status(x),
                                .bytes = count_bytes(x),
                                .took_us = x->began_us ? now_us() - x->began_us : 0,
                                .complete = complete && x->state == GF_EXCHANGE_ANSWERED};
    service->record(service->record_arg, &served);
}

void gf_record_refusal(const struct gf_connection *c, int status)
{
    const struct gf_service *service = c->lane->service;
    struct ghttp_request nothing;
    struct gf_served served = {.request = &nothing, .version = "", .status = status};

    if (!service->record)
        return;
    gf_request_init(&nothing, NULL, 0);
    nothing.server = service->server;
    nothing.secure = c->lane->tls;
    nothing.peer_size = sizeof(nothing.peer);
    if (getpeername(c->fd, (struct sockaddr *)&nothing.peer, &nothing.peer_size) < 0)
        nothing.peer.ss_family = AF_UNSPEC;
    service->record(service->record_arg, &served);
    gf_request_finish(&nothing);
}
