/*
 * The commands. An update is a transaction of Redis: WATCH the session's key, read it, then MULTI, SET and EXEC; when
 * somebody else has changed the key in between, EXEC does nothing, and it begins again. Nobody else is ever locked out,
 * so a process that dies in the middle leaves nothing behind.
 *
 * Ends are given to Redis as a time from now on, so that the clocks of the machines do not matter.
 */
#include "session_redis.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../server/server.h"
#include "session_id.h"

/* The setting's, the name of a server, and the colon behind that. */
#define PREFIX_MAX (128 + GF_SERVER_NAME_MAX + 1)
/* Each time that an update comes too late somebody else's has come through. There are not more at once than
 * connections, a thousand at most. */
#define TRIES_MAX 1000

struct gf_session_redis {
    struct gf_session_store store;
    struct gf_redis_pool *pool;
    char prefix[PREFIX_MAX + 1];
};

struct key {
    char text[PREFIX_MAX + GF_SESSION_ID_SIZE + 1];
};

static const struct gf_session_store_kind kind;

static struct gf_session_redis *redis_of(struct gf_session_store *store)
{
    return (struct gf_session_redis *)store;
}

int gf_session_redis_new(const struct gf_redis_options *options, const char *prefix, const char *server,
                         struct gf_session_store **ret_store)
{
    struct gf_session_redis *redis = calloc(1, sizeof(*redis));
    int result = redis ? gf_redis_pool_new(options, &redis->pool) : -ENOMEM;

    if (result < 0) {
        free(redis);
        return result;
    }
    gf_session_store_init(&redis->store, &kind, NULL);
    snprintf(redis->prefix, sizeof(redis->prefix), "%s%s:", prefix, server);
    *ret_store = &redis->store;
    return 0;
}

static void *try_to_connect(void *arg)
{
    struct gf_redis_link *link;

    if (!gf_redis_take(arg, &link))
        gf_redis_give_back(link, 0);
    return NULL;
}

/* Without a thread for it the first request finds out. */
void gf_session_redis_try(struct gf_session_store *store)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all;

    if (pthread_attr_init(&attributes))
        return;
    sigfillset(&all); /* signals are for others */
    pthread_attr_setsigmask_np(&attributes, &all);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_create(&thread, &attributes, try_to_connect, redis_of(store)->pool);
    pthread_attr_destroy(&attributes);
}

static void close_store(struct gf_session_store *store)
{
    gf_redis_pool_free(redis_of(store)->pool);
    free(store);
}

/* ---- commands ---- */

static struct gf_redis_word word(const char *text)
{
    return (struct gf_redis_word){text, strlen(text)};
}

static struct key key_of(const struct gf_session_redis *redis, const char *id)
{
    struct key key;

    snprintf(key.text, sizeof(key.text), "%s%s", redis->prefix, id);
    return key;
}

static int send_name(struct gf_redis_link *link, const char *name)
{
    return gf_redis_send(link, (struct gf_redis_word[]){word(name)}, 1);
}

static int send_key(struct gf_redis_link *link, const char *name, const char *key)
{
    return gf_redis_send(link, (struct gf_redis_word[]){word(name), word(key)}, 2);
}

/* Not GET: nobody makes us read more than a session can be. An empty text: there is none. */
static int send_read(struct gf_redis_link *link, const char *key)
{
    char last[24];

    snprintf(last, sizeof(last), "%zu", GF_SESSION_TEXT_MAX);
    return gf_redis_send(link, (struct gf_redis_word[]){word("GETRANGE"), word(key), word("0"), word(last)}, 4);
}

static int send_write(struct gf_redis_link *link, const char *key, const char *text, int64_t ms)
{
    char number[24];

    snprintf(number, sizeof(number), "%lld", (long long)(ms > 0 ? ms : 1));
    return gf_redis_send(link, (struct gf_redis_word[]){word("SET"), word(key), word(text), word("PX"), word(number)},
                         5);
}

