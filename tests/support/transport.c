/*
 * A client's connection over TCP, a Unix socket or TLS, that never blocks: see transport.h.
 */
#include "tests/support/transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct transport {
    int fd;
    enum { CONNECTING, HANDSHAKING, CONNECTED } state;
    gnutls_session_t tls; /* NULL: plain */
    gnutls_certificate_credentials_t own_credentials;
    int tls_error;
};

union address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_un un;
};

/* ---- sockets --------------------------------------------------------------------------------------------------- */

static int parse_address(union address *a, socklen_t *size, const char *host, int port)
{
    memset(a, 0, sizeof(*a));
    if (inet_pton(AF_INET6, host, &a->in6.sin6_addr) == 1) {
        a->in6.sin6_family = AF_INET6;
        a->in6.sin6_port = htons((uint16_t)port);
        *size = sizeof(a->in6);
        return 0;
    }
    a->in.sin_family = AF_INET;
    a->in.sin_port = htons((uint16_t)port);
    *size = sizeof(a->in);
    return inet_pton(AF_INET, host, &a->in.sin_addr) == 1 ? 0 : -EINVAL;
}

static int resolve(union address *a, socklen_t *size, const struct transport_target *target)
{
    if (!target->unix_path)
        return parse_address(a, size, target->host ? target->host : "127.0.0.1", target->port);
    size_t length = strlen(target->unix_path);
    if (length >= sizeof(a->un.sun_path))
        return -ENAMETOOLONG;
    memset(a, 0, sizeof(*a));
    a->un.sun_family = AF_UNIX;
    memcpy(a->un.sun_path, target->unix_path, length);
    *size = sizeof(a->un);
    return 0;
}

/* A socket on its way to the target, or a negative errno. */
static int begin_connect(const struct transport_target *target)
{
    union address to, from;
    socklen_t to_size, from_size;
    int on = 1;
    int error = resolve(&to, &to_size, target);
    if (error < 0)
        return error;
    int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (to.any.sa_family != AF_UNIX)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (target->source) {
        error = parse_address(&from, &from_size, target->source, 0);
        if (error < 0 || bind(fd, &from.any, from_size) < 0) {
            error = error < 0 ? error : -errno;
            goto fail;
        }
    }
    if (connect(fd, &to.any, to_size) == 0 || errno == EINPROGRESS)
        return fd;
    error = -errno;
fail:
    close(fd);
    return error;
}

/* ---- TLS ------------------------------------------------------------------------------------------------------- */

static pthread_once_t trusting_once = PTHREAD_ONCE_INIT;
static gnutls_certificate_credentials_t trusting; /* for all connections that check nothing; until the process ends */

static void make_trusting(void)
{
    gnutls_certificate_allocate_credentials(&trusting);
}

static int give_credentials(struct transport *t, const struct transport_target *target, const char *name)
{
    gnutls_certificate_credentials_t credentials;
    if (target->ca_path) {
        int result = gnutls_certificate_allocate_credentials(&t->own_credentials);
        if (result < 0)
            return result;
        credentials = t->own_credentials;
        result = gnutls_certificate_set_x509_trust_file(credentials, target->ca_path, GNUTLS_X509_FMT_PEM);
        if (result <= 0)
            return GNUTLS_E_FILE_ERROR;
        gnutls_session_set_verify_cert(t->tls, name, 0);
    } else {
        pthread_once(&trusting_once, make_trusting);
        credentials = trusting;
    }
    return gnutls_credentials_set(t->tls, GNUTLS_CRD_CERTIFICATE, credentials);
}

