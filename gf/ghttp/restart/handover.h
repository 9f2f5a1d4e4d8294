/*
 * The hand-over: what follows the listeners to the new process: idle connections, one message each, and the keys of
 * TLS session tickets, each in a memory file.
 *
 * Owns, in the old process: a copy of every connection it has moved, until the new one is trusted with it. Thread: the
 * state machine's, but for the movers, which run on the workers' loops.
 */
#ifndef GF_GHTTP_RESTART_HANDOVER_H
#define GF_GHTTP_RESTART_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>

#include <gf/ghttp/ghttp.h>

struct cJSON;
struct gf_listener;

/* ---- the old process ---- */

/* Sends the ticket keys of all serving servers over control. 0 or a negative errno. */
int gf_handover_send_ticket_keys(int control);

/* Moves the connections that the new process takes, by what its "ready" offers: now and as they become idle. */
void gf_handover_begin(int control, const struct cJSON *ready);

/* As before, but over another channel, to a process that offers this (what gf_handover_offer() has added to its
 * "ready"). When it returns, no loop uses the channel before any longer. */
void gf_handover_follow(int control, const struct cJSON *offer);

/* Whether the process that was offered last serves what this listener does: plain HTTP, at its address. */
bool gf_handover_is_offered(const struct gf_listener *listener);

/* Whether connections that become idle move. */
bool gf_handover_goes_on(void);

/* Moves no more. When it returns, no loop uses control any longer. */
void gf_handover_end(void);

/* The new process could not take this connection: it stays here, and no more are moved. */
void gf_handover_return(const struct cJSON *message);

/* What has moved is the new process's: the copies go. */
void gf_handover_forget(void);

/* There is no way back any more: of a connection that moves from now on, a copy is kept only until the new process has
 * said that it has it, for it may come back (gf_handover_return()). A copy that stayed would keep the connection open
 * when its owner dies. */
void gf_handover_trust(void);
/* Whether there are any: only by the channel to the new process can it be known when they may go. */
bool gf_handover_keeps_copies(void);

/* Asks it over control, by a "ping" with the number of the last connection, if there is one that it has not said so of;
 * and its "pong", which has the number too. */
void gf_handover_ask(int control);
void gf_handover_hear_answer(const struct cJSON *message);

/* The new process has died: takes back those that it has not touched; how many, and how many it had. */
unsigned gf_handover_take_back(unsigned *ret_lost);

/* ---- the new process ---- */

/* Adds to "ready" at which addresses the process serves plain HTTP: only connections to these can move to it. */
int gf_handover_offer(struct cJSON *ready);

/*
 * Gives a connection that has come to the server that has its local address now, in a process that drains too, which
 * moves it on. 0 or a negative errno: the old process is to have it back (gf_handover_refusal()); fd is taken.
 */
int gf_handover_accept(const struct cJSON *message, int fd);

/* What to answer to the message of a connection that cannot be taken; NULL: no memory. */
struct cJSON *gf_handover_refusal(const struct cJSON *message);

#endif
