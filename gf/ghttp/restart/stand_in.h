/*
 * The stand-in of the state machine: a thread that ceases to accept in its place, if it hangs when the new process is
 * ready. That process accepts from its word "ready" on; without the stand-in both would, until somebody kills the one.
 *
 * Owns: the thread, from the start of a new process to the end of the hand-over. Thread: the state machine's.
 */
#ifndef GF_GHTTP_RESTART_STAND_IN_H
#define GF_GHTTP_RESTART_STAND_IN_H

#include <stdbool.h>
#include <sys/types.h>

/* control stays the caller's, and open until the end. Without memory for a thread there is no stand-in, which is no
 * reason not to restart. */
void gf_stand_in_begin(int control, pid_t new_pid);

/* Does nothing where none has begun. Whether it has ceased to accept. */
bool gf_stand_in_end(void);

#endif