static int begin_tls(struct transport *t, const struct transport_target *target)
{
    const char *name = target->server_name ? target->server_name : "localhost";
    int result = gnutls_init(&t->tls, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    if (result >= 0)
        result = target->priorities ? gnutls_priority_set_direct(t->tls, target->priorities, NULL)
                                    : gnutls_set_default_priority(t->tls);
    if (result >= 0)
        result = gnutls_server_name_set(t->tls, GNUTLS_NAME_DNS, name, strlen(name));
    if (result >= 0)
        result = give_credentials(t, target, name);
    if (result >= 0 && target->session)
        result = gnutls_session_set_data(t->tls, target->session, target->session_size);
    if (result < 0)
        return -EPROTO;
    gnutls_transport_set_int(t->tls, t->fd);
    gnutls_handshake_set_timeout(t->tls, 0); /* the caller has its own */
    return 0;
}

/* GnuTLS's result as a negative errno. */
static int tls_result(struct transport *t, ssize_t result)
{
    if (result == GNUTLS_E_AGAIN || result == GNUTLS_E_INTERRUPTED)
        return -EAGAIN;
    t->tls_error = (int)result;
    if (result == GNUTLS_E_PUSH_ERROR || result == GNUTLS_E_PULL_ERROR)
        return -ECONNRESET;
    return -EPROTO;
}

/* GnuTLS also says "again" when it has taken in something else, a session ticket: then there may be more to be read. */
static bool again_too_early(struct transport *t)
{
    char byte;
    return recv(t->fd, &byte, 1, MSG_PEEK) >= 0;
}

static ssize_t tls_read(struct transport *t, void *data, size_t size)
{
    ssize_t n;
    do
        n = gnutls_record_recv(t->tls, data, size);
    while (n < 0 && !gnutls_error_is_fatal((int)n) && (n != GNUTLS_E_AGAIN || again_too_early(t)));
    if (n == GNUTLS_E_PREMATURE_TERMINATION)
        return 0; /* an end without close_notify; whether the answer was whole is told by its length */
    return n < 0 ? tls_result(t, n) : n;
}

/* ---- the interface --------------------------------------------------------------------------------------------- */

struct transport *transport_new(const struct transport_target *target)
{
    struct transport *t = calloc(1, sizeof(*t));
    if (!t)
        return NULL;
    t->fd = begin_connect(target);
    int error = t->fd < 0 ? t->fd : 0;
    if (error == 0 && target->tls)
        error = begin_tls(t, target);
    if (error == 0)
        return t;
    transport_free(t);
    errno = -error;
    return NULL;
}

void transport_free(struct transport *t)
{
    if (!t)
        return;
    if (t->tls)
        gnutls_deinit(t->tls);
    if (t->own_credentials)
        gnutls_certificate_free_credentials(t->own_credentials);
    if (t->fd >= 0)
        close(t->fd);
    free(t);
}

int transport_connect(struct transport *t)
{
    if (t->state == CONNECTING) {
        struct pollfd writable = {.fd = t->fd, .events = POLLOUT};
        int error = 0;
        socklen_t size = sizeof(error);
        if (poll(&writable, 1, 0) == 0)
            return -EAGAIN;
        if (getsockopt(t->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 || error != 0)
            return error ? -error : -errno;
        t->state = t->tls ? HANDSHAKING : CONNECTED;
    }
    while (t->state == HANDSHAKING) {
        int result = gnutls_handshake(t->tls);
        if (result == 0)
            t->state = CONNECTED;
        else if (result == GNUTLS_E_AGAIN || gnutls_error_is_fatal(result))
            return tls_result(t, result);
    }
    return 0;
}

ssize_t transport_read(struct transport *t, void *data, size_t size)
{
    if (t->tls)
        return tls_read(t, data, size);
    ssize_t n = recv(t->fd, data, size, 0);
    return n < 0 ? -errno : n;
}

ssize_t transport_write(struct transport *t, const void *data, size_t size)
{
    ssize_t n;
    if (t->tls) {
        n = gnutls_record_send(t->tls, data, size);
        return n < 0 ? tls_result(t, n) : n;
    }
    n = send(t->fd, data, size, MSG_NOSIGNAL);
    return n < 0 ? -errno : n;
}

int transport_check_idle(struct transport *t)
{
    char byte;
    ssize_t n = recv(t->fd, &byte, 1, MSG_PEEK);
    if (n < 0)
        return errno == EAGAIN ? 0 : -EPIPE;
    if (n == 0)
        return -EPIPE;
    if (!t->tls)
        return -EPROTO;
    n = tls_read(t, &byte, 1); /* a session ticket, or close_notify */
    if (n == -EAGAIN)
        return 0;
    return n > 0 ? -EPROTO : -EPIPE;
}

int transport_fd(const struct transport *t)
{
    return t->fd;
}

short transport_events(const struct transport *t)
{
    if (t->state == CONNECTING)
        return POLLOUT;
    return t->tls && gnutls_record_get_direction(t->tls) ? POLLOUT : POLLIN;
}

const char *transport_error(const struct transport *t)
{
    return t->tls_error ? gnutls_strerror(t->tls_error) : "";
}

void transport_end_writing(struct transport *t)
{
    if (t->tls)
        gnutls_bye(t->tls, GNUTLS_SHUT_WR);
    shutdown(t->fd, SHUT_WR);
}

void transport_reset(struct transport *t)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(t->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
}

bool transport_resumed(const struct transport *t)
{
    return t->tls && gnutls_session_is_resumed(t->tls);
}

int transport_session(struct transport *t, void **data, size_t *size)
{
    gnutls_datum_t session;
    if (!t->tls)
        return -EINVAL;
    if (gnutls_protocol_get_version(t->tls) >= GNUTLS_TLS1_3 &&
        !(gnutls_session_get_flags(t->tls) & GNUTLS_SFLAGS_SESSION_TICKET))
        return -ENODATA;
    if (gnutls_session_get_data2(t->tls, &session) < 0)
        return -EPROTO;
    void *copy = malloc(session.size);
    if (copy) {
        memcpy(copy, session.data, session.size);
        *data = copy;
        *size = session.size;
    }
    gnutls_free(session.data);
    return copy ? 0 : -ENOMEM;
}

int transport_common_name(struct transport *t, char *name, size_t size)
{
    unsigned count = 0;
    const gnutls_datum_t *der = t->tls ? gnutls_certificate_get_peers(t->tls, &count) : NULL;
    gnutls_x509_crt_t certificate;
    if (!der || count == 0)
        return -ENODATA;
    if (gnutls_x509_crt_init(&certificate) < 0)
        return -ENOMEM;
    int result = gnutls_x509_crt_import(certificate, der, GNUTLS_X509_FMT_DER);
    if (result >= 0)
        result = gnutls_x509_crt_get_dn_by_oid(certificate, GNUTLS_OID_X520_COMMON_NAME, 0, 0, name, &size);
    gnutls_x509_crt_deinit(certificate);
    return result < 0 ? -EPROTO : 0;
}
