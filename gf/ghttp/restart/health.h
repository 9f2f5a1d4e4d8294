/*
 * Health: asks the new process for a page, while the old one can still come back.
 *
 * Thread: the state machine's; waits for an answer at most a second.
 */
#ifndef GF_GHTTP_RESTART_HEALTH_H
#define GF_GHTTP_RESTART_HEALTH_H

#include <stddef.h>

/*
 * GETs path where this listening TCP socket is bound, on the loopback address where it is bound to all. 0: the answer
 * was 2xx; else a negative errno with a sentence in error, which calls the place by port.
 */
int gf_health_check(int listener, int port, const char *path, char *error, size_t error_size);

#endif
