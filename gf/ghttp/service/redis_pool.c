#include "redis_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "../../gproc/clock.h"

/* Between two attempts to reach a Redis that is down. */
#define RETRY_MS 500
/* Of one that comes and goes, and of one that refuses commands, the log speaks so often. */
#define LOG_INTERVAL_MS 60000
#define WORDS_MAX 8

struct gf_redis_link {
    struct gf_redis_link *next; /* among the idle */
    struct gf_redis_pool *pool;
    redisContext *context;
};

struct gf_redis_pool {
    struct gf_redis_address address;
    char *user, *password;
    int64_t database, timeout_ms;
    unsigned max_links;
    pthread_mutex_t lock;
    pthread_cond_t freed;
    struct gf_redis_link *idle;
    unsigned count;      /* open, idle or not */
    int trouble;         /* the last error; 0: it works */
    int64_t retry_ms;    /* until then nobody tries */
    int64_t logged_ms;   /* the begin of a trouble */
    int64_t refused_ms;  /* an error that it has answered */
    bool trouble_logged; /* so its end is too */
};

/* ---- the pool ---- */

static int init_freed(pthread_cond_t *freed)
{
    pthread_condattr_t attributes;
    int result = pthread_condattr_init(&attributes);

    if (result)
        return -result;
    result = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!result)
        result = pthread_cond_init(freed, &attributes);
    pthread_condattr_destroy(&attributes);
    return -result;
}

int gf_redis_pool_new(const struct gf_redis_options *options, struct gf_redis_pool **ret_pool)
{
    struct gf_redis_pool *pool = calloc(1, sizeof(*pool));

    if (!pool)
        return -ENOMEM;
    pool->address = options->address;
    pool->database = options->database;
    pool->timeout_ms = options->timeout_ms;
    pool->max_links = options->max_links;
    pool->user = strdup(options->user);
    pool->password = strdup(options->password);
    if (!pool->user || !pool->password || init_freed(&pool->freed) < 0) {
        free(pool->user);
        free(pool->password);
        free(pool);
        return -ENOMEM;
    }
    pthread_mutex_init(&pool->lock, NULL);
    *ret_pool = pool;
    return 0;
}

static void free_link(struct gf_redis_link *link)
{
    if (link->context)
        redisFree(link->context);
    free(link);
}

void gf_redis_pool_free(struct gf_redis_pool *pool)
{
    if (!pool)
        return;
    while (pool->idle) {
        struct gf_redis_link *link = pool->idle;

        pool->idle = link->next;
        free_link(link);
    }
    pthread_cond_destroy(&pool->freed);
    pthread_mutex_destroy(&pool->lock);
    explicit_bzero(pool->password, strlen(pool->password));
    free(pool->password);
    free(pool->user);
    free(pool);
}

/* ---- trouble ---- */

/* why NULL: as the error's number says. */
static void note_trouble(struct gf_redis_pool *pool, int result, const char *why, bool waits)
{
    int64_t now = gf_clock_ms();
    bool logs;

    pthread_mutex_lock(&pool->lock);
    logs = !pool->trouble_logged && (!pool->logged_ms || now - pool->logged_ms >= LOG_INTERVAL_MS);
    pool->trouble = result;
    if (waits)
        pool->retry_ms = now + RETRY_MS;
    if (logs) {
        pool->logged_ms = now;
        pool->trouble_logged = true;
    }
    pthread_mutex_unlock(&pool->lock);
    if (logs)
        glog_error("sessions: Redis at %s: %s; until it answers again, requests have no sessions", pool->address.text,
                   why ? why : strerror(-result));
}

static void note_success(struct gf_redis_pool *pool)
{
    bool logs;

    pthread_mutex_lock(&pool->lock);
    logs = pool->trouble_logged;
    pool->trouble = 0;
    pool->retry_ms = 0;
    pool->trouble_logged = false;
    pthread_mutex_unlock(&pool->lock);
    if (logs)
        glog_info("sessions: Redis at %s answers again", pool->address.text);
}

/* It works, but not for this command: out of memory, read-only. */
static void note_refusal(struct gf_redis_pool *pool, const char *why)
{
    int64_t now = gf_clock_ms();
    bool logs;

    pthread_mutex_lock(&pool->lock);
    logs = !pool->refused_ms || now - pool->refused_ms >= LOG_INTERVAL_MS;
    if (logs)
        pool->refused_ms = now;
    pthread_mutex_unlock(&pool->lock);
    if (logs)
        glog_error("sessions: Redis at %s refuses a command: %.200s", pool->address.text, why);
}

