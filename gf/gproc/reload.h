/*
 * GF_SERVER_RELOAD: what a process that restarts says to its successor through the environment.
 */
#ifndef GF_GPROC_RELOAD_H
#define GF_GPROC_RELOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define GF_RELOAD_VARIABLE "GF_SERVER_RELOAD"

/* The longest text: with its name it is as much as one string of an environment may have, 128 KiB, and a little less.
 */
#define GF_RELOAD_TEXT_MAX ((size_t)126 << 10)

/*
 * Takes the variable out of the environment, sets close-on-exec on every open descriptor above 2 which it names,
 * and the limits of open files that it names. True: it was there. ret_text (to be freed; NULL: too long, no memory) and
 * ret_parent (0: it does not name one, or is no JSON object) are written always. Thread: before main() only.
 */
bool gf_reload_take(char **ret_text, pid_t *ret_parent);

/* The same for what a process leaves to the keeper that takes its place; NULL: it was not set. */
#define GF_KEEPER_VARIABLE "GF_SERVER_KEEPER"
char *gf_reload_take_keeper(void);

/*
 * And for what a process leaves to the program that it executes in its own place: "<its pid>:<descriptor>", 0 where it
 * leaves nothing but the signals that it has blocked (signals.h). Takes the
 * variable out of the environment; the descriptor, close-on-exec from then on, or -1: it was not set, or is not for
 * this process.
 */
#define GF_STATE_VARIABLE "GF_SERVER_STATE"
int gf_reload_take_state(void);

#endif
