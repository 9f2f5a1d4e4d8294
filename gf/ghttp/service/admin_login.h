/*
 * How visitors of the admin page prove that they know its token: by a header, or in a browser by a form, after which a
 * cookie does. Guesses are counted for each client. Thread: any.
 *
 * The cookie holds until when it counts and a code under that, made with the token: nothing is stored, and the process
 * after a restart knows it too. Whoever changes the token ends all logins.
 */
#ifndef GF_GHTTP_SERVICE_ADMIN_LOGIN_H
#define GF_GHTTP_SERVICE_ADMIN_LOGIN_H

#include <gf/ghttp/ghttp.h>

enum gf_admin_proof {
    GF_ADMIN_PROOF_NONE,     /* there is none */
    GF_ADMIN_PROOF_WRONG,    /* of another token */
    GF_ADMIN_PROOF_TOO_MANY, /* so many were wrong that this one was not looked at */
    GF_ADMIN_PROOF_HEADER,   /* good */
    GF_ADMIN_PROOF_COOKIE,   /* good, and sent by a browser on its own */
};

/* Makes the count of guesses ready, before the server starts; without it none are counted. 0 or -ENOMEM. */
int gf_admin_login_set_up(void);

/* Looks at Authorization, else at the cookie. *ret_wait: of too many, the seconds until the next one is looked at. */
enum gf_admin_proof gf_admin_login_look(ghttp_request *r, const char *token, long *ret_wait);

/* Compares what was typed into the form: WRONG, TOO_MANY or HEADER. */
enum gf_admin_proof gf_admin_login_guess(ghttp_request *r, const char *token, const char *typed, long *ret_wait);

/* Has the browser keep the cookie, until it ends, for the paths beside the request's own. 0 or a negative errno. */
int gf_admin_login_remember(ghttp_request *r, const char *token);

#endif
