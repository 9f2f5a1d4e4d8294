/*
 * The request as the library sees it: what came over the wire, what was found in it, and its response.
 *
 * The engine fills the first part before anything above it sees the request; the wire strings live as
 * long as the request does. Thread: one at a time, whoever has the request.
 */
#ifndef GF_GHTTP_MESSAGE_REQUEST_H
#define GF_GHTTP_MESSAGE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include <gf/ghttp/ghttp.h>

#include "buffer.h"
#include "fields.h"
#include "spool.h"

struct gf_arena;
struct gf_before_output;
struct gf_chain;
struct gf_error_log;
struct gf_route;
struct gf_session;
struct gf_slice;
struct gf_step;

/* A response may take this much memory: an accident in a handler must not take the process with it. */
#define GF_RESPONSE_BODY_MAX ((size_t)64 << 20)
/* A request's arena: parameters, values, copies; the body has a limit of its own. */
#define GF_REQUEST_ARENA_MAX ((size_t)64 << 20)

/* What the handler has made so far; the engine turns it into an answer. */
struct gf_response {
    int status;
    struct gf_fields headers; /* names and values in the arena */
    struct gf_buffer body;
    int file_fd;            /* the body comes from this file instead; -1: it does not */
    const void *file_bytes; /* it is these, which live as long as the request; NULL: it is not */
    off_t file_offset, file_size;
    bool sent;           /* status and headers are on the wire: they cannot be changed any more */
    bool failed;         /* could not be made as the handler wanted it: the client gets a 500 */
    bool final;          /* what is written from now on is ignored */
    bool answered;       /* somebody has said what the answer is, were it an empty body or the status that it had */
    bool has_headers;    /* headers were set, since this was last looked at (gf_flow_run_handler()) */
    const char *failure; /* why, for the log; stays when another response has taken its place */
    /* where in the program's text it failed, as far as that is known: the program's own constants, or NULL */
    const char *failure_file, *failure_function;
    int failure_line;
};

/* How far a request has come on its way through the chain; the route floor's. */
struct gf_way {
    const struct gf_chain *chain;
    const struct gf_slice *segments; /* of the path, decoded, for patterns to be compared with */
    size_t segment_count;
    const struct gf_step *step; /* the middleware or hook that runs; NULL: the handler */
    size_t next;                /* number of the middleware whose turn it is */
    unsigned method;            /* for patterns to be compared with: a bit of method.h */
    bool may_go_on;             /* the running middleware has not called ghttp_request_next() yet */
    bool handled;               /* the handler of the route has run */
    bool refused;               /* answered before it had a path: only status handlers run */
    bool preflight;             /* OPTIONS that asks about another method: that one's handler does not run */
    bool exited;                /* ghttp_request_exit() */
    bool exited_all;            /* ghttp_request_exit_all() */
    bool hooks_exited;          /* ghttp_request_exit_hook(), for the hooks of one moment */
};

/* What the engine does for a response before its handler has ended. */
struct gf_transport {
    /* Sends what the response has so far; from then on it is a stream. 0, -EPIPE: the client has gone, or -ENOMEM,
     * -EAGAIN. */
    int (*flush)(struct ghttp_request *r);
    /* The next bytes of a body that is streamed: their number, 0 at its end, or -EMSGSIZE, -ETIMEDOUT, -ECONNRESET,
     * -EPIPE. Waits for them. */
    ssize_t (*read)(struct ghttp_request *r, void *data, size_t size);
};

struct ghttp_request {
    struct gf_arena *arena;
    const struct gf_transport *transport; /* NULL: nothing can be sent early */

    /* filled by the engine */
    ghttp_server *server;
    const char *method;
    const char *target;       /* as sent */
    const char *host;         /* without port, lower case; "" if none */
    struct gf_fields headers; /* as sent, values trimmed */
    struct gf_buffer body;    /* to be read once it is whole; see spool.h */
    struct gf_spool spool;
    bool streamed;    /* the body is not collected: the handler reads it from the transport */
    size_t body_read; /* of a collected body, by ghttp_request_read() */
    bool secure;
    const struct gf_proxies *proxies;     /* whose word on where it comes from counts; NULL: nobody's */
    const struct gf_error_log *error_log; /* who hears what went wrong with it; NULL: the log */
    const char *version;                  /* of the protocol; NULL: not read yet */
    int64_t began_ms;                     /* the first line is in, CLOCK_MONOTONIC; 0: it is not */
    struct sockaddr_storage peer;
    socklen_t peer_size;

    /* found in the target by gf_request_parse_target() */
    const char *path;     /* decoded */
    const char *raw_path; /* as sent, without query; routes are matched on this */
    const char *query;    /* as sent, without '?'; "" if none */