static int receive_number(struct gf_redis_link *link, long long *ret_number)
{
    redisReply *reply;
    int result = gf_redis_receive(link, &reply);

    if (result < 0)
        return result;
    if (reply->type == REDIS_REPLY_INTEGER)
        *ret_number = reply->integer;
    else
        result = -EPROTO;
    freeReplyObject(reply);
    return result;
}

static int receive_text(struct gf_redis_link *link, char **ret_text)
{
    redisReply *reply;
    int result = gf_redis_receive(link, &reply);

    if (result < 0)
        return result;
    if (reply->type != REDIS_REPLY_STRING)
        result = -EPROTO;
    else if (!(*ret_text = strndup(reply->str, (size_t)reply->len)))
        result = -ENOMEM;
    freeReplyObject(reply);
    return result;
}

/* "OK", "QUEUED". */
static int receive_status(struct gf_redis_link *link)
{
    redisReply *reply;
    int result = gf_redis_receive(link, &reply);

    if (result < 0)
        return result;
    if (reply->type != REDIS_REPLY_STATUS)
        result = -EPROTO;
    freeReplyObject(reply);
    return result;
}

/* -ENOENT for an empty text, -EBADMSG for one that was too long to be read whole. */
static int judge(const char *text)
{
    size_t size = strlen(text);

    return !size ? -ENOENT : size > GF_SESSION_TEXT_MAX ? -EBADMSG : 0;
}

/* ---- the store ---- */

static int read_on(struct gf_redis_link *link, const char *key, char **ret_text, long long *ret_left_ms)
{
    int result = send_key(link, "PTTL", key);

    if (!result)
        result = send_read(link, key);
    if (!result)
        result = receive_number(link, ret_left_ms);
    return result ? result : receive_text(link, ret_text);
}

static int read_session(struct gf_session_store *store, const char *id, char **ret_text, int64_t *ret_ends_ms)
{
    const struct gf_session_redis *redis = redis_of(store);
    struct key key = key_of(redis, id);
    struct gf_redis_link *link;
    long long left_ms = 0;
    char *text = NULL;
    int result = gf_session_id_is_shaped(id) ? gf_redis_take(redis->pool, &link) : -ENOENT;

    if (result < 0)
        return result;
    result = gf_redis_give_back(link, read_on(link, key.text, &text, &left_ms));
    if (!result)
        result = judge(text);
    if (result < 0) {
        free(text);
        return result;
    }
    *ret_text = text;
    *ret_ends_ms = store->now_ms() + (left_ms > 0 ? left_ms : 0); /* one without an end gets one by its next use */
    return 0;
}

/* Puts text (NULL: nothing) into the place of what is under key, unless that has changed since WATCH: -EAGAIN. */
static int exchange(struct gf_redis_link *link, const char *key, const char *new_key, const char *text, int64_t ms)
{
    int writes = text != NULL, removes = !text || new_key;
    redisReply *reply;
    int result = send_name(link, "MULTI");

    if (!result && writes)
        result = send_write(link, new_key ? new_key : key, text, ms);
    if (!result && removes)
        result = send_key(link, "DEL", key);
    if (!result)
        result = send_name(link, "EXEC");
    for (int i = 0; i < 1 + writes + removes && !result; i++)
        result = receive_status(link);
    if (!result)
        result = gf_redis_receive(link, &reply);
    if (result < 0)
        return result;
    result = reply->type == REDIS_REPLY_NIL ? -EAGAIN : reply->type == REDIS_REPLY_ARRAY ? 0 : -EPROTO;
    for (size_t i = 0; !result && i < reply->elements; i++)
        if (reply->element[i]->type == REDIS_REPLY_ERROR)
            result = -EIO;
    freeReplyObject(reply);
    return result;
}

static int watch(struct gf_redis_link *link, const char *key, char **ret_text)
{
    int result = send_key(link, "WATCH", key);

    if (!result)
        result = send_read(link, key);
    if (!result)
        result = receive_status(link);
    return result ? result : receive_text(link, ret_text);
}

static int unwatch(struct gf_redis_link *link)
{
    int result = send_name(link, "UNWATCH");

    return result ? result : receive_status(link);
}

/* What one update is about, and what it has come to: -EAGAIN, or 0. The result of the functions below is the
 * connection's: 0 if it can be used further. */
