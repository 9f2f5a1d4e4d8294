/*
 * Hang-ups: finds clients that have closed without libmicrohttpd noticing.
 *
 * 0.9.75 takes a read that brings less than it has room for as the last one. When the client's end came together with
 * those bytes, the daemon's epoll (edge-triggered) does not speak of it again, and the connection would stay until its
 * time-out. So each connection that has waited for bytes for a second is looked at once.
 * Thread: the one that leads the worker.
 */
#ifndef GF_GHTTP_ENGINE_HANGUP_H
#define GF_GHTTP_ENGINE_HANGUP_H

#include <stdint.h>

struct gf_lane;

/* Looks where it is time to, and has libmicrohttpd read once more where something is to be read. */
void gf_hangups_find(struct gf_lane *lane, int64_t now_ms);

/* When gf_hangups_find() has to look again, in CLOCK_MONOTONIC milliseconds; INT64_MAX: nobody waits. */
int64_t gf_hangups_next_look(const struct gf_lane *lane);

#endif
