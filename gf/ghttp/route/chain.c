/*
 * The way of a request through its server. What the library answers itself is answered in
 * gf_chain_prepare(); code of the program runs in gf_chain_run() only.
 *
 * Thread: whoever has the request.
 */
#include "chain.h"

#include <errno.h>
#include <string.h>

#include "../../glog/glog.h"
#include "../message/request.h"

/* The longest method and path that a line of the log shows of a request. */
#define LOGGED_SIZE 512

void *ghttp_request_arg(const ghttp_request *r)
{
    return r->route ? r->route->arg : NULL;
}

static struct gf_pace *answer_status(struct ghttp_request *r, int status)
{
    ghttp_response_write_status(r, status);
    return NULL;
}

/* 204 to OPTIONS, 405 to other methods, both with what the path can do. */
static struct gf_pace *answer_allowed(struct ghttp_request *r, unsigned methods)
{
    char text[GF_METHODS_TEXT_SIZE];
    gf_methods_format(methods, text);
    if (strcmp(r->method, "OPTIONS") == 0)
        ghttp_response_set_status(r, 204);
    else
        ghttp_response_write_status(r, 405);
    if (ghttp_response_set_header(r, "Allow", text) != 0)
        ghttp_response_write_status(r, 500);
    return NULL;
}

static struct gf_pace *answer_error(struct ghttp_request *r, int error)
{
    if (error == -EINVAL) {
        /* where a target is malformed, what follows on the connection may be meant otherwise too */
        ghttp_response_set_header(r, "Connection", "close");
        return answer_status(r, 400);
    }
    glog_error("no route looked up for %.*s %.*s: %s", LOGGED_SIZE, r->method, LOGGED_SIZE, r->target,
               error == -ELOOP ? "too many routes overlap on this path" : strerror(-error));
    return answer_status(r, 500);
}

/* NULL: no file is looked for. */
static const struct gf_chain_files *files_for(const struct gf_chain *chain, const struct ghttp_request *r)
{
    return strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0 ? chain->files : NULL;
}

static struct gf_pace *answer_unrouted(struct ghttp_request *r)
{
    return r->allowed_methods ? answer_allowed(r, r->allowed_methods) : answer_status(r, 404);
}

struct gf_pace *gf_chain_prepare(const struct gf_chain *chain, struct ghttp_request *r)
{
    if (gf_method_bit(r->method) == 0)
        return answer_status(r, 501);
    int error = gf_request_parse_target(r);
    if (error)
        return answer_error(r, error);
    if (strcmp(r->raw_path, "*") == 0)
        return answer_allowed(r, GF_METHOD_ALL);
    if (chain->files)
        chain->files->rewrite(chain->files, r);
    error = gf_router_find(chain->router, r);
    if (error)
        return answer_error(r, error);
    if (r->route)
        return r->route->pace;
    return files_for(chain, r) ? chain->files->pace : answer_unrouted(r);
}

static void log_failed(const struct ghttp_request *r)
{
    glog_error("the response to %.*s %.*s failed: %s", LOGGED_SIZE, r->method, LOGGED_SIZE, r->path,
               r->response.failure);
}

/* A response that could not be made is replaced as a whole. If even that fails it stays marked as failed, and the
 * engine answers with a bare 500. */
static void replace_failed(struct ghttp_request *r)
{
    log_failed(r);
    gf_response_reset(r);
    ghttp_response_write_status(r, 500);
}

static bool is_without_body(int status)
{
    return status == 204 || status == 205 || status == 304;
}

static void complete(struct ghttp_request *r)
{
    struct gf_response *response = &r->response;
    if (is_without_body(response->status))
        ghttp_response_clear(r);
    bool typed = gf_fields_find(&response->headers, "Content-Type") != NULL;
    if (response->body.size == 0 && response->status >= 400 && !typed)
        ghttp_response_write_status(r, response->status);
    else if (response->body.size > 0 && !typed && gf_response_default_type(r) != 0) {
        response->failed = true;
        response->failure = "its headers leave no room for a Content-Type";
    }
}

static void serve(const struct gf_chain *chain, struct ghttp_request *r)
{
    const struct gf_chain_files *files = files_for(chain, r);
    if (files && files->serve(files, r))
        return;
    if (r->route)
        r->route->handler(r);
    else
        answer_unrouted(r);
}

void gf_chain_run(const struct gf_chain *chain, struct ghttp_request *r)
{
    serve(chain, r);
    if (r->response.sent) { /* what is left of it follows as it is */
        if (r->response.failed)
            log_failed(r);
        return;
    }
    if (!r->response.failed)
        complete(r);
    if (r->response.failed)
        replace_failed(r);
}
