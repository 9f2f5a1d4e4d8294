/*
 * The list of what is bound to a server: for its program, and as a table in the log. Thread: any, after the set-up.
 */
#ifndef GF_GHTTP_SERVER_ROUTES_H
#define GF_GHTTP_SERVER_ROUTES_H

#include <gf/ghttp/ghttp.h>

/* Logs the table of routes, a line for each binding. */
void gf_routes_log(ghttp_server *s);

#endif
