/*
 * Login and logout. Who has logged in is remembered in a session; the browser has nothing but its id, in a cookie that
 * scripts cannot read. Sessions are files, so a restart logs nobody out.
 */
#include "account.h"

#include "page.h"
#include "site.h"

#include <crypt.h>
#include <string.h>

/* So many guesses of one client at once, and then one every four seconds. */
#define GUESSES_AT_ONCE 20
#define GUESSES_PER_SECOND 0.25

const char *account_user(ghttp_request *r)
{
    return ghttp_session_get(r, "user");
}

void account_require(ghttp_request *r)
{
    if (account_user(r))
        ghttp_request_next(r);
    else
        ghttp_response_redirect(r, "/login", 303);
}

/* Takes the same time wherever texts of one length differ. */
static bool is_equal(const char *a, const char *b)
{
    size_t length = strlen(a);
    int difference = 0;

    if (strlen(b) != length)
        return false;
    for (size_t i = 0; i < length; i++)
        difference |= a[i] ^ b[i];
    return !difference;
}

/*
 * Hashing a password takes long on purpose. Here that is no worry: a handler may block, other requests do not wait for
 * it. The name of a user that there is not is hashed for too, so that the time does not tell who there is.
 */
static bool is_right(ghttp_request *r, const char *user, const char *password)
{
    struct crypt_data *data = ghttp_request_alloc(r, sizeof(*data)); /* 32 KiB: too much for a stack */
    const char *hash = data ? crypt_r(password, site.password, data) : NULL;
    bool same = hash && *hash != '*' && is_equal(hash, site.password);

    return same && *site.user && is_equal(user, site.user);
}

/* ---- the page --------------------------------------------------------------------------------- */

static void write_page(ghttp_request *r, const char *user, const char *problem)
{
    page_begin(r, "Log in", NULL);
    if (problem)
        ghttp_response_writef(r, "<p class=\"problem\" role=\"alert\" id=\"problem\">%s</p>\n", problem);
    ghttp_response_writef(r,
                          "<form class=\"card narrow\" method=\"post\" action=\"/login\">\n"
                          "<p><label for=\"user\">Name</label>\n"
                          "<input id=\"user\" name=\"user\" autocomplete=\"username\" autocapitalize=\"none\" required"
                          "%s value=\"",
                          problem ? " aria-describedby=\"problem\"" : " autofocus");
    page_escape(r, user);
    ghttp_response_write(r, "\"></p>\n<p><label for=\"password\">Password</label>\n"
                            "<input id=\"password\" name=\"password\" type=\"password\" "
                            "autocomplete=\"current-password\" required></p>\n"
                            "<p><button>Log in</button></p>\n</form>\n"
                            "<p class=\"soft\">For this example: <code>alice</code>, <code>open sesame</code>.</p>\n");
    page_end(r);
}

static void show(ghttp_request *r)
{
    if (account_user(r))
        ghttp_response_redirect(r, "/uploads", 303);
    else
        write_page(r, "", NULL);
}

static void log_in(ghttp_request *r)
{
    const char *user = ghttp_request_form(r, "user");
    const char *password = ghttp_request_form(r, "password");

    if (!user || !password || !is_right(r, user, password)) {
        ghttp_response_set_status(r, 422);
        write_page(r, user ? user : "", "Name or password is wrong."); /* and not which of them */
        return;
    }
    /* Another id for whoever gets more rights: an id that somebody has planted in this browser is worth nothing now. */
    if (ghttp_session_regenerate(r) < 0 || ghttp_session_set(r, "user", site.user) < 0)
        ghttp_response_fail(r, "the session cannot be saved");
    else
        ghttp_response_redirect(r, "/uploads", 303);
}

static void log_out(ghttp_request *r)
{
    ghttp_session_clear(r);
    ghttp_response_redirect(r, "/", 303);
}

void account_bind(ghttp_server *s)
{
    ghttp_rate_limit *guesses = ghttp_rate_limit_new(GUESSES_PER_SECOND, GUESSES_AT_ONCE);

    /* Without the limit (NULL) the middleware answers 500: better no login than one for guessing. */
    ghttp_server_bind_middleware_with(s, "POST:/login", ghttp_middleware_rate_limit, guesses);
    ghttp_server_bind(s, "GET:/login", show);
    ghttp_server_bind(s, "POST:/login", log_in);
    ghttp_server_bind(s, "POST:/logout", log_out);
}
