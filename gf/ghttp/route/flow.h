/*
 * The flow of a request through the stages, which the chain calls in their order. Thread: whoever has the request.
 */
#ifndef GF_GHTTP_ROUTE_FLOW_H
#define GF_GHTTP_ROUTE_FLOW_H

#include <gf/ghttp/ghttp.h>

/* Runs the hooks of this moment that fit the request, unless it has been exited. */
void gf_flow_run_hooks(struct ghttp_request *r, enum ghttp_hook when);

/* Runs the handler of the request's route, and notes whether it has answered. */
void gf_flow_run_handler(struct ghttp_request *r);

/* Runs middleware, and in its middle the handler; without a route, what stands for one (404, 405, 204). */
void gf_flow_serve(struct ghttp_request *r);

/* Runs the handlers of the response's status. The body that they find is empty; if they leave it so, the response has
 * the body again that it had. */
void gf_flow_run_statuses(struct ghttp_request *r);

/* 204 to OPTIONS, 405 to other methods, both with what the path can do. */
void gf_flow_answer_allowed(struct ghttp_request *r, unsigned methods);

#endif
