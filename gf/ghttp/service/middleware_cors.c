/*
 * Cross-origin resource sharing, as browsers ask for it (the Fetch standard, 3.2).
 *
 * Without named origins everybody's pages may read what everybody may read: "*", never with credentials, for a page of
 * any site would then read what its visitor is logged in for.
 */
#include <string.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "../message/request.h"
#include "../message/vary.h"

#define METHODS "GET,PUT,POST,DELETE,PATCH,HEAD,CONNECT,OPTIONS,TRACE"
#define HEADERS "Origin,Content-Type,Accept,User-Agent,Cookie,Authorization,X-Auth-Token,X-Requested-With"
#define MAX_AGE 3628800

static bool allows_any(const ghttp_cors *cors)
{
    return !cors->origins || strcmp(cors->origins, "*") == 0;
}

static bool allows(const ghttp_cors *cors, const char *origin)
{
    for (const char *list = cors->origins; *list;) {
        list += strspn(list, ", \t");
        size_t size = strcspn(list, ", \t");
        if (size > 0 && gf_ascii_equal_n(list, size, origin))
            return true;
        list += size;
    }
    return false;
}

static void set(ghttp_request *r, const char *name, const char *value)
{
    if (!value || ghttp_response_set_header(r, name, value) != 0)
        ghttp_response_fail(r, "its headers leave no room for those of ghttp_middleware_cors()");
}

/* A cache that does not know of it would give one site's answer to another. */
static void vary_by_origin(ghttp_request *r)
{
    if (gf_vary_add(r, "Origin") != 0)
        ghttp_response_fail(r, "its headers leave no room for Vary");
}

static void answer_preflight(ghttp_request *r, const ghttp_cors *cors)
{
    int max_age = cors->max_age ? cors->max_age : MAX_AGE;

    ghttp_response_set_status(r, 204);
    set(r, "Access-Control-Allow-Methods", cors->methods ? cors->methods : METHODS);
    set(r, "Access-Control-Allow-Headers", cors->headers ? cors->headers : HEADERS);
    if (max_age > 0)
        set(r, "Access-Control-Max-Age", gf_arena_printf(r->arena, "%d", max_age));
}

static void mark(ghttp_request *r, const ghttp_cors *cors, const char *origin)
{
    bool any = allows_any(cors);

    set(r, "Access-Control-Allow-Origin", any ? "*" : origin);
    if (!any && cors->credentials)
        set(r, "Access-Control-Allow-Credentials", "true");
    if (cors->exposed_headers)
        set(r, "Access-Control-Expose-Headers", cors->exposed_headers);
}

void ghttp_middleware_cors(ghttp_request *r)
{
    static const ghttp_cors everybody;
    const ghttp_cors *cors = ghttp_request_arg(r) ? ghttp_request_arg(r) : &everybody;
    const char *origin = ghttp_request_header(r, "Origin");
    bool allowed = origin && (allows_any(cors) || allows(cors, origin));
    bool preflight =
        origin && strcmp(r->method, "OPTIONS") == 0 && ghttp_request_header(r, "Access-Control-Request-Method");

    if (!allows_any(cors))
        vary_by_origin(r);
    if (allowed)
        mark(r, cors, origin);
    if (!preflight)
        ghttp_request_next(r);
    else if (allowed)
        answer_preflight(r, cors);
    else
        ghttp_response_set_status(r, 403);
}
