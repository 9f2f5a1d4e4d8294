#include "stream.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "connection.h"
#include "exchange.h"
#include "head.h"
#include "lane.h"
#include "upload.h"
#include "worker.h"

/* So much may wait for a slow client before its handler has to. */
#define PENDING_MAX ((size_t)256 << 10)

struct gf_stream {
    pthread_mutex_t lock;
    pthread_cond_t taken;
    struct gf_buffer pending;
    size_t begin;         /* of what is pending in it */
    bool discards;        /* nobody will read: HEAD, 204, 304 */
    bool queued;          /* libmicrohttpd has the response; the leader's */
    uint64_t taken_bytes; /* by libmicrohttpd, so far; the leader's */
    bool asleep;          /* the connection is suspended for want of bytes */
    bool finished;        /* no more will come */
    bool failed;          /* and what came is not whole */
    bool ended;           /* libmicrohttpd is done */
};

/* ---- the handler ---- */

static bool has_no_body(const struct ghttp_request *r)
{
    return !strcmp(r->method, "HEAD") || r->response.status == 204 || r->response.status == 304;
}

static int begin(struct gf_exchange *x)
{
    struct ghttp_request *r = &x->request;
    struct gf_stream *stream;
    int result = x->upload ? gf_upload_yield(x) : 0;

    if (result < 0)
        return result;
    if (!gf_fields_find(&r->response.headers, "Content-Type") && gf_response_default_type(r) < 0)
        return -ENOMEM;
    if (gf_head_keep(r) < 0 || !(stream = calloc(1, sizeof(*stream))))
        return -ENOMEM;
    pthread_mutex_init(&stream->lock, NULL);
    pthread_cond_init(&stream->taken, NULL);
    gf_buffer_init(&stream->pending, GF_RESPONSE_BODY_MAX + PENDING_MAX);
    stream->discards = has_no_body(r);
    if (!gf_worker_give_up(x)) { /* nobody could lead the loop meanwhile */
        gf_stream_free(stream);
        return -EAGAIN;
    }
    x->stream = stream;
    r->response.sent = true;
    return 0;
}

static size_t pending(const struct gf_stream *stream)
{
    return stream->pending.size - stream->begin;
}

/* With the lock held. */
static int append(struct gf_stream *stream, struct gf_buffer *body)
{
    int result = 0;

    if (stream->begin && stream->begin == stream->pending.size) {
        gf_buffer_reset(&stream->pending, PENDING_MAX);
        stream->begin = 0;
    } else if (stream->begin > PENDING_MAX) {
        memmove(stream->pending.data, stream->pending.data + stream->begin, pending(stream));
        stream->pending.size -= stream->begin;
        stream->begin = 0;
    }
    if (body->size && !stream->discards && !stream->ended)
        result = gf_buffer_append(&stream->pending, body->data, body->size);
    gf_buffer_reset(body, PENDING_MAX);
    return result;
}

int gf_stream_flush(struct gf_exchange *x)
{
    struct gf_stream *stream = x->stream;
    int result = stream ? 0 : begin(x);

    if (result < 0)
        return result;
    stream = x->stream;
    pthread_mutex_lock(&stream->lock);
    result = append(stream, &x->request.response.body);
    if (result < 0)
        stream->failed = true; /* there is a hole in it */
    pthread_mutex_unlock(&stream->lock);
    gf_worker_post(x);
    pthread_mutex_lock(&stream->lock);
    while (pending(stream) > PENDING_MAX && !stream->ended)
        pthread_cond_wait(&stream->taken, &stream->lock);
    if (stream->ended) /* also where nobody was to read: else a stream without an end would run for ever */
        result = -EPIPE;
    pthread_mutex_unlock(&stream->lock);
    return result;
}

void gf_stream_finish(struct gf_exchange *x)
{
    struct gf_stream *stream = x->stream;

    pthread_mutex_lock(&stream->lock);
    if (x->request.response.failed || append(stream, &x->request.response.body) < 0)
        stream->failed = true;
    stream->finished = true;
    gf_worker_post(x); /* with the lock: gf_stream_end() must see both or neither, and may free x once it sees both */
    pthread_mutex_unlock(&stream->lock);
}

/* ---- the leader ---- */

ssize_t gf_stream_read(struct gf_stream *stream, char *data, size_t size)
{
    size_t count;

    pthread_mutex_lock(&stream->lock);
    count = pending(stream) < size ? pending(stream) : size;
    if (count) {
        memcpy(data, stream->pending.data + stream->begin, count);
        stream->begin += count;
        stream->taken_bytes += count;
        pthread_cond_signal(&stream->taken);
    }
    stream->asleep = !count && !stream->finished;
    pthread_mutex_unlock(&stream->lock);
    if (count || stream->asleep)
        return (ssize_t)count;
    return stream->failed ? -2 : -1;
}

uint64_t gf_stream_taken(const struct gf_stream *stream)
{
    return stream->taken_bytes;
}

static bool wakes(struct gf_stream *stream)
{
    bool wakes;

    pthread_mutex_lock(&stream->lock);
    wakes = stream->asleep && !stream->ended && (pending(stream) || stream->finished);
    if (wakes)
        stream->asleep = false;
    pthread_mutex_unlock(&stream->lock);
    return wakes;
}

/* What was left in the worker's list once more is looked at once more, and must still be there then. */
static bool both_are_done(const struct gf_exchange *x)
{
    struct gf_stream *stream = x->stream;
    bool done;

    pthread_mutex_lock(&stream->lock);
    done = stream->finished && stream->ended && !gf_worker_is_posted(x);
    pthread_mutex_unlock(&stream->lock);
    return done;
}

void gf_stream_hear(struct gf_exchange *x)
{
    struct gf_stream *stream = x->stream;

    if (!stream->queued) {
        stream->queued = true;
        gf_exchange_answer(x);
        gf_exchange_resume(x);
    } else if (wakes(stream)) {
        gf_connection_wait(x->connection, GF_WAIT_WRITE);
        gf_exchange_resume(x);
    } else if (both_are_done(x)) {
        gf_exchange_release(x);
    }
}

bool gf_stream_end(struct gf_exchange *x)
{
    struct gf_stream *stream = x->stream;
    bool finished;

    pthread_mutex_lock(&stream->lock);
    stream->ended = true;
    finished = stream->finished;
    pthread_cond_signal(&stream->taken);
    pthread_mutex_unlock(&stream->lock);
    return finished && !gf_worker_is_posted(x);
}

void gf_stream_free(struct gf_stream *stream)
{
    if (!stream)
        return;
    gf_buffer_finish(&stream->pending);
    pthread_cond_destroy(&stream->taken);
    pthread_mutex_destroy(&stream->lock);
    free(stream);
}
