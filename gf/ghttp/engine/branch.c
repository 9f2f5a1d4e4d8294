#include "branch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../route/router.h"
#include "address_counts.h"
#include "engine.h"
#include "lane.h"
#include "listener.h"
#include "release.h"
#include "service.h"
#include "tcp_facts.h"
#include "worker.h"

struct gf_branch *gf_branch_new(struct gf_worker *worker, struct gf_service *service)
{
    struct gf_branch *branch = calloc(1, sizeof(*branch) + service->listener_count * sizeof(*branch->acceptors));

    if (!branch)
        return NULL;
    branch->worker = worker;
    branch->service = service;
    branch->acceptor_count = service->listener_count;
    for (size_t i = 0; i < branch->acceptor_count; i++) {
        branch->acceptors[i].watch.kind = GF_WATCH_LISTENER;
        branch->acceptors[i].worker = worker;
        branch->acceptors[i].listener = &service->listeners[i];
    }
    return branch;
}

void gf_branch_free(struct gf_branch *branch)
{
    free(branch);
}

int gf_branch_open(struct gf_branch *branch, char *error, size_t error_size)
{
    for (size_t i = 0; i < branch->acceptor_count; i++) {
        bool tls = branch->acceptors[i].listener->tls;
        struct gf_lane **lane = tls ? &branch->https : &branch->http;
        int result = *lane ? 0 : gf_lane_new(branch->worker, branch->service, tls, lane, error, error_size);

        if (result < 0)
            return result;
        branch->acceptors[i].lane = *lane;
    }
    return 0;
}

int gf_branch_accept(struct gf_branch *branch)
{
    for (size_t i = 0; i < branch->acceptor_count; i++) {
        int result = gf_acceptor_begin(&branch->acceptors[i]);

        if (result < 0)
            return result;
    }
    return 0;
}

void gf_branch_cease(struct gf_branch *branch)
{
    for (size_t i = 0; i < branch->acceptor_count; i++)
        gf_acceptor_cease(&branch->acceptors[i]);
}

void gf_branch_empty_backlog(struct gf_branch *branch)
{
    for (size_t i = 0; i < branch->acceptor_count; i++)
        gf_acceptor_empty(&branch->acceptors[i]);
}

static void drain_lane(struct gf_lane *lane, bool on, int grace_ms)
{
    if (!lane)
        return;
    lane->drain_since_ms = on ? lane->worker->now_ms : 0;
    lane->drain_grace_ms = grace_ms;
}

void gf_branch_drain(struct gf_branch *branch, bool on, int grace_ms)
{
    drain_lane(branch->http, on, grace_ms);
    drain_lane(branch->https, on, grace_ms);
}

void gf_branch_release(struct gf_branch *branch)
{
    if (branch->http)
        gf_release_begin(branch->http);
}

int gf_branch_adopt(struct gf_branch *branch, int fd, uint64_t consumed)
{
    struct gf_service *service = branch->service;
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    struct gf_tcp_facts facts;
    socklen_t size = sizeof(peer);
    uint64_t key = 0;
    int result = 0;

    if (!branch->http)
        result = -ENOENT;
    else if (getpeername(fd, (struct sockaddr *)&peer, &size) < 0 || !gf_tcp_facts(fd, &facts) ||
             facts.received < consumed)
        result = -EINVAL;
    if (result < 0) {
        close(fd);
        return result;
    }
    if (service->address_counts) /* over its limit or not: it has been let in before */
        gf_address_counts_enter(service->address_counts, &peer, true, &key);
    branch->http->release_due = true; /* we may be about to move all connections on in our turn */
    return gf_lane_add(branch->http, fd, &peer, size, key, true, consumed);
}

/* Makes room for one that began at this moment where it belongs; NULL: there are older ones enough. */
static struct gf_running *insert_running(struct gf_running *running, size_t *count, size_t room, int64_t since_ms)
{
    size_t at = *count;

    while (at && running[at - 1].since_ms > since_ms)
        at--;
    if (at == room)
        return NULL;
    if (*count < room)
        ++*count;
    memmove(&running[at + 1], &running[at], (*count - at - 1) * sizeof(*running));
    return &running[at];
}

static size_t list_waiting(const struct gf_wait_list *list, struct gf_running *running, size_t count, size_t room)
{
    const struct gf_connection *c;

    TAILQ_FOREACH(c, list, in_wait)
    {
        const struct gf_exchange *x = c->exchange;
        struct gf_running *entry;

        if (!x || x->state != GF_EXCHANGE_RUNNING)
            continue;
        entry = insert_running(running, &count, room, c->since_ms);
        if (!entry) /* all that follow began later */
            break;
        *entry = (struct gf_running){.since_ms = c->since_ms, .request = &x->request};
        /* The handler may be putting another copy in its place: gf_head_keep(). Both are good as long as the connection
         * is, which belongs to this thread. */
        snprintf(entry->method, sizeof(entry->method), "%s", __atomic_load_n(&x->request.method, __ATOMIC_ACQUIRE));
        snprintf(entry->route, sizeof(entry->route), "%s",
                 x->request.route ? x->request.route->path : "(no route)"); /* its middleware runs */
    }
    return count;
}

/* Those that wait for more of a body have their handlers too. */
static size_t list_running(const struct gf_lane *lane, struct gf_running *running, size_t count, size_t room)
{
    count = list_waiting(&lane->waits[GF_WAIT_HANDLER], running, count, room);
    return list_waiting(&lane->waits[GF_WAIT_READ], running, count, room);
}

size_t gf_branch_running(const struct gf_branch *branch, struct gf_running *running, size_t count, size_t room)
{
    if (branch->http)
        count = list_running(branch->http, running, count, room);
    if (branch->https)
        count = list_running(branch->https, running, count, room);
    return count;
}

static bool close_lane(struct gf_lane **lane)
{
    if (!*lane)
        return true;
    if ((*lane)->suspended)
        return false;
    gf_lane_free(*lane);
    *lane = NULL;
    return true;
}

bool gf_branch_close(struct gf_branch *branch)
{
    bool http_closed, https_closed;

    gf_branch_cease(branch);
    http_closed = close_lane(&branch->http);
    https_closed = close_lane(&branch->https);
    return http_closed && https_closed;
}
