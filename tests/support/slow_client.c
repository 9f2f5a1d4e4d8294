/*
 * Slow clients: see slow_client.h. Blocking code, one thread for each connection: there are few of them, and they
 * sleep.
 */
#include "tests/support/slow_client.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    TIMEOUT_MS = 30000,
    LETTERS = 23, /* as soak_server has it */
    PIECES = 16,
    RECEIVE_BUFFER = 64 << 10, /* so that a slow reader is slow for the server too, not only for the kernel */
    RETRY_US = 10000,
};

struct slow_connection {
    struct slow_client *client;
    pthread_t thread;
    bool started;
    struct transport *transport; /* NULL: to be connected */
    uint64_t used;               /* exchanges on this transport */
    uint64_t n;                  /* this exchange's number */
    struct answer answer;
    const char *step; /* what it was doing, for the description of a failure */
};

struct slow_client {
    struct slow_client_options options;
    atomic_bool stopping;
    bool joined;
    _Atomic uint64_t next;
    uint64_t begin_us;

    pthread_mutex_t lock; /* what follows */
    struct load_result result;
    int failures_kept;

    struct slow_connection *connections;
};

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- one connection: the steps return 0 or a negative errno ------------------------------------------------------ */

/* After -EAGAIN: until the transport may go on. */
static int wait_for(struct slow_connection *c, short also)
{
    struct pollfd one = {.fd = transport_fd(c->transport), .events = (short)(transport_events(c->transport) | also)};

    return poll(&one, 1, TIMEOUT_MS) > 0 ? 0 : -ETIMEDOUT;
}

static int connect_to(struct slow_connection *c)
{
    int size = RECEIVE_BUFFER, result;

    c->step = "connecting";
    c->transport = transport_new(&c->client->options.target);
    c->used = 0;
    if (!c->transport)
        return -errno;
    setsockopt(transport_fd(c->transport), SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
    while ((result = transport_connect(c->transport)) == -EAGAIN && !(result = wait_for(c, 0)))
        continue;
    return result;
}

static int send_all(struct slow_connection *c, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t n = transport_write(c->transport, data, size);
        int result = n == -EAGAIN ? wait_for(c, c->client->options.target.tls ? 0 : POLLOUT) : n < 0 ? (int)n : 0;

        if (result < 0)
            return result;
        if (n > 0)
            data += n, size -= (size_t)n;
    }
    return 0;
}

static int send_request(struct slow_connection *c)
{
    const struct slow_client_options *o = &c->client->options;
    char head[256];

    c->step = "sending the head";
    if (o->download)
        snprintf(head, sizeof(head), "GET /download?n=%llu&size=%zu HTTP/1.1\r\nHost: localhost\r\n\r\n",
                 (unsigned long long)c->n, o->size);
    else
        snprintf(head, sizeof(head), "POST /upload?n=%llu HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n",
                 (unsigned long long)c->n, o->size);
    return send_all(c, head, strlen(head));
}

static int send_body(struct slow_connection *c)
{
    const struct slow_client_options *o = &c->client->options;
    char piece[LETTERS * 1024];
    size_t each = o->size / PIECES;
    int result = 0;

    c->step = "sending the body";
    for (size_t sent = 0; sent < o->size && !result; sent += each) {
        if (each > o->size - sent)
            each = o->size - sent;
        if (each > sizeof(piece))
            return -EMSGSIZE;
        for (size_t i = 0; i < each; i++)
            piece[i] = (char)('a' + (c->n + sent + i) % LETTERS);
        usleep((useconds_t)(o->duration_ms * 1000 / PIECES));
        result = send_all(c, piece, each);
    }
    return result;
}

static int receive_answer(struct slow_connection *c)
{
    const struct slow_client_options *o = &c->client->options;
    char buffer[64 << 10];
    size_t due = o->size / PIECES; /* received by then: a pause */

    c->step = "reading the answer";
    answer_begin(&c->answer, false);
    while (!c->answer.complete) {
        ssize_t n = transport_read(c->transport, buffer, sizeof(buffer)), taken = 0;
        int result = n == -EAGAIN ? wait_for(c, 0) : n < 0 ? (int)n : 0;

        if (n == 0)
            result = answer_end(&c->answer) == 0 ? 0 : c->answer.received ? -ENODATA : -EPIPE;
        if (n > 0)
            taken = answer_feed(&c->answer, buffer, (size_t)n);
        if (result < 0 || (n > 0 && taken < n))
            return result < 0 ? result : -EPROTO;
        if (o->download && c->answer.received >= due) {
            usleep((useconds_t)(o->duration_ms * 1000 / PIECES));
            due += o->size / PIECES;
        }
    }
    return 0;
}

static int check_upload(struct slow_connection *c)
{
    unsigned long long n = 0;
    size_t size = 0, right = 0;

    if (!c->answer.body || sscanf(c->answer.body, "%*d %llu %zu %zu", &n, &size, &right) != 3)
        return -EBADMSG;
    return n == c->n && size == c->client->options.size && right == size ? 0 : -EBADMSG;
}

