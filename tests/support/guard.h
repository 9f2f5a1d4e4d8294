/*
 * The guard: a small process that outlives a test just long enough to end what the test has started.
 *
 * Owns: the list of process groups to end. Thread: any.
 */
#ifndef GF_TESTS_SUPPORT_GUARD_H
#define GF_TESTS_SUPPORT_GUARD_H

#include <sys/types.h>

/* From now on this group is ended (SIGKILL) when this process ends in whatever way. 0 or a negative errno. */
int guard_add(pid_t group);
/* The group has ended by itself: its number may mean somebody else from now on. */
void guard_remove(pid_t group);

#endif
