/*
 * One connection of a load: the state machine that asks, checks and starts again.
 *
 * Sockets are watched edge-triggered and registered once, so whoever waits has either seen -EAGAIN or begun something
 * (a request) whose consequence is a new edge.
 */
#include "tests/support/load_connection.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

enum { RETRY_US = 10000 }; /* after a refused connection: a server that is down is not to be hammered */

uint64_t load_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static const char *request_of(const struct load_connection *c)
{
    return c->own_request ? c->own_request : c->thread->load->request;
}

/* ---- the ways an exchange ends --------------------------------------------------------------------------------- */

static void drop(struct load_connection *c)
{
    transport_free(c->transport);
    c->transport = NULL;
    c->used = 0;
    c->last[0] = 0;
}

static void rest(struct load_connection *c, uint64_t us)
{
    c->state = LOAD_RESTING;
    c->wake_us = us ? load_now_us() + us : 0;
}

__attribute__((format(printf, 4, 0))) static void describe(struct load_connection *c, char *out, size_t size,
                                                           const char *format, va_list arguments)
{
    const char *request = request_of(c);
    size_t line = strcspn(request, "\r\n");
    int n = snprintf(out, size,
                     "%.3f s: request %llu \"%.*s\" (%s %llu of its connection, %zu of %zu bytes sent, "
                     "%zu bytes of answer): ",
                     (double)(load_now_us() - c->thread->load->begin_us) / 1e6, (unsigned long long)c->n,
                     (int)(line < 100 ? line : 100), request, c->used ? "number" : "first,",
                     (unsigned long long)c->used + 1, c->sent, c->size, c->answer.received);
    if (n > 0 && (size_t)n < size)
        n += vsnprintf(out + n, size - (size_t)n, format, arguments);
    if (n > 0 && (size_t)n < size && c->last[0])
        snprintf(out + n, size - (size_t)n, LOAD_ANSWERED_LAST "%s", c->last);
}

/* Counts a failure and starts anew with another connection. */
__attribute__((format(printf, 2, 3))) static void fail(struct load_connection *c, const char *format, ...)
{
    struct load *l = c->thread->load;
    va_list arguments;
    atomic_fetch_add(&l->failed, 1);
    pthread_mutex_lock(&l->lock);
    if (l->failures_kept < LOAD_FAILURES_KEPT) {
        va_start(arguments, format);
        describe(c, l->result.failure[l->failures_kept++], sizeof(l->result.failure[0]), format, arguments);
        va_end(arguments);
    }
    pthread_mutex_unlock(&l->lock);
    drop(c);
    rest(c, RETRY_US);
}

static void count_latency(struct load_thread *t, uint64_t began, uint64_t ended)
{
    struct load *l = t->load;
    latency_add(&t->latency, ended - began);
    for (int i = 0, n = atomic_load(&l->windows); i < n; i++) {
        uint64_t end = atomic_load(&l->window[i].end_us);
        if (ended < atomic_load(&l->window[i].begin_us) || (end && began > end))
            continue;
        if (!t->windows[i])
            t->windows[i] = calloc(1, sizeof(*t->windows[i]));
        if (t->windows[i])
            latency_add(t->windows[i], ended - began);
    }
}

static void succeed(struct load_connection *c)
{
    struct load *l = c->thread->load;
    count_latency(c->thread, c->began_us, load_now_us());
    uint64_t answered = atomic_fetch_add(&l->answered, 1) + 1;
    if (answered == atomic_load(&l->awaited)) {
        pthread_mutex_lock(&l->lock);
        pthread_cond_broadcast(&l->reached);
        pthread_mutex_unlock(&l->lock);
    }
    c->used++;
    snprintf(c->last, sizeof(c->last), "%.*s", c->answer.body ? (int)strcspn(c->answer.body, "\n") : 0,
             c->answer.body ? c->answer.body : "");
    if (!c->answer.keep_alive && !l->options.fresh)
        atomic_fetch_add(&l->announced, 1);
    if (l->options.target.tls && (c->used == 1 || !c->answer.keep_alive)) {
        free(c->session);
        if (transport_session(c->transport, &c->session, &c->session_size) < 0)
            c->session = NULL;
    }
    if (!c->answer.keep_alive || l->options.fresh)
        drop(c);
    rest(c, (uint64_t)l->options.pause_us);
}

static size_t first_difference(const struct answer *a, const char *expected)
{
    size_t i = 0;
    while (i < a->body_size && expected[i] && a->body[i] == expected[i])
        i++;
    return i;
}

/* A whole answer has come: is it the right one? */
static void judge(struct load_connection *c)
{
    const struct load_options *o = &c->thread->load->options;
    const struct answer *a = &c->answer;
    char why[256] = "";
    size_t at = 0;
    if (o->check) {
        if (o->check(c->n, a, why, sizeof(why), o->arg))
            succeed(c);
        else
            fail(c, "wrong answer: %s", why);
        return;
    }
    if (a->status != 200) {
        fail(c, "status %d: %.60s", a->status, a->body);
        return;
    }
    bool right = !o->expected;
    for (const char *const *body = o->expected; !right && *body; body++) {
        size_t same = first_difference(a, *body);
        right = same == a->body_size && !(*body)[same];
        at = same > at ? same : at;
    }
    if (right)
        succeed(c);
    else
        fail(c, "wrong body of %zu bytes, at byte %zu: \"%.60s\"", a->body_size, at, a->body);
}

