/*
 * A client's connection over TCP, a Unix socket or TLS, that never blocks: what client.c and load.c have in common.
 *
 * Owns: one socket and its TLS session. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_TRANSPORT_H
#define GF_TESTS_SUPPORT_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct transport_target {
    const char *host; /* a numeric address; NULL: 127.0.0.1 */
    int port;
    const char *unix_path; /* instead of host and port */
    const char *source;    /* the numeric address to connect from; NULL: any */
    bool tls;
    const char *ca_path;     /* PEM; the server's certificate must be signed by it. NULL: any certificate will do */
    const char *server_name; /* SNI, and what the certificate is checked for; NULL: localhost */
    const char *priorities;  /* GnuTLS's, to choose the version; NULL: its default */
    const void *session;     /* of an earlier connection, to be resumed (transport_session()) */
    size_t session_size;
};

struct transport;

/* Begins to connect. NULL with errno (what connect() said, if it said it at once). */
struct transport *transport_new(const struct transport_target *target);
/* Closes without ceremony. NULL is fine. */
void transport_free(struct transport *t);

/*
 * These return -EAGAIN when they would block: wait for transport_events() on transport_fd(), and call them again with
 * the same arguments. Other negative results: -errno; -EPROTO for what only TLS can say (transport_error()).
 */
int transport_connect(struct transport *t);                           /* 0: connected, the handshake done */
ssize_t transport_read(struct transport *t, void *data, size_t size); /* 0: the end */
ssize_t transport_write(struct transport *t, const void *data, size_t size);

/* Before a request on a connection in use: 0, nothing has come; -EPIPE, the server has closed it; -EPROTO, bytes nobody
 * asked for. */
int transport_check_idle(struct transport *t);

int transport_fd(const struct transport *t);
short transport_events(const struct transport *t);
const char *transport_error(const struct transport *t);
/* Says the end of what is sent (TLS: close_notify first), and goes on reading. */
void transport_end_writing(struct transport *t);
/* Has the coming transport_free() send a reset instead of an orderly end. */
void transport_reset(struct transport *t);

/* TLS: was the session resumed; what is needed to resume it (allocated; after something has been read); the server's
 * certificate. */
bool transport_resumed(const struct transport *t);
int transport_session(struct transport *t, void **data, size_t *size);
int transport_common_name(struct transport *t, char *name, size_t size);

#endif
