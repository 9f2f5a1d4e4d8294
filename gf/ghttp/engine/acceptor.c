#include "acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "address_counts.h"
#include "lane.h"
#include "linger.h"
#include "listener.h"
#include "record.h"
#include "refusal.h"
#include "service.h"
#include "worker.h"

/* Clients taken in at a time. More would make those wait that are in already; and with several workers
 * each would take all that have come while the others sleep. */
#define ACCEPT_BATCH 16

/* While the system has nothing left for a client, the listening socket would wake the loop without end. */
#define PAUSE_MS 50

/*
 * Whoever uses the descriptor that its worker keeps for refusals must not lose it to an accept of another worker: those
 * are readers of this lock, he is its writer.
 */
static pthread_rwlock_t last_descriptor = PTHREAD_RWLOCK_INITIALIZER;

static int watch(struct gf_acceptor *acceptor)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = acceptor};

    return epoll_ctl(acceptor->worker->epoll_fd, EPOLL_CTL_ADD, acceptor->listener->fd, &event) < 0 ? -errno : 0;
}

/* Closing the descriptor would not do: while another process has the socket, epoll would report it for ever. */
static void watch_no_more(struct gf_acceptor *acceptor)
{
    epoll_ctl(acceptor->worker->epoll_fd, EPOLL_CTL_DEL, acceptor->listener->fd, NULL);
}

static void pause_for_a_moment(struct gf_acceptor *acceptor, int error)
{
    struct gf_service *service = acceptor->lane->service;

    if (!atomic_exchange(&service->logged_refusal, true))
        glog_warning("server \"%s\": cannot accept connections: %s; trying again", service->name, strerror(error));
    if (acceptor->pause_ends_ms)
        return;
    watch_no_more(acceptor);
    acceptor->pause_ends_ms = acceptor->worker->now_ms + PAUSE_MS;
    LIST_INSERT_HEAD(&acceptor->worker->pausing, acceptor, in_pausing);
}

static void end_pause(struct gf_acceptor *acceptor)
{
    LIST_REMOVE(acceptor, in_pausing);
    acceptor->pause_ends_ms = 0;
}

/* Where there is no memory for that either, it pauses on. */
void gf_acceptors_try_again(struct gf_worker *worker, int64_t now_ms)
{
    struct gf_acceptor *acceptor, *next;

    for (acceptor = LIST_FIRST(&worker->pausing); acceptor; acceptor = next) {
        next = LIST_NEXT(acceptor, in_pausing);
        if (acceptor->pause_ends_ms > now_ms)
            continue;
        if (watch(acceptor) < 0)
            acceptor->pause_ends_ms = now_ms + PAUSE_MS;
        else
            end_pause(acceptor);
    }
}

int64_t gf_acceptors_next_try(const struct gf_worker *worker)
{
    const struct gf_acceptor *acceptor;
    int64_t next = INT64_MAX;

    LIST_FOREACH(acceptor, &worker->pausing, in_pausing)
    {
        if (acceptor->pause_ends_ms < next)
            next = acceptor->pause_ends_ms;
    }
    return next;
}

int gf_acceptor_begin(struct gf_acceptor *acceptor)
{
    int result = acceptor->accepting ? 0 : watch(acceptor);

    if (!result)
        acceptor->accepting = true;
    return result;
}

void gf_acceptor_cease(struct gf_acceptor *acceptor)
{
    if (acceptor->pause_ends_ms)
        end_pause(acceptor);
    else if (acceptor->accepting)
        watch_no_more(acceptor);
    acceptor->accepting = false;
}

static void refuse(struct gf_acceptor *acceptor, int fd, const char *reason)
{
    struct gf_service *service = acceptor->lane->service;
    size_t size;
    const char *text = gf_refusal_text(503, &size);

    atomic_fetch_add(&service->counters.refused, 1);
    if (!atomic_exchange(&service->logged_refusal, true))
        glog_warning("server \"%s\": refuses connections: %s", service->name, reason);
    gf_record_turned_away(service, fd, acceptor->lane->tls, 503);
    if (!acceptor->lane->tls)
        send(fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    gf_linger_add(acceptor->worker, fd);
    close(fd);
}

/* No descriptor is left. The one kept for this lets a client be told so, instead of waiting in the backlog. 0 or a
 * negative errno: not even that. */
static int refuse_for_want_of_descriptors(struct gf_acceptor *acceptor)
{
    struct gf_worker *worker = acceptor->worker;
    int fd, result;

    pthread_rwlock_wrlock(&last_descriptor);
    if (worker->reserve_fd >= 0)
        close(worker->reserve_fd);
    fd = accept4(acceptor->listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    result = fd < 0 ? -errno : 0;
    if (fd >= 0)
        refuse(acceptor, fd, "no file descriptors are left; raise the limit (ulimit -n, LimitNOFILE=)");
    worker->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pthread_rwlock_unlock(&last_descriptor);
    return result;
}

static int accept_client(const struct gf_acceptor *acceptor, struct sockaddr_storage *peer, socklen_t *size)
{
    int fd, error;

    pthread_rwlock_rdlock(&last_descriptor);
    fd = accept4(acceptor->listener->fd, (struct sockaddr *)peer, size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    error = errno;
    pthread_rwlock_unlock(&last_descriptor);
    errno = error;
    return fd;
}

/* The kept descriptor can still go to something else of the process that opens a file at the wrong moment. */
static void keep_reserve(struct gf_worker *worker)
{
    if (worker->reserve_fd < 0)
        worker->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void take_in(struct gf_acceptor *acceptor, int fd, const struct sockaddr_storage *peer, socklen_t size)
{
    struct gf_service *service = acceptor->lane->service;
    uint64_t key = 0;

    if (atomic_load_explicit(&service->counters.connections, memory_order_relaxed) >= service->limits.connections)
        refuse(acceptor, fd, "maxConnections are open");
    else if (service->address_counts && !gf_address_counts_enter(service->address_counts, peer, false, &key))
        refuse(acceptor, fd, "maxConnectionsPerAddress are open from one address");
    else
        gf_lane_add(acceptor->lane, fd, peer, size, key, false, 0);
}

/* Of something that may be there again in a moment. */
static bool is_want(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

/* false: nobody waits, or nobody can be let in. */
static bool accept_one(struct gf_acceptor *acceptor)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(peer);
    int fd = accept_client(acceptor, &peer, &size), error;

    if (fd >= 0) {
        take_in(acceptor, fd, &peer, size);
        return true;
    }
    error = errno;
    if (error == EMFILE || error == ENFILE)
        error = -refuse_for_want_of_descriptors(acceptor);
    if (is_want(error))
        pause_for_a_moment(acceptor, error);
    return error == ECONNABORTED || error == EINTR;
}

void gf_acceptor_ready(struct gf_acceptor *acceptor)
{
    keep_reserve(acceptor->worker);
    for (int i = 0; i < ACCEPT_BATCH && acceptor->accepting && accept_one(acceptor); i++)
        continue;
}

void gf_acceptor_empty(struct gf_acceptor *acceptor)
{
    for (int i = 0; i < GF_LISTENER_BACKLOG && acceptor->accepting && accept_one(acceptor); i++)
        continue;
}
