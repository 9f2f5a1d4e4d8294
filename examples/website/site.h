/*
 * What all parts of the website share: its settings, filled in by main.c before the server starts, and what each part
 * binds.
 */
#ifndef WEBSITE_SITE_H
#define WEBSITE_SITE_H

#include <gf/gf.h>

struct site {
    const char *data;     /* the folder of what visitors leave */
    const char *user;     /* who may log in */
    const char *password; /* crypt(5)'s hash of the password */
    long max_uploads;     /* files */
    long tick_milliseconds;
};

/* Read only once the server runs, so that handlers need no lock for it. */
extern struct site site;

/* Each part of the site binds its routes. Before start. */
void account_bind(ghttp_server *s);
void errors_bind(ghttp_server *s);
void guestbook_bind(ghttp_server *s);
void home_bind(ghttp_server *s);
void safety_bind(ghttp_server *s);
void ticker_bind(ghttp_server *s);
void uploads_bind(ghttp_server *s);

#endif
