#include "admin_login.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../engine/mac.h"
#include "../message/ascii.h"
#include "../message/request.h"
#include "rate_limit.h"
#include "secret.h"

/* A working day: whoever comes back the next one types the token again. */
#define LOGIN_SECONDS (12 * 60 * 60)
/* Wrong tokens of one client: so many at once, for those who mistype, then one every five seconds. */
#define GUESSES 10
#define GUESSES_PER_SECOND 0.2
/* "gf-admin-" and a part of a code: servers of one host with different tokens, on different ports, which cookies do not
 * know, have different cookies. */
#define NAME_DIGITS 8
#define NAME_SIZE (sizeof("gf-admin-") + NAME_DIGITS)
/* The seconds since 1970, a dot, the code. */
#define VALUE_SIZE (20 + 1 + GF_MAC_SIZE + 1)

static ghttp_rate_limit *guesses; /* of all servers of the process; kept until it ends */

int gf_admin_login_set_up(void)
{
    if (!guesses)
        guesses = ghttp_rate_limit_new(GUESSES_PER_SECOND, GUESSES);
    return guesses ? 0 : -ENOMEM;
}

/* ---- tokens ---- */

enum gf_admin_proof gf_admin_login_guess(ghttp_request *r, const char *token, const char *typed, long *ret_wait)
{
    const char *ip = ghttp_request_client_ip(r);

    /* Taken first and given back: of many at the same time no more than there are left are looked at. */
    *ret_wait = guesses ? gf_rate_limit_take(guesses, ip) : 0;
    if (*ret_wait)
        return GF_ADMIN_PROOF_TOO_MANY;
    if (!gf_secret_equal(typed, token))
        return GF_ADMIN_PROOF_WRONG;
    if (guesses)
        gf_rate_limit_give(guesses, ip);
    return GF_ADMIN_PROOF_HEADER;
}

/* What stands behind "Bearer " in Authorization; NULL: no such header. */
static const char *find_bearer(const ghttp_request *r)
{
    static const char scheme[] = "Bearer ";
    const char *given = ghttp_request_header(r, "Authorization");

    if (!given || !gf_ascii_equal_n(given, strnlen(given, sizeof(scheme) - 1), scheme))
        return NULL;
    given += sizeof(scheme) - 1;
    return given + strspn(given, " ");
}

/* ---- the cookie ---- */

static int make_name(const char *token, char name[NAME_SIZE])
{
    char mac[GF_MAC_SIZE + 1];
    int result = gf_mac_make(token, "gf admin cookie's name", mac);

    if (!result)
        snprintf(name, NAME_SIZE, "gf-admin-%.*s", NAME_DIGITS, mac);
    return result;
}

static int make_value(const char *token, long long until, char value[VALUE_SIZE])
{
    char text[64], mac[GF_MAC_SIZE + 1];
    int result;

    snprintf(text, sizeof(text), "gf admin login until %lld", until);
    result = gf_mac_make(token, text, mac);
    if (!result)
        snprintf(value, VALUE_SIZE, "%lld.%s", until, mac);
    return result;
}

static long long now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_REALTIME, &time);
    return (long long)time.tv_sec;
}

static bool is_good(const char *token, const char *given)
{
    char value[VALUE_SIZE], *end;
    long long until;

    errno = 0;
    until = strtoll(given, &end, 10);
    if (errno || *end != '.' || until <= now() || until > now() + LOGIN_SECONDS)
        return false;
    return make_value(token, until, value) == 0 && gf_secret_equal(given, value);
}

int gf_admin_login_remember(ghttp_request *r, const char *token)
{
    char name[NAME_SIZE], value[VALUE_SIZE];
    struct ghttp_cookie cookie = {
        .name = name,
        .value = value,
        .secure = ghttp_request_is_https(r),
        .http_only = true,
        .same_site = GHTTP_SAME_SITE_STRICT,
    };
    int result = make_name(token, name);

    if (!result)
        result = make_value(token, now() + LOGIN_SECONDS, value);
    return result ? result : ghttp_response_set_cookie_with(r, &cookie);
}

/* ---- either ---- */

enum gf_admin_proof gf_admin_login_look(ghttp_request *r, const char *token, long *ret_wait)
{
    const char *given = find_bearer(r), *cookie;
    char name[NAME_SIZE];

    *ret_wait = 0;
    if (given)
        return gf_admin_login_guess(r, token, given, ret_wait);
    cookie = make_name(token, name) == 0 ? ghttp_request_cookie(r, name) : NULL;
    return cookie && is_good(token, cookie) ? GF_ADMIN_PROOF_COOKIE : GF_ADMIN_PROOF_NONE;
}
