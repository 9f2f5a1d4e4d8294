/**
 * @file ghttp_response.h
 * What a handler can answer.
 * Part of <gf/ghttp/ghttp.h>, whose first lines hold here too.
 */
#ifndef GF_GHTTP_RESPONSE_H
#define GF_GHTTP_RESPONSE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <gf/ghttp/ghttp_types.h>
#include <gf/gres/gres.h>

struct cJSON;

GF_BEGIN_DECLS

/* ---- responses -------------------------------------------------------------------------------- */
/*
 * All of these: the request's own thread. A response is collected until the handler ends or flushes. When it
 * outgrows the memory that a response may take (64 MiB), or memory runs out, the client gets a 500 in its place.
 */

/** Appends text to the body. "" is an answer too: an empty body. */
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
/** The status, 200..599; 200 unless set. To set it is an answer, also 200 without a body. Another number makes the
 * answer a 500. */
GF_API void ghttp_response_set_status(ghttp_request *r, int status);
/**
 * Makes the answer a 500, whatever was written, and has the reason logged; the first reason counts. Headers that do not
 * speak of the body stay. With the setting errorStack the log says where this was called.
 */
GF_API void ghttp_response_fail(ghttp_request *r, const char *reason);
/** What the macro of ghttp_response_fail() calls: file and function live as long as the process; NULL: not known. */
GF_API void ghttp_response_fail_at(ghttp_request *r, const char *reason, const char *file, int line,
                                   const char *function);
/** The status that is set so far. */
GF_API int ghttp_response_status(const ghttp_request *r);
/**
 * Sets a header, replacing all of the same name; NULL takes them away. Of `Connection` only "close" is allowed.
 * Without a Content-Type a body goes out as `text/plain; charset=utf-8`.
 * @return 0; -EINVAL for a name or value that HTTP does not allow, or for one that the library sets
 *         itself (Content-Length, Transfer-Encoding, Date); -ENOSPC for more than 64 headers (the
 *         Content-Type that a body gets is one of them: without room for it the answer is a 500), -E2BIG for
 *         more than 8 KiB of them (an answer's head has its place beside the request's); -ENOMEM.
 */
GF_API int ghttp_response_set_header(ghttp_request *r, const char *name, const char *value);
/**
 * Adds a header beside those of the same name, for those that may come several times: Link, WWW-Authenticate … What is
 * added to Vary goes into its one line. ghttp_response_set_header() replaces all of them.
 * @return as ghttp_response_set_header(); -EINVAL also for a NULL value; -EEXIST for a second header of a name that an
 *         answer may have once (Location, Expires …), and of those that describe the body (Content-Type, ETag,
 *         Content-Language …: what is a list there goes into one value).
 */
GF_API int ghttp_response_add_header(ghttp_request *r, const char *name, const char *value);
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
 * Sends the client back to the page that it comes from, as its Referer says: only its path and query, and only if it is
 * of the host and port that were asked; else to "/". So no other site is ever redirected to.
 * @param status as there; 303 is for the answer to a form.
 */
GF_API void ghttp_response_redirect_back(ghttp_request *r, int status);

/**
 * Sends what the response has so far and goes on: from the first flush on it is a stream, in chunks, of any length;
 * status and headers are on the wire and can no longer be changed. Waits while the client takes less than is written.
 * Nobody else waits with it.
 * @return 0; -EPIPE: the client has gone, or has all that there is for it (the head, of HEAD, 204 and 304), and the
 *         handler had better end; -EAGAIN: every thread is taken, the response is collected further; -EIO: it has
 *         failed before; -EALREADY: it is final; -ENOTSUP: it runs within ghttp_middleware_timeout(), and is collected
 *         further; -EBUSY: it is in the middle of a body that it reads itself (ghttp_request_read()), and is collected
 *         further; -ENOMEM.
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

/* ---- responses: what they are so far ----------------------------------------------------------- */
/*
 * All of these: the request's own thread. For middleware behind ghttp_request_next(), handlers of statuses and hooks
 * that look at what others have answered. docs/responses.md has a middleware that gives all errors one page.
 */

