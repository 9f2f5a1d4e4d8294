/*
 * The listener: one listening socket, opened here or adopted from the process before this one.
 *
 * Owns: its descriptor, and the file of a Unix socket unless another process has taken it over.
 * Thread: one at a time; while workers accept on it, nobody changes it.
 */
#ifndef GF_GHTTP_ENGINE_LISTENER_H
#define GF_GHTTP_ENGINE_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "address.h"

/* The queue of connections that nobody has accepted yet; the kernel lowers it to net.core.somaxconn. */
#define GF_LISTENER_BACKLOG 4096

struct gf_listener {
    struct gf_address address; /* as configured */
    int fd;                    /* -1: not open */
    int port;                  /* the real one; 0 for a Unix socket */
    bool tls;
    bool adopted;     /* came from the process before */
    bool handed_over; /* another process has it too: its file stays */
};

/* Opens a listener at address. 0, or a negative errno with a sentence in error; then nothing is open. */
int gf_listener_open(struct gf_listener *listener, const struct gf_address *address, bool tls, char *error,
                     size_t error_size);

/*
 * Takes over fd if it is a listening stream socket bound to what address asks for. 0, and fd belongs to the listener;
 * or -EINVAL with a sentence in error, and fd is as before.
 */
int gf_listener_adopt(struct gf_listener *listener, const struct gf_address *address, bool tls, int fd, char *error,
                      size_t error_size);

/* The connections that wait to be accepted by whoever has the socket; -1: the kernel does not say (Unix sockets). */
int gf_listener_waiting(const struct gf_listener *listener);

/* Closes it, never shuts it down: another process may hold the same socket. */
void gf_listener_close(struct gf_listener *listener);

/* What log lines call it: ":8199", with the real port where the system chose it. */
void gf_listener_text(const struct gf_listener *listener, char *text, size_t size);

#endif
