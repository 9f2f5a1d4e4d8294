/*
 * The history: the last restarts, handed from generation to generation, and the reports of a draining process.
 *
 * Owns: both, under its own lock. Thread: any.
 */
#ifndef GF_GHTTP_RESTART_HISTORY_H
#define GF_GHTTP_RESTART_HISTORY_H

#include "graceful.h"

struct cJSON;

/* Adds a restart; the oldest is forgotten when there is no room. */
void gf_history_add(const struct gf_outcome *outcome);
/* The last one has turned out to have failed. */
void gf_history_correct(int result, unsigned waiting, const char *reason);
/* Adds it all to a message, and takes it from one. 0 or -ENOMEM. */
int gf_history_write(struct cJSON *message);
void gf_history_read(const struct cJSON *message);

/* A message that tells how the drain of this process stands, which is in this state and has left so many waiting; NULL
 * without memory. And what such a message says. */
struct cJSON *gf_history_report(const char *state, unsigned waiting, const char *holds_up);
void gf_history_hear(const struct cJSON *message);
/* The process before this one lives, with behind others before it; or it has closed its end. */
void gf_history_follow(pid_t pid, unsigned behind);
void gf_history_part(void);
/* How many processes before this one live, by their own words. */
unsigned gf_history_behind(void);
/* How many requests such a process said last that it has in flight. */
unsigned gf_history_in_flight(pid_t pid);

void gf_history_facts(struct gf_graceful_facts *facts);

#endif
