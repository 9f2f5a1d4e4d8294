/*
 * Sessions in a Redis: a string for each, under the prefix, the server's name and the session's id, which Redis itself
 * removes at its end. Servers of one name on several machines can share it. Thread: any; may block for the time-out of
 * the pool.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_REDIS_H
#define GF_GHTTP_SERVICE_SESSION_REDIS_H

#include "redis_pool.h"
#include "session_store.h"

/* The options, the prefix and the name are copied. 0 or -ENOMEM. Whether Redis answers shows at the first request. */
int gf_session_redis_new(const struct gf_redis_options *options, const char *prefix, const char *server,
                         struct gf_session_store **ret_store);

#endif
