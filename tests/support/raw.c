/*
 * Bytes to a server and what comes back: see raw.h.
 */
#include "tests/support/raw.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/sockios.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    STEP_TIMEOUT_S = 10,
    PIECE = 65536,
};

static long long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

int raw_connect(struct raw *raw, int port)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct timeval limit = {.tv_sec = STEP_TIMEOUT_S};
    int on = 1;

    memset(raw, 0, sizeof(*raw));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (raw->fd < 0)
        return -errno;
    setsockopt(raw->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    setsockopt(raw->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(raw->fd, (struct sockaddr *)&to, sizeof(to)) == 0)
        return 0;
    int error = -errno;
    raw_close(raw);
    return error;
}

static void close_socket(struct raw *raw)
{
    if (raw->fd > 0)
        close(raw->fd);
    raw->fd = 0;
}

void raw_close(struct raw *raw)
{
    close_socket(raw);
    free(raw->bytes);
    memset(raw, 0, sizeof(*raw));
}

void raw_abort(struct raw *raw)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};

    setsockopt(raw->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    raw_close(raw);
}

int raw_send(struct raw *raw, const void *data, size_t size)
{
    const char *at = data;

    while (size > 0) {
        ssize_t n = send(raw->fd, at, size, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        at += n;
        size -= (size_t)n;
    }
    return 0;
}

int raw_send_text(struct raw *raw, const char *text)
{
    return raw_send(raw, text, strlen(text));
}

/* The kernel says when the other side has taken what was sent; the server's loop reads it before long. */
static void wait_until_taken(const struct raw *raw)
{
    int left = 1;

    for (int i = 0; i < 1000 && left > 0; i++) {
        if (ioctl(raw->fd, SIOCOUTQ, &left) < 0)
            return;
        if (left > 0)
            usleep(100);
    }
    usleep(200);
}

int raw_send_split(struct raw *raw, const void *data, size_t size, size_t cut)
{
    int result = raw_send(raw, data, cut);

    if (result < 0)
        return result;
    wait_until_taken(raw);
    return raw_send(raw, (const char *)data + cut, size - cut);
}

/* Once: 0, or why there will be no more. */
static int read_more(struct raw *raw, long long deadline)
{
    struct pollfd one = {.fd = raw->fd, .events = POLLIN};
    long long left = deadline - now_ms();

    if (left < 0 || poll(&one, 1, (int)left) == 0)
        return -ETIMEDOUT;
    if (raw->size + PIECE + 1 > raw->capacity) {
        size_t capacity = (raw->size + PIECE + 1) * 2;
        char *grown = realloc(raw->bytes, capacity);
        if (!grown)
            return -ENOMEM;
        raw->bytes = grown;
        raw->capacity = capacity;
    }
    ssize_t n = recv(raw->fd, raw->bytes + raw->size, PIECE, 0);
    if (n > 0)
        raw->size += (size_t)n;
    raw->bytes[raw->size] = 0;
    raw->ended |= n == 0;
    raw->reset |= n < 0;
    if (n == 0)
        return -EPIPE;
    return n < 0 ? -errno : 0;
}

int raw_read(struct raw *raw, const char *until, int timeout_ms)
{
    long long deadline = now_ms() + timeout_ms;
    int result = 0;

    while (!result && !(until && raw_has(raw, until)))
        result = read_more(raw, deadline);
    return !until && result == -EPIPE ? 0 : result;
}

int raw_read_size(struct raw *raw, size_t size, int timeout_ms)
{
    long long deadline = now_ms() + timeout_ms;
    int result = 0;

    while (!result && raw->size < size)
        result = read_more(raw, deadline);
    return result;
}

int raw_status(const struct raw *raw)
{
    if (raw->size < 12 || strncmp(raw->bytes, "HTTP/1.1 ", 9) != 0)
        return 0;
    return atoi(raw->bytes + 9);
}

bool raw_has(const struct raw *raw, const char *text)
{
    return raw->size > 0 && memmem(raw->bytes, raw->size, text, strlen(text)) != NULL;
}

int raw_count(const struct raw *raw, const char *text)
{
    const char *at = raw->bytes, *end = raw->bytes + raw->size;
    int count = 0;

    while (at && (at = memmem(at, (size_t)(end - at), text, strlen(text)))) {
        count++;
        at += strlen(text);
    }
    return count;
}

int raw_exchange(struct raw *raw, int port, const void *data, size_t size)
{
    int result = raw_connect(raw, port);

    if (result < 0)
        return result;
    result = raw_send(raw, data, size);
    if (result == 0 || result == -EPIPE || result == -ECONNRESET)
        result = raw_read(raw, NULL, STEP_TIMEOUT_S * 1000);
    close_socket(raw);
    return result < 0 ? result : raw_status(raw);
}
