#include "early_answer.h"

#include <errno.h>
#include <gnutls/gnutls.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../gproc/clock.h"
#include "../message/http_date.h"
#include "connection.h"
#include "exchange.h"
#include "lane.h"
#include "service.h"

/* Bytes of a file, or of what the client sends on, at a time. */
#define PIECE_SIZE 16384
/* The head: what a handler may set is bounded already, and this is the last bound. */
#define HEAD_MAX ((size_t)1 << 20)

struct wire {
    int fd;
    gnutls_session_t session; /* NULL: plain */
    int timeout_ms;           /* 0: none */
    bool deaf;                /* the client sends no more */
};

/* ---- the wire ---- */

static ssize_t send_some(const struct wire *wire, const char *data, size_t size)
{
    ssize_t sent;

    if (!wire->session) {
        sent = send(wire->fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        return sent < 0 ? -errno : sent;
    }
    sent = gnutls_record_send(wire->session, data, size < PIECE_SIZE ? size : PIECE_SIZE);
    return sent == GNUTLS_E_AGAIN || sent == GNUTLS_E_INTERRUPTED ? -EAGAIN : sent < 0 ? -EPIPE : sent;
}

/* A client that does not look for an answer before it has sent all would wait for us as we for it. */
static void swallow(struct wire *wire)
{
    char waste[PIECE_SIZE];
    ssize_t got;

    if (wire->session) {
        got = gnutls_record_recv(wire->session, waste, sizeof(waste));
        wire->deaf = got != GNUTLS_E_AGAIN && got != GNUTLS_E_INTERRUPTED && got <= 0;
    } else {
        got = recv(wire->fd, waste, sizeof(waste), MSG_DONTWAIT);
        wire->deaf = !got || (got < 0 && errno != EAGAIN && errno != EINTR);
    }
}

static int wait_for_room(struct wire *wire)
{
    int64_t until = gf_clock_ms() + wire->timeout_ms;

    for (;;) {
        struct pollfd poll_fd = {.fd = wire->fd, .events = (short)(wire->deaf ? POLLOUT : POLLIN | POLLOUT)};
        int64_t left = until - gf_clock_ms();
        int ready = poll(&poll_fd, 1, !wire->timeout_ms ? -1 : left > 0 ? (int)left : 0);

        if (!ready || (wire->timeout_ms && left <= 0))
            return -ETIMEDOUT;
        if (ready < 0 && errno != EINTR)
            return -errno;
        if (ready > 0 && (poll_fd.revents & POLLIN))
            swallow(wire);
        if (ready > 0 && (poll_fd.revents & (POLLOUT | POLLERR | POLLHUP)))
            return 0;
    }
}

static int send_all(struct wire *wire, const char *data, size_t size)
{
    while (size) {
        ssize_t sent = send_some(wire, data, size);

        if (sent == -EAGAIN) {
            int result = wait_for_room(wire);

            if (result < 0)
                return result;
        } else if (sent < 0 && sent != -EINTR) {
            return (int)sent;
        } else if (sent > 0) {
            data += sent;
            size -= (size_t)sent;
        }
    }
    return 0;
}

/* ---- the answer ---- */

__attribute__((format(printf, 2, 3))) static int print(struct gf_buffer *head, const char *format, ...)
{
    va_list arguments;
    int result;

    va_start(arguments, format);
    result = gf_buffer_vprintf(head, format, arguments);
    va_end(arguments);
    return result;
}

static bool is_ours(const char *name)
{
    return !strcasecmp(name, "Connection") || !strcasecmp(name, "Content-Length") ||
           !strcasecmp(name, "Transfer-Encoding") || !strcasecmp(name, "Date");
}

static bool has_body(const struct gf_response *made)
{
    return made->status != 204 && made->status != 304;
}

static uint64_t body_size(const struct gf_response *made)
{
    return made->file_fd >= 0 || made->file_bytes ? (uint64_t)made->file_size : made->body.size;
}

static int make_head(const struct gf_exchange *x, struct gf_buffer *head)
{
    const struct gf_response *made = &x->request.response;
    const char *agent = x->lane->service->agent;
    char date[GF_HTTP_DATE_SIZE];
    int result = print(head, "HTTP/1.1 %d %s\r\nConnection: close\r\n", made->status,
                       MHD_get_reason_phrase_for((unsigned)made->status));

    if (!result && !gf_http_date_format(time(NULL), date))
        result = print(head, "Date: %s\r\n", date);
    if (!result && agent && *agent)
        result = print(head, "Server: %s\r\n", agent);
    for (size_t i = 0; !result && i < made->headers.count; i++)
        if (!is_ours(made->headers.items[i].name))
            result = print(head, "%s: %s\r\n", made->headers.items[i].name, made->headers.items[i].value);
    if (!result && has_body(made))
        result = print(head, "Content-Length: %llu\r\n", (unsigned long long)body_size(made));
    return result ? result : print(head, "\r\n");
}

static int send_file(struct wire *wire, const struct gf_response *made)
{
    off_t end = made->file_offset + made->file_size;
    char piece[PIECE_SIZE];

    for (off_t at = made->file_offset; at < end;) {
        size_t wanted = end - at < PIECE_SIZE ? (size_t)(end - at) : PIECE_SIZE;
        ssize_t got = pread(made->file_fd, piece, wanted, at);
        int result = got > 0 ? send_all(wire, piece, (size_t)got) : got < 0 && errno == EINTR ? 0 : -EIO;

        if (result < 0)
            return result;
        at += got > 0 ? got : 0;
    }
    return 0;
}

static int send_body(struct wire *wire, const struct gf_exchange *x)
{
    const struct gf_response *made = &x->request.response;

    if (!has_body(made) || !strcmp(x->request.method, "HEAD"))
        return 0;
    if (made->file_fd >= 0)
        return send_file(wire, made);
    if (made->file_bytes)
        return send_all(wire, made->file_bytes, (size_t)made->file_size);
    return send_all(wire, made->body.data, made->body.size);
}

static struct wire wire_of(const struct gf_exchange *x)
{
    struct wire wire = {.fd = x->connection->fd, .timeout_ms = x->lane->service->limits.write_timeout_ms};

    if (x->lane->tls)
        wire.session = MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_GNUTLS_SESSION)->tls_session;
    return wire;
}

int gf_early_answer_send(struct gf_exchange *x)
{
    struct wire wire = wire_of(x);
    struct gf_buffer head;
    int result;

    if (x->request.response.failed) { /* not even the text of a 500 had room */
        gf_response_reset(&x->request);
        x->request.response.status = 500;
    }
    gf_buffer_init(&head, HEAD_MAX);
    result = make_head(x, &head);
    if (!result)
        result = send_all(&wire, head.data, head.size);
    if (!result)
        result = send_body(&wire, x);
    gf_buffer_finish(&head);
    if (wire.session)
        gnutls_bye(wire.session, GNUTLS_SHUT_WR);
    return result;
}
