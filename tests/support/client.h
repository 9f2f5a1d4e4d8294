/*
 * A blocking HTTP client for tests that care about each byte: it sends what it is told, right or wrong.
 *
 * Owns: one connection, and the response read last. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_CLIENT_H
#define GF_TESTS_SUPPORT_CLIENT_H

#include "tests/support/answer.h"
#include "tests/support/transport.h"

struct client;

/* Connects, with the TLS handshake; timeout_ms also bounds each later call. NULL with errno. */
struct client *client_connect(const struct transport_target *target, int timeout_ms);
/* To 127.0.0.1:port, in plain HTTP, with ten seconds. */
struct client *client_connect_port(int port);
/* NULL is fine. */
void client_close(struct client *c);

/* Sends all of the bytes: 0, -ETIMEDOUT or what ended the connection (-EPIPE, -ECONNRESET …). */
int client_send(struct client *c, const void *data, size_t size);
int client_send_text(struct client *c, const char *text);

/*
 * Reads one response. The answer is the client's, until the next call. On error *error says why: -ETIMEDOUT; -EPIPE,
 * the connection ended before the first byte; -ENODATA, it ended in the middle; -ECONNRESET; -EPROTO, no HTTP.
 */
const struct answer *client_receive(struct client *c, int *error);
const struct answer *client_receive_head(struct client *c, int *error); /* the request was HEAD */

/* "GET <path>" with Host (and nothing else) sent, and its response read. */
const struct answer *client_get(struct client *c, const char *path, int *error);
/* A whole exchange over a connection of its own: the status, and the body (allocated) if wanted; or a negative errno.
 */
int client_fetch(int port, const char *path, char **body);

/* 0 once the server has ended the connection without another byte; -ETIMEDOUT; -EPROTO, bytes came; -ECONNRESET. */
int client_wait_close(struct client *c, int timeout_ms);
/* The transport, for the TLS questions, half-closing, resetting. */
struct transport *client_transport(struct client *c);

#endif
