/*
 * Who one is: new users, login, logout, and the middleware that lets only those in who have logged in.
 *
 * Owns: nothing. Thread: the request's own.
 */
#ifndef REST_API_ACCOUNTS_H
#define REST_API_ACCOUNTS_H

#include <gf/gf.h>

#include "users.h"

/* Handlers. */
void account_create(ghttp_request *r);
void account_login(ghttp_request *r);
void account_logout(ghttp_request *r);
void account_show(ghttp_request *r);

/* Middleware: 401 without a login. */
void account_required(ghttp_request *r);

/* The user, behind that middleware. */
const struct user *account_user(ghttp_request *r);

#endif
