/*
 * nginx, for comparison: an own instance with one small file, whose binary is upgraded as its manual says.
 *
 * Owns: its folder and its processes, which a guard ends if this one dies. Thread: one at a time.
 */
#ifndef GF_BENCH_SUPPORT_NGINX_H
#define GF_BENCH_SUPPORT_NGINX_H

#include <sys/types.h>

#define NGINX_FILE_TEXT "hello\n" /* what /file answers */

struct nginx {
    char folder[64];
    char program[256], version[128];
    int port;
    pid_t master, first; /* first: the number of its process group */
};

/* 0; -ENOENT: it is not installed; or a negative errno. nginx_stop() in any case. */
int nginx_start(struct nginx *n);
/* USR2, then WINCH and QUIT to the old master as soon as the new one has workers. 0 or a negative errno; *old is the
 * master before. */
int nginx_upgrade(struct nginx *n, pid_t *old);
/* Waits until that master and its workers have gone. 0 or -ETIMEDOUT. */
int nginx_wait_gone(const struct nginx *n, pid_t old, int timeout_ms);
void nginx_stop(struct nginx *n);

#endif
