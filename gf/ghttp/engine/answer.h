/*
 * The answer: makes a libmicrohttpd response of what the handler has made, from memory, a file or a stream.
 *
 * Thread: the one that leads the worker.
 */
#ifndef GF_GHTTP_ENGINE_ANSWER_H
#define GF_GHTTP_ENGINE_ANSWER_H

#include <stdbool.h>

struct gf_exchange;

/* Gives the request's response to libmicrohttpd, and notes in the exchange whether it closes the connection. false: it
 * could not be made. */
bool gf_answer_queue(struct gf_exchange *exchange);

#endif
