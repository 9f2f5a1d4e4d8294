/**
 * @file ghttp_request.h
 * What a handler can ask a request for.
 * Part of <gf/ghttp/ghttp.h>, whose first lines hold here too.
 */
#ifndef GF_GHTTP_REQUEST_H
#define GF_GHTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <gf/ghttp/ghttp_types.h>

struct cJSON;

GF_BEGIN_DECLS

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
/**
 * The milliseconds that ghttp_middleware_timeout() leaves its handler; 0: the client has been answered, and what is
 * done from now on is done for nobody; LONG_MAX: there is no limit.
 */
GF_API long ghttp_request_time_left(const ghttp_request *r);
/** Whether the client came over TLS: to this server, or to a proxy of ghttp_server_trust_proxies() that says so. */
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
/** Whether the query or the body is bad: a form or an application/json that cannot be read, or takes too much memory.
 */
GF_API bool ghttp_request_is_malformed(ghttp_request *r);
/** What a `:name`, `*name` or `{name}` of the pattern stood for, percent-decoded. */
GF_API const char *ghttp_request_router(ghttp_request *r, const char *name);
/** A value of the query string; of a repeated name the last. */
GF_API const char *ghttp_request_query(ghttp_request *r, const char *name);
/** A value of a body in application/x-www-form-urlencoded or multipart/form-data; of a repeated name the last. */
GF_API const char *ghttp_request_form(ghttp_request *r, const char *name);
/** Calls fn for each header, as they came, of a repeated name for each. @return how often fn was called. */
GF_API size_t ghttp_request_each_header(const ghttp_request *r, ghttp_pair *fn, void *arg);
/** The same for each value of the query, in the order of sending; none of one that is bad. */
GF_API size_t ghttp_request_each_query(ghttp_request *r, ghttp_pair *fn, void *arg);
/** The same for each value of a form (ghttp_request_form()); none of one that is bad. */
GF_API size_t ghttp_request_each_form(ghttp_request *r, ghttp_pair *fn, void *arg);
/** The same for what the names of the pattern stood for, from left to right. */
GF_API size_t ghttp_request_each_router(const ghttp_request *r, ghttp_pair *fn, void *arg);
/** The same for each cookie; of a repeated name the first is what ghttp_request_cookie() gives. */
GF_API size_t ghttp_request_each_cookie(ghttp_request *r, ghttp_pair *fn, void *arg);
/**
 * Calls fn once for each name that ghttp_request_get() finds, with the value that it gives: what the program has set
 * first, then body, query and router. fn may set parameters; they are not among those.
 * @return how often fn was called.
 */
GF_API size_t ghttp_request_each_param(ghttp_request *r, ghttp_pair *fn, void *arg);
/** ghttp_request_get() as a whole number; the fallback when it is absent or is not one. */
GF_API long ghttp_request_get_int(ghttp_request *r, const char *name, long fallback);
/** ghttp_request_get() as a number; the fallback when it is absent or is not one. */
GF_API double ghttp_request_get_double(ghttp_request *r, const char *name, double fallback);
/** ghttp_request_get() as true (1, true, on, yes) or false (0, false, off, no, empty); else the fallback. */
GF_API bool ghttp_request_get_bool(ghttp_request *r, const char *name, bool fallback);

/**
 * The whole body; empty on a route of ghttp_server_bind_streaming(), whose handler reads it itself.
 * @param ret_size its length in bytes; NULL if that does not matter.
 * @return the bytes, with a 0 after the last, never NULL.
 */
GF_API const void *ghttp_request_body(ghttp_request *r, size_t *ret_size);
/** The body as JSON, parsed once and freed with the request; NULL when it is none, would take more than 64 MiB as a
 * tree or is nested deeper than 1,000 levels. */
GF_API struct cJSON *ghttp_request_json(ghttp_request *r);

/* ---- requests: bodies piece by piece ------------------------------------------------------------- */
/* All of these: the request's own thread. */