/* The connection ended, orderly (error 0) or not, while an answer was due. */
static void ended(struct load_connection *c, int error)
{
    const char *how = error ? strerror(-error) : "end of connection";
    struct load *l = c->thread->load;
    if (c->answer.received > 0) {
        if (error == 0 && answer_end(&c->answer) == 0)
            judge(c);
        else
            fail(c, "%s at byte %zu of the answer %s", how, c->answer.received, transport_error(c->transport));
        return;
    }
    if (c->used == 0) {
        fail(c, "%s before the answer %s", how, transport_error(c->transport));
        return;
    }
    atomic_fetch_add(&l->raced, 1);
    if (!l->options.raced_is_fine) {
        fail(c, "raced: %s after the request was sent on a connection in use", how);
        return;
    }
    drop(c);
    rest(c, 0);
}

/* ---- the steps of an exchange: each returns whether there is something to do at once
 * ---------------------------------- */

static bool watch(struct load_connection *c)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
    return epoll_ctl(c->thread->epoll, EPOLL_CTL_ADD, transport_fd(c->transport), &event) == 0;
}

static bool start_connecting(struct load_connection *c)
{
    struct load *l = c->thread->load;
    struct transport_target target = l->options.target;
    if (c->session) {
        target.session = c->session;
        target.session_size = c->session_size;
    }
    atomic_fetch_add(&l->connections, 1);
    c->made = true;
    c->transport = transport_new(&target);
    if (!c->transport || !watch(c)) {
        fail(c, "connect: %s", strerror(errno));
        return false;
    }
    c->state = LOAD_CONNECTING;
    return true;
}

static bool start_request(struct load_connection *c)
{
    struct load *l = c->thread->load;
    uint64_t now = load_now_us();
    if (now < c->wake_us && !atomic_load(&l->stopping))
        return false;
    int idle = c->transport ? transport_check_idle(c->transport) : 0;
    if (idle == -EPIPE) {
        atomic_fetch_add(&l->closed_idle, 1);
        drop(c);
    }
    bool over = atomic_load(&l->stopping) || (l->options.once && c->made && !c->transport);
    c->n = over ? UINT64_MAX : atomic_fetch_add(&l->next, 1);
    if (c->n == UINT64_MAX || (l->options.requests && c->n >= l->options.requests)) {
        drop(c);
        c->state = LOAD_FINISHED;
        c->thread->finished++;
        return false;
    }
    c->size = c->own_request ? l->options.make(c->n, c->own_request, l->options.arg) : l->request_size;
    c->sent = 0;
    c->began_us = now;
    c->wake_us = now + (uint64_t)l->options.timeout_ms * 1000;
    answer_begin(&c->answer, false);
    if (idle == -EPROTO) {
        fail(c, "bytes that belong to no answer came before this request");
        return false;
    }
    if (!c->transport)
        return start_connecting(c);
    c->state = LOAD_SENDING;
    return true;
}

static bool connect_on(struct load_connection *c)
{
    int result = transport_connect(c->transport);
    if (result == -EAGAIN)
        return false;
    if (result < 0) {
        fail(c, "connect: %s %s", strerror(-result), transport_error(c->transport));
        return false;
    }
    if (transport_resumed(c->transport))
        atomic_fetch_add(&c->thread->load->resumed, 1);
    c->state = LOAD_SENDING;
    return true;
}

static bool send_on(struct load_connection *c)
{
    while (c->sent < c->size) {
        ssize_t n = transport_write(c->transport, request_of(c) + c->sent, c->size - c->sent);
        if (n == -EAGAIN)
            return false;
        if (n < 0)
            break; /* what was read from the connection will tell: an early answer, or its end */
        c->sent += (size_t)n;
    }
    c->state = LOAD_RECEIVING;
    /* The answer cannot be here yet, and is a new edge when it comes; TLS may have taken in more than it told. */
    return c->sent < c->size || c->thread->load->options.target.tls;
}

static bool receive_on(struct load_connection *c)
{
    struct load_thread *t = c->thread;
    ssize_t n = transport_read(c->transport, t->buffer, sizeof(t->buffer));
    if (n == -EAGAIN)
        return false;
    if (n <= 0) {
        ended(c, (int)n);
        return true;
    }
    ssize_t taken = answer_feed(&c->answer, t->buffer, (size_t)n);
    if (taken < 0)
        fail(c, "no HTTP (%s) after byte %zu: \"%.40s\"", strerror((int)-taken), c->answer.received, c->answer.head);
    else if (taken < n)
        fail(c, "%zd bytes behind the end of the answer", n - taken);
    else if (c->answer.complete)
        judge(c);
    return true;
}

void load_connection_advance(struct load_connection *c)
{
    bool more = true;
    while (more) {
        if (c->state != LOAD_RESTING && c->state != LOAD_FINISHED && load_now_us() > c->wake_us) {
            fail(c, "timed out while %s", c->state == LOAD_CONNECTING ? "connecting" : "waiting for the answer");
            return;
        }
        switch (c->state) {
        case LOAD_RESTING:
            more = start_request(c);
            break;
        case LOAD_CONNECTING:
            more = connect_on(c);
            break;
        case LOAD_SENDING:
            more = send_on(c);
            break;
        case LOAD_RECEIVING:
            more = receive_on(c);
            break;
        default:
            more = false;
        }
    }
}

void load_connection_finish(struct load_connection *c)
{
    drop(c);
    answer_finish(&c->answer);
    free(c->own_request);
    free(c->session);
}