    /* parsed when first asked for */
    struct gf_fields query_fields;
    struct gf_fields form_fields;
    struct gf_fields router_fields; /* set by the router */
    struct gf_fields custom_fields; /* set by the program; a value of NULL is none */
    struct gf_fields cookies;
    bool query_parsed;
    bool query_bad;   /* malformed, or too many parameters: no value of it is given out */
    bool form_parsed; /* form_fields, uploads, members */
    bool form_bad;
    const struct ghttp_upload *uploads; /* in the body's order */
    size_t upload_count;
    const struct cJSON *members; /* the body's, when it is a JSON object sent as such; part of json */
    bool cookies_parsed;
    struct cJSON *json;
    bool json_parsed;
    const struct gf_field_error *field_errors; /* of validation.c, the last ghttp_request_parse()'s */
    const char *remote_ip;
    const char *client_ip;

    /* the way through the chain */
    const struct gf_route *route;
    unsigned allowed_methods; /* when no route fits the method: those that there are (router.h) */
    struct gf_way way;
    struct gf_value *values;
    int64_t deadline_ms; /* of ghttp_middleware_timeout(), CLOCK_MONOTONIC; 0: none */

    struct gf_session *session; /* the service floor's; NULL: nobody has asked for it */
    struct gf_before_output *before_output;

    struct gf_response response;
};

/* A request with nothing in it, body_max bytes of body at most. The arena belongs to the caller, who
 * resets it after gf_request_finish(). */
void gf_request_init(struct ghttp_request *r, struct gf_arena *arena, size_t body_max);
/* Gives back what is not in the arena. */
void gf_request_finish(struct ghttp_request *r);

/*
 * Splits and decodes target into path, raw_path and query. Absolute form ("http://host/path") and "*" are
 * understood. 0; -EINVAL for bad percent-encoding, for an encoded or a plain NUL, for a fragment or a
 * target that does not begin with '/': the client gets a 400. -ENOMEM.
 */
int gf_request_parse_target(struct ghttp_request *r);

/*
 * The host of an authority ("Example.org:8080", "[::1]:80") in lower case, without the port, with the brackets of
 * an IPv6 address, in the arena. For Host headers too. 0; -EINVAL (user information, blanks, an empty host), -ENOMEM.
 */
int gf_host_parse(struct gf_arena *arena, const char *authority, size_t size, const char **ret_host);

/* Percent-decodes size bytes into the arena; '+' becomes a blank where plus is set. NULL: bad encoding
 * or an encoded NUL (errno EINVAL), or no memory (errno ENOMEM). */
char *gf_percent_decode(struct gf_arena *arena, const char *text, size_t size, bool plus);

/*
 * Has fn(r, arg) called once before the head of the response is sent: when the handler has ended, or by the first
 * flush. What is asked for after a flush is called when the handler has ended. 0 or -ENOMEM.
 */
int gf_request_before_output(struct ghttp_request *r, void (*fn)(struct ghttp_request *r, void *arg), void *arg);
/* Calls them, in the order in which they were asked for. */
void gf_request_run_before_output(struct ghttp_request *r);

/* Gives a request values of its own in the place of those that it shares with another one (twin.h). 0 or -ENOMEM. */
int gf_request_copy_values(struct ghttp_request *r);

/* Sets a header in the place of another one, or beside all others (NULL), with the checks of value and limits of
 * ghttp_response_set_header(). */
int gf_response_put_header(struct ghttp_request *r, struct gf_field *replaced, const char *name, const char *value);

/* Takes the body apart as its Content-Type says, once. */
void gf_request_parse_body(struct ghttp_request *r);

/* Puts a response into the state that a handler finds it in: 200, no headers, no body. */
void gf_response_reset(struct ghttp_request *r);

/* The same, but for the headers that say nothing about the body: what CORS, cookies and request ids have set counts for
 * whatever comes in the place of this response. Why it has failed stays known. */
void gf_response_take_back(struct ghttp_request *r);

/* size bytes of the file from offset become the body; fd is the response's in every outcome. */
void gf_response_set_file(struct ghttp_request *r, int fd, off_t offset, off_t size);
/* size bytes that live as long as the request become the body, without a copy. */
void gf_response_set_file_bytes(struct ghttp_request *r, const void *bytes, off_t size);
/* Whether status and headers are what they will be: on the wire, or final. */
bool gf_response_is_settled(const struct ghttp_request *r);
/* Whether the body is a file's, by descriptor or by bytes: it is sent when the handler has ended. */
bool gf_response_has_file(const struct ghttp_request *r);

/* Says that the body is plain text, of a response that has no Content-Type. 0 or a negative errno. */
int gf_response_default_type(struct ghttp_request *r);

#endif
