/*
 * A blocking HTTP client for tests that care about each byte: see client.h.
 */
#include "tests/support/client.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEFAULT_TIMEOUT_MS = 10000 };

struct client {
    struct transport *transport;
    int timeout_ms;
    struct answer answer;
    char buffer[16384]; /* received: [taken, filled) is still to be read, of a response sent in advance */
    size_t taken, filled;
};

static long long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Waits until the transport can go on; 0 or -ETIMEDOUT. */
static int wait_until(struct client *c, long long deadline)
{
    struct pollfd one = {.fd = transport_fd(c->transport), .events = transport_events(c->transport)};
    long long left = deadline - now_ms();
    int n = poll(&one, 1, left > 0 ? (int)left : 0);
    if (n < 0 && errno != EINTR)
        return -errno;
    return n == 0 ? -ETIMEDOUT : 0;
}

struct client *client_connect(const struct transport_target *target, int timeout_ms)
{
    struct client *c = calloc(1, sizeof(*c));
    long long deadline = now_ms() + timeout_ms;
    int error = -ENOMEM;
    if (!c)
        goto fail;
    c->timeout_ms = timeout_ms;
    c->transport = transport_new(target);
    error = c->transport ? -EAGAIN : -errno;
    while (error == -EAGAIN) {
        error = transport_connect(c->transport);
        if (error == -EAGAIN && wait_until(c, deadline) < 0)
            error = -ETIMEDOUT;
    }
    if (error == 0)
        return c;
fail:
    client_close(c);
    errno = -error;
    return NULL;
}

struct client *client_connect_port(int port)
{
    struct transport_target target = {.port = port};
    return client_connect(&target, DEFAULT_TIMEOUT_MS);
}

void client_close(struct client *c)
{
    if (!c)
        return;
    transport_free(c->transport);
    answer_finish(&c->answer);
    free(c);
}

int client_send(struct client *c, const void *data, size_t size)
{
    const char *at = data;
    long long deadline = now_ms() + c->timeout_ms;
    while (size > 0) {
        ssize_t n = transport_write(c->transport, at, size);
        if (n == -EAGAIN) {
            /* A plain socket that would block on writing is waited for in that direction. */
            struct pollfd writable = {.fd = transport_fd(c->transport), .events = POLLOUT};
            long long left = deadline - now_ms();
            if (left <= 0 || poll(&writable, 1, (int)left) == 0)
                return -ETIMEDOUT;
            continue;
        }
        if (n < 0)
            return (int)n;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

int client_send_text(struct client *c, const char *text)
{
    return client_send(c, text, strlen(text));
}

/* More bytes into the empty buffer: 0; 1 for the end; a negative errno. */
static int fill(struct client *c, long long deadline)
{
    for (;;) {
        ssize_t n = transport_read(c->transport, c->buffer, sizeof(c->buffer));
        if (n > 0) {
            c->taken = 0;
            c->filled = (size_t)n;
            return 0;
        }
        if (n == 0)
            return 1;
        if (n != -EAGAIN)
            return (int)n;
        int error = wait_until(c, deadline);
        if (error < 0)
            return error;
    }
}

static const struct answer *receive(struct client *c, bool no_body, int *error)
{
    long long deadline = now_ms() + c->timeout_ms;
    int result = 0;
    answer_begin(&c->answer, no_body);
    while (!c->answer.complete && result == 0) {
        if (c->taken == c->filled)
            result = fill(c, deadline);
        if (result == 0) {
            ssize_t n = answer_feed(&c->answer, c->buffer + c->taken, c->filled - c->taken);
            if (n >= 0)
                c->taken += (size_t)n;
            else
                result = (int)n;
        } else if (result == 1) {
            result = c->answer.received == 0 ? -EPIPE : answer_end(&c->answer);
        }
    }
    if (error)
        *error = result;
    return result == 0 ? &c->answer : NULL;
}

const struct answer *client_receive(struct client *c, int *error)
{
    return receive(c, false, error);
}

const struct answer *client_receive_head(struct client *c, int *error)
{
    return receive(c, true, error);
}

const struct answer *client_get(struct client *c, const char *path, int *error)
{
    char *request;
    int result = -ENOMEM;
    if (asprintf(&request, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path) >= 0) {
        result = client_send_text(c, request);
        free(request);
    }
    if (result == 0)
        return client_receive(c, error);
    if (error)
        *error = result;
    return NULL;
}

int client_fetch(int port, const char *path, char **body)
{
    struct client *c = client_connect_port(port);
    int result = 0;
    if (!c)
        return -errno;
    const struct answer *a = client_get(c, path, &result);
    if (a) {
        result = a->status;
        if (body && !(*body = strdup(a->body)))
            result = -ENOMEM;
    }
    client_close(c);
    return result;
}

int client_wait_close(struct client *c, int timeout_ms)
{
    if (c->taken < c->filled)
        return -EPROTO;
    int result = fill(c, now_ms() + timeout_ms);
    if (result == 1)
        return 0;
    return result == 0 ? -EPROTO : result;
}

struct transport *client_transport(struct client *c)
{
    return c->transport;
}
