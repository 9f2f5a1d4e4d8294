/*
 * Connections to a Redis, a bounded number of them: each is one request's while it asks, then waits for the next. One
 * that has broken is not used again, the next request makes another.
 *
 * While Redis cannot be reached, one request in half a second tries again and the others fail at once: a server whose
 * Redis is down answers as fast as ever. The log says when the trouble begins and when it is over, not for each
 * request.
 *
 * Owns: the connections. Thread: any; a link is its taker's.
 */
#ifndef GF_GHTTP_SERVICE_REDIS_POOL_H
#define GF_GHTTP_SERVICE_REDIS_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "../server/session_settings.h"

struct gf_redis_pool;
struct gf_redis_link;
struct redisReply;

struct gf_redis_options {
    struct gf_redis_address address;
    const char *user, *password; /* "": none */
    int64_t database;
    /* For a connect, for each answer, and for a connection to become free. The lookup of a name has the resolver's own
     * limits: hiredis knows no other, and a lookup that was given up would go on in a thread that nobody can end. */
    int64_t timeout_ms;
    unsigned max_links;
};

/* The options are copied. Connects to nobody yet. 0 or -ENOMEM. */
int gf_redis_pool_new(const struct gf_redis_options *options, struct gf_redis_pool **ret_pool);
/* With no link taken. NULL is fine. */
void gf_redis_pool_free(struct gf_redis_pool *pool);

/* 0; negative: it is known not to answer at this moment. */
int gf_redis_pool_check(struct gf_redis_pool *pool);

/*
 * A connection that is ready for commands. -ECONNREFUSED: there is none to be had; -ETIMEDOUT: also when all are taken
 * for too long; -EACCES: it does not take the password or the database.
 */
int gf_redis_take(struct gf_redis_pool *pool, struct gf_redis_link **ret_link);
/* Gives it back: result 0 or -EAGAIN if all answers to what was sent on it have been taken, else it is closed. Gives
 * result back. */
int gf_redis_give_back(struct gf_redis_link *link, int result);

/* One part of a command. */
struct gf_redis_word {
    const char *text;
    size_t size;
};

/* Sends a command of so many words, the first its name. 0; -ECONNRESET, -ETIMEDOUT, -ENOMEM. */
int gf_redis_send(struct gf_redis_link *link, const struct gf_redis_word *words, size_t count);
/* The next answer (freeReplyObject()). -ECONNRESET, -ETIMEDOUT, -EPROTO; -EIO: it is an error, which has been logged.
 */
int gf_redis_receive(struct gf_redis_link *link, struct redisReply **ret_reply);

#endif
