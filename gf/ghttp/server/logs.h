/*
 * A server's logs: opens what its settings ask for, and has its service write there. Thread: the start's.
 */
#ifndef GF_GHTTP_SERVER_LOGS_H
#define GF_GHTTP_SERVER_LOGS_H

#include <stddef.h>

#include <gf/ghttp/ghttp.h>

#include "access_line.h"

struct gf_logger;

/* Once opened they stay open until the process ends, for requests may outlast their server. */
struct gf_server_logs {
    struct gf_logger *access;          /* the file; NULL: none */
    struct gf_logger *access_terminal; /* standard output; NULL: not there */
    struct gf_logger *error;           /* the file; NULL: none */
    enum gf_access_format access_format, error_format;
};

/* Opens the logs, once. 0, or a negative errno with a sentence. */
int gf_server_open_logs(ghttp_server *s, char *error, size_t error_size);

/* Names them to the service, which has just been filled. */
void gf_server_attach_logs(ghttp_server *s);

#endif
