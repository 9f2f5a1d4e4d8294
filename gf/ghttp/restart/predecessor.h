/*
 * The predecessor: the process before this one, as the new process sees it: the listeners it has handed over, and
 * the channel on which it waits for "ready".
 *
 * Owns: inherited descriptors until a server takes them. Thread: any, under its own lock.
 */
#ifndef GF_GHTTP_RESTART_PREDECESSOR_H
#define GF_GHTTP_RESTART_PREDECESSOR_H

#include <stdbool.h>
#include <stdint.h>

#include "../server/server.h"

struct cJSON;

/* A sentence about the oldest process. */
#define GF_FORCED_MAX 128

/* What it says when it starts us. */
struct gf_greeting {
    unsigned generation;        /* ours; 1 for a process that was not started by a restart */
    int64_t restart_began_ms;   /* CLOCK_MONOTONIC, which both processes share */
    char forced[GF_FORCED_MAX]; /* what became of the oldest process, to make room for us; "": nothing */
};

/* Reads what was inherited; does nothing in a process that was not started by a restart, or the second time. */
void gf_predecessor_meet(struct gf_greeting *ret_greeting);

/* What it leaves to our servers. */
extern const struct gf_inheritance gf_predecessor_inheritance;

/* Whether it waits for our word. */
bool gf_predecessor_waits(void);

/* All servers are up: closes what none of them has taken, and says so. 0; -EPIPE: nobody hears it; -ENOMEM, -EAGAIN: it
 * was not said, and gf_predecessor_say_failed() is due. */
int gf_predecessor_say_ready(void);

/* The same where nobody waits for our word: what this process had before it executed anew, and wants no more. */
void gf_predecessor_close_dropped(void);

/* A server is not up: it shall serve on. */
void gf_predecessor_say_failed(const char *reason);

/*
 * "settled": we have been replaced in our turn, it need not watch over us any more; "room": a new generation is to
 * start, the process before it shall come to its end; "leave": it shall come to its own end; "shutdown": we end in
 * order, and that is no reason for it to come back.
 */
void gf_predecessor_say(const char *word);
/* Sends it a message with a descriptor, which stays the caller's. 0 or a negative errno. */
int gf_predecessor_send(const struct cJSON *message, int fd);

/* Where it is heard; -1: it has gone, or never was. Takes in what it has sent. */
int gf_predecessor_fd(void);
void gf_predecessor_hear(void);

#endif
