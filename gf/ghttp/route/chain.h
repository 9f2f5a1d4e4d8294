/*
 * The chain: what a server does with a request, in which order. It finds the route, runs hooks, files,
 * middleware, the handler and the handlers of statuses, and gives an answer where there is no route (404, 405 with
 * Allow, 501 for an unknown method, OPTIONS, 500).
 *
 * Frozen by the server's start.
 */
#ifndef GF_GHTTP_ROUTE_CHAIN_H
#define GF_GHTTP_ROUTE_CHAIN_H

#include <gf/ghttp/ghttp.h>

#include <stdbool.h>

#include "pace.h"
#include "router.h"

struct gf_stages;

/* What serves files ahead of the routes: the service floor's. */
struct gf_chain_files {
    /* Changes the path of a request before its route is looked for. Never blocks. */
    void (*rewrite)(const struct gf_chain_files *files, struct ghttp_request *r);
    /* Answers a GET or HEAD, whose route is found (NULL: there is none). false: it is not for a file, nothing has been
     * changed. Reads from disks. */
    bool (*serve)(const struct gf_chain_files *files, struct ghttp_request *r);
    /* Whether it would: changes nothing. */
    bool (*has)(const struct gf_chain_files *files, struct ghttp_request *r);
};

struct gf_chain {
    bool tells_places;                  /* the log of a failed response says where it failed */
    struct gf_router *router;           /* owned by the server, as all of these */
    struct gf_proxies *proxies;         /* named by the program; NULL: none */
    struct gf_stages *stages;           /* NULL: handlers and nothing round them */
    bool has_streaming;                 /* there are routes whose handlers read bodies themselves */
    const struct gf_chain_files *files; /* NULL: none are served */
    struct gf_pace *pace; /* of requests that have stages or files and no route; writable though the chain is frozen */
};

/*
 * Looks at a complete request: parses its target, finds its route. Never blocks, runs no code of the
 * program. Returns the pace of what will run, by which the worker decides where; NULL when the answer needs no
 * code of the program (it is in r->response already).
 */
struct gf_pace *gf_chain_prepare(const struct gf_chain *chain, struct ghttp_request *r);

/* Whether what gf_chain_prepare() found will read the body itself. */
bool gf_chain_streams(const struct ghttp_request *r);

/* Runs what gf_chain_prepare() found; the response is complete afterwards. May block as long as the program does. */
void gf_chain_run(const struct gf_chain *chain, struct ghttp_request *r);

#endif
