/*
 * The stream: an answer that is sent while its handler still makes it, from the first flush on.
 *
 * The handler appends on its own thread; the leader's libmicrohttpd takes away. Between them is a bounded buffer: a
 * handler that is faster than its client waits, a loop never does. The exchange lives until both sides are done.
 * Owns: the buffer. Thread: handler's functions the handler's thread, the others the one that leads the worker.
 */
#ifndef GF_GHTTP_ENGINE_STREAM_H
#define GF_GHTTP_ENGINE_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct gf_exchange;
struct gf_stream;

/* ---- the handler ---- */

/* Sends what the response has so far. 0; -EPIPE: the client has gone; -ENOMEM or -EAGAIN: it cannot be streamed now. */
int gf_stream_flush(struct gf_exchange *exchange);

/* The handler has returned: what is left follows, then the end. */
void gf_stream_finish(struct gf_exchange *exchange);

/* ---- the leader ---- */

/* The next bytes for libmicrohttpd: their number, 0: none yet, -1: the end, -2: broken off by the handler. */
ssize_t gf_stream_read(struct gf_stream *stream, char *data, size_t size);

/* What the handler wants of the leader: called when it has left the exchange in the worker's list. */
void gf_stream_hear(struct gf_exchange *exchange);

/* libmicrohttpd is done with it. true: so is the handler, and nothing refers to the exchange any more. */
bool gf_stream_end(struct gf_exchange *exchange);

void gf_stream_free(struct gf_stream *stream);

#endif