int gf_redis_pool_check(struct gf_redis_pool *pool)
{
    int result;

    pthread_mutex_lock(&pool->lock);
    result = gf_clock_ms() < pool->retry_ms ? pool->trouble : 0;
    pthread_mutex_unlock(&pool->lock);
    return result;
}

/* ---- commands ---- */

/*
 * hiredis 0.14 would write without MSG_NOSIGNAL: a Redis that has gone would end the program by SIGPIPE. That it has
 * gone is no error here: it may have said why ("max number of clients reached"), and whoever reads finds out.
 */
static int send_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t done = send(fd, bytes, size, MSG_NOSIGNAL);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return errno == EAGAIN ? -ETIMEDOUT : errno == EPIPE ? 0 : -ECONNRESET;
        bytes += done;
        size -= (size_t)done;
    }
    return 0;
}

int gf_redis_send(struct gf_redis_link *link, const struct gf_redis_word *words, size_t count)
{
    const char *texts[WORDS_MAX];
    size_t sizes[WORDS_MAX];
    char *command;
    int size, result;

    if (count > WORDS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        texts[i] = words[i].text;
        sizes[i] = words[i].size;
    }
    size = redisFormatCommandArgv(&command, (int)count, texts, sizes);
    if (size < 0)
        return -ENOMEM;
    result = send_all(link->context->fd, command, (size_t)size);
    redisFreeCommand(command);
    return result;
}

static int error_of(const redisContext *context)
{
    if (context->err == REDIS_ERR_PROTOCOL)
        return -EPROTO;
    if (context->err == REDIS_ERR_OOM)
        return -ENOMEM;
    return context->err == REDIS_ERR_IO && (errno == EAGAIN || errno == ETIMEDOUT) ? -ETIMEDOUT : -ECONNRESET;
}

/* An error that it answers is an answer here. */
static int receive_any(struct gf_redis_link *link, redisReply **ret_reply)
{
    void *reply = NULL;

    errno = 0;
    if (redisGetReply(link->context, &reply) != REDIS_OK || !reply)
        return error_of(link->context);
    *ret_reply = reply;
    return 0;
}

int gf_redis_receive(struct gf_redis_link *link, struct redisReply **ret_reply)
{
    redisReply *reply;
    int result = receive_any(link, &reply);

    if (result < 0)
        return result;
    if (reply->type == REDIS_REPLY_ERROR) {
        note_refusal(link->pool, reply->str);
        freeReplyObject(reply);
        return -EIO;
    }
    *ret_reply = reply;
    return 0;
}

/* ---- connecting ---- */

static struct gf_redis_word word(const char *text)
{
    return (struct gf_redis_word){text, strlen(text)};
}

/* A command whose answer says only whether it was taken. */
static int ask(struct gf_redis_link *link, const struct gf_redis_word *words, size_t count, char *why, size_t size)
{
    redisReply *reply;
    int result = gf_redis_send(link, words, count);

    if (!result)
        result = receive_any(link, &reply);
    if (result < 0) {
        snprintf(why, size, "%s", strerror(-result));
        return result;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        snprintf(why, size, "%.200s", reply->str);
        result = -EACCES;
    }
    freeReplyObject(reply);
    return result;
}

static int log_in(struct gf_redis_link *link, char *why, size_t size)
{
    const struct gf_redis_pool *pool = link->pool;
    const struct gf_redis_word both[] = {word("AUTH"), word(pool->user), word(pool->password)};
    const struct gf_redis_word one[] = {word("AUTH"), word(pool->password)};
    char number[24];
    int result = 0;

    snprintf(number, sizeof(number), "%lld", (long long)pool->database);
    if (pool->user[0])
        result = ask(link, both, 3, why, size);
    else if (pool->password[0])
        result = ask(link, one, 2, why, size);
    if (!result && pool->database)
        result = ask(link, (struct gf_redis_word[]){word("SELECT"), word(number)}, 2, why, size);
    return result;
}

