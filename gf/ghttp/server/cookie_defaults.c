/*
 * Cookies with the defaults of the server: what handlers set when they name no attributes themselves.
 *
 * Thread: the check before start, the others the request's own.
 */
#include "cookie_defaults.h"

#include <errno.h>
#include <stdio.h>

#include "../message/arena.h"
#include "../message/request.h"
#include "../message/set_cookie.h"
#include "server.h"

int gf_cookie_defaults(const struct gf_settings *settings, struct ghttp_cookie *ret_cookie)
{
    enum ghttp_same_site same_site;

    if (!gf_same_site_parse(settings->cookie_same_site, &same_site))
        return -EINVAL;
    *ret_cookie = (struct ghttp_cookie){
        .path = settings->cookie_path[0] ? settings->cookie_path : NULL,
        .domain = settings->cookie_domain[0] ? settings->cookie_domain : NULL,
        .max_age = (long)(settings->cookie_max_age / 1000),
        .secure = settings->cookie_secure,
        .http_only = settings->cookie_http_only,
        .same_site = same_site,
    };
    return 0;
}

int gf_cookie_defaults_check(const struct gf_settings *settings, char *error, size_t error_size)
{
    struct gf_arena *arena = gf_arena_new(1 << 20);
    struct ghttp_cookie cookie;
    const char *text;
    int result = arena ? gf_cookie_defaults(settings, &cookie) : -ENOMEM;

    if (result == -EINVAL)
        snprintf(error, error_size, "\"cookieSameSite\": \"%.64s\" is none of lax, strict, none",
                 settings->cookie_same_site);
    if (result < 0)
        goto done;
    cookie.name = "name";
    result = gf_cookie_print(arena, &cookie, &text);
    if (result == -EINVAL)
        snprintf(error, error_size,
                 "no browser keeps a cookie with this cookiePath, cookieDomain, cookieSameSite and "
                 "cookieSecure together (\"none\" needs cookieSecure)");
    if (result < 0)
        goto done;
    cookie.name = settings->session_id_name;
    cookie.secure = true; /* as over HTTPS */
    result = gf_cookie_print(arena, &cookie, &text);
    if (result == -EINVAL)
        snprintf(error, error_size,
                 "\"sessionIdName\": \"%.64s\" is no name for a cookie with this cookiePath and "
                 "cookieDomain",
                 settings->session_id_name);
done:
    if (result == -ENOMEM)
        snprintf(error, error_size, "no memory to check the cookies' settings");
    gf_arena_free(arena);
    return result;
}

int ghttp_response_set_cookie(ghttp_request *r, const char *name, const char *value)
{
    struct ghttp_cookie cookie;
    int result = gf_cookie_defaults(&r->server->settings, &cookie);

    if (result < 0)
        return result;
    cookie.name = name;
    cookie.value = value;
    return ghttp_response_set_cookie_with(r, &cookie);
}

int ghttp_response_remove_cookie(ghttp_request *r, const char *name)
{
    struct ghttp_cookie cookie;
    int result = gf_cookie_defaults(&r->server->settings, &cookie);

    if (result < 0)
        return result;
    cookie.name = name;
    cookie.max_age = -1;
    cookie.expires = 1; /* 1970, for clients that do not know Max-Age */
    return ghttp_response_set_cookie_with(r, &cookie);
}