/**
 * The body as it is collected so far.
 * @param ret_size its length in bytes; 0 where there are none to be had. NULL if that does not matter.
 * @return the bytes, until the next write or ghttp_response_clear(); "" without a body. NULL: they are a file's, or a
 *         stream's that is on its way, or the response has failed and they go nowhere.
 */
GF_API const void *ghttp_response_body(const ghttp_request *r, size_t *ret_size);
/** The first header of this name that is set, compared without case; NULL: none is. Lives until the request ends. */
GF_API const char *ghttp_response_header(const ghttp_request *r, const char *name);
/**
 * Calls fn for each header that is set, in the order of setting; those that the library adds when it sends are not
 * among them. fn sets none.
 * @return how often fn was called.
 */
GF_API size_t ghttp_response_each_header(const ghttp_request *r, ghttp_pair *fn, void *arg);
/** What ghttp_response_set_data() was given; it stays the request's. NULL: nothing was. */
GF_API struct cJSON *ghttp_response_data(const ghttp_request *r);
/**
 * What ghttp_response_set_error() was given. The text lives until the request ends.
 * @return 0; -ENOENT when it was not called: then nothing is written.
 */
GF_API int ghttp_response_error(const ghttp_request *r, int *ret_code, const char **ret_message);
/**
 * Why the response has failed (ghttp_response_fail(), memory, JSON that is NULL …). Such a response becomes a 500 when
 * middleware and hooks after serve have ended, and until then ghttp_response_status() is what was set before. Handlers
 * of the status 500 and later hooks are told the reason too.
 * @return the reason, for the log and not for clients; NULL: it has not failed.
 */
GF_API const char *ghttp_response_failure(const ghttp_request *r);
/**
 * Takes a failed response over, to write another: the reason is logged, and it is a 500 without a body from here on,
 * with the headers that do not speak of the body.
 * @return 0; -ENOENT: it has not failed; -EALREADY: it is on the wire or final, and stays as it is.
 */
GF_API int ghttp_response_recover(ghttp_request *r);

/* ---- responses: files, and JSON for other sites ------------------------------------------------ */
/* All of these: the request's own thread. docs/files.md says more. */

/**
 * Answers with a file, as its request asks for it: whole, in parts (`Range`) or not at all because the client has it
 * (304). The type follows the name's extension, unless the handler has set a Content-Type. The file is sent when the
 * handler has ended; what it writes besides is not. Symbolic links are followed: the path is the program's own.
 * @param path from the working folder, if it does not begin with '/'.
 * @return 0; -ENOENT for no regular file, -EACCES, -EMFILE, ...: the answer is then a 404, 403, 503 or 500, until the
 *         handler makes it another; -EALREADY after a flush, and in a hook after output: nothing has changed then.
 */
GF_API int ghttp_response_serve_file(ghttp_request *r, const char *path);

/**
 * The same with a file that is embedded in the program (gres_find()); its bytes are sent from where they are.
 * @param file NULL: there is none, and the answer is a 404.
 * @return 0; -ENOENT, -ENOMEM, -EALREADY as there.
 */
GF_API int ghttp_response_serve_resource(ghttp_request *r, const gres_file *file);

/**
 * The same with bytes that the program has in memory: with conditions and ranges, as a file has them. They are sent
 * from where they are and stay the program's, which keeps them as they are until the request has ended:
 * ghttp_request_alloc() gives such memory, and ghttp_request_defer() is told when other memory is free again.
 * @param name    its extension says the type, unless a Content-Type is set; NULL: application/octet-stream.
 * @param modified when it was changed, for Last-Modified; 0: nobody knows. An ETag that is set before is its version;
 *                without one there is none.
 * @return 0; -EINVAL for NULL, and the answer is a 500; -ENOMEM, -EALREADY as there.
 */
GF_API int ghttp_response_serve_content(ghttp_request *r, const void *data, size_t size, const char *name,
                                        time_t modified);

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

/** @cond */
#ifndef __cplusplus
#define ghttp_response_fail(r, reason) ghttp_response_fail_at((r), (reason), __FILE__, __LINE__, __func__)
#else /* an argument may have commas that no macro counts right */
#define ghttp_response_fail(...) ghttp_response_fail_at(__VA_ARGS__, __FILE__, __LINE__, __func__)
#endif
/** @endcond */

GF_END_DECLS

#endif
