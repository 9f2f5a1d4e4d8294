/*
 * The early answer: one that comes before the end of a request's body. In its middle libmicrohttpd 0.9.75 takes none,
 * and before it, it would not read while it sends. So the answer is sent on the connection itself, with `Connection:
 * close`, while what the client still sends is read and forgotten, so that neither waits for the other.
 *
 * Thread: the handler's, while the connection is suspended.
 */
#ifndef GF_GHTTP_ENGINE_EARLY_ANSWER_H
#define GF_GHTTP_ENGINE_EARLY_ANSWER_H

struct gf_exchange;

/* Waits at most writeTimeout for each step forward. 0 or a negative errno: the client has not got all of it. */
int gf_early_answer_send(struct gf_exchange *exchange);

#endif
