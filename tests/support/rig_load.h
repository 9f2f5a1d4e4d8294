/*
 * The load of a rig: plain HTTP and TLS, each over kept and over fresh connections, every answer checked to the byte.
 *
 * Owns: its four loads. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_RIG_LOAD_H
#define GF_TESTS_SUPPORT_RIG_LOAD_H

#include "tests/support/load.h"
#include "tests/support/rig.h"

enum {
    RIG_LOADS = 4,
};

struct rig_load {
    struct load *loads[RIG_LOADS];
};

/* Starts to ask the first server of the rig. 0 or a negative errno. */
int rig_load_start(struct rig_load *l, const struct rig *rig);
/* Waits until each of the loads has been answered so often from now on. 0 or -ETIMEDOUT. */
int rig_load_wait(struct rig_load *l, uint64_t count);
/* Requests that have failed so far, raced ones included. */
uint64_t rig_load_failures(struct rig_load *l);
/* Ends it; what failed is printed to standard error. How many requests failed, raced ones included. */
uint64_t rig_load_end(struct rig_load *l);

#endif
