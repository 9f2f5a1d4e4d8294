/*
 * The headers of a response that describe the bytes of its body: of another body they would be untrue.
 *
 * Thread: the request's own.
 */
#ifndef GF_GHTTP_MESSAGE_BODY_HEADERS_H
#define GF_GHTTP_MESSAGE_BODY_HEADERS_H

#include <stdbool.h>

#include "fields.h"

struct ghttp_request;

/* As many as there are names of such headers, none of which is there twice. */
#define GF_BODY_HEADERS_MAX 12

/* Those that were taken out of a response; their texts stay in the arena. */
struct gf_body_headers {
    struct gf_field items[GF_BODY_HEADERS_MAX];
    size_t count;
};

/* Whether a header of this name is one of them. */
bool gf_body_headers_have(const char *name);

/* Takes them out of the response. The Content-Range of a 416 stays: it is about the resource. */
void gf_body_headers_take(struct ghttp_request *r, struct gf_body_headers *ret_headers);

/* Puts those back that the response has not got anew. 0, or the errors of ghttp_response_set_header(). */
int gf_body_headers_give_back(struct ghttp_request *r, const struct gf_body_headers *headers);

#endif
