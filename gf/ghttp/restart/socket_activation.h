/*
 * Socket activation: listening sockets that a service manager has opened for the process, or that it kept for it over
 * a crash, and the other direction: giving them to it to keep.
 *
 * Owns: the sockets that came with the process (LISTEN_FDS) until a server takes them. One that no server takes stays
 * open and untouched, the program may want it; but one that was only kept, of an address that the program has dropped,
 * is closed. Thread: any for taking one, the state machine's for the rest.
 */
#ifndef GF_GHTTP_RESTART_SOCKET_ACTIVATION_H
#define GF_GHTTP_RESTART_SOCKET_ACTIVATION_H

#include <stdbool.h>

#include <gf/ghttp/ghttp.h>

#include "../engine/address.h"

struct cJSON;

/* A listening socket for this server and address, which then belongs to the caller; -1: there is none. */
int gf_socket_activation_take(const char *server, const struct gf_address *address, bool tls);

/* Whether a descriptor that a server has is one of these: it passes over an execution of another program by itself. */
bool gf_socket_activation_is_of(int fd);

/* All servers are up: what none of them has taken. */
void gf_socket_activation_settle(void);

/* Has the manager keep the listeners of all servers that want it. */
void gf_socket_activation_store(void);

/* A listener that the program has dropped at a restart: the manager need not keep it. */
void gf_socket_activation_forget(const char *server, const char *address, bool tls);

/*
 * What the manager has opened stays its own, in later generations too, the files of Unix sockets above all: tell says
 * in the greeting which they are, hear learns it from there, and disown keeps the server from removing them.
 */
void gf_socket_activation_tell(struct cJSON *greeting);
void gf_socket_activation_hear(const struct cJSON *greeting);
void gf_socket_activation_disown(ghttp_server *s);
/* Whether the manager has opened the listener for this address, as configured. */
bool gf_socket_activation_owns(const char *address);

/*
 * Before this process executes another program in its place: lets the sockets pass and gives the environment that says
 * so (free()), or NULL where there are none, or no memory. retract: it could not be executed.
 */
char **gf_socket_activation_pass(void);
void gf_socket_activation_retract(void);

#endif