/**
 * The next bytes of the body. On a route of ghttp_server_bind_streaming() it waits for them: the first call lets the
 * client send (`100 Continue`), and while the handler does not call, the client waits. On other routes it gives what
 * was collected.
 * @return how many; 0 at the end. -EMSGSIZE: longer than the route takes; -ETIMEDOUT: the client has sent nothing for
 *         `readTimeout`; -ECONNRESET: it has gone; -EPIPE: ghttp_response_flush() was called before; -EINVAL without
 *         room. The errors leave the status 413, 408 or 400 for a handler that had set none and just returns. A handler
 *         that answers before the end is heard; the connection then closes.
 */
GF_API ssize_t ghttp_request_read(ghttp_request *r, void *data, size_t size);

/** A part of a form as it comes in; lives until the request ends. */
struct ghttp_part {
    const char *name;         /**< of the form's field, as sent */
    const char *filename;     /**< as ghttp_upload_filename(); NULL: no file but a value */
    const char *raw_filename; /**< as sent: anything; NULL as above */
    const char *type;         /**< the Content-Type that the client says it has; NULL: none */
};

/** What is called for the parts of a form, in their order. Each returns 0, or else what the reading ends with; NULL
 * where nothing is to be done. */
struct ghttp_multipart_callbacks {
    int (*begin)(ghttp_request *r, const struct ghttp_part *part, void *arg); /**< a part begins */
    int (*data)(ghttp_request *r, const void *data, size_t size, void *arg);  /**< more of it: cut anywhere */
    int (*end)(ghttp_request *r, void *arg);                                  /**< it was whole */
};

/**
 * Reads a multipart/form-data of any size by ghttp_request_read(), with 64 KiB of memory. A part whose end is not told
 * was cut: what was stored of it is to be thrown away.
 * @return 0: the form was whole, and read to the body's end; what a callback returned; -EINVAL: it is malformed, or no
 *         such form; -E2BIG: more than 1,000 parts or 8 KiB of headers of one; -ENOMEM, or as ghttp_request_read().
 */
GF_API int ghttp_request_read_multipart(ghttp_request *r, const struct ghttp_multipart_callbacks *callbacks, void *arg);

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
/** "https" or "http": see ghttp_request_is_https(). */
GF_API const char *ghttp_request_scheme(const ghttp_request *r);
/** The URL that was asked for, as sent: "http://example.org:8199/a?b=c"; only "/a?b=c" of HTTP/1.0 without a Host. */
GF_API const char *ghttp_request_url(ghttp_request *r);

/* ---- requests: where they go --------------------------------------------------------------------- */
/* All of these: the request's own thread. */

/**
 * The pattern of the route that was found, as it was bound, below the prefix of its group: "GET:/users/:id". For logs
 * and measurements, which need few names and not each path. It is found before anything of the program runs, hooks
 * before serve and global middleware included; of a preflight it is the route that the browser asks about.
 * @return the pattern, which lives as long as the server; NULL: no route fits.
 */
GF_API const char *ghttp_request_route(const ghttp_request *r);
/**
 * Whether a file of the server's folders and bundles is what answers this request, or a list of them; for hooks, which
 * run for files too. It looks for the file, which may keep it waiting for the disk.
 */
GF_API bool ghttp_request_is_file(ghttp_request *r);

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
/**
 * The same under a name of the program's choice, or one that nobody can guess.
 * @param name a single name without slashes, of at most 255 bytes, which must not be there already; NULL: 32 random
 *             hexadecimal digits, with the extension of ghttp_upload_filename() if that is 1 to 16 letters and digits.
 * @return as there; -EINVAL for what is no name, -EEXIST where there is a file of this name.
 */
GF_API int ghttp_upload_save_as(const ghttp_upload *upload, const char *folder, const char *name, char *ret_path,
                                size_t size);

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

