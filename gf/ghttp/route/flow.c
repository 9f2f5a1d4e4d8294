/*
 * Middleware is an onion: ghttp_request_next() runs the next layer, and returns when all layers inside have ended.
 * Nothing is allocated for it: the request carries the number of the layer whose turn it is, and whether the one that
 * runs may still go on, so that no layer is ever run twice or past one that ended the way.
 *
 * Leaving is done with flags, not with jumps: a handler returns as any C function does, and what has not begun is
 * skipped.
 */
#include "flow.h"

#include <string.h>
#include <unistd.h>

#include "../message/arena.h"
#include "../message/body_headers.h"
#include "../message/request.h"
#include "../message/status.h"
#include "chain.h"
#include "method.h"
#include "stages.h"

void *ghttp_request_arg(const ghttp_request *r)
{
    if (r->way.step)
        return r->way.step->arg;
    return r->route ? r->route->arg : NULL;
}

const char *ghttp_request_route(const ghttp_request *r)
{
    return r->route ? r->route->pattern : NULL;
}

void ghttp_request_exit(ghttp_request *r)
{
    r->way.exited = true;
}

void ghttp_request_exit_all(ghttp_request *r)
{
    r->way.exited = r->way.exited_all = true;
}

void ghttp_request_exit_hook(ghttp_request *r)
{
    r->way.hooks_exited = true;
}

/* Runs a step; what ran before it is the current one again afterwards, and may not go on a second time. */
static void run(struct ghttp_request *r, const struct gf_step *step, bool may_go_on)
{
    const struct gf_step *outer = r->way.step;
    r->way.step = step;
    r->way.may_go_on = may_go_on;
    step->handler(r);
    r->way.step = outer;
    r->way.may_go_on = false;
}

static bool fits(const struct gf_step *step, const struct ghttp_request *r)
{
    return !step->matcher || gf_matcher_fits(step->matcher, r);
}

/* ---- middleware ------------------------------------------------------------------------------- */

/* The next layer, counted off: of the server, then of the route's groups; NULL: only the handler is left. */
static const struct gf_step *take_next(struct ghttp_request *r)
{
    const struct gf_steps *own = &r->way.chain->stages->middleware;
    while (r->way.next < own->count) {
        const struct gf_step *step = &own->items[r->way.next++];
        if (fits(step, r))
            return step;
    }
    size_t number = r->way.next - own->count;
    if (!r->route || number >= r->route->middleware_count)
        return NULL;
    r->way.next++;
    return &r->route->middleware[number];
}

void gf_flow_answer_allowed(struct ghttp_request *r, unsigned methods)
{
    char text[GF_METHODS_TEXT_SIZE];
    gf_methods_format(methods, text);
    ghttp_response_set_status(r, strcmp(r->method, "OPTIONS") == 0 ? 204 : 405);
    if (ghttp_response_set_header(r, "Allow", text) != 0)
        ghttp_response_fail(r, "its headers leave no room for Allow");
}

/* A header that it sets is an answer of it; one that middleware has set before is none. */
void gf_flow_run_handler(struct ghttp_request *r)
{
    r->way.handled = true;
    r->response.has_headers = false;
    r->route->handler(r);
    if (r->response.has_headers)
        r->response.answered = true;
}

static void serve_innermost(struct ghttp_request *r)
{
    if (r->route && !r->way.preflight)
        gf_flow_run_handler(r);
    else if (r->allowed_methods)
        gf_flow_answer_allowed(r, r->allowed_methods);
    else
        ghttp_response_set_status(r, 404);
}

void ghttp_request_next(ghttp_request *r)
{
    const struct gf_step *outer = r->way.step;
    if (!r->way.may_go_on)
        return;
    r->way.may_go_on = false;
    if (r->way.exited)
        return;
    const struct gf_step *step = take_next(r);
    if (step) {
        run(r, step, true);
        return;
    }
    r->way.step = NULL;
    serve_innermost(r);
    r->way.step = outer;
}

void gf_flow_serve(struct ghttp_request *r)
{
    r->way.may_go_on = true;
    ghttp_request_next(r);
}

/* ---- hooks ------------------------------------------------------------------------------------ */

/* What counts requests when all is done counts those too that were exited. */
static bool is_over(const struct ghttp_request *r, enum ghttp_hook when)
{
    return r->way.hooks_exited || (r->way.exited_all && when != GHTTP_HOOK_AFTER_OUTPUT);
}

void gf_flow_run_hooks(struct ghttp_request *r, enum ghttp_hook when)
{
    const struct gf_steps *hooks = &r->way.chain->stages->hooks[when];
    r->way.hooks_exited = false;
    for (size_t i = 0; i < hooks->count && !is_over(r, when); i++)
        if (fits(&hooks->items[i], r))
            run(r, &hooks->items[i], false);
}

/* ---- statuses --------------------------------------------------------------------------------- */

static bool is_for(const struct gf_step *step, const struct ghttp_request *r, int status)
{
    return step->status == status && (!step->domain || strcmp(step->domain, r->host) == 0);
}

static bool has_handler(const struct gf_steps *steps, const struct ghttp_request *r, int status)
{
    for (size_t i = 0; i < steps->count; i++)
        if (is_for(&steps->items[i], r, status))
            return true;
    return false;
}

/* What was taken from the response so that handlers of its status find none. */
struct old_body {
    struct gf_buffer body;
    int file_fd;
    const void *file_bytes;
    off_t file_offset, file_size;
    struct gf_body_headers headers;
};

static void take_body(struct ghttp_request *r, struct old_body *old)
{
    struct gf_response *response = &r->response;
    old->body = response->body;
    old->file_fd = response->file_fd;
    old->file_bytes = response->file_bytes;
    old->file_offset = response->file_offset;
    old->file_size = response->file_size;
    gf_buffer_init(&response->body, GF_RESPONSE_BODY_MAX);
    response->file_fd = -1;
    response->file_bytes = NULL;
    gf_body_headers_take(r, &old->headers);
}

static void give_back(struct ghttp_request *r, const struct old_body *old)
{
    struct gf_response *response = &r->response;
    gf_buffer_finish(&response->body);
    response->body = old->body;
    response->file_fd = old->file_fd;
    response->file_bytes = old->file_bytes;
    response->file_offset = old->file_offset;
    response->file_size = old->file_size;
}

static void forget(struct old_body *old)
{
    gf_buffer_finish(&old->body);
    if (old->file_fd >= 0)
        close(old->file_fd);
}

/* The body of before, unless there is a new one. With it go the headers that describe it; where there is to be no body
 * at all, as of a 304, they describe what is not sent, and stay. */
static void settle_body(struct ghttp_request *r, struct old_body *old)
{
    bool replaced = r->response.body.size > 0 || gf_response_has_file(r) || r->response.sent;
    if (replaced)
        forget(old);
    else
        give_back(r, old);
    if (r->response.sent || (replaced && !gf_status_is_bodyless(r->response.status)))
        return;
    if (gf_body_headers_give_back(r, &old->headers) != 0)
        ghttp_response_fail(r, "its headers leave no room for those of its body");
}

void gf_flow_run_statuses(struct ghttp_request *r)
{
    const struct gf_steps *steps = &r->way.chain->stages->statuses;
    struct old_body old;
    int status = r->response.status;
    if (status == 200 || !has_handler(steps, r, status))
        return;
    take_body(r, &old);
    for (size_t i = 0; i < steps->count; i++)
        if (is_for(&steps->items[i], r, status))
            run(r, &steps->items[i], false);
    settle_body(r, &old);
}
