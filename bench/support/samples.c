/*
 * Samples: see samples.h.
 */
#include "bench/support/samples.h"

#include <math.h>
#include <stdlib.h>

static int compare(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return (a > b) - (a < b);
}

static double sorted_at(struct samples *s, size_t index)
{
    if (s->count == 0)
        return NAN;
    qsort(s->values, s->count, sizeof(s->values[0]), compare);
    return s->values[index < s->count ? index : s->count - 1];
}

void samples_add(struct samples *s, double value)
{
    if (s->count < SAMPLES_MAX)
        s->values[s->count++] = value;
}

double samples_percentile(struct samples *s, double part)
{
    double rank = part * (double)s->count; /* from 1 */
    size_t whole = (size_t)rank;
    if ((double)whole < rank)
        whole++;
    return sorted_at(s, whole > 0 ? whole - 1 : 0);
}

double samples_median(struct samples *s)
{
    return (sorted_at(s, s->count ? (s->count - 1) / 2 : 0) + sorted_at(s, s->count / 2)) / 2;
}

double samples_min(struct samples *s)
{
    return sorted_at(s, 0);
}

double samples_max(struct samples *s)
{
    return sorted_at(s, SAMPLES_MAX);
}
