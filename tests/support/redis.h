/*
 * A Redis of the test's own: on a Unix socket in a folder of its own, in memory only, gone when the test is.
 *
 * Owns: the process and the folder. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_REDIS_H
#define GF_TESTS_SUPPORT_REDIS_H

#include <sys/types.h>

struct redis {
    pid_t pid; /* 0: it does not run */
    char folder[64];
    char socket[96];
    char address[112]; /* unix:<socket> */
    char password[32]; /* "": none; may be set before the start */
};

/* A folder, and nothing running yet. 0 or a negative errno. */
int redis_init(struct redis *redis);
/* Starts it, again too, and waits until it answers: 0, or a negative errno. What it kept is gone after a stop. */
int redis_start(struct redis *redis);
/* Kills it and waits for its end. */
void redis_stop(struct redis *redis);
/* Asks it: words separated by blanks, and the answer as it came over the wire. 0 or a negative errno. */
int redis_ask(const struct redis *redis, const char *command, char *answer, size_t size);
/* Stops it and removes the folder. */
void redis_finish(struct redis *redis);

#endif
