/*
 * Which processes accept connections on a port: by the kernel's word on what their epoll sets wait for, not by asking
 * the port, which only ever shows one at a time.
 *
 * Owns: nothing. Thread: any.
 */
#ifndef GF_TESTS_SUPPORT_ACCEPTING_H
#define GF_TESTS_SUPPORT_ACCEPTING_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Whether one of the epoll sets of this process has a socket that listens on this TCP port of any IPv4 address. */
bool accepting_process(pid_t pid, int port);

/* Those of the process group that do; how many, of which as many as there is room for are written. */
size_t accepting_find(pid_t group, int port, pid_t *ret_pids, size_t room);

#endif
