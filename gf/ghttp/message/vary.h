/*
 * The Vary header, to which files and several pieces of middleware add. Thread: whoever has the request.
 */
#ifndef GF_GHTTP_MESSAGE_VARY_H
#define GF_GHTTP_MESSAGE_VARY_H

struct ghttp_request;

/* Adds a header's name to Vary, unless it is there, or "*". 0, or the errors of ghttp_response_set_header(): who then
 * answers as if it were there has caches give the answer to clients that it is not for. */
int gf_vary_add(struct ghttp_request *r, const char *name);

#endif
