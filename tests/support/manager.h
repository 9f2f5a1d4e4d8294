/*
 * A service manager as systemd is one, as far as a service can see: it hears messages over a datagram socket, knows who
 * sent each, keeps descriptors that it is given, and lets go of barriers.
 *
 * Owns: the socket, what it has heard, the descriptors, a thread. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_MANAGER_H
#define GF_TESTS_SUPPORT_MANAGER_H

#include <stdbool.h>
#include <sys/types.h>

struct manager;

/* folder: where its socket is; NULL: it has an abstract name. NULL with errno. */
struct manager *manager_new(const char *folder);
/* NULL is fine. */
void manager_free(struct manager *m);

/* "NOTIFY_SOCKET=…", to be put into an environment. */
const char *manager_variable(const struct manager *m);

/* From now on barriers stay closed, until they are let go with false. */
void manager_hold_barriers(struct manager *m, bool hold);

/*
 * Waits for a message, heard after the one that was waited for last, which has a line that begins with this text; of
 * process pid, unless 0. 0 and the whole message (until the next call), or -ETIMEDOUT, and then all that was heard is
 * shown on standard error.
 */
int manager_wait(struct manager *m, pid_t pid, const char *line, int timeout_ms, const char **message);

/* How many messages with such a line have come so far, of process pid, unless 0. */
int manager_count(struct manager *m, pid_t pid, const char *line);

/* The descriptor that is kept under this name; -1. It stays the manager's. */
int manager_kept(struct manager *m, const char *name);

#endif
