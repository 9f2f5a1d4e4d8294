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
/** Whether it came over TLS. */
GF_API bool ghttp_request_is_https(const ghttp_request *r);
/** The server that was asked. */
GF_API ghttp_server *ghttp_request_server(const ghttp_request *r);

/*
 * Parameters. A query or a form with broken percent-encoding, an encoded NUL or more than 1,000 parameters counts
 * as bad as a whole: none of its values is given out. `+` is a blank in both.
 */

/** A value by name, whichever has the higher rank: form, query, router (GoFrame's order). */
GF_API const char *ghttp_request_get(ghttp_request *r, const char *name);
/** What a `:name`, `*name` or `{name}` of the pattern stood for, percent-decoded. */
GF_API const char *ghttp_request_router(ghttp_request *r, const char *name);
/** A value of the query string; of a repeated name the last. */
GF_API const char *ghttp_request_query(ghttp_request *r, const char *name);
/** A value of an application/x-www-form-urlencoded body; of a repeated name the last. */
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

/** The argument of ghttp_server_bind_with(). */
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
 *         is collected further; -EIO: it has failed before; -ENOMEM.
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

GF_END_DECLS

#endif
