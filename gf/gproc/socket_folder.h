/*
 * Where the sockets for messages are, and how to reach one without following anybody's link.
 */
#ifndef GF_GPROC_SOCKET_FOLDER_H
#define GF_GPROC_SOCKET_FOLDER_H

#include <stdbool.h>
#include <sys/types.h>

/* The places in the order of preference: $XDG_RUNTIME_DIR/gf, /tmp/gf-<uid>. */
enum gf_socket_place { GF_SOCKET_RUNTIME, GF_SOCKET_TEMPORARY, GF_SOCKET_PLACES };

/*
 * Opens the folder, close-on-exec; with create it is made where it is missing. The descriptor, or -ENOENT: this place
 * cannot be had; -EPERM: what is there is not a folder of this user with the mode 0700.
 * Thread: any thread.
 */
int gf_socket_folder_open(enum gf_socket_place place, bool create);

/* Connects within the folder; blocking, for timeout_ms at most (above 0). The socket or what connect(2) says. */
int gf_socket_connect(int folder, pid_t pid, int timeout_ms);

/* Makes, binds and listens, non-blocking; a socket that a dead process with this pid left is replaced. -EADDRINUSE … */
int gf_socket_listen(int folder, pid_t pid);

/* Removes the sockets of processes that are dead. */
void gf_socket_folder_clean(int folder);

void gf_socket_unlink(int folder, pid_t pid);

#endif
