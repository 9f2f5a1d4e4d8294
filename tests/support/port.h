/*
 * Ports for tests that must know the number before the server runs (a restart, a configuration file).
 * Where a server can say what it got, prefer port 0.
 *
 * Owns: the ports handed out, until the process ends. Thread: any.
 */
#ifndef GF_TESTS_SUPPORT_PORT_H
#define GF_TESTS_SUPPORT_PORT_H

/*
 * A TCP port on which nobody listens, on no address, and which no other test of this machine is given while this
 * process lives. Never one of the range from which clients get theirs. A negative errno when there is none.
 */
int free_port(void);

#endif
