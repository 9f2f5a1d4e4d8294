/*
 * A limit on what each client may do, taken from by others than its middleware. Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_RATE_LIMIT_H
#define GF_GHTTP_SERVICE_RATE_LIMIT_H

#include <gf/ghttp/ghttp.h>

/* Takes one of what the client of this address (NULL: unknown, all of them together) has left. 0, or the whole seconds
 * until there is one. */
long gf_rate_limit_take(ghttp_rate_limit *limit, const char *ip);
/* Gives it back: it was not meant to count. */
void gf_rate_limit_give(ghttp_rate_limit *limit, const char *ip);

#endif
