#include "release.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lane.h"
#include "linger.h"
#include "service.h"
#include "tcp_facts.h"
#include "worker.h"

/* Connections in one turn: about ten system calls each, so that a turn stays well below a millisecond. */
#define RELEASE_BATCH 64
/* A full channel is tried again after this. */
#define RETRY_MS 2
/* Answers after which a connection has had its chances, once the drain has lasted as long as silence may. */
#define CHANCES 3

/*
 * The unread bytes are asked for first: whatever arrives between the two questions makes the sum too large, and the
 * connection not idle. The other way round it could hide bytes that libmicrohttpd has.
 */
static bool is_idle(const struct gf_connection *c)
{
    struct gf_tcp_facts facts;
    int unread = 0;

    if (c->exchange || !c->countable || c->ended_here || ioctl(c->fd, FIONREAD, &unread) < 0)
        return false;
    return gf_tcp_facts(c->fd, &facts) && facts.established &&
           facts.received - (uint64_t)(unsigned)unread == c->consumed;
}

/* Asked once of each mover: what it says of a connection holds for as long as it is the mover. */
static bool is_taken(struct gf_connection *c, const struct gf_mover *mover)
{
    unsigned round = atomic_load(&c->lane->service->mover_round);

    if (c->mover_round != round) {
        c->mover_round = round;
        c->stayed = 0;
        c->taken = mover->takes(c->fd);
    }
    return c->taken;
}

static void watch_again(const struct gf_connection *c)
{
    struct epoll_event event = {.events = GF_LANE_EVENTS, .data.ptr = c->mhd};

    epoll_ctl(c->lane->epoll_fd, EPOLL_CTL_ADD, c->fd, &event);
}

/*
 * A socket that is nobody's takes the place of the connection's, under the same number. libmicrohttpd finds it broken
 * in its next turn and frees its connection in the ordinary way. One socket for each connection: epoll knows open
 * files, and a shared one would keep reporting for a connection that is long gone.
 */
static int move_away(struct gf_connection *c, const struct gf_mover *mover, int placeholder)
{
    bool was_watched = !epoll_ctl(c->lane->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    int result = mover->move(c->lane->service, c->fd, c->consumed);

    if (!result)
        dup3(placeholder, c->fd, O_CLOEXEC);
    if (was_watched)
        watch_again(c);
    return result;
}

/* 0; -EAGAIN: not now; -EMFILE: never; any other: not before its next request was answered. */
static int release(struct gf_connection *c)
{
    const struct gf_mover *mover = atomic_load(&c->lane->service->mover);
    int placeholder, result;

    if (!mover || !is_taken(c, mover) || !is_idle(c))
        return -EBUSY;
    placeholder = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (placeholder < 0)
        return -EMFILE;
    result = move_away(c, mover, placeholder);
    close(placeholder);
    return result;
}

static void note_released(struct gf_connection *c)
{
    c->released = true;
    c->lane->runnable = true;
    atomic_fetch_add(&c->lane->service->counters.moved, 1);
    gf_connection_wait(c, GF_WAIT_HANDLER);
}

static int release_list(struct gf_wait_list *list, unsigned *budget)
{
    struct gf_connection *c, *next;

    for (c = TAILQ_FIRST(list); c && *budget; c = next) {
        int result;

        next = TAILQ_NEXT(c, in_wait);
        if (c->release_tried)
            continue;
        --*budget;
        result = release(c);
        if (result == -EAGAIN)
            return result;
        c->release_tried = true; /* once, until its next request was answered */
        if (result == -EMFILE)
            c->stays = true;
        if (!result)
            note_released(c);
    }
    return 0;
}

static void forget_tries(struct gf_wait_list *list)
{
    struct gf_connection *c;

    TAILQ_FOREACH(c, list, in_wait) c->release_tried = false;
}

void gf_release_begin(struct gf_lane *lane)
{
    forget_tries(&lane->waits[GF_WAIT_IDLE]);
    forget_tries(&lane->waits[GF_WAIT_READ]);
    lane->release_due = true;
    lane->release_after_ms = 0;
}

void gf_release_idle(struct gf_lane *lane)
{
    unsigned budget = RELEASE_BATCH;

    if (!lane->release_due || lane->release_after_ms > lane->worker->now_ms)
        return;
    lane->release_due = false;
    if (!atomic_load(&lane->service->mover))
        return;
    if (release_list(&lane->waits[GF_WAIT_IDLE], &budget) == -EAGAIN ||
        release_list(&lane->waits[GF_WAIT_READ], &budget) == -EAGAIN) {
        lane->release_due = true;
        lane->release_after_ms = lane->worker->now_ms + RETRY_MS;
    } else if (!budget) {
        lane->release_due = true;
    }
}

void gf_release_to_linger(struct gf_connection *c)
{
    int placeholder = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    bool was_watched;

    if (placeholder < 0)
        return;
    was_watched = !epoll_ctl(c->lane->epoll_fd, EPOLL_CTL_DEL, c->fd, NULL);
    gf_linger_add(c->lane->worker, c->fd);
    dup3(placeholder, c->fd, O_CLOEXEC);
    if (was_watched)
        watch_again(c);
    close(placeholder);
}

/*
 * A client that has always begun its next request by the time of an answer, or that sends line breaks which belong to
 * no request, is never found idle: without a word it would be cut at the drain's end.
 */
static bool has_had_its_chances(const struct gf_connection *c)
{
    const struct gf_lane *lane = c->lane;

    return c->stayed >= CHANCES && lane->drain_since_ms &&
           lane->worker->now_ms - lane->drain_since_ms >= lane->drain_grace_ms;
}

bool gf_release_foresee(struct gf_connection *c)
{
    const struct gf_mover *mover = atomic_load(&c->lane->service->mover);

    return mover && c->countable && !c->stays && is_taken(c, mover) && !has_had_its_chances(c);
}

void gf_release_note_answer(struct gf_connection *c)
{
    c->release_tried = false;
    if (!gf_release_foresee(c))
        return;
    c->stayed++;
    c->lane->release_due = true;
}
