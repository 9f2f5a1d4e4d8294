/*
 * Who a request is from. All of it: the request's own thread.
 */
#ifndef WEBSITE_ACCOUNT_H
#define WEBSITE_ACCOUNT_H

#include <gf/gf.h>

/* The user who is logged in; NULL: nobody is. Lives until the request ends. */
const char *account_user(ghttp_request *r);

/* Middleware: sends who is not logged in to the login page, and lets all others pass. */
void account_require(ghttp_request *r);

#endif
