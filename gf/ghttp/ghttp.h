/**
 * @file ghttp.h
 * HTTP and HTTPS servers: the whole public interface of the package, one header for each of its parts.
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

#include <gf/ghttp/ghttp_files.h>
#include <gf/ghttp/ghttp_middleware.h>
#include <gf/ghttp/ghttp_request.h>
#include <gf/ghttp/ghttp_response.h>
#include <gf/ghttp/ghttp_routing.h>
#include <gf/ghttp/ghttp_server.h>
#include <gf/ghttp/ghttp_session.h>
#include <gf/ghttp/ghttp_types.h>

#endif
