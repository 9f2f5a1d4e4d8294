/*
 * How long requests took: a histogram of fixed size, exact to 3 %.
 *
 * Owns: its counters. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_LATENCY_H
#define GF_TESTS_SUPPORT_LATENCY_H

#include <stdint.h>

enum {
    LATENCY_STEPS = 32,     /* for each doubling */
    LATENCY_DOUBLINGS = 36, /* up to 2^36 microseconds: 19 hours */
};

struct latency {
    uint64_t count, max_us;
    uint64_t buckets[LATENCY_STEPS * LATENCY_DOUBLINGS];
};

void latency_add(struct latency *l, uint64_t us);
void latency_merge(struct latency *into, const struct latency *from);
/* The time within which this part of the requests (0.99) was answered, in microseconds; 0 when there was none. */
uint64_t latency_percentile(const struct latency *l, double part);

#endif
