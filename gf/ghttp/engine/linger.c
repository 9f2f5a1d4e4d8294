#include "linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "worker.h"

/* Long enough for a client far away to read its answer, too short to be worth an attacker's while. */
#define LINGER_MS 5000
/* At once in one worker; more are closed without this courtesy. */
#define LINGER_MAX 1024
/* One turn's reading from one client. */
#define LINGER_READ_SIZE 65536

struct gf_linger {
    struct gf_watch watch; /* first: epoll gives it back */
    TAILQ_ENTRY(gf_linger) in_worker;
    struct gf_worker *worker;
    int64_t until_ms;
    int fd;
};

static void linger_free(struct gf_linger *linger)
{
    TAILQ_REMOVE(&linger->worker->lingering, linger, in_worker);
    linger->worker->lingering_count--;
    close(linger->fd);
    free(linger);
}

void gf_linger_add(struct gf_worker *worker, int fd)
{
    struct gf_linger *linger;
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP};

    shutdown(fd, SHUT_WR);
    if (worker->lingering_count >= LINGER_MAX || !(linger = calloc(1, sizeof(*linger))))
        return;
    linger->watch.kind = GF_WATCH_LINGER;
    linger->worker = worker;
    linger->until_ms = worker->now_ms + LINGER_MS;
    linger->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    event.data.ptr = linger;
    if (linger->fd < 0 || epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, linger->fd, &event) < 0)
        goto fail;
    TAILQ_INSERT_TAIL(&worker->lingering, linger, in_worker);
    worker->lingering_count++;
    return;
fail:
    if (linger->fd >= 0)
        close(linger->fd);
    free(linger);
}

void gf_linger_ready(struct gf_linger *linger)
{
    static _Thread_local char waste[LINGER_READ_SIZE];
    ssize_t got = recv(linger->fd, waste, sizeof(waste), MSG_DONTWAIT);

    if (!got || (got < 0 && errno != EAGAIN && errno != EINTR))
        linger_free(linger);
}

void gf_linger_expire(struct gf_worker *worker, int64_t now_ms)
{
    struct gf_linger *linger;

    while ((linger = TAILQ_FIRST(&worker->lingering)) && linger->until_ms <= now_ms)
        linger_free(linger);
}

int64_t gf_linger_next_deadline(const struct gf_worker *worker)
{
    const struct gf_linger *linger = TAILQ_FIRST(&worker->lingering);

    return linger ? linger->until_ms : INT64_MAX;
}

void gf_linger_finish(struct gf_worker *worker)
{
    gf_linger_expire(worker, INT64_MAX);
}
