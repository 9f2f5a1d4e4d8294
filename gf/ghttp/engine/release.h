/*
 * Release: takes an idle plain-HTTP connection from its libmicrohttpd daemon without the client noticing, and gives it
 * to whoever the service's mover is: another process.
 *
 * Idle is proven, not guessed: the bytes that the kernel has received for the connection, less those that nobody has
 * read yet, are exactly those of the requests that were answered on it. Then libmicrohttpd has nothing of a next
 * request, and what waits in the kernel is the next owner's to read.
 * Thread: the one that leads the worker, between two turns of libmicrohttpd.
 */
#ifndef GF_GHTTP_ENGINE_RELEASE_H
#define GF_GHTTP_ENGINE_RELEASE_H

#include <stdbool.h>
#include <stdint.h>

struct gf_connection;
struct gf_lane;
struct gf_service;

/* Where connections go. */
struct gf_mover {
    /* Whether the next owner serves what fd is connected to. Called on the workers' loops, once for each connection. */
    bool (*takes)(int fd);
    /*
     * Gives fd, which stays the engine's, to the next owner, with the number of bytes that were consumed on it. 0;
     * -EAGAIN: later; -EMFILE: this process has no descriptors left, so never; any other: not now. Called on the
     * workers' loops: must not block.
     */
    int (*move)(const struct gf_service *service, int fd, uint64_t consumed);
};

/* There is another mover, or none: each idle connection is tried anew. */
void gf_release_begin(struct gf_lane *lane);

/* Gives away what is idle in this lane, a bounded number of connections. */
void gf_release_idle(struct gf_lane *lane);

/* Leaves the client to the worker's lingering ones, and a broken socket to libmicrohttpd. */
void gf_release_to_linger(struct gf_connection *connection);

/* Whether an answer on this connection may leave it open although the service drains: it will move afterwards. Asks the
 * mover, once for each, whether it takes the connection. */
bool gf_release_foresee(struct gf_connection *connection);

/* A request on it was answered: it may be idle now. */
void gf_release_note_answer(struct gf_connection *connection);

#endif
