/*
 * The supervisor: whoever looks after the process from outside (systemd, the reader of a pid file, the keeper), and
 * what it is told at each turn of the state machine. Without any of them, each of these does nothing.
 *
 * Owns: the pid files. Thread: the state machine's.
 */
#ifndef GF_GHTTP_RESTART_SUPERVISOR_H
#define GF_GHTTP_RESTART_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

/* All servers are up. Comes before the word to the process before this one, which may leave as soon as it has that. */
void gf_supervisor_ready(void);

/* A restart has begun. */
void gf_supervisor_reloading(void);

/* The new process serves; this one drains. */
void gf_supervisor_handed_over(int successor_pidfd);

/* The restart has failed, and this process serves on, or again. */
void gf_supervisor_failed(const char *reason);

/* The process ends in order. */
void gf_supervisor_stopping(void);

/* The last thing before it leaves; replaced: another process serves in its place. */
void gf_supervisor_leave(bool replaced);

/* Signs of life: when the next is due (CLOCK_MONOTONIC, INT64_MAX: never), and giving it where it is. */
int64_t gf_supervisor_due_ms(void);
void gf_supervisor_tick(void);

#endif
