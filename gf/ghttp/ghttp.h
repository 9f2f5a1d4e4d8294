/**
 * @file ghttp.h
 * HTTP and HTTPS servers: the whole public interface of the package.
 *
 * Three phrases say which thread may call a function:
 *  - *before start*: while the program sets its servers up, before ghttp_server_start();
 *  - *any thread*: at any time, from everywhere;
 *  - *the request's own thread*: inside the handler that was given the request.
 *
 * Functions that set a server up return 0 or a negative errno, and leave a readable message on the
 * server (ghttp_server_error()). A server with such a message refuses to start and logs it, so that a
 * program need not look at each result.
 *
 * Text is UTF-8. What a function gives out about a request (`const char *`) lives until that request
 * ends; handlers free nothing.
 */
#ifndef GF_GHTTP_H
#define GF_GHTTP_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <time.h>

#include <gf/export.h>

struct cJSON;

GF_BEGIN_DECLS

/** A server: a name, its ports, its routes. Lives as long as the process. */
typedef struct ghttp_server ghttp_server;

/** One request and its response, from the complete request to the last byte of the answer. */
typedef struct ghttp_request ghttp_request;

/**
 * What serves a request: plain C that may block as long as it likes. A handler that blocks has its
 * event loop taken away and given to another thread, so that no other request waits for it.
 */
typedef void ghttp_handler(ghttp_request *r);

/* ---- servers: names and life ------------------------------------------------------------------ */

/** The same as g_server(). Thread: any thread. */
GF_API ghttp_server *ghttp_server_get(const char *name);

/** The name of the server ("default" for the nameless one); owned by it. Thread: any thread. */
GF_API const char *ghttp_server_name(const ghttp_server *s);

/**
 * Opens the ports and begins to serve; returns once it serves (in a process that a restart has started, clients are
 * let in when all servers are up, in g_wait()). In a process that is ending already (a signal came
 * meanwhile) it does nothing and returns 0, so that the program goes on to g_wait() and the others end in order.
 *
 * @return 0, or a negative errno: then nothing of this server is left behind, the reason is logged and
 *         to be had from ghttp_server_error().
 * Thread: any thread, once for each server.
 */
GF_API int ghttp_server_start(ghttp_server *s);

/**
 * ghttp_server_start(), then g_wait().
 * @return the exit status for main(): 0, or 1 when the server did not start.
 * Thread: the thread that runs main().
 */
GF_API int ghttp_server_run(ghttp_server *s);

/**
 * Stops this server: closes its ports, lets the requests in flight finish (at most
 * `gracefulShutdownTimeout`). The other servers of the process go on. Returns at once.
 * @return 0, or -EINVAL when it does not run.
 * Thread: any thread, handlers included.
 */
GF_API int ghttp_server_shutdown(ghttp_server *s);

/**
 * Replaces the process by a new one that takes over all ports of all servers, without a failed request.
 * Blocks until the new process serves and this one has stopped accepting, or until it has failed; in
 * the latter case this process serves on as if nothing had been.
 *
 * @param new_exe_path the executable; NULL or "": the one by which this process was started.
 * @return 0 once the new process serves; else a negative errno: -EBUSY when a restart or a shutdown is
 *         under way or too many processes of earlier restarts still end their requests, -ECANCELED when a shutdown
 *         was asked for meanwhile, -ENOENT/-EACCES/-ENOEXEC for an executable that cannot be started, -ETIMEDOUT when
 *         it did not become ready within `gracefulReadyTimeout`, -ECHILD when it ended before.
 * Thread: any thread, handlers included.
 */
GF_API int ghttp_restart_all(const char *new_exe_path);

/** A process restarts whole, with all its servers: the same as ghttp_restart_all(). Thread: any thread. */
GF_API int ghttp_server_restart(ghttp_server *s, const char *new_exe_path);

/**
 * Ends the process in order: all ports close at once, requests in flight finish (at most
 * `gracefulShutdownTimeout`), then g_wait() returns. Returns at once.
 * @return 0, or -EINVAL when no server runs.
 * Thread: any thread, handlers included.
 */
GF_API int ghttp_shutdown_all(void);

/** What went wrong with this server, as a sentence; "" if nothing has. Thread: any thread. */
GF_API const char *ghttp_server_error(ghttp_server *s);

/**
 * The TCP ports on which the server really listens, `:0` resolved, in the order of its addresses, HTTP first.
 * @param ports room for n numbers, or NULL.
 * @return how many there are, which can be more than n; 0 while it does not serve.
 * Thread: any thread.
 */
GF_API int ghttp_server_listened_ports(ghttp_server *s, int *ports, size_t n);

/* ---- servers: addresses and settings ---------------------------------------------------------- */

/**
 * The ports for HTTP, on all addresses, IPv4 and IPv6: `ghttp_server_set_port(s, 8100, 8200)`. 0 lets the
 * system choose one.
 * @return 0 or -EINVAL. Thread: before start.
 */
