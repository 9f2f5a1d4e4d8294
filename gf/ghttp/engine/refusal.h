/*
 * Refusals: complete answers as bytes, for sockets that have no libmicrohttpd connection, or none that can
 * answer any more.
 */
#ifndef GF_GHTTP_ENGINE_REFUSAL_H
#define GF_GHTTP_ENGINE_REFUSAL_H

#include <stddef.h>

/* The answer for 400, 408, 413 or 503 (with Retry-After); any other status gives that of 503. */
const char *gf_refusal_text(int status, size_t *ret_size);

#endif
