/*
 * A soak: tests/programs/soak_server under all clients of soak_clients.h, restarted again and again, and looked at.
 *
 * Owns: the server and the clients while it runs. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_SOAK_H
#define GF_TESTS_SUPPORT_SOAK_H

#include "tests/support/generation.h"
#include "tests/support/soak_clients.h"

#include <stdio.h>

enum { SOAK_FIRST, SOAK_SECOND, SOAK_MIDDLE, SOAK_LAST, SOAK_LOOKS };

struct soak_options {
    int restarts;   /* 3 or more */
    int pause_ms;   /* between two restarts, at least */
    unsigned kinds; /* of soak_clients.h */
    FILE *progress; /* a line now and then; NULL: none */
};

struct soak_result {
    int restarts;           /* that went well */
    int refused;            /* that did not */
    char refusal[512];      /* the first of these: the answer */
    struct latency told;    /* from asking to the asker's answer */
    struct latency seen;    /* from asking to the first answer of the new process, to any client */
    struct latency queued;  /* from asking to the asker's answer where three generations lived: not in told and seen */
    struct latency awaited; /* how long the soak waited for the oldest generation before it asked */
    int lost_sight;         /* restarts after which no client got an answer of the new process in time */
    struct soak_outcome outcomes[SOAK_KINDS];
    struct generation looks[SOAK_LOOKS]; /* at these generations, each at the same age */
    int left;                            /* processes that live after all but the last should have gone */
    double seconds;
    char warnings[8][512]; /* the first lines of the servers' logs that speak of a warning, an error or a cut */
    int warning_count;
};

/* 0, or a negative errno: it could not run, or the server died. */
int soak_run(const struct soak_options *options, struct soak_result *result);

#endif
