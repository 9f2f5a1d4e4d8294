/*
 * What a service manager (systemd, or who speaks its language) says to a process through the environment: where it
 * wants to hear news, how often a sign of life, and which sockets it has opened for the process.
 */
#ifndef GF_GPROC_ACTIVATION_H
#define GF_GPROC_ACTIVATION_H

#include <stdint.h>

/* The first of the descriptors, by convention; how many are believed. */
#define GF_ACTIVATION_FIRST_FD 3
#define GF_ACTIVATION_FDS_MAX 1024

struct gf_activation {
    char *notify_socket;   /* NOTIFY_SOCKET; NULL: nobody wants to hear */
    int64_t watchdog_usec; /* WATCHDOG_USEC; 0: none */
    int listen_count;      /* LISTEN_FDS, from GF_ACTIVATION_FIRST_FD on; 0: none */
    char *listen_names;    /* LISTEN_FDNAMES; may be NULL */
};

/*
 * First half: takes the sockets, sets close-on-exec on them, and unsets their variables for good. Unsets WATCHDOG_PID
 * too: the sign of life is the service's, whichever generation gives it. Thread: before main() only.
 */
void gf_activation_take_sockets(struct gf_activation *activation);

/*
 * Second half, once the environment for later generations has been copied: takes and unsets what these are to find, but
 * nothing else that is spawned. Thread: before main() only.
 */
void gf_activation_take_manager(struct gf_activation *activation);

#endif
