/**
 * @file ghttp_middleware.h
 * Middleware that is ready to be used.
 * Part of <gf/ghttp/ghttp.h>, whose first lines hold here too.
 */
#ifndef GF_GHTTP_MIDDLEWARE_H
#define GF_GHTTP_MIDDLEWARE_H

#include <stdbool.h>
#include <stddef.h>

#include <gf/ghttp/ghttp_types.h>

GF_BEGIN_DECLS

/* ---- servers: ready-made middleware ----------------------------------------------------------- */
/*
 * For ghttp_server_use_with(), ghttp_server_bind_middleware_with() and ghttp_group_use_with(), with their options as
 * the argument. Options, and all texts in them, stay the caller's and live as long as the server; a member that is zero
 * has its default.
 *
 * None of it runs for the files that the server serves by itself (ghttp_files.h), authentication and limits included.
 */

/** Whose pages a browser lets read the answers of this server. */
typedef struct ghttp_cors {
    const char *origins;         /**< "https://a.example,https://b.example:8443"; NULL or "*": any */
    const char *methods;         /**< NULL: all that routes can be bound to */
    const char *headers;         /**< of requests; NULL: Origin,Content-Type,Accept,User-Agent,Cookie,Authorization,
                                      X-Auth-Token,X-Requested-With */
    const char *exposed_headers; /**< of answers, besides those that every page may read; NULL: none */
    bool credentials;            /**< cookies and logins too; only with named origins, it is ignored without */
    int max_age;                 /**< seconds for which a browser may keep the answer; 0: 3628800; below: none */
} ghttp_cors;

/**
 * Cross-origin requests: answers a browser's question in advance (OPTIONS with Access-Control-Request-Method) by 204,
 * without going on, and marks the answers to what it then sends. Argument: const ghttp_cors *, or NULL for every
 * origin, without credentials.
 */
GF_API void ghttp_middleware_cors(ghttp_request *r);

/**
 * Answers that all look alike: `{"code":0,"message":"OK","data":…}`, with what ghttp_response_set_data() and
 * ghttp_response_set_error() were given. Without an error the code is 0 for a status of 200 to 299, 61 for 403, 65 for
 * 404 and 64 with the status's text for others. What the other middleware here refuses (400, 401, 403, 429) gets this
 * shape too where it runs further in. Leaves answers alone that have a body, redirections, and streams
 * (text/event-stream, application/octet-stream, multipart/x-mixed-replace). No argument.
 */
GF_API void ghttp_middleware_response(ghttp_request *r);

/** Answers 400 (code 53) to a body that is not JSON; requests without a body go on, and those whose handler reads the
 * body itself (ghttp_server_bind_streaming()). No argument. */
GF_API void ghttp_middleware_json_body(ghttp_request *r);

/** A user and his password. */
typedef struct ghttp_user {
    const char *name;
    const char *password;
} ghttp_user;

/** Who may enter by name and password. */
typedef struct ghttp_basic_auth {
    const char *realm;       /**< what the browser shows; NULL: "restricted" */
    const ghttp_user *users; /**< ended by one without a name; or NULL */
    /** Or asked, where users has no such pair; may block. NULL: nobody is. */
    bool (*check)(ghttp_request *r, const char *name, const char *password);
} ghttp_basic_auth;

/**
 * HTTP's basic authentication: 401 to all others. Passwords are compared in constant time. The name is to be had from
 * ghttp_request_user(). Argument: const ghttp_basic_auth *; without it every answer is a 500.
 */
GF_API void ghttp_middleware_basic_auth(ghttp_request *r);

/** Who may enter by a token. */
typedef struct ghttp_bearer_auth {
    const char *realm;         /**< NULL: "restricted" */
    const char *const *tokens; /**< ended by NULL; or NULL */
    /** Or asked, where tokens does not have it; may block. NULL: nobody is. */
    bool (*check)(ghttp_request *r, const char *token);
} ghttp_bearer_auth;

/** The same for `Authorization: Bearer <token>`. Argument: const ghttp_bearer_auth *; without it every answer is a 500.
 */
GF_API void ghttp_middleware_bearer_auth(ghttp_request *r);

/**
 * Gives each request an id, in X-Request-Id of the answer: the one of the request's own X-Request-Id if that is 1 to
 * 128 letters, digits and `._-`, else 32 random hexadecimal digits. To be had from ghttp_request_id(). No argument.
 */
GF_API void ghttp_middleware_request_id(ghttp_request *r);

/** A limit on the requests of each client. */
typedef struct ghttp_rate_limit ghttp_rate_limit;

/**
 * @param per_second how many requests of a client are served in the long run, 0.001 to 1,000,000.
 * @param burst how many at once after a pause, 1 to 1,000,000.
 * @return a limit, to be used for one server or several; NULL with errno EINVAL or ENOMEM. Some 2 MiB: it remembers up
 *         to 65,536 clients, and forgets those first that are farthest from their limit.
 * Thread: any thread.
 */
GF_API ghttp_rate_limit *ghttp_rate_limit_new(double per_second, unsigned burst);

/** Not before all servers that use it have stopped. NULL is fine. */
GF_API void ghttp_rate_limit_free(ghttp_rate_limit *limit);

/**
 * Answers 429 with Retry-After to a client, told by ghttp_request_client_ip() (of IPv6 the /64), that sends more than
 * its limit. Argument: ghttp_rate_limit *; without it every answer is a 500.
 */
GF_API void ghttp_middleware_rate_limit(ghttp_request *r);

/** How long what is further in may take. */
typedef struct ghttp_timeout {
    int ms;              /**< milliseconds, 1 to 86,400,000 (a day) */
    int status;          /**< of the answer of who takes longer; 0: 503, as Go's http.TimeoutHandler */
    const char *message; /**< its body, plain text; NULL: the status's text */
} ghttp_timeout;

/**
 * Answers for a handler, and middleware between, that takes longer than the limit, at that moment. The handler itself
 * cannot be ended: it runs on, on its own thread, until it returns. Its request stays valid so long, but what it writes
 * goes nowhere, and changes of its session are not saved; ghttp_request_time_left() tells it. A drain waits for it.
 *
 * Within the limit nothing can be sent early: ghttp_response_flush() returns -ENOTSUP. A request takes two threads of
 * `handlerThreads`, and where there is no second one it is answered 503 with Retry-After. Of two limits, one in the
 * other, the shorter counts. A handler that reads its body itself (ghttp_server_bind_streaming()) is not left to run
 * on, and takes no second thread: at the limit ghttp_request_read() returns -ETIMEDOUT, and the answer is the limit's
 * when it returns. Argument: const ghttp_timeout *; without it every answer is a 500.
 */
GF_API void ghttp_middleware_timeout(ghttp_request *r);

/**
 * Compresses bodies of 1,024 bytes and more in the coding that the client likes best, by the weights of its
 * Accept-Encoding: Zstandard (`zstd`), Brotli (`br`) or gzip, in this order where it likes several as well; the first
 * two where the library was built with them. Left alone are bodies that have a Content-Encoding, and types that are
 * compressed already (images, sound, video, archives). Runs round what writes the body, so it is to be bound before. An
 * answer that mixes a secret with text of the request should not be compressed: its size tells about the secret. No
 * argument.
 */
GF_API void ghttp_middleware_compress(ghttp_request *r);

/** The same with gzip alone, as GoFrame has it. No argument. */
GF_API void ghttp_middleware_gzip(ghttp_request *r);

GF_END_DECLS

#endif
