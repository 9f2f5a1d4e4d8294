/*
 * The upload: a body that comes in while its handler reads it, from the head of the request on.
 *
 * The leader's libmicrohttpd puts the bytes into a bounded buffer, the handler takes them out on a thread of its own.
 * While the buffer is full the connection is suspended: a slow handler holds its client up and nobody else. Nothing is
 * read, and no "100 Continue" sent, before the handler first asks. The exchange lives until both sides are done.
 * Owns: the buffer. Thread: handler's functions the handler's thread, the others the one that leads the worker.
 */
#ifndef GF_GHTTP_ENGINE_UPLOAD_H
#define GF_GHTTP_ENGINE_UPLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct gf_exchange;
struct gf_upload;

/* ---- the handler ---- */

/* At most size bytes of the body, as soon as there are any; 0: its end; -EMSGSIZE, -ETIMEDOUT, -ECONNRESET, -EPIPE. */
ssize_t gf_upload_read(struct gf_exchange *exchange, void *data, size_t size);

/*
 * The answer is about to become a stream. 0: it may, and a body of which nothing was read is given up; -EBUSY: in the
 * middle of the body it may not; -EPIPE: the client has gone.
 */
int gf_upload_yield(struct gf_exchange *exchange);

/* The handler has returned. An answer before the body's end is sent here, by the handler's thread. */
void gf_upload_finish(struct gf_exchange *exchange);

/* ---- the leader ---- */

/* The head is in: holds the connection and puts the exchange into the ready list. 0 or -ENOMEM. */
int gf_upload_begin(struct gf_exchange *exchange, uint64_t max);

/* libmicrohttpd's call backs behind the head: what is not taken stays with it. */
void gf_upload_receive(struct gf_exchange *exchange, const char *data, size_t *size);

/* No handler will run. */
void gf_upload_abandon(struct gf_exchange *exchange);

/* What the handler wants of the leader: called when it has left the exchange in the worker's list. */
void gf_upload_hear(struct gf_exchange *exchange);

/* The client has sent nothing for too long. */
void gf_upload_expire(struct gf_exchange *exchange);

/* libmicrohttpd is done with it. true: so is the handler, and nothing refers to the exchange any more. */
bool gf_upload_end(struct gf_exchange *exchange);

/* Whether there is more of the body than was taken: libmicrohttpd closes the connection behind an answer. */
bool gf_upload_is_open(struct gf_upload *upload);

void gf_upload_free(struct gf_upload *upload);

#endif
