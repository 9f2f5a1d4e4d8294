#include "upload.h"

#include <errno.h>
#include <microhttpd.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "connection.h"
#include "early_answer.h"
#include "exchange.h"
#include "head.h"
#include "lane.h"
#include "release.h"
#include "worker.h"

/* So much may wait for a slow handler before its client has to: a few turns' reading. There are as many of these as
 * handlers that may block. */
#define PENDING_MAX ((size_t)64 << 10)

struct gf_upload {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint64_t max;
    uint64_t received;
    size_t begin, pending; /* of what waits in bytes[], which is a ring */
    bool begun;            /* libmicrohttpd was let on: it may have read, and sent "100 Continue" */
    bool paused;           /* the connection is suspended */
    bool wants;            /* the handler has asked for it to be resumed */
    bool complete;         /* all of the body is here or was read */
    int error;             /* why no more comes; 0: it may */
    bool stops, stopped;   /* the handler wants no more; the leader has heard it, and the connection stands still */
    bool given_up;         /* the answer has begun before the body */
    bool answered;         /* past libmicrohttpd */
    bool finished;         /* the handler is done */
    bool ended;            /* libmicrohttpd is */
    bool head_again;       /* libmicrohttpd comes with the head a second time; the leader's */
    char bytes[PENDING_MAX];
};

/* ---- the handler ---- */

static size_t take(struct gf_upload *u, char *data, size_t size)
{
    size_t count = size < u->pending ? size : u->pending;
    size_t straight = count < PENDING_MAX - u->begin ? count : PENDING_MAX - u->begin;

    memcpy(data, u->bytes + u->begin, straight);
    memcpy(data + straight, u->bytes, count - straight);
    u->begin = (u->begin + count) % PENDING_MAX;
    u->pending -= count;
    return count;
}

/* With the lock held: has the leader let the client go on, once there is room worth a turn. */
static void ask_for_more(struct gf_exchange *x, struct gf_upload *u)
{
    if (!u->paused || u->wants || u->complete || u->error || u->pending > PENDING_MAX / 2)
        return;
    u->wants = true;
    gf_worker_post(x);
}

/* With the lock held. false: the request's own time is over (ghttp_middleware_timeout()). */
static bool wait_for_change(const struct gf_exchange *x, struct gf_upload *u)
{
    int64_t until = x->request.deadline_ms;
    struct timespec moment = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};

    if (until)
        return pthread_cond_timedwait(&u->changed, &u->lock, &moment) != ETIMEDOUT;
    pthread_cond_wait(&u->changed, &u->lock);
    return true;
}

static void init_changed(pthread_cond_t *changed)
{
    pthread_condattr_t attributes;

    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(changed, &attributes);
    pthread_condattr_destroy(&attributes);
}

ssize_t gf_upload_read(struct gf_exchange *x, void *data, size_t size)
{
    struct gf_upload *u = x->upload;
    ssize_t result = 0;

    if (!size)
        return 0;
    pthread_mutex_lock(&u->lock);
    if (u->given_up) {
        result = -EPIPE;
        goto end;
    }
    while (!u->pending && !u->complete && !u->error) {
        ask_for_more(x, u);
        if (!wait_for_change(x, u)) {
            result = -ETIMEDOUT;
            goto end;
        }
    }
    if (u->pending) {
        result = (ssize_t)take(u, data, size);
        ask_for_more(x, u);
    } else if (!u->complete) {
        result = u->error;
    }
end:
    pthread_mutex_unlock(&u->lock);
    return result;
}

/* With the lock held: when this returns, the connection stands still or has ended, and the leader looks at nothing of
 * this exchange before it is called again. */
static void stop(struct gf_exchange *x, struct gf_upload *u)
{
    if (!u->begun && !u->wants) /* nothing was asked of the leader yet */
        return;
    u->stops = true;
    gf_worker_post(x);
    while (!u->stopped)
        pthread_cond_wait(&u->changed, &u->lock);
}

int gf_upload_yield(struct gf_exchange *x)
{
    struct gf_upload *u = x->upload;
    int result = 0;

    pthread_mutex_lock(&u->lock);
    stop(x, u);
    if (u->ended) {
        result = -EPIPE;
    } else if (!u->begun) {
        u->given_up = true;
    } else if (!u->complete) {
        u->stops = u->stopped = false; /* reading goes on */
        result = -EBUSY;
    }
    pthread_mutex_unlock(&u->lock);
    return result;
}

void gf_upload_finish(struct gf_exchange *x)
{
    struct gf_upload *u = x->upload;
    bool early;

    pthread_mutex_lock(&u->lock);
    stop(x, u);
    early = !u->complete && !u->ended;
    pthread_mutex_unlock(&u->lock);
    if (early)
        gf_early_answer_send(x); /* if that fails the client has gone, and the connection ends in any case */
    pthread_mutex_lock(&u->lock);
    u->answered = early;
    u->finished = true;
    gf_worker_post(x); /* with the lock: gf_upload_end() must see both or neither, and may free x once it sees both */
    pthread_mutex_unlock(&u->lock);
}

/* ---- the leader: the connection ---- */

static void pause_connection(struct gf_exchange *x)
{
    x->upload->paused = true;
    gf_connection_wait(x->connection, GF_WAIT_HANDLER);
    gf_exchange_suspend(x);
}

