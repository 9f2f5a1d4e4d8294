/*
 * Pace: what a route has shown of how long its handler takes.
 *
 * A handler that was caught blocking a loop makes its route slow: the next requests go to spare threads
 * at once, so that a burst of slow requests is not absorbed a millisecond at a time. A route that has
 * been fast GF_PACE_PROBATION times in a row runs on the loops again.
 * Thread: any; relaxed atomics, because a lost update costs one request a detour and nothing else.
 */
#ifndef GF_GHTTP_ROUTE_PACE_H
#define GF_GHTTP_ROUTE_PACE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Longer than this on a loop, and the loop is given to another thread. */
#define GF_PACE_LIMIT_NS 1000000
/* So many fast runs in a row end the suspicion. */
#define GF_PACE_PROBATION 32

struct gf_pace {
    _Atomic int probation; /* 0: runs on the loops; else the fast runs that are still due */
};

static inline bool gf_pace_is_slow(const struct gf_pace *pace)
{
    return atomic_load_explicit(&pace->probation, memory_order_relaxed) > 0;
}

static inline void gf_pace_caught(struct gf_pace *pace)
{
    atomic_store_explicit(&pace->probation, GF_PACE_PROBATION, memory_order_relaxed);
}

/* A handler of a slow route has run for this long, off the loops. */
static inline void gf_pace_ran(struct gf_pace *pace, int64_t nanoseconds)
{
    if (nanoseconds > GF_PACE_LIMIT_NS)
        gf_pace_caught(pace);
    else if (gf_pace_is_slow(pace))
        atomic_fetch_sub_explicit(&pace->probation, 1, memory_order_relaxed);
}

#endif
