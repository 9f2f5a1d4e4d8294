/*
 * Sessions in a Redis: a string for each, under the prefix and the session's id, which Redis itself removes at its end.
 * Several machines can share it. Thread: any; may block for the time-out of the pool.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_REDIS_H
#define GF_GHTTP_SERVICE_SESSION_REDIS_H

#include "redis_pool.h"
#include "session_store.h"

/* The options and the prefix are copied. 0 or -ENOMEM. Whether Redis answers shows at the first request. */
int gf_session_redis_new(const struct gf_redis_options *options, const char *prefix,
                         struct gf_session_store **ret_store);

#endif
