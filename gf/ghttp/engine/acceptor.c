#include "acceptor.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

/*
 * Whoever uses the descriptor that its worker keeps for refusals must not lose it to an accept of another worker: those
 * are readers of this lock, he is its writer.
 */
static pthread_rwlock_t last_descriptor = PTHREAD_RWLOCK_INITIALIZER;

int gf_acceptor_begin(struct gf_acceptor *acceptor)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE, .data.ptr = acceptor};

    if (acceptor->accepting)
        return 0;
    if (epoll_ctl(acceptor->worker->epoll_fd, EPOLL_CTL_ADD, acceptor->listener->fd, &event) < 0)
        return -errno;
    acceptor->accepting = true;
    return 0;
}

/* Closing the descriptor would not do: while another process has the socket, epoll would report it for ever. */
void gf_acceptor_cease(struct gf_acceptor *acceptor)
{
    if (acceptor->accepting)
        epoll_ctl(acceptor->worker->epoll_fd, EPOLL_CTL_DEL, acceptor->listener->fd, NULL);
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

/* No descriptor is left. The one kept for this lets a client be told so, instead of waiting in the backlog. */
static void refuse_for_want_of_descriptors(struct gf_acceptor *acceptor)
{
    struct gf_worker *worker = acceptor->worker;
    int fd;

    pthread_rwlock_wrlock(&last_descriptor);
    if (worker->reserve_fd >= 0)
        close(worker->reserve_fd);
    fd = accept4(acceptor->listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0)
        refuse(acceptor, fd, "no file descriptors are left; raise the limit (ulimit -n, LimitNOFILE=)");
    worker->reserve_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    pthread_rwlock_unlock(&last_descriptor);
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

/* false: nobody waits, or nobody can be let in. */
static bool accept_one(struct gf_acceptor *acceptor)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(peer);
    int fd = accept_client(acceptor, &peer, &size);

    if (fd >= 0) {
        take_in(acceptor, fd, &peer, size);
        return true;
    }
    if (errno == EMFILE || errno == ENFILE) {
        refuse_for_want_of_descriptors(acceptor);
        return false;
    }
    return errno == ECONNABORTED || errno == EINTR;
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