static int connect_link(struct gf_redis_link *link, char *why, size_t size)
{
    const struct gf_redis_pool *pool = link->pool;
    struct timeval timeout = {.tv_sec = pool->timeout_ms / 1000, .tv_usec = pool->timeout_ms % 1000 * 1000};
    redisContext *context = pool->address.port
                                ? redisConnectWithTimeout(pool->address.host, pool->address.port, timeout)
                                : redisConnectUnixWithTimeout(pool->address.host, timeout);

    link->context = context;
    if (!context || context->err) {
        bool timed_out = context && strstr(context->errstr, strerror(ETIMEDOUT));

        snprintf(why, size, "%s", context ? context->errstr : strerror(ENOMEM));
        return !context ? -ENOMEM : timed_out ? -ETIMEDOUT : -ECONNREFUSED;
    }
    fcntl(context->fd, F_SETFD, FD_CLOEXEC); /* hiredis 0.14 leaves that out */
    if (redisSetTimeout(context, timeout) != REDIS_OK) {
        snprintf(why, size, "%s", context->errstr);
        return -ECONNREFUSED;
    }
    return log_in(link, why, size);
}

static void give_place_back(struct gf_redis_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    pool->count--;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
}

/* There is a place for it. */
static int make_link(struct gf_redis_pool *pool, struct gf_redis_link **ret_link)
{
    struct gf_redis_link *link = calloc(1, sizeof(*link));
    char why[256] = "";
    int result = -ENOMEM;

    if (link) {
        link->pool = pool;
        result = connect_link(link, why, sizeof(why));
    }
    if (!result) {
        note_success(pool);
        *ret_link = link;
        return 0;
    }
    if (link)
        free_link(link);
    give_place_back(pool);
    note_trouble(pool, result, why[0] ? why : NULL, true);
    return result;
}

/* ---- taking and giving back ---- */

/* Nothing may have come while nobody asked, the end of the connection least of all. */
static bool is_alive(const struct gf_redis_link *link)
{
    char byte;

    return recv(link->context->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static struct gf_redis_link *take_idle(struct gf_redis_pool *pool)
{
    struct gf_redis_link *link;

    while ((link = pool->idle)) {
        pool->idle = link->next;
        if (is_alive(link))
            return link;
        free_link(link);
        pool->count--;
    }
    return NULL;
}

/* With the lock: *ret_link, or NULL and a place to make one; or an error. */
static int find_place(struct gf_redis_pool *pool, struct gf_redis_link **ret_link)
{
    int64_t until = gf_clock_ms() + pool->timeout_ms;
    const struct timespec deadline = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

    for (;;) {
        *ret_link = take_idle(pool);
        if (*ret_link)
            return 0;
        if (gf_clock_ms() < pool->retry_ms)
            return pool->trouble;
        if (pool->count < pool->max_links)
            break;
        if (pthread_cond_timedwait(&pool->freed, &pool->lock, &deadline))
            return -ETIMEDOUT;
    }
    pool->count++;
    if (pool->trouble) /* this one tries, the others wait for what it finds */
        pool->retry_ms = gf_clock_ms() + pool->timeout_ms;
    return 0;
}

int gf_redis_take(struct gf_redis_pool *pool, struct gf_redis_link **ret_link)
{
    struct gf_redis_link *link = NULL;
    bool waits;
    int result;

    pthread_mutex_lock(&pool->lock);
    result = find_place(pool, &link);
    waits = gf_clock_ms() < pool->retry_ms;
    pthread_mutex_unlock(&pool->lock);
    if (result == -ETIMEDOUT && !waits)
        note_refusal(pool, "all connections (sessionRedisMaxActive) are in use");
    if (!result && !link)
        result = make_link(pool, &link);
    if (!result)
        *ret_link = link;
    return result;
}

int gf_redis_give_back(struct gf_redis_link *link, int result)
{
    struct gf_redis_pool *pool = link->pool;
    bool works_again;

    if (result < 0 && result != -EAGAIN) {
        bool is_its_own = result == -ECONNRESET || result == -ETIMEDOUT || result == -EPROTO;

        free_link(link);
        give_place_back(pool);
        if (is_its_own)
            note_trouble(pool, result, NULL, result == -ETIMEDOUT);
        return result;
    }
    pthread_mutex_lock(&pool->lock);
    link->next = pool->idle;
    pool->idle = link;
    works_again = pool->trouble != 0;
    pthread_cond_signal(&pool->freed);
    pthread_mutex_unlock(&pool->lock);
    if (works_again)
        note_success(pool);
    return result;
}
