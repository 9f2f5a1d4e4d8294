#include "hangup.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "lane.h"

/* Long enough that busy connections are not looked at, short enough for someone who waits for the close. */
#define LOOK_AFTER_MS 1000

static void look_at(struct gf_connection *c)
{
    struct epoll_event event = {.events = GF_LANE_EVENTS, .data.ptr = c->mhd};
    char byte;

    c->looked_at = true;
    if (recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0)
        epoll_ctl(c->lane->epoll_fd, EPOLL_CTL_MOD, c->fd, &event); /* a new edge */
}

/* The list is sorted by the begin of the wait: behind the first that was looked at, all were. */
static void look_through(struct gf_wait_list *list, int64_t now_ms)
{
    struct gf_connection *c;

    TAILQ_FOREACH_REVERSE(c, list, gf_wait_list, in_wait)
    {
        if (c->looked_at)
            return;
        if (c->since_ms + LOOK_AFTER_MS <= now_ms)
            look_at(c);
    }
}

void gf_hangups_find(struct gf_lane *lane, int64_t now_ms)
{
    if (now_ms < lane->look_ms)
        return;
    lane->look_ms = now_ms + LOOK_AFTER_MS;
    look_through(&lane->waits[GF_WAIT_READ], now_ms);
    look_through(&lane->waits[GF_WAIT_IDLE], now_ms);
}

static bool has_new(const struct gf_wait_list *list)
{
    const struct gf_connection *newest = TAILQ_LAST(list, gf_wait_list);

    return newest && !newest->looked_at;
}

int64_t gf_hangups_next_look(const struct gf_lane *lane)
{
    if (has_new(&lane->waits[GF_WAIT_READ]) || has_new(&lane->waits[GF_WAIT_IDLE]))
        return lane->look_ms;
    return INT64_MAX;
}
