/*
 * Time limits: a time-out is turned into a point in time once, so that waiting again after an interruption does not
 * make it longer.
 */
#ifndef GF_GPROC_DEADLINE_H
#define GF_GPROC_DEADLINE_H

#include <limits.h>
#include <stdint.h>

#include "clock.h"

#define GF_DEADLINE_NEVER INT64_MAX

/* A negative time-out is none. */
static inline int64_t gf_deadline_after(int timeout_ms)
{
    return timeout_ms < 0 ? GF_DEADLINE_NEVER : gf_clock_ms() + timeout_ms;
}

/* What is left of it as poll(2) takes it: 0 when it has passed, -1 for ever. */
static inline int gf_deadline_left(int64_t deadline)
{
    if (deadline == GF_DEADLINE_NEVER)
        return -1;
    int64_t left = deadline - gf_clock_ms();
    return left <= 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

#endif
