/**
 * @file ghttp_types.h
 * The names that all headers of the package share.
 * Part of <gf/ghttp/ghttp.h>, whose first lines hold here too.
 */
#ifndef GF_GHTTP_TYPES_H
#define GF_GHTTP_TYPES_H

#include <stdbool.h>

#include <gf/export.h>

GF_BEGIN_DECLS

/** A server: a name, its ports, its routes. Lives as long as the process. */
typedef struct ghttp_server ghttp_server;

/** One request and its response, from the complete request to the last byte of the answer. */
typedef struct ghttp_request ghttp_request;

/**
 * What serves a request: plain C that may block as long as it likes. A handler that blocks has its
 * event loop taken away and given to another thread, so that no other request waits for it. One that returns without
 * having answered (no status, no header, nothing written, not even "") answers 500, and the log says so.
 */
typedef void ghttp_handler(ghttp_request *r);

/** What enumerations call for a name and its value, which live until the request ends; false ends the enumeration. */
typedef bool ghttp_pair(const char *key, const char *value, void *arg);

GF_END_DECLS

#endif