#define ghttp_server_set_port(server, ...)                                                                             \
    ghttp_server_set_ports((server), (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/** The same for HTTPS. Thread: before start. */
#define ghttp_server_set_https_port(server, ...)                                                                       \
    ghttp_server_set_https_ports((server), (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/** What ghttp_server_set_port() calls: n ports for HTTP, each 0..65535. Thread: before start. */
GF_API int ghttp_server_set_ports(ghttp_server *s, const int *ports, size_t n);

/** What ghttp_server_set_https_port() calls. Thread: before start. */
GF_API int ghttp_server_set_https_ports(ghttp_server *s, const int *ports, size_t n);

/**
 * The addresses for HTTP as a comma list, replacing what was set before: `8100`, `:8100`,
 * `127.0.0.1:8200`, `[::1]:8300`, `unix:/run/a.sock`.
 * @return 0 or -EINVAL with a message. Thread: before start.
 */
GF_API int ghttp_server_set_address(ghttp_server *s, const char *list);

/** The same for HTTPS. Thread: before start. */
GF_API int ghttp_server_set_https_address(ghttp_server *s, const char *list);

/**
 * The certificate (chain) and the private key for HTTPS, PEM files; read at the start, and anew at each
 * restart. With no HTTPS address set, HTTPS takes over the HTTP addresses if there are some, else :443.
 * @return 0 or -EINVAL. Thread: before start.
 */
GF_API int ghttp_server_enable_https(ghttp_server *s, const char *cert_path, const char *key_path);

/**
 * The page that shows the process and restarts or ends it, with `/restart` and `/shutdown` below it.
 * Open to peers on loopback or a Unix socket only, or to whoever brings the token of the setting
 * `adminToken`.
 * @param pattern where it is; NULL: /debug/admin.
 * @return 0 or a negative errno. Thread: before start.
 */
GF_API int ghttp_server_enable_admin(ghttp_server *s, const char *pattern);

/**
 * Whether a restart hands the ports over without a gap (true) or drains, closes and executes anew
 * (false, the default as in GoFrame). Graceful as soon as one server of the process asks for it.
 * @return 0. Thread: before start.
 */
GF_API int ghttp_server_set_graceful(ghttp_server *s, bool on);

/**
 * Any setting by its configuration key, case and `-`, `_`, blanks in it ignored:
 * `ghttp_server_set(s, "clientMaxBodySize", "8m")`. docs/settings.md lists them.
 * @return 0; -ENOENT for an unknown key, -EINVAL for a bad value, with a message.
 * Thread: before start.
 */
GF_API int ghttp_server_set(ghttp_server *s, const char *key, const char *value);

/* ---- servers: configuration files ------------------------------------------------------------- */

/**
 * The YAML or JSON file from which this server takes its settings when it starts, in place of the one that gcfg_find()
 * finds: the map `server.<name>` in it, else the map `server`. What the program has set by a function counts more than
 * the environment (`GF_SERVER_<KEY>`, `GF_SERVER_<NAME>_<KEY>`), and that more than the file, in whatever order that
 * was. docs/configuration.md has the rest. A new process reads the file anew.
 *
 * @param path relative to the working folder at the start of the server.
 * @return 0, -EINVAL or -ENOMEM. A file that cannot be read, or says something wrong, fails the start.
 * Thread: before start.
 */
GF_API int ghttp_server_set_config_file(ghttp_server *s, const char *path);

/* ---- servers: routes -------------------------------------------------------------------------- */

/**
 * Binds a handler to a pattern `[METHOD:]/path[@domain]`. Segments of the path may be `:name` (one
 * segment), `*name` (the rest, also empty) or contain `{name}`. Without a method it serves all.
 * @return 0, -EINVAL for a bad pattern, -EEXIST for one that is bound already.
 * Thread: before start.
 */
GF_API int ghttp_server_bind(ghttp_server *s, const char *pattern, ghttp_handler *fn);

/** The same with an argument for the handler (ghttp_request_arg()); the caller keeps it alive. Thread: before start. */
GF_API int ghttp_server_bind_with(ghttp_server *s, const char *pattern, ghttp_handler *fn, void *arg);

/* ---- servers: files ---------------------------------------------------------------------------- */
/*
 * A server whose program names a folder here answers GET and HEAD with its files: a file comes before a route, a route
 * before a folder. Nothing outside of the folders is ever served, nor are names that begin with a dot (but
 * `.well-known`). docs/files.md says more. A server may have files and no route.
 */

/** The folder of files for all paths, the first to be searched: the setting `serverRoot`. Thread: before start. */
GF_API int ghttp_server_set_root(ghttp_server *s, const char *folder);
/** Another one, searched behind those before it. At most 16. @return 0, -EINVAL, -ENOSPC. Thread: before start. */
GF_API int ghttp_server_add_search_path(ghttp_server *s, const char *folder);
/**
 * A folder for the paths below a prefix, searched before those for all paths, the longest prefix first: with
 * ("/assets", "/srv/a"), `/assets/x.css` is `/srv/a/x.css`. At most 64. @return 0, -EINVAL, -ENOSPC.
 * Thread: before start.
 */
GF_API int ghttp_server_add_static_path(ghttp_server *s, const char *prefix, const char *folder);
/** The files that stand for their folder, as a comma list: the setting `indexFiles`. Thread: before start. */
GF_API int ghttp_server_set_index_files(ghttp_server *s, const char *list);
/** Whether a folder without such a file is listed (else: 403): the setting `indexFolder`. Thread: before start. */
GF_API int ghttp_server_set_index_folder(ghttp_server *s, bool on);
/**
 * Requests for exactly the path `from` are served, by files and routes, as if they were for `to`. Both begin with '/'
 * and have no percent-encoding and no query. At most 256. @return 0, -EINVAL, -EEXIST, -ENOSPC, -ENOMEM.
 * Thread: before start.
 */
GF_API int ghttp_server_set_rewrite(ghttp_server *s, const char *from, const char *to);
/** What ghttp_server_routes() tells of a binding; the texts live as long as the server. */
typedef struct ghttp_route {
    const char *method;     /**< "GET", or "ALL" */
    const char *domain;     /**< "default" for all hosts */
    const char *path;       /**< as bound, without method and domain */
    const char *handler;    /**< the function's name as far as it is known, else where it is: "server+0x1c40" */
    const char *middleware; /**< of a route, that of its groups: "log, authorize", or "";
                                 of middleware "MIDDLEWARE", or "GLOBAL MIDDLEWARE" where it is for every request */
    const char *place;      /**< where it was bound: "main.c:42"; "" if that is not known */
} ghttp_route;

/**
 * Tells fn of each binding: middleware, then routes, in the order of their binding.
 * @return how many there are. Thread: any thread, after the set-up.
 */
GF_API int ghttp_server_routes(ghttp_server *s, void (*fn)(const ghttp_route *route, void *arg), void *arg);

/* ---- servers: middleware, hooks, statuses ----------------------------------------------------- */
/*
 * Middleware is a handler that runs round others: what it does before ghttp_request_next(r) comes before them, what
 * it does afterwards sees their response, and where it does not call it, nothing further in runs. docs/routing.md
 * tells the order of everything.
 */

/**
 * Middleware for every request of the server, also for those that find no route (404, 405, OPTIONS). It runs
 * before that of patterns and groups, in the order of these calls.
 * @return 0 or a negative errno. Thread: before start.
 */
GF_API int ghttp_server_use(ghttp_server *s, ghttp_handler *middleware);

/** The same with an argument (ghttp_request_arg()); the caller keeps it alive. Thread: before start. */
GF_API int ghttp_server_use_with(ghttp_server *s, ghttp_handler *middleware, void *arg);

/**
 * Middleware for the requests that a pattern `[METHOD:]/path[@domain]` fits, whether they find a route or not; the
 * pattern of the route does not matter. Runs after that of ghttp_server_use() and before that of groups, in the order
 * of these calls. What is bound for GET runs for HEAD too. Parameters of the pattern are given to nobody.
 * @return 0 or a negative errno. Thread: before start.
 */
GF_API int ghttp_server_bind_middleware(ghttp_server *s, const char *pattern, ghttp_handler *middleware);

/** The same with an argument (ghttp_request_arg()); the caller keeps it alive. Thread: before start. */
GF_API int ghttp_server_bind_middleware_with(ghttp_server *s, const char *pattern, ghttp_handler *middleware,
                                             void *arg);

/** The moments of a request at which hooks run, in this order. */
typedef enum ghttp_hook {
    GHTTP_HOOK_BEFORE_SERVE,  /**< before middleware and handler */
    GHTTP_HOOK_AFTER_SERVE,   /**< after them */
    GHTTP_HOOK_BEFORE_OUTPUT, /**< after the handlers of statuses: the last moment to change the response */
    GHTTP_HOOK_AFTER_OUTPUT   /**< the response is final and is about to be sent: what is written is ignored */
} ghttp_hook;

/**
 * A hook: runs at a moment of every request that the pattern fits, whether it finds a route or not. Hooks of one moment
 * run in the precedence of their patterns, the most specific first (as routes have it), then in the order of these
 * calls.
 * @return 0 or a negative errno. Thread: before start.
 */
GF_API int ghttp_server_bind_hook(ghttp_server *s, const char *pattern, ghttp_hook when, ghttp_handler *fn);

/**
 * A handler for all responses that end with this status (201..599; 200 has none), the library's own (404, 405, 400,
 * 500) included. It finds an empty body; if it writes one, that replaces the one from before, with its Content-Type,
 * and else that one stays. It may change status and headers; a changed status calls no other handlers. Several for one
 * status all run: those of the host first, then in the order of these calls. They do not run for what is refused before
 * it is a request (408, 413, 431, 503).
 * @return 0 or a negative errno. Thread: before start.
 */
GF_API int ghttp_server_bind_status(ghttp_server *s, int status, ghttp_handler *fn);

/** The same for the requests of one host, without a port. Thread: before start. */
GF_API int ghttp_server_bind_status_domain(ghttp_server *s, int status, const char *domain, ghttp_handler *fn);

/* ---- servers: groups -------------------------------------------------------------------------- */

/** Routes with a common beginning and common middleware. Lives as long as its server. */
typedef struct ghttp_group ghttp_group;

/**
 * A group of routes under a prefix: "/api", "/api@example.org", "/users/:id", "/" for no prefix at all.
 * @return the group; NULL after an error, which is left on the server: every function takes a NULL group and does
 *         nothing.
 * Thread: before start.
 */
GF_API ghttp_group *ghttp_server_group(ghttp_server *s, const char *prefix);

/**
 * A group inside a group: its prefix comes after the outer one's. It begins with the middleware that the outer one has
 * at this moment. Only one of the two may name a domain.
 * Thread: before start.
 */
GF_API ghttp_group *ghttp_group_group(ghttp_group *g, const char *prefix);

/**
 * Middleware for the routes that are bound to the group, or to groups made in it, after this call. Runs after that
 * of ghttp_server_use() and ghttp_server_bind_middleware(), the outer groups' first.
 * @return 0 or a negative errno; -EINVAL for a NULL group. Thread: before start.
 */
GF_API int ghttp_group_use(ghttp_group *g, ghttp_handler *middleware);

/** The same with an argument (ghttp_request_arg()); the caller keeps it alive. Thread: before start. */
GF_API int ghttp_group_use_with(ghttp_group *g, ghttp_handler *middleware, void *arg);

/**
 * Binds a handler to `[METHOD:]/path[@domain]` below the group's prefix; "" or "/" is the prefix itself.
 * @return as ghttp_server_bind(); -EINVAL for a NULL group, or a domain where the group has one. Thread: before start.
 */
GF_API int ghttp_group_bind(ghttp_group *g, const char *pattern, ghttp_handler *fn);
/** The same with an argument (ghttp_request_arg()); the caller keeps it alive. Thread: before start. */
GF_API int ghttp_group_bind_with(ghttp_group *g, const char *pattern, ghttp_handler *fn, void *arg);
/** Binds a handler to a path of the group for all methods. Thread: before start. */
GF_API int ghttp_group_all(ghttp_group *g, const char *path, ghttp_handler *fn);
/** For GET, and with it HEAD. Thread: before start. */
GF_API int ghttp_group_get(ghttp_group *g, const char *path, ghttp_handler *fn);
/** For POST. Thread: before start. */
GF_API int ghttp_group_post(ghttp_group *g, const char *path, ghttp_handler *fn);
/** For PUT. Thread: before start. */
GF_API int ghttp_group_put(ghttp_group *g, const char *path, ghttp_handler *fn);
/** For PATCH. Thread: before start. */
GF_API int ghttp_group_patch(ghttp_group *g, const char *path, ghttp_handler *fn);
/** For DELETE. Thread: before start. */
GF_API int ghttp_group_delete(ghttp_group *g, const char *path, ghttp_handler *fn);
/** For HEAD. Thread: before start. */
GF_API int ghttp_group_head(ghttp_group *g, const char *path, ghttp_handler *fn);
/** For OPTIONS. Thread: before start. */
GF_API int ghttp_group_options(ghttp_group *g, const char *path, ghttp_handler *fn);

/**
 * Says from where the next set-up call of this thread comes, for lists of routes and messages. The macros below do it
 * in C programs; a call without them, from C++ for instance, works without.
 * Thread: before start.
 */
GF_API void ghttp_note_place(const char *handler, const char *file, int line);

#ifndef __cplusplus
/** @cond */
#define ghttp_server_bind(s, pattern, fn)                                                                              \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_server_bind((s), (pattern), (fn)))
#define ghttp_server_bind_with(s, pattern, fn, arg)                                                                    \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_server_bind_with((s), (pattern), (fn), (arg)))
#define ghttp_server_use(s, fn) (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_server_use((s), (fn)))
#define ghttp_server_use_with(s, fn, arg)                                                                              \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_server_use_with((s), (fn), (arg)))
#define ghttp_server_bind_middleware(s, pattern, fn)                                                                   \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_server_bind_middleware((s), (pattern), (fn)))
#define ghttp_server_bind_middleware_with(s, pattern, fn, arg)                                                         \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_server_bind_middleware_with((s), (pattern), (fn), (arg)))
#define ghttp_group_use(g, fn) (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_use((g), (fn)))
#define ghttp_group_use_with(g, fn, arg)                                                                               \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_use_with((g), (fn), (arg)))
#define ghttp_group_bind(g, pattern, fn)                                                                               \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_bind((g), (pattern), (fn)))
#define ghttp_group_bind_with(g, pattern, fn, arg)                                                                     \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_bind_with((g), (pattern), (fn), (arg)))
#define ghttp_group_all(g, path, fn) (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_all((g), (path), (fn)))
#define ghttp_group_get(g, path, fn) (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_get((g), (path), (fn)))
#define ghttp_group_post(g, path, fn) (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_post((g), (path), (fn)))
#define ghttp_group_put(g, path, fn) (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_put((g), (path), (fn)))
#define ghttp_group_patch(g, path, fn) (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_patch((g), (path), (fn)))
#define ghttp_group_delete(g, path, fn)                                                                                \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_delete((g), (path), (fn)))
#define ghttp_group_head(g, path, fn) (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_head((g), (path), (fn)))
#define ghttp_group_options(g, path, fn)                                                                               \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_options((g), (path), (fn)))
/** @endcond */
#endif

/* ---- servers: ready-made middleware ----------------------------------------------------------- */
/*
 * For ghttp_server_use_with(), ghttp_server_bind_middleware_with() and ghttp_group_use_with(), with their options as
 * the argument. Options, and all texts in them, stay the caller's and live as long as the server; a member that is zero
 * has its default.
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
 * ghttp_response_set_error() were given. Without an error the code of a status that is not 200 is 61 for 403, 65 for
 * 404 and 64 for others. Leaves answers alone that have a body, redirections, and streams (text/event-stream,
 * application/octet-stream, multipart/x-mixed-replace). No argument.
 */
GF_API void ghttp_middleware_response(ghttp_request *r);

/** Answers 400 to a body that is not JSON; requests without a body go on. No argument. */
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

/**
 * Compresses bodies of 1,024 bytes and more for clients that accept gzip, unless they have a Content-Encoding or are
 * of a type that is compressed already (images, sound, video, archives). Runs round what writes the body, so it is to
 * be bound before. An answer that mixes a secret with text of the request should not be compressed: its size tells
 * about the secret. No argument.
 */
GF_API void ghttp_middleware_gzip(ghttp_request *r);

/**
 * Names the proxies whose X-Forwarded-For is believed, for ghttp_request_client_ip(): the address farthest to the right
 * that is not one of theirs. It counts from here on, so call it before binding middleware that asks.
 * @param list addresses and networks: "127.0.0.1, 10.0.0.0/8, fd00::/8, unix".
 * @return 0 or -EINVAL, -ENOMEM. Thread: before start.
 */
GF_API int ghttp_server_trust_proxies(ghttp_server *s, const char *list);

/* ---- requests --------------------------------------------------------------------------------- */
/* All of these: the request's own thread. What is absent is NULL. */

/** The method as sent: "GET". */
GF_API const char *ghttp_request_method(const ghttp_request *r);
/** The path, percent-decoded, without the query. */
GF_API const char *ghttp_request_path(const ghttp_request *r);
/** The target as it was sent: raw path and query. */
GF_API const char *ghttp_request_target(const ghttp_request *r);
/** The host that the client asked for, without the port; "" in HTTP/1.0 without a Host. */
GF_API const char *ghttp_request_host(const ghttp_request *r);
/** The first header of this name, compared without case. */
GF_API const char *ghttp_request_header(const ghttp_request *r, const char *name);
/** The address at the other end of the connection: "127.0.0.1", "::1", "unix". */
GF_API const char *ghttp_request_remote_ip(ghttp_request *r);
/** The address of the client: behind a proxy of ghttp_server_trust_proxies() the one that it names, else the remote
 * one. Headers alone never change it. */
GF_API const char *ghttp_request_client_ip(ghttp_request *r);
/** Whether it came over TLS. */
GF_API bool ghttp_request_is_https(const ghttp_request *r);
/** The server that was asked. */
GF_API ghttp_server *ghttp_request_server(const ghttp_request *r);

/*
 * Parameters. A query or a form with broken encoding, a NUL in a value or more than 1,000 parameters counts as bad as
 * a whole: none of its values is given out. `+` is a blank in the query and in an urlencoded form. Of a multipart form
 * the final boundary must be there, and no part's headers may outgrow 8 KiB.
 */

/**
 * A value by name, whichever has the higher rank: set by the program (ghttp_request_set_param()), the body's, the
 * query's, the router's (GoFrame's order). The body's are those of a form of either kind, or the texts, numbers, true
 * and false among the members of an application/json object; whole numbers from 2^53 on, which JSON does not carry
 * exactly, read like 1.8e+19.
 */
GF_API const char *ghttp_request_get(ghttp_request *r, const char *name);
/**
 * All values of a name, of `name[]` and of `name[0]`, in their order, from the highest source that has one; of JSON
 * the texts, numbers, true and false of an array.
 * @param ret_count how many; 0 for none.
 * @return the values; NULL for none.
 */
GF_API const char *const *ghttp_request_get_all(ghttp_request *r, const char *name, size_t *ret_count);
/** What ghttp_request_each() calls for a key and its value, which live until the request ends; false ends it. */
typedef bool ghttp_pair(const char *key, const char *value, void *arg);
/**
 * Calls fn for each `prefix[key]`, in their order, of a repeated key with the last value, from the highest source that
 * has one; of JSON for the members of the object `prefix`, each as often as it was sent. `a[b][c]` is key `c` of the
 * prefix `a[b]`.
 * @return how often fn was called.
 */
GF_API size_t ghttp_request_each(ghttp_request *r, const char *prefix, ghttp_pair *fn, void *arg);
/**
 * Sets a parameter, above all that the client has sent; NULL takes it back. Both are copied.
 * @return 0, -EINVAL without a name, or -ENOMEM.
 */
GF_API int ghttp_request_set_param(ghttp_request *r, const char *name, const char *value);
/** Whether the query or the body is bad: a form or an application/json that cannot be read. */
GF_API bool ghttp_request_is_malformed(ghttp_request *r);
/** What a `:name`, `*name` or `{name}` of the pattern stood for, percent-decoded. */
GF_API const char *ghttp_request_router(ghttp_request *r, const char *name);
/** A value of the query string; of a repeated name the last. */
GF_API const char *ghttp_request_query(ghttp_request *r, const char *name);
/** A value of a body in application/x-www-form-urlencoded or multipart/form-data; of a repeated name the last. */
GF_API const char *ghttp_request_form(ghttp_request *r, const char *name);
/** ghttp_request_get() as a whole number; the fallback when it is absent or is not one. */
GF_API long ghttp_request_get_int(ghttp_request *r, const char *name, long fallback);
/** ghttp_request_get() as a number; the fallback when it is absent or is not one. */
GF_API double ghttp_request_get_double(ghttp_request *r, const char *name, double fallback);
/** ghttp_request_get() as true (1, true, on, yes) or false (0, false, off, no, empty); else the fallback. */
GF_API bool ghttp_request_get_bool(ghttp_request *r, const char *name, bool fallback);

/**
 * The whole body.
 * @param ret_size its length in bytes; NULL if that does not matter.
 * @return the bytes, with a 0 after the last, never NULL.
 */
GF_API const void *ghttp_request_body(ghttp_request *r, size_t *ret_size);
/** The body as JSON, parsed once and freed with the request; NULL when it is none. */
GF_API struct cJSON *ghttp_request_json(ghttp_request *r);

/* ---- requests: what the client says of itself ---------------------------------------------------- */
/* All of these: the request's own thread. What is absent is NULL. Nothing here is proof of anything. */

/** A cookie by its name, without the quotes around it; of a repeated name the first, which is the more specific. */
GF_API const char *ghttp_request_cookie(ghttp_request *r, const char *name);
/**
 * User and password of `Authorization: Basic`.
 * @return 0; -ENOENT when there is no such header, -EINVAL when it is malformed, -ENOMEM: then nothing is written.
 */
GF_API int ghttp_request_basic_auth(ghttp_request *r, const char **ret_user, const char **ret_password);
/** Whether `X-Requested-With: XMLHttpRequest` came with it. */
GF_API bool ghttp_request_is_ajax(const ghttp_request *r);
/**
 * The language of a comma list ("en,zh-CN,de") that Accept-Language ranks highest; the first of the list when the
 * client wants none of them or does not say.
 */
GF_API const char *ghttp_request_language(ghttp_request *r, const char *list);
/** The Referer header. */
GF_API const char *ghttp_request_referer(const ghttp_request *r);
/** "https" when it came over TLS, else "http". */
GF_API const char *ghttp_request_scheme(const ghttp_request *r);
/** The URL that was asked for, as sent: "http://example.org:8199/a?b=c"; only "/a?b=c" of HTTP/1.0 without a Host. */
GF_API const char *ghttp_request_url(ghttp_request *r);

/* ---- requests: uploads -------------------------------------------------------------------------- */
/* All of these: the request's own thread. A file is one with a file name, in a body of multipart/form-data. */

/** A file that came with a form; lives until the request ends. */
typedef struct ghttp_upload ghttp_upload;

/** The first file of a name, also of `name[]` and `name[0]`; NULL: there is none, or the form is bad. */
GF_API const ghttp_upload *ghttp_request_file(ghttp_request *r, const char *name);
/** All files of a name (NULL: of every name) in their order; NULL, and *ret_count 0: there is none. */
GF_API const ghttp_upload *const *ghttp_request_files(ghttp_request *r, const char *name, size_t *ret_count);
/** The name of the form's field, as sent. */
GF_API const char *ghttp_upload_name(const ghttp_upload *upload);
/**
 * The file's name without folders of either kind of slash, without control characters, not beginning with a dot, of at
 * most 200 bytes (its last); "upload" where nothing is left.
 */
GF_API const char *ghttp_upload_filename(const ghttp_upload *upload);
/** The file's name as sent: anything, "../../etc/passwd" too. */
GF_API const char *ghttp_upload_raw_filename(const ghttp_upload *upload);
/** The Content-Type that the client says it has; NULL: it does not say. */
GF_API const char *ghttp_upload_type(const ghttp_upload *upload);
/** Its length in bytes. */
GF_API size_t ghttp_upload_size(const ghttp_upload *upload);
/** Its bytes, in the request's body: no 0 is behind them. */
GF_API const void *ghttp_upload_data(const ghttp_upload *upload);
/**
 * Writes it into a folder that exists, as a new file with mode 0600 under ghttp_upload_filename(), or, where there is
 * such a file already, with random digits before the extension. Never elsewhere, never over another file.
 * @param ret_path room for the path, `folder/name`; NULL if it does not matter.
 * @param size     that room's size in bytes.
 * @return 0; -ENAMETOOLONG when the path does not fit, else what the system said (-ENOENT, -EACCES, -ENOSPC …): then
 *         no file is left.
 */
GF_API int ghttp_upload_save(const ghttp_upload *upload, const char *folder, char *ret_path, size_t size);

/* ---- requests: into a struct -------------------------------------------------------------------- */

/** The type of a struct's member. */
enum ghttp_field_type {
    GHTTP_FIELD_INT,    /**< int */
    GHTTP_FIELD_LONG,   /**< long */
    GHTTP_FIELD_DOUBLE, /**< double */
    GHTTP_FIELD_BOOL,   /**< bool */
    GHTTP_FIELD_TEXT,   /**< char[n]; a text that does not fit is refused */
    GHTTP_FIELD_STRING  /**< const char *; lives until the request ends */
};

/** A parameter that belongs into a struct, and what it must be like. What is left out (0, NULL) does not apply. */
struct ghttp_field {
    const char *name; /**< of the parameter, as ghttp_request_get() finds it */
    enum ghttp_field_type type;
    size_t offset, size;           /**< of the member: GHTTP_FIELD_AT() */
    bool required;                 /**< must be there and not be empty */
    const char *fallback;          /**< in place of what is absent or empty; checked like it */
    double min, max;               /**< of numbers, unless both are 0; a max below min does not apply */
    size_t min_length, max_length; /**< of texts that are not empty, in characters */
    const char *pattern;           /**< a POSIX extended regular expression; matches nothing beyond 64 KiB */
    const char *message;           /**< said in place of the library's own sentences */
};

/** Offset and size of a member: `{.name = "age", .type = GHTTP_FIELD_INT, GHTTP_FIELD_AT(struct person, age)}`. */
#define GHTTP_FIELD_AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

/**
 * Reads parameters into a struct and checks them. When some do not fit, the answer is made: a 400 with
 * `{"code":51,"message":"…","data":{"errors":[{"field":"age","rule":"min","message":"…"}]}}`, all errors at once; the
 * rules are named required, integer, float, boolean, min, max, min-length, max-length, regex, and form (with an empty
 * field) when the request is malformed as a whole.
 * @param object the struct; members whose parameter is absent, or an empty one for a number, stay as they are.
 * @return 0; -EINVAL, and the 400 is made; -EFAULT for a table that cannot be right (a member's size, a pattern), or
 *         -ENOMEM, and the answer is a 500. On error nothing is written.
 * Thread: the request's own.
 */
GF_API int ghttp_request_parse(ghttp_request *r, const struct ghttp_field *fields, size_t count, void *object);

/* ---- requests: the way through the chain, and what the program leaves with it -------------------- */

/** The id that ghttp_middleware_request_id() has given it; NULL without. */
GF_API const char *ghttp_request_id(const ghttp_request *r);
/** Who it is from, as ghttp_middleware_basic_auth() has found out; NULL without. */
GF_API const char *ghttp_request_user(const ghttp_request *r);

/** In middleware: runs what comes after it, and returns when that has ended. Once: a second call does nothing, nor does
 * one in a handler or a hook. */
GF_API void ghttp_request_next(ghttp_request *r);
/**
 * Skips the middleware and the handler that have not begun: later calls of ghttp_request_next() do nothing. The caller
 * goes on until it returns, as do those that wait in ghttp_request_next(). Hooks and handlers of statuses still run.
 */
GF_API void ghttp_request_exit(ghttp_request *r);
/** The same, and skips the hooks that have not begun, but for GHTTP_HOOK_AFTER_OUTPUT, so that what these count is
 * whole. */
GF_API void ghttp_request_exit_all(ghttp_request *r);
/** In a hook: skips the other hooks of the same moment. */
GF_API void ghttp_request_exit_hook(ghttp_request *r);

/** The argument of ghttp_server_bind_with(), or of the middleware that runs. */
GF_API void *ghttp_request_arg(const ghttp_request *r);
/** Memory, zeroed and aligned for any type, that lives until the request ends; NULL when there is none. */
GF_API void *ghttp_request_alloc(ghttp_request *r, size_t size);
/** Has fn(arg) called when the request has ended, in the reverse order of these calls. 0 or -ENOMEM. */
GF_API int ghttp_request_defer(ghttp_request *r, void (*fn)(void *arg), void *arg);
/** Leaves a value with the request under a key; NULL takes it away. 0 or -ENOMEM. */
GF_API int ghttp_request_set_value(ghttp_request *r, const char *key, void *value);
/** The value of this key. */
GF_API void *ghttp_request_value(const ghttp_request *r, const char *key);

/* ---- responses -------------------------------------------------------------------------------- */
/*
 * All of these: the request's own thread. A response is collected until the handler ends or flushes. When it
 * outgrows the memory that a response may take (64 MiB), or memory runs out, the client gets a 500 in its place.
 */

/** Appends text to the body. */
GF_API void ghttp_response_write(ghttp_request *r, const char *text);
/** Appends text and a line feed. */
GF_API void ghttp_response_writeln(ghttp_request *r, const char *text);
/** Appends as printf() would. */
GF_API void ghttp_response_writef(ghttp_request *r, const char *format, ...) GF_PRINTF(2, 3);
/** Appends as printf() would, and a line feed. */
GF_API void ghttp_response_writefln(ghttp_request *r, const char *format, ...) GF_PRINTF(2, 3);
/** Appends bytes. */
GF_API void ghttp_response_write_bytes(ghttp_request *r, const void *data, size_t size);
/** Replaces the body by this JSON, and the Content-Type by application/json. The caller keeps the value; NULL: a 500.
 */
GF_API void ghttp_response_write_json(ghttp_request *r, const struct cJSON *json);
/** Replaces the body by the status and its text: "Not Found". */
GF_API void ghttp_response_write_status(ghttp_request *r, int status);
/** The status, 200..599; 200 unless set. Another number makes the answer a 500. */
GF_API void ghttp_response_set_status(ghttp_request *r, int status);
/** Makes the answer a 500, whatever was written, and has the reason logged; the first reason counts. */
GF_API void ghttp_response_fail(ghttp_request *r, const char *reason);
/** The status that is set so far. */
GF_API int ghttp_response_status(const ghttp_request *r);
/**
 * Sets a header, replacing one of the same name; NULL takes it away. Of `Connection` only "close" is allowed.
 * Without a Content-Type a body goes out as `text/plain; charset=utf-8`.
 * @return 0; -EINVAL for a name or value that HTTP does not allow, or for one that the library sets
 *         itself (Content-Length, Transfer-Encoding, Date); -ENOSPC for more than 64 headers, -E2BIG for
 *         more than 8 KiB of them (an answer's head has its place beside the request's); -ENOMEM.
 */
GF_API int ghttp_response_set_header(ghttp_request *r, const char *name, const char *value);
/** What ghttp_middleware_response() puts under "data". The JSON goes over to the request, also on error. 0, -ENOMEM. */
GF_API int ghttp_response_set_data(ghttp_request *r, struct cJSON *data);
/** What ghttp_middleware_response() puts under "code" and "message"; the status stays as it is. 0, -ENOMEM. */
GF_API int ghttp_response_set_error(ghttp_request *r, int code, const char *message);
/** Takes the body back, not the headers. */
GF_API void ghttp_response_clear(ghttp_request *r);
/**
 * Sends the client elsewhere; the body becomes the status's text. A URL that is empty, has control characters or
 * outgrows the headers' 8 KiB makes the answer a 500.
 * @param status 301, 302, 303, 307 or 308; 0: 302.
 */
GF_API void ghttp_response_redirect(ghttp_request *r, const char *url, int status);

/**
 * Sends what the response has so far and goes on: from the first flush on it is a stream, in chunks, of any length;
 * status and headers are on the wire and can no longer be changed. Waits while the client takes less than is written.
 * Nobody else waits with it.
 * @return 0; -EPIPE: the client has gone, the handler had better end; -EAGAIN: every thread is taken, the response
 *         is collected further; -EIO: it has failed before; -EALREADY: it is final; -ENOMEM.
 */
GF_API int ghttp_response_flush(ghttp_request *r);

/**
 * Sends one server-sent event, and makes the response an event stream (`text/event-stream`, not to be cached) with the
 * first one. Each line of the data, however it ends, becomes a line of the event.
 * @param event its kind; NULL: none, a "message" to the browser.
 * @param id what the browser sends as `Last-Event-ID` when it comes again; NULL: none.
 * @return 0; -EINVAL for data that is NULL, or an event or id with a line's end: nothing was sent; -EALREADY when the
 *         response streams something else; else as ghttp_response_flush().
 */
GF_API int ghttp_response_event(ghttp_request *r, const char *event, const char *id, const char *data);

/* ---- responses: files, and JSON for other sites ------------------------------------------------ */
/* All of these: the request's own thread. docs/files.md says more. */

/**
 * Answers with a file, as its request asks for it: whole, in parts (`Range`) or not at all because the client has it
 * (304). The type follows the name's extension, unless the handler has set a Content-Type. The file is sent when the
 * handler has ended; what it writes besides is not. Symbolic links are followed: the path is the program's own.
 * @param path from the working folder, if it does not begin with '/'.
 * @return 0; -ENOENT for no regular file, -EACCES, -EMFILE, ...: the answer is then a 404, 403, 503 or 500, until the
 *         handler makes it another; -EALREADY after a flush.
 */
GF_API int ghttp_response_serve_file(ghttp_request *r, const char *path);

/**
 * ghttp_response_serve_file(), to be saved by the browser instead of shown.
 * @param name the name to save it by, UTF-8; NULL: that of the file.
 */
GF_API int ghttp_response_serve_download(ghttp_request *r, const char *path, const char *name);

/**
 * Replaces the body by a call of a JavaScript function with this JSON, for pages of other sites (JSONP).
 * @param callback the function's name as the client sent it: `a`, `a.b` or `a[0]`, at most 128 bytes.
 * @return 0; -EINVAL for another callback: then the answer is a 400. JSON that is NULL: a 500.
 */
GF_API int ghttp_response_write_jsonp(ghttp_request *r, const char *callback, const struct cJSON *json);

/* ---- cookies of responses --------------------------------------------------------------------- */
/* All of these: the request's own thread. */

/** Whether pages of other sites may send a cookie along. */
enum ghttp_same_site {
    GHTTP_SAME_SITE_UNSET,  /**< not said: most browsers then do as for Lax */
    GHTTP_SAME_SITE_LAX,    /**< only when the user follows a link to this site */
    GHTTP_SAME_SITE_STRICT, /**< never */
    GHTTP_SAME_SITE_NONE,   /**< always; needs `secure` */
};

/** A cookie for ghttp_response_set_cookie_with(). Of what is 0 or NULL the client is told nothing. */
struct ghttp_cookie {
    const char *name;   /**< a token: letters, digits and !#$%&'*+-.^_`|~ */
    const char *value;  /**< visible ASCII without quotes, comma, semicolon and backslash; NULL: empty */
    const char *domain; /**< this host and all below it; NULL: the host that was asked alone */
    const char *path;   /**< the paths that it is for, from '/' on; NULL: those beside the request's */
    long max_age;       /**< seconds; 0: until the browser ends; negative: the browser forgets it now */
    time_t expires;     /**< the same as a date, for clients that do not know max_age */
    bool secure;        /**< over HTTPS only */
    bool http_only;     /**< not for scripts */
    bool partitioned;   /**< one for each site that embeds this one; needs `secure` */
    enum ghttp_same_site same_site;
};

/**
 * Sets a cookie with the attributes that the settings cookieMaxAge, cookiePath, cookieDomain, cookieSameSite,
 * cookieSecure and cookieHttpOnly give, replacing one that this response has set by the same name. A value with other
 * characters than a cookie can carry is refused, not changed: encode it (as base64url, or percent-encoded).
 * @return 0; -EINVAL for a name or value that a cookie cannot have; -E2BIG for more than 4,096 bytes of both, or
 *         -E2BIG and -ENOSPC as ghttp_response_set_header(); -EALREADY after the first flush; -ENOMEM.
 */
GF_API int ghttp_response_set_cookie(ghttp_request *r, const char *name, const char *value);

/**
 * The same with all attributes as they are in the cookie, without the settings. What browsers throw away is refused
 * too: SameSite=None, `partitioned` and the prefix `__Secure-` without `secure`; the prefix `__Host-` with a domain,
 * without `secure` or with another path than "/".
 * @param cookie the caller's, copied.
 * @return as ghttp_response_set_cookie().
 */
GF_API int ghttp_response_set_cookie_with(ghttp_request *r, const struct ghttp_cookie *cookie);

/**
 * Has the client forget a cookie that ghttp_response_set_cookie() has set. For one with another path or domain, set it
 * with these and a negative max_age.
 * @return as ghttp_response_set_cookie().
 */
GF_API int ghttp_response_remove_cookie(ghttp_request *r, const char *name);

/* ---- sessions --------------------------------------------------------------------------------- */
/*
 * What a program remembers of a client from one request to the next: values under keys, in a file of the server, found
 * by an id that the client carries in a cookie. docs/sessions.md has the rules. All of these: the request's own thread.
 *
 * A session begins with the first value that is set, ends sessionMaxAge after its last use or when it has no value
 * any more, and is saved before the response goes out. An id that the client made up is never used. At most 256
 * values and 64 KiB of keys and values.
 */

/** The id: 32 digits, lower-case hexadecimal; NULL while there is no session. Whoever has it is the client: keep it
 * out of pages and logs. */
GF_API const char *ghttp_session_id(ghttp_request *r);
/** A value, as this request sees it; NULL: there is none. Lives until the request ends. */
GF_API const char *ghttp_session_get(ghttp_request *r, const char *key);
/**
 * Sets a value, beginning a session if there is none.
 * @param key 1..256 bytes. @param value any text, copied; NULL takes the key away.
 * @return 0; -EINVAL for a key; -E2BIG for more than a session holds; -EALREADY when a session would begin after the
 *         first flush, which its cookie cannot follow; what the folder of the sessions cannot do (-EACCES …); -ENOMEM.
 */
GF_API int ghttp_session_set(ghttp_request *r, const char *key, const char *value);
/** Takes a value away; with the last one the session ends. 0 (also if there was none) or as ghttp_session_set(). */
GF_API int ghttp_session_remove(ghttp_request *r, const char *key);
/** Takes all values away; unless new ones are set the session ends, and its cookie goes: a logout. 0 or -ENOMEM. */
GF_API int ghttp_session_clear(ghttp_request *r);
/**
 * Gives the session another id and keeps its values; the old id is worth nothing from the end of the request on. Call
 * it whenever a client gets more rights than before: at each login.
 * @return 0 (also while there is no session: a new one has a new id); -EALREADY after the first flush; -EIO: no random
 *         numbers; -ENOMEM.
 */
GF_API int ghttp_session_regenerate(ghttp_request *r);
/**
 * How long this session lives after its last use, in the place of sessionMaxAge, and how long the browser keeps its
 * cookie, in the place of sessionCookieMaxAge unless that is 0.
 * @param seconds 1..34560000 (400 days); 0: as the settings say again.
 * @return 0; -EINVAL; -ENOENT while there is no session; -ENOMEM.
 */
GF_API int ghttp_session_set_max_age(ghttp_request *r, long seconds);

GF_END_DECLS

#endif
