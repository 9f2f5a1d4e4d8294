/*
 * The link to the keeper: the first process, where its number is to stay. What that process does before it becomes the
 * keeper, and what later generations tell it over a socket that each of them inherits from the one before: who serves,
 * by which executable, on which listeners (a copy of each goes with it), and that the end is in order.
 *
 * Owns: the socket, both ends of it in the first process. Thread: the state machine's, but forward: any.
 */
#ifndef GF_GHTTP_RESTART_KEEPER_LINK_H
#define GF_GHTTP_RESTART_KEEPER_LINK_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* ---- signals ---- */

/* The signals that a keeper waits for: they are blocked over the exec, so that none is lost. */
void gf_keeper_signals(sigset_t *ret_set);

/* Whether it asks for the end; twice, for the end at once. */
bool gf_keeper_is_end_signal(int signo);

/*
 * How long the first process waits before it passes such a signal on: one that went to the whole process group, as
 * Ctrl-C does, has reached the process that serves already, and must not reach it twice.
 */
#define GF_KEEPER_PATIENCE_MS 100

/* ---- every generation ---- */

/* What the new process inherits; -1: there is no keeper. In the first process each start makes a new socket. */
int gf_keeper_link_open(void);

/* The socket that this process has inherited; it belongs to the link then. */
void gf_keeper_link_adopt(int fd);

/* The keeper's pid; 0: there is none. */
pid_t gf_keeper_link_pid(void);

/* This process serves. */
void gf_keeper_link_announce(void);

/* "shutdown": its end will be in order; "unwatched": nobody but the keeper would notice the death of process pid. */
void gf_keeper_link_say(const char *word, pid_t pid);

/* ---- the first process ---- */

/* Whether this process is the first one and its number is to stay. */
bool gf_keeper_link_is_first(void);

/* The new process serves: from now on signals are for it. */
void gf_keeper_link_hand_over(int pidfd);
/* It has begun to end by itself. */
void gf_keeper_link_hear_end(void);
/* It has been replaced in its turn: signals wait for the keeper. */
void gf_keeper_link_hold(void);
/* This process serves on: the restart has failed. */
void gf_keeper_link_take_back(void);

/* Passes a signal on to the process that serves, or leaves it to the keeper to do so; false: that is this one. */
bool gf_keeper_link_forward(int signo);

/* Becomes the keeper: executes this program anew, which then never comes to main(). Returns only on failure. */
int gf_keeper_link_execute(pid_t serving);

#endif
