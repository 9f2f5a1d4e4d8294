/**
 * @file ghttp_routing.h
 * What serves which request: routes, groups, middleware, hooks, handlers of statuses.
 * Part of <gf/ghttp/ghttp.h>, whose first lines hold here too.
 */
#ifndef GF_GHTTP_ROUTING_H
#define GF_GHTTP_ROUTING_H

#include <stdint.h>

#include <gf/ghttp/ghttp_types.h>

GF_BEGIN_DECLS

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

/**
 * Binds a handler that reads the body itself, by ghttp_request_read() or ghttp_request_read_multipart(), while it comes
 * in. Middleware, hooks and handler run as soon as the head is there, on a thread of their own; ghttp_request_body() is
 * empty and forms have no values there. What comes without a body is served as by ghttp_server_bind_with().
 * @param max_size the largest body in bytes, whatever `clientMaxBodySize` says; 0: as that says. An announced length
 *                 above it is answered 413 before anything runs.
 * @return as ghttp_server_bind(). Thread: before start.
 */
GF_API int ghttp_server_bind_streaming(ghttp_server *s, const char *pattern, ghttp_handler *fn, void *arg,
                                       uint64_t max_size);

/** What ghttp_server_routes() tells of a binding; the texts live as long as the server. */
typedef struct ghttp_route {
    const char *method;     /**< "GET", or "ALL" */
    const char *domain;     /**< "default" for all hosts */
    const char *path;       /**< as bound, without method and domain */
    const char *handler;    /**< the function's name as far as it is known, else where it is: "server+0x1c40" */
    const char *middleware; /**< of a route, that of its groups: "log, authorize", or "";
                                 of middleware "MIDDLEWARE", or "GLOBAL MIDDLEWARE" where it is for every request */
    const char *place;      /**< where it was bound: "main.c:42", "row 3 of the table at main.c:42"; "" if that is
                                 not known */
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
 *
 * What a server answers by itself with a file (ghttp_files.h) runs no middleware, only hooks: these have to guard it.
 */

/**
 * Middleware for every request of the server but those for its files, also for those that find no route (404, 405,
 * OPTIONS). It runs before that of patterns and groups, in the order of these calls.
 * @return 0 or a negative errno. Thread: before start.
 */
GF_API int ghttp_server_use(ghttp_server *s, ghttp_handler *middleware);

/** The same with an argument (ghttp_request_arg()); the caller keeps it alive. Thread: before start. */
GF_API int ghttp_server_use_with(ghttp_server *s, ghttp_handler *middleware, void *arg);

/**
 * Middleware for the requests that a pattern `[METHOD:]/path[@domain]` fits, but those for files, whether they find a
 * route or not; the pattern of the route does not matter. Runs after that of ghttp_server_use() and before that of
 * groups, in the order of these calls. What is bound for GET runs for HEAD too. Parameters of the pattern are given to
 * nobody.
 * @return 0 or a negative errno. Thread: before start.
 */
GF_API int ghttp_server_bind_middleware(ghttp_server *s, const char *pattern, ghttp_handler *middleware);

/** The same with an argument (ghttp_request_arg()); the caller keeps it alive. Thread: before start. */
GF_API int ghttp_server_bind_middleware_with(ghttp_server *s, const char *pattern, ghttp_handler *middleware,
                                             void *arg);

/** The moments of a request at which hooks run, in this order. */
typedef enum ghttp_hook {
    GHTTP_HOOK_BEFORE_SERVE,  /**< before a file, or middleware and handler */
    GHTTP_HOOK_AFTER_SERVE,   /**< after them */
    GHTTP_HOOK_BEFORE_OUTPUT, /**< after the handlers of statuses: the last moment to change the response */
    GHTTP_HOOK_AFTER_OUTPUT   /**< the response is final and is about to be sent: what is written is ignored */
} ghttp_hook;

/**
 * A hook: runs at a moment of every request that the pattern fits, whether it finds a route, a file or neither. One
 * before serve that answers and calls ghttp_request_exit() keeps file, middleware and handler from being reached. Hooks
 * of one moment run in the precedence of their patterns, the most specific first (as routes have it), then in the order
 * of these calls.
 * @return 0 or a negative errno. Thread: before start.
 */
GF_API int ghttp_server_bind_hook(ghttp_server *s, const char *pattern, ghttp_hook when, ghttp_handler *fn);

/** The same with an argument (ghttp_request_arg()); the caller keeps it alive. Thread: before start. */
GF_API int ghttp_server_bind_hook_with(ghttp_server *s, const char *pattern, ghttp_hook when, ghttp_handler *fn,
                                       void *arg);

/**
 * A handler for all responses that end with this status (201..599; 200 has none), the library's own (404, 405, 400,
 * 500) included. It finds an empty body; if it writes one, that replaces the one from before, with the headers that
 * describe it (Content-Type, Content-Encoding, ETag, ...), and else that one stays. It may change status and headers; a
 * changed status calls no other handlers. Several for one status all run: those of the host first, then in the order of
 * these calls. They do not run for what is refused before it is a request (408, 413, 431, 503).
 * @return 0 or a negative errno. Thread: before start.
 */
GF_API int ghttp_server_bind_status(ghttp_server *s, int status, ghttp_handler *fn);

/** The same with an argument (ghttp_request_arg()); the caller keeps it alive. Thread: before start. */
GF_API int ghttp_server_bind_status_with(ghttp_server *s, int status, ghttp_handler *fn, void *arg);

/**
 * ghttp_server_bind_status() for the requests of some hosts only.
 * @param domains a comma list of hosts without their ports, as behind the '@' of a pattern.
 * Thread: before start.
 */
GF_API int ghttp_server_bind_status_domain(ghttp_server *s, int status, const char *domains, ghttp_handler *fn);

/** The same with an argument (ghttp_request_arg()); the caller keeps it alive. Thread: before start. */
GF_API int ghttp_server_bind_status_domain_with(ghttp_server *s, int status, const char *domains, ghttp_handler *fn,
                                                void *arg);

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
 * ghttp_server_bind_hook() below the group's prefix: for every request that the whole pattern fits, whoever has bound
 * its route, and whether it has one. "" is the prefix itself; `*` after a slash is that and all below it.
 * @return 0 or a negative errno; -EINVAL for a NULL group. Thread: before start.
 */
GF_API int ghttp_group_bind_hook(ghttp_group *g, const char *pattern, ghttp_hook when, ghttp_handler *fn);

/** The same with an argument (ghttp_request_arg()); the caller keeps it alive. Thread: before start. */
GF_API int ghttp_group_bind_hook_with(ghttp_group *g, const char *pattern, ghttp_hook when, ghttp_handler *fn,
                                      void *arg);

/**
 * Binds a handler to `[METHOD:]/path[@domain]` below the group's prefix; "" or "/" is the prefix itself.
 * @return as ghttp_server_bind(); -EINVAL for a NULL group, or a domain where the group has one. Thread: before start.
 */
GF_API int ghttp_group_bind(ghttp_group *g, const char *pattern, ghttp_handler *fn);
/** The same with an argument (ghttp_request_arg()); the caller keeps it alive. Thread: before start. */
GF_API int ghttp_group_bind_with(ghttp_group *g, const char *pattern, ghttp_handler *fn, void *arg);
/** ghttp_server_bind_streaming() below the group's prefix. Thread: before start. */
GF_API int ghttp_group_bind_streaming(ghttp_group *g, const char *pattern, ghttp_handler *fn, void *arg,
                                      uint64_t max_size);
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
/** For CONNECT of a path; of "host:port", as proxies are sent it, it is answered 400. Thread: before start. */
GF_API int ghttp_group_connect(ghttp_group *g, const char *path, ghttp_handler *fn);
/** For TRACE. Thread: before start. */
GF_API int ghttp_group_trace(ghttp_group *g, const char *path, ghttp_handler *fn);

/** A row of a table of routes; GHTTP_BINDING() writes one. */
typedef struct ghttp_binding {
    const char *pattern;    /**< `[METHOD:]/path[@domain]`, below the group's prefix; NULL ends the table */
    ghttp_handler *handler; /**< what serves it */
    void *arg;              /**< ghttp_request_arg(); the caller keeps it alive */
    const char *name;       /**< of the handler, for lists of routes; NULL: the linker's */
} ghttp_binding;

/** `{pattern, handler, argument, the handler's name}`: a row without an argument. */
#define GHTTP_BINDING(pattern, handler)                                                                                \
    {                                                                                                                  \
        (pattern), (handler), NULL, #handler                                                                           \
    }

/**
 * Binds all rows of a table to the group, as ghttp_group_bind_with() would, in their order; ends at the first error.
 * @param table the caller's, read in this call only; ended by a row without a pattern.
 * @return as ghttp_group_bind(); -EINVAL for a NULL table. Thread: before start.
 */
GF_API int ghttp_group_bind_table(ghttp_group *g, const ghttp_binding *table);

/**
 * Says from where the next set-up call of this thread comes, for lists of routes and messages. The macros below do it;
 * a call without them, as `(ghttp_server_bind)(s, "/", hello)` is one, works without.
 * @param handler its name; "": what the linker calls it.
 * Thread: before start.
 */
GF_API void ghttp_note_place(const char *handler, const char *file, int line);

/** @cond */
#ifndef __cplusplus
#define ghttp_server_bind(s, pattern, fn)                                                                              \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_server_bind((s), (pattern), (fn)))
#define ghttp_server_bind_with(s, pattern, fn, arg)                                                                    \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_server_bind_with((s), (pattern), (fn), (arg)))
#define ghttp_server_bind_streaming(s, pattern, fn, arg, max_size)                                                     \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_server_bind_streaming((s), (pattern), (fn), (arg), (max_size)))
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
#define ghttp_group_bind_streaming(g, pattern, fn, arg, max_size)                                                      \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_bind_streaming((g), (pattern), (fn), (arg), (max_size)))
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
#define ghttp_group_connect(g, path, fn)                                                                               \
    (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_connect((g), (path), (fn)))
#define ghttp_group_trace(g, path, fn) (ghttp_note_place(#fn, __FILE__, __LINE__), ghttp_group_trace((g), (path), (fn)))
#define ghttp_group_bind_table(g, table)                                                                               \
    (ghttp_note_place("", __FILE__, __LINE__), ghttp_group_bind_table((g), (table)))
#else /* C++: an argument may be a lambda, whose commas no macro counts right */
#define GHTTP_PLACED(fn, ...) (ghttp_note_place("", __FILE__, __LINE__), (fn)(__VA_ARGS__))
#define ghttp_server_bind(...) GHTTP_PLACED(ghttp_server_bind, __VA_ARGS__)
#define ghttp_server_bind_with(...) GHTTP_PLACED(ghttp_server_bind_with, __VA_ARGS__)
#define ghttp_server_bind_streaming(...) GHTTP_PLACED(ghttp_server_bind_streaming, __VA_ARGS__)
#define ghttp_server_use(...) GHTTP_PLACED(ghttp_server_use, __VA_ARGS__)
#define ghttp_server_use_with(...) GHTTP_PLACED(ghttp_server_use_with, __VA_ARGS__)
#define ghttp_server_bind_middleware(...) GHTTP_PLACED(ghttp_server_bind_middleware, __VA_ARGS__)
#define ghttp_server_bind_middleware_with(...) GHTTP_PLACED(ghttp_server_bind_middleware_with, __VA_ARGS__)
#define ghttp_group_use(...) GHTTP_PLACED(ghttp_group_use, __VA_ARGS__)
#define ghttp_group_use_with(...) GHTTP_PLACED(ghttp_group_use_with, __VA_ARGS__)
#define ghttp_group_bind(...) GHTTP_PLACED(ghttp_group_bind, __VA_ARGS__)
#define ghttp_group_bind_with(...) GHTTP_PLACED(ghttp_group_bind_with, __VA_ARGS__)
#define ghttp_group_bind_streaming(...) GHTTP_PLACED(ghttp_group_bind_streaming, __VA_ARGS__)
#define ghttp_group_all(...) GHTTP_PLACED(ghttp_group_all, __VA_ARGS__)
#define ghttp_group_get(...) GHTTP_PLACED(ghttp_group_get, __VA_ARGS__)
#define ghttp_group_post(...) GHTTP_PLACED(ghttp_group_post, __VA_ARGS__)
#define ghttp_group_put(...) GHTTP_PLACED(ghttp_group_put, __VA_ARGS__)
#define ghttp_group_patch(...) GHTTP_PLACED(ghttp_group_patch, __VA_ARGS__)
#define ghttp_group_delete(...) GHTTP_PLACED(ghttp_group_delete, __VA_ARGS__)
#define ghttp_group_head(...) GHTTP_PLACED(ghttp_group_head, __VA_ARGS__)
#define ghttp_group_options(...) GHTTP_PLACED(ghttp_group_options, __VA_ARGS__)
#define ghttp_group_connect(...) GHTTP_PLACED(ghttp_group_connect, __VA_ARGS__)
#define ghttp_group_trace(...) GHTTP_PLACED(ghttp_group_trace, __VA_ARGS__)
#define ghttp_group_bind_table(...) GHTTP_PLACED(ghttp_group_bind_table, __VA_ARGS__)
#endif
/** @endcond */

GF_END_DECLS

#endif
