/*
 * A network of a test's own, for programs that listen on the port which they show to readers.
 *
 * Thread: the one that starts the programs and talks to them.
 */
#ifndef GF_TESTS_SUPPORT_OWN_NETWORK_H
#define GF_TESTS_SUPPORT_OWN_NETWORK_H

/* Gives this thread, and what it starts from now on, a network with nothing but loopback: all its ports are free. 0, or
 * a negative errno: -EPERM for all but root. */
int own_network(void);

#endif
