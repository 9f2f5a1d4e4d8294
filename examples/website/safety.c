/*
 * What holds for every answer of the site, errors included; the files of public/ are served ahead of all this, and have
 * their own headers from the library.
 *
 * Headers tell browsers to run nothing but our own files, so that a text which slipped through unescaped does no harm.
 * And a request that changes something must come from a page of this site: a browser says where a request comes from,
 * and sends the user's cookie along whoever made it send the request.
 */
#include "site.h"

#include <string.h>

static void add_headers(ghttp_request *r)
{
    static const char *const headers[][2] = {
        {"Content-Security-Policy", "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; "
                                    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"},
        {"X-Content-Type-Options", "nosniff"},
        /* Not no-referrer: with that, browsers send "Origin: null" with our own forms. */
        {"Referrer-Policy", "same-origin"},
    };

    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
        ghttp_response_set_header(r, headers[i][0], headers[i][1]);
    ghttp_request_next(r);
}

/* Whether an origin, "http://example.org:8199", is the host that was asked. */
static bool is_own_origin(const ghttp_request *r, const char *origin)
{
    const char *host = ghttp_request_header(r, "Host");
    const char *authority = strstr(origin, "://");

    return host && authority && !strcmp(authority + 3, host);
}

/*
 * Sec-Fetch-Site is what today's browsers say, Origin what older ones do too. Without either it is no browser (curl),
 * and has no cookie of somebody else.
 */
static bool comes_from_elsewhere(const ghttp_request *r)
{
    const char *place = ghttp_request_header(r, "Sec-Fetch-Site");
    const char *origin = ghttp_request_header(r, "Origin");

    if (place)
        return strcmp(place, "same-origin") != 0 && strcmp(place, "none") != 0;
    return origin && !is_own_origin(r, origin);
}

static void refuse_other_sites(ghttp_request *r)
{
    const char *method = ghttp_request_method(r);
    bool reads = !strcmp(method, "GET") || !strcmp(method, "HEAD") || !strcmp(method, "OPTIONS");

    if (!reads && comes_from_elsewhere(r))
        ghttp_response_write_status(r, 403); /* and no ghttp_request_next(): nothing further in runs */
    else
        ghttp_request_next(r);
}

void safety_bind(ghttp_server *s)
{
    ghttp_server_use(s, add_headers);
    ghttp_server_use(s, refuse_other_sites);
    ghttp_server_use(s, ghttp_middleware_gzip);
}