static void let_on(struct gf_exchange *x)
{
    x->upload->begun = true;
    x->upload->paused = false;
    gf_connection_wait(x->connection, GF_WAIT_READ);
    gf_exchange_resume(x);
}

int gf_upload_begin(struct gf_exchange *x, uint64_t max)
{
    struct gf_upload *u = malloc(sizeof(*u));

    if (!u || gf_head_keep(&x->request) < 0) { /* the connection may end before the handler does */
        free(u);
        return -ENOMEM;
    }
    memset(u, 0, offsetof(struct gf_upload, bytes));
    pthread_mutex_init(&u->lock, NULL);
    init_changed(&u->changed);
    u->max = max;
    u->head_again = true;
    x->upload = u;
    x->request.streamed = true;
    x->state = GF_EXCHANGE_READY;
    pause_connection(x);
    gf_worker_add_ready(x->worker, x);
    return 0;
}

/* ---- the leader: bytes ---- */

static void put(struct gf_upload *u, const char *data, size_t size)
{
    size_t end = (u->begin + u->pending) % PENDING_MAX;
    size_t straight = size < PENDING_MAX - end ? size : PENDING_MAX - end;

    memcpy(u->bytes + end, data, straight);
    memcpy(u->bytes, data + straight, size - straight);
    u->pending += size;
    u->received += size;
}

/* Nothing of the body is left; over chunks libmicrohttpd says so, of an announced length it is known before. */
static void complete(struct gf_exchange *x)
{
    x->upload->complete = true;
    x->trailed = x->chunked && MHD_get_connection_values(x->mhd, MHD_FOOTER_KIND, NULL, NULL) > 0;
    pause_connection(x);
}

static void receive_piece(struct gf_exchange *x, struct gf_upload *u, const char *data, size_t *size)
{
    size_t count = PENDING_MAX - u->pending < *size ? PENDING_MAX - u->pending : *size;

    if (count > u->max - u->received) {
        u->error = -EMSGSIZE;
        pause_connection(x);
        return;
    }
    put(u, data, count);
    x->connection->consumed += count;
    *size -= count;
    if (u->received == x->announced)
        complete(x);
    else if (*size)
        pause_connection(x);
    else
        gf_connection_wait(x->connection, GF_WAIT_READ); /* the time-out is for each piece */
}

void gf_upload_receive(struct gf_exchange *x, const char *data, size_t *size)
{
    struct gf_upload *u = x->upload;

    if (!*size && u->head_again) { /* 0.9.75 repeats the call that it was suspended in */
        u->head_again = false;
        return;
    }
    pthread_mutex_lock(&u->lock);
    if (*size)
        receive_piece(x, u, data, size);
    else
        complete(x);
    pthread_cond_signal(&u->changed);
    pthread_mutex_unlock(&u->lock);
}

void gf_upload_expire(struct gf_exchange *x)
{
    struct gf_upload *u = x->upload;

    pthread_mutex_lock(&u->lock);
    u->error = -ETIMEDOUT;
    pause_connection(x);
    pthread_cond_signal(&u->changed);
    pthread_mutex_unlock(&u->lock);
}

/* ---- the leader: the end ---- */

/* The answer is on its way, past libmicrohttpd: the client is left to the lingering ones. */
static void part_with(struct gf_exchange *x)
{
    x->state = GF_EXCHANGE_ANSWERED;
    x->broken = true;
    gf_release_to_linger(x->connection);
    gf_connection_cut(x->connection);
    gf_exchange_resume(x);
}

static void settle(struct gf_exchange *x, bool ended, bool answered)
{
    if (ended) {
        gf_exchange_release(x);
    } else if (answered) {
        part_with(x);
    } else {
        gf_exchange_answer(x);
        gf_exchange_resume(x);
    }
}

void gf_upload_hear(struct gf_exchange *x)
{
    struct gf_upload *u = x->upload;
    bool finished, ended, answered;

    pthread_mutex_lock(&u->lock);
    finished = u->finished && !gf_worker_is_posted(x); /* else it comes here once more */
    ended = u->ended;
    answered = u->answered;
    if (!u->finished && !ended && u->stops && !u->stopped) {
        pause_connection(x);
        u->stopped = true;
        pthread_cond_signal(&u->changed);
    } else if (!u->finished && !ended && u->wants && !u->complete && !u->error) {
        let_on(x);
    }
    u->wants = false;
    pthread_mutex_unlock(&u->lock);
    if (finished)
        settle(x, ended, answered);
}

bool gf_upload_end(struct gf_exchange *x)
{
    struct gf_upload *u = x->upload;
    bool finished;

    pthread_mutex_lock(&u->lock);
    u->ended = u->stopped = true;
    if (!u->complete && !u->error)
        u->error = -ECONNRESET;
    finished = u->finished;
    pthread_cond_signal(&u->changed);
    pthread_mutex_unlock(&u->lock);
    return finished && !gf_worker_is_posted(x);
}

void gf_upload_abandon(struct gf_exchange *x)
{
    x->upload->finished = true;
}

bool gf_upload_is_open(struct gf_upload *u)
{
    bool open;

    pthread_mutex_lock(&u->lock);
    open = !u->complete;
    pthread_mutex_unlock(&u->lock);
    return open;
}

void gf_upload_free(struct gf_upload *u)
{
    if (!u)
        return;
    pthread_cond_destroy(&u->changed);
    pthread_mutex_destroy(&u->lock);
    free(u);
}
