/*
 * Authentication by name and password, or by token (RFC 7617, RFC 6750).
 *
 * All that are known are compared with what came, each in constant time, so that neither which one is right nor how
 * much of it can be read off the clock.
 */
#include <string.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "../message/request.h"
#include "secret.h"

#define USER_KEY "ghttp_request_user"
/* Longer than any that people or programs use. */
#define CREDENTIALS_SIZE_MAX ((size_t)4096)

const char *ghttp_request_user(const ghttp_request *r)
{
    return ghttp_request_value(r, USER_KEY);
}

/* What follows the scheme in the Authorization header; NULL: another scheme, or none. */
static const char *find_credentials(const ghttp_request *r, const char *scheme)
{
    const char *header = ghttp_request_header(r, "Authorization");
    size_t size = header ? strcspn(header, " ") : 0;

    if (!header || !header[size] || !gf_ascii_equal_n(header, size, scheme))
        return NULL;
    header += size + strspn(header + size, " ");
    return strlen(header) <= CREDENTIALS_SIZE_MAX ? header : NULL;
}

static void refuse(ghttp_request *r, const char *scheme, const char *realm, const char *more)
{
    const char *value = gf_arena_printf(r->arena, "%s realm=\"%s\"%s", scheme, realm ? realm : "restricted", more);

    ghttp_response_set_status(r, 401);
    if (!value || ghttp_response_set_header(r, "WWW-Authenticate", value) != 0)
        ghttp_response_fail(r, "its headers leave no room for WWW-Authenticate");
}

/* ---- basic ---- */

static bool is_known(const ghttp_user *users, const char *name, const char *password)
{
    bool known = false;

    for (; users && users->name; users++) {
        bool name_fits = gf_secret_equal(name, users->name);
        bool password_fits = gf_secret_equal(password, users->password ? users->password : "");

        known |= (users->password != NULL) & name_fits & password_fits;
    }
    return known;
}

void ghttp_middleware_basic_auth(ghttp_request *r)
{
    const ghttp_basic_auth *auth = ghttp_request_arg(r);
    const char *name = NULL, *password = NULL;
    bool sent = find_credentials(r, "Basic") && ghttp_request_basic_auth(r, &name, &password) == 0;

    if (!auth) {
        ghttp_response_fail(r, "ghttp_middleware_basic_auth() was bound without its argument");
        return;
    }
    if (!sent || (!is_known(auth->users, name, password) && !(auth->check && auth->check(r, name, password))))
        refuse(r, "Basic", auth->realm, ", charset=\"UTF-8\"");
    else if (ghttp_request_set_value(r, USER_KEY, (void *)name) != 0)
        ghttp_response_fail(r, "out of memory");
    else
        ghttp_request_next(r);
}

/* ---- bearer ---- */

static bool is_token_known(const char *const *tokens, const char *token)
{
    bool known = false;

    for (; tokens && *tokens; tokens++)
        known |= (**tokens != '\0') & gf_secret_equal(token, *tokens);
    return known;
}

void ghttp_middleware_bearer_auth(ghttp_request *r)
{
    const ghttp_bearer_auth *auth = ghttp_request_arg(r);
    const char *token = find_credentials(r, "Bearer");

    if (!auth)
        ghttp_response_fail(r, "ghttp_middleware_bearer_auth() was bound without its argument");
    else if (!token || !*token || (!is_token_known(auth->tokens, token) && !(auth->check && auth->check(r, token))))
        refuse(r, "Bearer", auth->realm, "");
    else
        ghttp_request_next(r);
}
