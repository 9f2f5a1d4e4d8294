/*
 * Health: asks the new process for a page, while the old one can still come back.
 *
 * Thread: the state machine's; waits for an answer at most a second.
 */
#ifndef GF_GHTTP_RESTART_HEALTH_H
#define GF_GHTTP_RESTART_HEALTH_H

#include <stddef.h>

/*
 * GETs path from the plain-HTTP port on this machine. 0: it answered 2xx; else a negative errno with a sentence in
 * error.
 */
int gf_health_check(int port, const char *path, char *error, size_t error_size);

#endif
