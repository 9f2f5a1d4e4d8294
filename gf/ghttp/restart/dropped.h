/*
 * Listeners that the program has dropped: the process before this one had them, no server of ours has asked for them.
 * Until that process trusts us it may come back, and then serves on them again: so what is beyond it, the file of a
 * Unix socket and the copy that a manager keeps, stays until then.
 *
 * Owns: a note of each. Thread: one at a time.
 */
#ifndef GF_GHTTP_RESTART_DROPPED_H
#define GF_GHTTP_RESTART_DROPPED_H

#include "listeners_json.h"

/* Closes our descriptor of it: left open, its clients would wait in a backlog that nobody empties. */
void gf_dropped_add(struct gf_handed_listener *listener);

/* Nobody comes back: they go for good. Does nothing the second time. */
void gf_dropped_settle(void);

#endif
