/*
 * Refusals in the shape that all answers have, {"code","message","data"}, which ghttp_middleware_response() makes.
 *
 * Owns: nothing. Thread: the request's own.
 */
#ifndef REST_API_ANSWERS_H
#define REST_API_ANSWERS_H

#include <gf/gf.h>

/* Answers with this status and sentence. */
void answer_refusal(ghttp_request *r, int status, const char *message);

/* Answers with what a negative errno of the stores means to the client. */
void answer_error(ghttp_request *r, int error);

/* Has failures (500) look like that too. Before start. */
void answer_failures(ghttp_server *s);

#endif
