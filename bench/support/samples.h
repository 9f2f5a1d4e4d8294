/*
 * Samples: the measurements of one thing, and what is said about them.
 *
 * Owns: their memory. Thread: one at a time.
 */
#ifndef GF_BENCH_SUPPORT_SAMPLES_H
#define GF_BENCH_SUPPORT_SAMPLES_H

#include <stddef.h>

enum { SAMPLES_MAX = 10000 }; /* more than anybody waits for */

struct samples {
    double values[SAMPLES_MAX];
    size_t count;
};

/* What does not fit any more is not counted. */
void samples_add(struct samples *s, double value);
/* The smallest value that this part (0.9) of the samples does not exceed; sorts them. NaN: there are none. */
double samples_percentile(struct samples *s, double part);
/* The middle one, or the mean of the two middle ones. */
double samples_median(struct samples *s);
double samples_min(struct samples *s);
double samples_max(struct samples *s);

#endif
