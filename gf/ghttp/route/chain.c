/*
 * The way of a request through its server. What the library answers itself is answered in
 * gf_chain_prepare(); code of the program runs in gf_chain_run() only, in this order: hooks before serve, a file or
 * middleware round the handler, hooks after serve, handlers of the status, hooks before output; the response is
 * completed and final; hooks after output.
 *
 * Thread: whoever has the request.
 */
#include "chain.h"

#include <errno.h>
#include <string.h>

#include "../message/arena.h"
#include "../message/error_log.h"
#include "../message/request.h"
#include "../message/status.h"
#include "flow.h"
#include "stages.h"

/* The longest method and path that a line of the log shows of a request. */
#define LOGGED_SIZE 512

/* Answered without a route. Handlers of statuses may still have a word. */
static struct gf_pace *answer_status(const struct gf_chain *chain, struct ghttp_request *r, int status)
{
    ghttp_response_write_status(r, status);
    if (!chain->stages || chain->stages->statuses.count == 0)
        return NULL;
    r->way.refused = true;
    return chain->pace;
}

static struct gf_pace *answer_allowed(struct ghttp_request *r, unsigned methods)
{
    gf_flow_answer_allowed(r, methods);
    if (r->response.status == 405)
        ghttp_response_write_status(r, 405);
    return NULL;
}

static struct gf_pace *answer_error(const struct gf_chain *chain, struct ghttp_request *r, int error)
{
    if (error == -EINVAL) {
        /* where a target is malformed, what follows on the connection may be meant otherwise too */
        ghttp_response_set_header(r, "Connection", "close");
        return answer_status(chain, r, 400);
    }
    gf_request_report(r, GLOG_ERROR, 500, "no route looked up for %.*s %.*s: %s", LOGGED_SIZE, r->method, LOGGED_SIZE,
                      r->target, error == -ELOOP ? "too many routes overlap on this path" : strerror(-error));
    return answer_status(chain, r, 500);
}

/*
 * A browser asks by OPTIONS whether it may send another method. The middleware of that method's route has the answer,
 * so the request takes its way, though not to its handler.
 */
static int find_preflight(const struct gf_chain *chain, struct ghttp_request *r)
{
    const char *asked = gf_fields_find(&r->headers, "Access-Control-Request-Method");
    unsigned allowed = r->allowed_methods, method = asked ? gf_method_bit(asked) : 0;
    if (method == 0 || r->route || r->way.method != GF_METHOD_OPTIONS)
        return 0;
    int error = gf_router_find_method(chain->router, r, method);
    r->allowed_methods = allowed;
    r->way.preflight = true;
    r->way.method = method;
    return error;
}

static int prepare_stages(const struct gf_chain *chain, struct ghttp_request *r, unsigned method)
{
    r->way.method = method;
    int error = find_preflight(chain, r);
    if (!error && chain->stages->has_patterns)
        error = gf_matcher_cut_path(r);
    return error;
}

/* NULL: no file is looked for. */
static const struct gf_chain_files *files_for(const struct gf_chain *chain, const struct ghttp_request *r)
{
    return strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0 ? chain->files : NULL;
}

static struct gf_pace *answer_unrouted(const struct gf_chain *chain, struct ghttp_request *r)
{
    return r->allowed_methods ? answer_allowed(r, r->allowed_methods) : answer_status(chain, r, 404);
}

struct gf_pace *gf_chain_prepare(const struct gf_chain *chain, struct ghttp_request *r)
{
    unsigned method = gf_method_bit(r->method);
    if (method == 0)
        return answer_status(chain, r, 501);
    int error = gf_request_parse_target(r);
    if (error)
        return answer_error(chain, r, error);
    if (strcmp(r->raw_path, "*") == 0)
        return answer_allowed(r, GF_METHOD_ALL);
    if (chain->files)
        chain->files->rewrite(chain->files, r);
    error = gf_router_find_method(chain->router, r, method);
    if (!error && chain->stages)
        error = prepare_stages(chain, r, method);
    if (error)
        return answer_error(chain, r, error);
    if (r->route)
        return r->route->pace;
    if (chain->stages || files_for(chain, r))
        return chain->pace;
    return answer_unrouted(chain, r);
}

bool gf_chain_streams(const struct ghttp_request *r)
{
    return r->route && r->route->streams && !r->way.refused && !r->way.preflight;
}

/* Where it failed, as far as that is known: the call, and the route with its handler. NULL: nothing is, or no memory.
 */
