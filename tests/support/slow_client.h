/*
 * Slow clients: each connection sends a large body in pieces with pauses between them, or reads a large answer so,
 * again and again, over one connection for as long as the server keeps it. Each byte is checked.
 *
 * Owns: its threads, one for each connection. Thread: start, stop and free by one.
 */
#ifndef GF_TESTS_SUPPORT_SLOW_CLIENT_H
#define GF_TESTS_SUPPORT_SLOW_CLIENT_H

#include "tests/support/load.h"
#include "tests/support/transport.h"

struct slow_client;

struct slow_client_options {
    struct transport_target target; /* its strings must live until slow_client_free() */
    int connections;
    bool download;   /* else: upload */
    size_t size;     /* of the body */
    int duration_ms; /* that it takes, about */
};

/* Asks tests/programs/soak_server. NULL with errno. */
struct slow_client *slow_client_start(const struct slow_client_options *options);
/* Lets the exchanges under way finish, and ends the threads. */
void slow_client_stop(struct slow_client *c);
/* After slow_client_stop(). */
const struct load_result *slow_client_result(const struct slow_client *c);
/* So far: answered rightly, and failed. */
uint64_t slow_client_requests(struct slow_client *c);
uint64_t slow_client_failures(struct slow_client *c);
/* Stops first where need be. NULL is fine. */
void slow_client_free(struct slow_client *c);

#endif
