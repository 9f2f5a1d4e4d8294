/*
 * How long requests took: a histogram of fixed size, exact to 3 %.
 */
#include "tests/support/latency.h"

#include <stddef.h>

/* Below LATENCY_STEPS each microsecond has its bucket; above, each doubling has LATENCY_STEPS of them. */
static size_t bucket_of(uint64_t us)
{
    if (us < LATENCY_STEPS)
        return (size_t)us;
    int doubling = 63 - __builtin_clzll(us) - 5; /* 2^5 = LATENCY_STEPS */
    size_t bucket = (size_t)(doubling + 1) * LATENCY_STEPS + (size_t)(us >> doubling) - LATENCY_STEPS;
    size_t last = LATENCY_STEPS * LATENCY_DOUBLINGS - 1;
    return bucket < last ? bucket : last;
}

static uint64_t top_of(size_t bucket)
{
    if (bucket < LATENCY_STEPS)
        return bucket;
    size_t doubling = bucket / LATENCY_STEPS - 1;
    return ((bucket % LATENCY_STEPS + LATENCY_STEPS + 1) << doubling) - 1;
}

void latency_add(struct latency *l, uint64_t us)
{
    l->buckets[bucket_of(us)]++;
    l->count++;
    if (us > l->max_us)
        l->max_us = us;
}

void latency_merge(struct latency *into, const struct latency *from)
{
    for (size_t i = 0; i < LATENCY_STEPS * LATENCY_DOUBLINGS; i++)
        into->buckets[i] += from->buckets[i];
    into->count += from->count;
    if (from->max_us > into->max_us)
        into->max_us = from->max_us;
}

uint64_t latency_percentile(const struct latency *l, double part)
{
    uint64_t wanted = (uint64_t)((double)l->count * part), seen = 0;
    for (size_t i = 0; i < LATENCY_STEPS * LATENCY_DOUBLINGS; i++) {
        seen += l->buckets[i];
        if (seen > wanted || (seen == l->count && seen > 0))
            return top_of(i) < l->max_us ? top_of(i) : l->max_us;
    }
    return 0;
}