static int check_answer(struct slow_connection *c)
{
    c->step = "checking the answer";
    if (c->answer.status != 200)
        return -EBADMSG;
    if (!c->client->options.download)
        return check_upload(c);
    if (c->answer.body_size != c->client->options.size)
        return -EBADMSG;
    for (size_t i = 0; i < c->answer.body_size; i++)
        if (c->answer.body[i] != (char)('a' + (c->n + i) % LETTERS))
            return -EBADMSG;
    return 0;
}

static int exchange(struct slow_connection *c)
{
    int result = c->transport ? 0 : connect_to(c);

    if (!result)
        result = send_request(c);
    if (!result && !c->client->options.download)
        result = send_body(c);
    if (!result)
        result = receive_answer(c);
    return result ? result : check_answer(c);
}

/* ---- counting -------------------------------------------------------------------------------------------------- */

static void drop(struct slow_connection *c)
{
    transport_free(c->transport);
    c->transport = NULL;
}

static void count_failure(struct slow_connection *c, int error, uint64_t began)
{
    struct load_result *r = &c->client->result;

    r->failures++;
    if (c->used > 0 && error == -EPIPE && c->answer.received == 0)
        r->raced++;
    if (c->client->failures_kept == LOAD_FAILURES_KEPT)
        return;
    snprintf(r->failure[c->client->failures_kept++], sizeof(r->failure[0]),
             "%.3f s: exchange %llu (number %llu of its connection, %.3f s long): %s while %s; status %d, %zu bytes of "
             "answer: %.60s",
             (double)(now_us() - c->client->begin_us) / 1e6, (unsigned long long)c->n, (unsigned long long)c->used + 1,
             (double)(now_us() - began) / 1e6, strerror(-error), c->step, c->answer.status, c->answer.received,
             c->answer.body_size < 200 && c->answer.body ? c->answer.body : "");
}

static void count(struct slow_connection *c, int result, uint64_t began)
{
    struct slow_client *client = c->client;

    pthread_mutex_lock(&client->lock);
    if (result < 0) {
        count_failure(c, result, began);
    } else {
        client->result.requests++;
        latency_add(&client->result.latency, now_us() - began);
        client->result.announced += !c->answer.keep_alive;
    }
    pthread_mutex_unlock(&client->lock);
}

static void *run(void *arg)
{
    struct slow_connection *c = arg;
    struct slow_client *client = c->client;

    while (!atomic_load(&client->stopping)) {
        bool closed = c->transport && transport_check_idle(c->transport) < 0;
        uint64_t began = now_us();
        int result;

        if (closed)
            drop(c);
        pthread_mutex_lock(&client->lock);
        client->result.closed_idle += closed;
        client->result.connections += !c->transport;
        pthread_mutex_unlock(&client->lock);
        c->n = atomic_fetch_add(&client->next, 1);
        answer_begin(&c->answer, false);
        result = exchange(c);
        count(c, result, began);
        c->used++;
        if (result < 0 || !c->answer.keep_alive)
            drop(c);
        if (result < 0)
            usleep(RETRY_US);
    }
    drop(c);
    return NULL;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

struct slow_client *slow_client_start(const struct slow_client_options *options)
{
    struct slow_client *client = calloc(1, sizeof(*client));
    int error = ENOMEM;

    if (!client)
        return NULL;
    client->options = *options;
    client->begin_us = now_us();
    pthread_mutex_init(&client->lock, NULL);
    client->connections = calloc((size_t)options->connections, sizeof(*client->connections));
    if (!client->connections)
        goto fail;
    for (int i = 0; i < options->connections; i++) {
        struct slow_connection *c = &client->connections[i];

        c->client = client;
        error = pthread_create(&c->thread, NULL, run, c);
        if (error)
            goto fail;
        c->started = true;
    }
    return client;

fail:
    slow_client_free(client);
    errno = error;
    return NULL;
}

void slow_client_stop(struct slow_client *client)
{
    atomic_store(&client->stopping, true);
    for (int i = 0; i < client->options.connections && client->connections && !client->joined; i++)
        if (client->connections[i].started)
            pthread_join(client->connections[i].thread, NULL);
    client->joined = true;
    client->result.seconds = (double)(now_us() - client->begin_us) / 1e6;
}

const struct load_result *slow_client_result(const struct slow_client *client)
{
    return &client->result;
}

uint64_t slow_client_requests(struct slow_client *client)
{
    uint64_t requests;

    pthread_mutex_lock(&client->lock);
    requests = client->result.requests;
    pthread_mutex_unlock(&client->lock);
    return requests;
}

uint64_t slow_client_failures(struct slow_client *client)
{
    uint64_t failures;

    pthread_mutex_lock(&client->lock);
    failures = client->result.failures;
    pthread_mutex_unlock(&client->lock);
    return failures;
}

void slow_client_free(struct slow_client *client)
{
    if (!client)
        return;
    slow_client_stop(client);
    for (int i = 0; i < client->options.connections && client->connections; i++)
        answer_finish(&client->connections[i].answer);
    pthread_mutex_destroy(&client->lock);
    free(client->connections);
    free(client);
}
