/*
 * Which connection it is, libmicrohttpd does not say. So all that it could be are suspended, and resumed one after the
 * other: the one with which the daemon wants to be run again is it. Connections that are being answered are out of the
 * way meanwhile, since the daemon wants to be run for them with good reason.
 */
#include "standstill.h"

#include <microhttpd.h>

#include "connection.h"
#include "exchange.h"
#include "lane.h"
#include "release.h"
#include "upload.h"
#include "worker.h"

/* Of a connection by itself, all without a call back: over plain TCP libmicrohttpd has no other reason for so many. */
#define TURNS 64

static bool is_suspended(const struct gf_connection *c)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_CONNECTION_SUSPENDED);

    return !info || info->suspended == MHD_YES;
}

/* A body in chunks comes in, or an answer goes out. */
static bool is_concerned(const struct gf_connection *c)
{
    return !is_suspended(c) && !c->ended_here && (c->wait == GF_WAIT_WRITE || (c->exchange && c->exchange->chunked));
}

static void hold_list(struct gf_wait_list *list)
{
    struct gf_connection *c;

    TAILQ_FOREACH(c, list, in_wait)
    {
        c->held = is_concerned(c);
        if (c->held)
            MHD_suspend_connection(c->mhd);
    }
}

static void let_go(struct gf_connection *c)
{
    c->held = false;
    MHD_resume_connection(c->mhd);
}

/* Connections may come and go in the turns, but none that is held. */
static struct gf_connection *find_held(struct gf_wait_list *list)
{
    struct gf_connection *c;

    TAILQ_FOREACH(c, list, in_wait)
    if (c->held)
        return c;
    return NULL;
}

/* Whether the daemon wants to be run again and again, and nothing comes of it. */
static bool stands_still(struct gf_lane *lane)
{
    MHD_UNSIGNED_LONG_LONG timeout;

    for (int i = 0; i < TURNS; i++) {
        lane->called = false;
        MHD_run(lane->daemon);
        if (lane->called || MHD_get_timeout(lane->daemon, &timeout) != MHD_YES || timeout)
            return false;
    }
    return true;
}

static void refuse(struct gf_connection *c)
{
    if (c->exchange->upload) { /* its handler has a word to say to the client */
        gf_upload_expire(c->exchange);
        return;
    }
    gf_connection_refuse(c, 400);
    gf_release_to_linger(c);
    gf_connection_cut(c);
}

static void try_each(struct gf_lane *lane)
{
    struct gf_connection *c;

    while ((c = find_held(&lane->waits[GF_WAIT_READ]))) {
        lane->tried = c;
        let_go(c);
        if (stands_still(lane) && lane->tried)
            refuse(c);
    }
    lane->tried = NULL;
}

void gf_standstill_end(struct gf_lane *lane)
{
    struct gf_connection *c;

    hold_list(&lane->waits[GF_WAIT_READ]);
    if (!find_held(&lane->waits[GF_WAIT_READ]))
        return;
    hold_list(&lane->waits[GF_WAIT_WRITE]);
    try_each(lane);
    while ((c = find_held(&lane->waits[GF_WAIT_WRITE])))
        let_go(c);
    MHD_run(lane->daemon); /* only here does 0.9.75 resume; a lane may be closed before its next turn */
    lane->runnable = true;
}
