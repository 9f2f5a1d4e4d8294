/*
 * The program tests/programs/http_server as tests of the engine use it: started, asked for its ports, counted.
 *
 * Owns: the process. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_HTTP_SERVER_H
#define GF_TESTS_SUPPORT_HTTP_SERVER_H

#include "tests/support/process.h"

#include <stdbool.h>
#include <stddef.h>

enum { HTTP_SERVER_PORTS_MAX = 16 };

struct http_server {
    struct process *process;
    pid_t pid;
    int port;                         /* the first one */
    int ports[HTTP_SERVER_PORTS_MAX]; /* all, HTTP first */
    int port_count;
    bool sanitized; /* built with a sanitizer: slower, and it says nothing about speed */
};

/* Starts it with these arguments (NULL at the end; NULL: none) and waits until it serves. NULL: it does not; shown. */
struct http_server *http_server_start(const char *const *arguments);

/* Ends it by SIGTERM: its exit status; -1 if it was killed or had to be. Frees it. NULL is fine (0). */
int http_server_stop(struct http_server *s);

/* The file descriptors that it has open. */
int http_server_descriptors(const struct http_server *s);
/* Waits until these are no more than count: 0 or -ETIMEDOUT. */
int http_server_wait_descriptors(const struct http_server *s, int count, int timeout_ms);

/* Whether "/" is answered as it should be, over a connection of its own. */
bool http_server_serves(const struct http_server *s);

#endif
