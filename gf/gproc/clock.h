/*
 * The clock by which waits and ages are measured: CLOCK_MONOTONIC, which nobody sets, and which all processes of a
 * machine share. Thread: any, the signal context too.
 */
#ifndef GF_GPROC_CLOCK_H
#define GF_GPROC_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t gf_clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static inline int64_t gf_clock_us(void)
{
    return gf_clock_ns() / 1000;
}

static inline int64_t gf_clock_ms(void)
{
    return gf_clock_ns() / 1000000;
}

#endif