static const char *describe_place(const struct ghttp_request *r)
{
    const struct gf_response *response = &r->response;
    const struct gf_route *route = r->route;
    const char *slash = response->failure_file ? strrchr(response->failure_file, '/') : NULL;
    const char *file = slash ? slash + 1 : response->failure_file;
    const char *call = file ? gf_arena_printf(r->arena, "; at %s:%d in %s()", file, response->failure_line,
                                              response->failure_function ? response->failure_function : "?")
                            : "";

    if (!route || !call)
        return call;
    return gf_arena_printf(r->arena, "%s; route %s:%.*s, handler %s%s%s", call, route->method, LOGGED_SIZE, route->path,
                           route->name ? route->name : "?", route->place ? ", bound at " : "",
                           route->place ? route->place : "");
}

static void log_failed(const struct gf_chain *chain, const struct ghttp_request *r)
{
    const char *place = chain && chain->tells_places ? describe_place(r) : NULL;

    gf_request_report(r, GLOG_ERROR, r->response.sent ? r->response.status : 500,
                      "the response to %.*s %.*s failed: %s%s", LOGGED_SIZE, r->method, LOGGED_SIZE, r->path,
                      r->response.failure, place ? place : "");
}

/* A response that could not be made is replaced; without its headers too, if these have outgrown their memory. If even
 * that fails it stays marked as failed, and the engine answers with a bare 500. */
static void replace_failed(const struct gf_chain *chain, struct ghttp_request *r)
{
    log_failed(chain, r);
    gf_response_take_back(r);
    ghttp_response_write_status(r, 500);
    if (!r->response.failed)
        return;
    gf_response_reset(r);
    ghttp_response_write_status(r, 500);
}

int ghttp_response_recover(ghttp_request *r)
{
    if (!r->response.failed)
        return -ENOENT;
    if (r->response.sent || r->response.final)
        return -EALREADY;
    log_failed(r->way.chain, r);
    gf_response_take_back(r);
    ghttp_response_set_status(r, 500);
    return 0;
}

static void complete(struct ghttp_request *r)
{
    struct gf_response *response = &r->response;
    if (gf_status_is_bodyless(response->status))
        ghttp_response_clear(r);
    bool typed = gf_fields_find(&response->headers, "Content-Type") != NULL;
    if (response->body.size == 0 && response->status >= 400 && !typed)
        ghttp_response_write_status(r, response->status);
    else if (response->body.size > 0 && !typed && gf_response_default_type(r) != 0) {
        response->failed = true;
        response->failure = "its headers leave no room for a Content-Type";
    }
}

static void finish(const struct gf_chain *chain, struct ghttp_request *r)
{
    if (r->response.sent) { /* what is left of it follows as it is */
        gf_request_run_before_output(r);
        if (r->response.failed)
            log_failed(chain, r);
        return;
    }
    if (!r->response.failed)
        complete(r);
    if (r->response.failed)
        replace_failed(chain, r);
    gf_request_run_before_output(r); /* last, so that a response that was replaced has its cookies too */
}

/* An empty 200 that nobody meant would look as if all were well. */
static void expect_answer(struct ghttp_request *r)
{
    if (!r->response.answered)
        (ghttp_response_fail)(r, r->way.handled ? "the handler returned without answering"
                                                : "the handler was not reached, and nobody else has answered");
}

/* What a hook has begun to stream is the answer; a file would be sent behind it. */
static bool serve_file(const struct gf_chain *chain, struct ghttp_request *r)
{
    const struct gf_chain_files *files = r->response.sent ? NULL : files_for(chain, r);
    return files && files->serve(files, r);
}

bool ghttp_request_is_file(ghttp_request *r)
{
    const struct gf_chain_files *files = r->way.chain && !r->way.refused ? files_for(r->way.chain, r) : NULL;
    return files && files->has(files, r);
}

/* Files pass the hooks, not the middleware. */
static void run_stages(struct ghttp_request *r)
{
    if (!r->way.refused) {
        gf_flow_run_hooks(r, GHTTP_HOOK_BEFORE_SERVE);
        if (r->way.exited || !serve_file(r->way.chain, r))
            gf_flow_serve(r);
        gf_flow_run_hooks(r, GHTTP_HOOK_AFTER_SERVE);
        expect_answer(r);
    }
    if (r->response.failed && !r->response.sent)
        replace_failed(r->way.chain, r);
    if (!r->response.sent)
        gf_flow_run_statuses(r);
    if (!r->way.refused)
        gf_flow_run_hooks(r, GHTTP_HOOK_BEFORE_OUTPUT);
    finish(r->way.chain, r);
    if (r->way.refused)
        return;
    r->response.final = true;
    gf_flow_run_hooks(r, GHTTP_HOOK_AFTER_OUTPUT);
}

void gf_chain_run(const struct gf_chain *chain, struct ghttp_request *r)
{
    if (chain->stages) {
        r->way.chain = chain;
        run_stages(r);
        return;
    }
    if (!serve_file(chain, r)) {
        if (r->route)
            gf_flow_run_handler(r);
        else
            answer_unrouted(chain, r);
        expect_answer(r);
    }
    finish(chain, r);
}
