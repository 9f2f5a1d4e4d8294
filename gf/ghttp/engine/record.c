#include "record.h"

#include <string.h>
#include <sys/socket.h>

#include <gf/glog/glog.h>

#include "../../gproc/clock.h"
#include "connection.h"
#include "exchange.h"
#include "lane.h"
#include "service.h"
#include "stream.h"

/* Of connections refused at a limit: so many lines a second show who it is, and even a flood of a day makes no more of
 * them than fit a hundred megabytes; and how often the log says how many there were besides. */
#define LINES_PER_SECOND 10
#define TELL_SECONDS 10

/* No server sends it; in records it has meant this since nginx. */
#define CLIENT_HAS_GONE 499

int64_t gf_record_begin(const struct gf_service *service)
{
    return service->record ? gf_clock_us() : 0;
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

/* Says how many went unrecorded, once in a while; whichever thread comes first. */
static void tell_unrecorded(struct gf_service *service, int64_t second)
{
    struct gf_turned_away *away = &service->turned_away;
    int64_t told = atomic_load_explicit(&away->told, memory_order_relaxed);
    unsigned count;

    if (!atomic_load_explicit(&away->unrecorded, memory_order_relaxed) || second < told + TELL_SECONDS ||
        !atomic_compare_exchange_strong(&away->told, &told, second))
        return;
    count = atomic_exchange(&away->unrecorded, 0);
    if (count)
        glog_warning("server \"%s\": %u refused connections have no line in the access log, which takes %d a second",
                     service->name, count, LINES_PER_SECOND);
}

void gf_record_exchange(const struct gf_exchange *x, bool complete)
{
    struct gf_service *service = x->lane->service;
    struct gf_served served;

    if (!service->record)
        return;
    if (atomic_load_explicit(&service->turned_away.unrecorded, memory_order_relaxed)) /* a flood that has ended */
        tell_unrecorded(service, gf_clock_us() / 1000000);
    served = (struct gf_served){.request = &x->request,
                                .version = x->request.version ? x->request.version : "",
                                .status = find_status(x),
                                .bytes = count_bytes(x),
                                .took_us = x->began_us ? gf_clock_us() - x->began_us : 0,
                                .complete = complete && x->state == GF_EXCHANGE_ANSWERED};
    service->record(service->record_arg, &served);
}

static void record_stranger(const struct gf_service *service, int fd, bool tls, int status)
{
    struct ghttp_request nothing;
    struct gf_served served = {.request = &nothing, .version = "", .status = status};

    gf_request_init(&nothing, NULL, 0);
    nothing.server = service->server;
    nothing.secure = tls;
    nothing.peer_size = sizeof(nothing.peer);
    if (getpeername(fd, (struct sockaddr *)&nothing.peer, &nothing.peer_size) < 0)
        nothing.peer.ss_family = AF_UNSPEC;
    service->record(service->record_arg, &served);
    gf_request_finish(&nothing);
}

void gf_record_refusal(const struct gf_connection *c, int status)
{
    const struct gf_service *service = c->lane->service;

    if (service->record)
        record_stranger(service, c->fd, c->lane->tls, status);
}

/* ---- connections refused at a limit ---- */

void gf_record_turned_away(struct gf_service *service, int fd, bool tls, int status)
{
    struct gf_turned_away *away = &service->turned_away;
    int64_t second = gf_clock_us() / 1000000;

    if (!service->record)
        return;
    if (atomic_exchange(&away->second, second) != second)
        atomic_store(&away->recorded, 0);
    if (atomic_fetch_add(&away->recorded, 1) < LINES_PER_SECOND)
        record_stranger(service, fd, tls, status);
    else
        atomic_fetch_add(&away->unrecorded, 1);
    tell_unrecorded(service, second);
}
