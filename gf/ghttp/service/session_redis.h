/*
 * Sessions in a Redis: a string for each, under the prefix, the server's name and the session's id, which Redis itself
 * removes at its end. Servers of one name on several machines can share it. Thread: any; may block for the time-out of
 * the pool.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_REDIS_H
#define GF_GHTTP_SERVICE_SESSION_REDIS_H

#include "redis_pool.h"
#include "session_store.h"

/* The options, the prefix and the name are copied. 0 or -ENOMEM. Connects to nobody yet. */
int gf_session_redis_new(const struct gf_redis_options *options, const char *prefix, const char *server,
                         struct gf_session_store **ret_store);

/* Tries whether Redis answers, in a thread of its own: the log says so if it does not. Nobody waits for it, since it
 * may take as long as its name takes to be found. */
void gf_session_redis_try(struct gf_session_store *store);

#endif