/** Where a member's value comes from. */
enum ghttp_field_source {
    GHTTP_IN_ANY,    /**< as ghttp_request_get() finds it */
    GHTTP_IN_QUERY,  /**< the query alone */
    GHTTP_IN_BODY,   /**< the body alone: a form, or members of JSON */
    GHTTP_IN_ROUTER, /**< what a name of the pattern stood for */
    GHTTP_IN_HEADER, /**< the first header of this name */
    GHTTP_IN_COOKIE  /**< a cookie */
};

/** A parameter that belongs into a struct, and what it must be like. What is left out (0, NULL) does not apply. */
struct ghttp_field {
    const char *name; /**< of the parameter, the header or the cookie */
    enum ghttp_field_type type;
    size_t offset, size;           /**< of the member: GHTTP_FIELD_AT() */
    bool required;                 /**< must be there and not be empty */
    const char *fallback;          /**< in place of what is absent or empty; checked like it */
    double min, max;               /**< of numbers, unless both are 0; a max below min does not apply */
    size_t min_length, max_length; /**< of texts that are not empty, in characters */
    const char *pattern;           /**< a POSIX extended regular expression; matches nothing beyond 64 KiB */
    const char *message;           /**< said in place of the library's own sentences */
    enum ghttp_field_source in;    /**< where it is looked for; left out: in all parameters */
};

/** Offset and size of a member: `{.name = "age", .type = GHTTP_FIELD_INT, GHTTP_FIELD_AT(struct person, age)}`. */
#define GHTTP_FIELD_AT(type, member) .offset = offsetof(type, member), .size = sizeof(((type *)0)->member)

/**
 * Reads parameters into a struct and checks them. When some do not fit, the answer is made: a 400 with
 * `{"code":51,"message":"…","data":{"errors":[{"field":"age","rule":"min","message":"…"}]}}`, all errors at once; the
 * rules are named required, integer, float, boolean, min, max, utf-8, min-length, max-length, regex, and form (with an
 * empty field) when the request is malformed as a whole.
 * @param object the struct; members whose parameter is absent, or an empty one for a number, stay as they are.
 * @return 0; -EINVAL, and the 400 is made; -EFAULT for a table that cannot be right (a member's size, a pattern), or
 *         -ENOMEM, and the answer is a 500. On error nothing is written.
 * Thread: the request's own.
 */
GF_API int ghttp_request_parse(ghttp_request *r, const struct ghttp_field *fields, size_t count, void *object);
/**
 * What the last ghttp_request_parse() of this request found wrong with a field, for a page that shows its form again:
 * it takes the library's 400 back by ghttp_response_clear() and writes one of its own.
 * @param name of the field; "": of the request as a whole.
 * @return the sentence, as the 400 has it; NULL: nothing.
 * Thread: the request's own.
 */
GF_API const char *ghttp_request_field_error(const ghttp_request *r, const char *name);

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
 * Somebody has to have answered, else the answer is a 500.
 */
GF_API void ghttp_request_exit(ghttp_request *r);
/** The same, and skips the hooks that have not begun, but for GHTTP_HOOK_AFTER_OUTPUT, so that what these count is
 * whole. */
GF_API void ghttp_request_exit_all(ghttp_request *r);
/** In a hook: skips the other hooks of the same moment. */
GF_API void ghttp_request_exit_hook(ghttp_request *r);

/** The argument of ghttp_server_bind_with(), or of the middleware, hook or handler of a status that runs. */
GF_API void *ghttp_request_arg(const ghttp_request *r);
/** Memory, zeroed and aligned for any type, that lives until the request ends; NULL when there is none. */
GF_API void *ghttp_request_alloc(ghttp_request *r, size_t size);
/** Has fn(arg) called when the request has ended, in the reverse order of these calls. 0 or -ENOMEM. */
GF_API int ghttp_request_defer(ghttp_request *r, void (*fn)(void *arg), void *arg);
/** Leaves a value with the request under a key; NULL takes it away. 0 or -ENOMEM. */
GF_API int ghttp_request_set_value(ghttp_request *r, const char *key, void *value);
/** The value of this key. */
GF_API void *ghttp_request_value(const ghttp_request *r, const char *key);

GF_END_DECLS

#endif
