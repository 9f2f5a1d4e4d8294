/*
 * The Vary header, to which several pieces of middleware add. Thread: whoever has the request.
 */
#ifndef GF_GHTTP_SERVICE_VARY_H
#define GF_GHTTP_SERVICE_VARY_H

#include <gf/ghttp/ghttp.h>

/* Adds a header's name to Vary, unless it is there. Without room for it the answer becomes a 500: a cache that does not
 * know what it varies by would give it to others. */
void gf_vary_add(ghttp_request *r, const char *name);

#endif
