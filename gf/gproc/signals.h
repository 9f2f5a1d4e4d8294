/*
 * Signals over a restart: none is lost between the exec of a new generation and its first handler.
 */
#ifndef GF_GPROC_SIGNALS_H
#define GF_GPROC_SIGNALS_H

#include <signal.h>
#include <stdbool.h>

/*
 * The signals that a process blocks while it starts its successor: SIGUSR1, SIGTERM, SIGINT, SIGQUIT, SIGHUP. They
 * would kill a program that has no handlers yet; blocked, they wait over the exec. Thread: any thread.
 */
void gf_signals_inherited_block(sigset_t *ret_set);

/*
 * Those that a process blocks while it executes anew in its own place: SIGHUP, by which somebody wants log files opened
 * anew, and SIGUSR1, by which another restart is asked for. Thread: any thread.
 */
void gf_signals_anew_block(sigset_t *ret_set);

/*
 * The other end of the first, in the successor: unblocks that set. With record, all of it is recorded from now on and
 * given to the first handler that is registered for it. Thread: before main() only.
 */
void gf_signals_begin(bool record);

/* The other end of the second: likewise, recording. Thread: before main() only. */
void gf_signals_begin_anew(void);

/*
 * The start is over. If nobody has registered for SIGHUP, it means again what it means without the library, and one
 * that has come in the meantime comes now. Thread: any thread.
 */
void gf_signals_settle_hangup(void);

/* The successor's standard error is its own again: SIGPIPE, survived until now, does what the program wants. Any
 * thread. */
void gf_signals_end_start(void);

#endif
