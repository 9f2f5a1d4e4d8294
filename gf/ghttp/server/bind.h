/*
 * Binding: what a program binds to a server, with the server's own errors. Thread: before start.
 */
#ifndef GF_GHTTP_SERVER_BIND_H
#define GF_GHTTP_SERVER_BIND_H

#include "../route/router.h"
#include "../route/stages.h"
#include "server.h"

/*
 * Binds a route for the public function `call`. The place of the wish is found here, and so is the handler's name if it
 * has none. 0 or a negative errno, with the message on the server.
 */
int gf_bind_route(ghttp_server *s, const char *call, const struct gf_route_wish *wish);

/* The stages of the server, made at the first call; NULL: no memory, and the message is on the server. */
struct gf_stages *gf_bind_stages(ghttp_server *s, const char *call);

/* A step for a handler, named; from now on the server's requests pass its stages. 0, -EINVAL or -ENOMEM, with the
 * message on the server. */
int gf_bind_make_step(ghttp_server *s, const char *call, ghttp_handler *fn, void *arg, struct gf_step *step);

/* Binds a hook for the public function `call`. 0 or a negative errno, with the message on the server. */
int gf_bind_hook(ghttp_server *s, const char *call, const char *pattern, ghttp_hook when, ghttp_handler *fn, void *arg);

#endif
