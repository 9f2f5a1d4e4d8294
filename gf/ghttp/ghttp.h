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

/* ---- requests: what the program leaves with it --------------------------------------------------- */

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

GF_END_DECLS

#endif