struct update {
    struct gf_session_store *store;
    const char *key, *new_key;
    gf_session_edit *edit;
    void *arg;
    int outcome;
};

static int edit_text(struct update *update, const char *text, char **ret_next, int64_t *ret_left_ms)
{
    int64_t ends_ms = 0;
    int result = update->edit(update->arg, text, ret_next, &ends_ms);

    if (!result && *ret_next && strlen(*ret_next) > GF_SESSION_TEXT_MAX)
        result = -E2BIG;
    *ret_left_ms = ends_ms - update->store->now_ms();
    return result;
}

static int update_once(struct gf_redis_link *link, struct update *update)
{
    char *text = NULL, *next = NULL;
    int64_t left_ms = 0;
    int result = watch(link, update->key, &text);

    if (result < 0)
        return result;
    update->outcome = judge(text);
    if (!update->outcome)
        update->outcome = edit_text(update, text, &next, &left_ms);
    if (update->outcome) {
        result = unwatch(link);
    } else {
        result = exchange(link, update->key, update->new_key, next, left_ms);
        update->outcome = result;
        result = result == -EAGAIN ? 0 : result;
    }
    free(next);
    free(text);
    return result;
}

/* Under a new id there is nothing yet. */
static int begin_session(struct gf_redis_link *link, struct update *update)
{
    char *next = NULL;
    int64_t left_ms = 0;
    int result = 0;

    update->outcome = edit_text(update, NULL, &next, &left_ms);
    if (!update->outcome && next) {
        result = send_write(link, update->new_key, next, left_ms);
        if (!result)
            result = receive_status(link);
    }
    free(next);
    return result;
}

static int update_session(struct gf_session_store *store, const char *id, const char *new_id, gf_session_edit *edit,
                          void *arg)
{
    const struct gf_session_redis *redis = redis_of(store);
    struct key key = key_of(redis, id ? id : ""), new_key = key_of(redis, new_id ? new_id : "");
    struct update update = {
        .store = store, .key = key.text, .new_key = new_id ? new_key.text : NULL, .edit = edit, .arg = arg};
    struct gf_redis_link *link;
    int result;

    if ((id && !gf_session_id_is_shaped(id)) || (new_id && !gf_session_id_is_shaped(new_id)))
        return -EINVAL;
    result = gf_redis_take(redis->pool, &link);
    if (result < 0)
        return result;
    update.outcome = -EAGAIN;
    for (int i = 0; !result && update.outcome == -EAGAIN && i < TRIES_MAX; i++)
        result = id ? update_once(link, &update) : begin_session(link, &update);
    result = gf_redis_give_back(link, result);
    return result ? result : update.outcome;
}

static int touch_session(struct gf_session_store *store, const char *id, int64_t ends_ms)
{
    const struct gf_session_redis *redis = redis_of(store);
    struct key key = key_of(redis, id);
    struct gf_redis_link *link;
    long long found = 0;
    char left[24];
    int result = gf_session_id_is_shaped(id) ? gf_redis_take(redis->pool, &link) : -EINVAL;

    if (result < 0)
        return result;
    snprintf(left, sizeof(left), "%lld", (long long)(ends_ms - store->now_ms()));
    result = gf_redis_send(link, (struct gf_redis_word[]){word("PEXPIRE"), word(key.text), word(left)}, 3);
    if (!result)
        result = receive_number(link, &found);
    result = gf_redis_give_back(link, result);
    return result ? result : found ? 0 : -ENOENT;
}

/* Redis removes what has ended. */
static unsigned sweep_store(struct gf_session_store *store)
{
    (void)store;
    return 0;
}

static int check_store(struct gf_session_store *store)
{
    return gf_redis_pool_check(redis_of(store)->pool);
}

static const struct gf_session_store_kind kind = {.full = "Redis is full",
                                                  .logs = true,
                                                  .read = read_session,
                                                  .update = update_session,
                                                  .touch = touch_session,
                                                  .sweep = sweep_store,
                                                  .check = check_store,
                                                  .close = close_store};
