/*
 * Time limits: a time-out is turned into a point in time once, so that waiting again after an interruption does not
 * make it longer.
 */
#ifndef GF_GPROC_DEADLINE_H
#define GF_GPROC_DEADLINE_H

#include <limits.h>
#include <stdint.h>
#include <time.h>

#define GF_DEADLINE_NEVER INT64_MAX

/* Milliseconds of CLOCK_MONOTONIC. */
static inline int64_t gf_deadline_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* A negative time-out is none. */
static inline int64_t gf_deadline_after(int timeout_ms)
{
    return timeout_ms < 0 ? GF_DEADLINE_NEVER : gf_deadline_now() + timeout_ms;
}

/* What is left of it as poll(2) takes it: 0 when it has passed, -1 for ever. */
static inline int gf_deadline_left(int64_t deadline)
{
    if (deadline == GF_DEADLINE_NEVER)
        return -1;
    int64_t left = deadline - gf_deadline_now();
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

#endif
