/*
 * The ancestors: the processes before this one that may still live, from the oldest to the one that has started us,
 * each by a descriptor that cannot mean another process. They tell who lives where words do not, and end one that
 * hangs.
 *
 * Each is proven to be one: its own child has opened it, while the kernel named it as that child's parent, and has
 * handed the descriptor down.
 *
 * Owns: a pidfd for each. Thread: the state machine's, or before it begins.
 */
#ifndef GF_GHTTP_RESTART_ANCESTORS_H
#define GF_GHTTP_RESTART_ANCESTORS_H

#include <stdbool.h>
#include <sys/types.h>

struct cJSON;

/* ---- the new process ---- */

/* The process that has started us, and so many before it live; channel leads there. After all of gf_ancestors_keep().
 */
void gf_ancestors_meet(int channel, pid_t parent, unsigned behind);
/* A message of gf_ancestors_send() has come with this descriptor, which is taken. */
void gf_ancestors_keep(const struct cJSON *message, int pidfd);

/* What becomes readable when the youngest one that lives ends; -1: none lives. Those that have ended are let go of. */
int gf_ancestors_fd(void);

/* ---- the old process ---- */

/* Sends those that live over control: the new process has them, and us, before it. 0 or a negative errno. */
int gf_ancestors_send(int control);

/* How many live; false: not all of them are known. */
bool gf_ancestors_count(unsigned *ret_count);
/*
 * Ends the oldest one that lives, of the youngest so many: those before them are none that count any more. Returns when
 * it has gone. 0 and its pid; -ENOENT: there is none; -EPERM: it is process spared; another negative errno.
 */
int gf_ancestors_end_oldest(unsigned among, pid_t spared, pid_t *ret_pid);

#endif
