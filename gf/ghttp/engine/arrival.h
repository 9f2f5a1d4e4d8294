/*
 * Arrival: whether anything of a next request has come on a connection that answers none, as the kernel and GnuTLS tell
 * it. A deadline for silence must not end what has begun.
 *
 * Thread: the one that leads the worker.
 */
#ifndef GF_GHTTP_ENGINE_ARRIVAL_H
#define GF_GHTTP_ENGINE_ARRIVAL_H

#include <stdbool.h>

struct gf_connection;

/* A request has ended: what comes from now on is the next one's. */
void gf_arrival_begin(struct gf_connection *connection);

/*
 * Whether a request has begun, if only with a byte that nobody has read yet. What cannot be known counts as silence:
 * the bytes that libmicrohttpd has read from a Unix socket; and where a connection is not countable, or TLS, those that
 * came together with the end of the request before.
 */
bool gf_arrival_has_begun(const struct gf_connection *connection);

#endif
