/*
 * What a generation of a server has taken of the system, as the kernel counts it.
 *
 * Owns: nothing. Thread: any.
 */
#ifndef GF_TESTS_SUPPORT_GENERATION_H
#define GF_TESTS_SUPPORT_GENERATION_H

#include <sys/types.h>

struct generation {
    int number; /* from 1 */
    pid_t pid;
    long resident_kib, descriptors, threads; /* the smallest of several looks: what is there in any case */
    long variables, environment_bytes;       /* of the environment with which it was started */
    int zombies;                             /* its children */
    int sockets;                             /* entries of the folder of message sockets */
};

/* Looks for duration_ms, often. sockets_folder: where the message sockets are. 0, or -ESRCH: it does not live. */
int generation_look(struct generation *g, int number, pid_t pid, const char *sockets_folder, int duration_ms);

#endif
