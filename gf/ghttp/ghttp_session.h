/**
 * @file ghttp_session.h
 * Cookies of responses, and sessions.
 * Part of <gf/ghttp/ghttp.h>, whose first lines hold here too.
 */
#ifndef GF_GHTTP_SESSION_H
#define GF_GHTTP_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <gf/ghttp/ghttp_request.h>
#include <gf/ghttp/ghttp_types.h>

GF_BEGIN_DECLS

/* ---- cookies of responses --------------------------------------------------------------------- */
/* All of these: the request's own thread. */

/** Whether pages of other sites may send a cookie along. */
enum ghttp_same_site {
    GHTTP_SAME_SITE_UNSET,  /**< not said: most browsers then do as for Lax */
    GHTTP_SAME_SITE_LAX,    /**< only when the user follows a link to this site */
    GHTTP_SAME_SITE_STRICT, /**< never */
    GHTTP_SAME_SITE_NONE,   /**< always; needs `secure` */
};

/** A cookie for ghttp_response_set_cookie_with(). Of what is 0 or NULL the client is told nothing. */
struct ghttp_cookie {
    const char *name;   /**< a token: letters, digits and !#$%&'*+-.^_`|~ */
    const char *value;  /**< visible ASCII without quotes, comma, semicolon and backslash; NULL: empty */
    const char *domain; /**< this host and all below it; NULL: the host that was asked alone */
    const char *path;   /**< the paths that it is for, from '/' on; NULL: those beside the request's */
    long max_age;       /**< seconds; 0: until the browser ends; negative: the browser forgets it now */
    time_t expires;     /**< the same as a date, for clients that do not know max_age */
    bool secure;        /**< over HTTPS only */
    bool http_only;     /**< not for scripts */
    bool partitioned;   /**< one for each site that embeds this one; needs `secure` */
    enum ghttp_same_site same_site;
};

/**
 * Sets a cookie with the attributes that the settings cookieMaxAge, cookiePath, cookieDomain, cookieSameSite,
 * cookieSecure and cookieHttpOnly give, replacing one that this response has set by the same name. A value with other
 * characters than a cookie can carry is refused, not changed: encode it (as base64url, or percent-encoded).
 * @return 0; -EINVAL for a name or value that a cookie cannot have; -E2BIG for more than 4,096 bytes of both, or
 *         -E2BIG and -ENOSPC as ghttp_response_set_header(); -EALREADY after the first flush; -ENOMEM.
 */
GF_API int ghttp_response_set_cookie(ghttp_request *r, const char *name, const char *value);

/**
 * The same with all attributes as they are in the cookie, without the settings. What browsers throw away is refused
 * too: SameSite=None, `partitioned` and the prefix `__Secure-` without `secure`; the prefix `__Host-` with a domain,
 * without `secure` or with another path than "/".
 * @param cookie the caller's, copied.
 * @return as ghttp_response_set_cookie().
 */
GF_API int ghttp_response_set_cookie_with(ghttp_request *r, const struct ghttp_cookie *cookie);

/**
 * Has the client forget a cookie that ghttp_response_set_cookie() has set. For one with another path or domain, set it
 * with these and a negative max_age.
 * @return as ghttp_response_set_cookie().
 */
GF_API int ghttp_response_remove_cookie(ghttp_request *r, const char *name);

/* ---- sessions --------------------------------------------------------------------------------- */
/*
 * What a program remembers of a client from one request to the next: values under keys, in the server's store (files,
 * memory or Redis, as sessionStorage says), found by an id that the client carries in a cookie. docs/sessions.md has
 * the rules. All of these: the request's own thread.
 *
 * A session begins with the first value that is set, ends sessionMaxAge after its last use or when it has no value
 * any more, and is saved before the response goes out. An id that the client made up is never used. At most 256
 * values and 64 KiB of keys and values.
 */

/** The id: 32 digits, lower-case hexadecimal; NULL while there is no session. Whoever has it is the client: keep it
 * out of pages and logs. */
GF_API const char *ghttp_session_id(ghttp_request *r);
/**
 * Why the session of this request could not be read: its store (a Redis that is down, a folder) does not work at this
 * moment. The request then looks like one of a stranger, and no value can be set, so that the client's session is
 * there again when the store is. Answer such a request with 503 where a stranger would be told to log in.
 * @return 0: it was read, or the client has none; a negative errno: -ECONNREFUSED, -ETIMEDOUT, -EACCES …
 */
GF_API int ghttp_session_error(ghttp_request *r);
/** A value, as this request sees it; NULL: there is none. Lives until the request ends. */
GF_API const char *ghttp_session_get(ghttp_request *r, const char *key);
/** ghttp_session_get() as a whole number; the fallback when it is absent or is not one. */
GF_API long ghttp_session_get_int(ghttp_request *r, const char *key, long fallback);
/** ghttp_session_get() as a number; the fallback when it is absent or is not one. */
GF_API double ghttp_session_get_double(ghttp_request *r, const char *key, double fallback);
/** ghttp_session_get() as true (1, true, on, yes) or false (0, false, off, no, empty); else the fallback. */
GF_API bool ghttp_session_get_bool(ghttp_request *r, const char *key, bool fallback);
/** Whether there is a value, an empty one too. */
GF_API bool ghttp_session_contains(ghttp_request *r, const char *key);
/** How many values there are, as this request sees them. */
GF_API size_t ghttp_session_size(ghttp_request *r);
/**
 * Calls fn for each key and its value, in no particular order. fn may set and remove values: those that were taken away
 * meanwhile are left out, and so are new ones.
 * @return how often fn was called.
 */
GF_API size_t ghttp_session_each(ghttp_request *r, ghttp_pair *fn, void *arg);
/**
 * Sets a value, beginning a session if there is none.
 * @param key 1..256 bytes. @param value any text, copied; NULL takes the key away.
 * @return 0; -EINVAL for a key; -E2BIG for more than a session holds; -EALREADY when a session would begin after the
 *         first flush, which its cookie cannot follow; -ENOSPC when a session would begin and there are
 * sessionMaxCount; what the store of the sessions cannot do (-EACCES, -ECONNREFUSED …; see ghttp_session_error());
 * -ENOMEM.
 */
GF_API int ghttp_session_set(ghttp_request *r, const char *key, const char *value);
/** Takes a value away; with the last one the session ends. 0 (also if there was none) or as ghttp_session_set(). */
GF_API int ghttp_session_remove(ghttp_request *r, const char *key);
/** Takes all values away; unless new ones are set the session ends, and its cookie goes: a logout. 0 or -ENOMEM. */
GF_API int ghttp_session_clear(ghttp_request *r);
/**
 * Gives the session another id and keeps its values; the old id is worth nothing from the end of the request on. Call
 * it whenever a client gets more rights than before: at each login.
 * @return 0 (also while there is no session: a new one has a new id); -EALREADY after the first flush; -EIO: no random
 *         numbers; -ENOMEM.
 */
GF_API int ghttp_session_regenerate(ghttp_request *r);
/**
 * How long this session lives after its last use, in the place of sessionMaxAge, and how long the browser keeps its
 * cookie, in the place of sessionCookieMaxAge unless that is 0.
 * @param seconds 1..34560000 (400 days); 0: as the settings say again.
 * @return 0; -EINVAL; -ENOENT while there is no session; -ENOMEM.
 */
GF_API int ghttp_session_set_max_age(ghttp_request *r, long seconds);

GF_END_DECLS

#endif
