/*
 * The admin page as HTML: self-contained, one document with its style and its script. Thread: the request's own.
 */
#ifndef GF_GHTTP_SERVICE_ADMIN_PAGE_H
#define GF_GHTTP_SERVICE_ADMIN_PAGE_H

#include <gf/ghttp/ghttp.h>

struct cJSON;

/* Writes the page that shows this status (admin_status.h); base leads to where the actions are: "./admin/". */
void gf_admin_page_write(ghttp_request *r, const struct cJSON *status, const char *base);

/* Writes the form that asks for the token; message: what was wrong with the last one, or NULL. */
void gf_admin_page_write_login(ghttp_request *r, const char *message, const char *base);

/* Writes a page with a title, a sentence and the way back, for browsers without JavaScript. */
void gf_admin_page_write_message(ghttp_request *r, const char *title, const char *message, const char *base);

#endif
