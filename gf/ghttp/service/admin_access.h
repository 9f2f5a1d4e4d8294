/*
 * Who may enter the admin page, and which executables may be named there: whoever enters can start a program as
 * this server's user. Thread: any; nothing here is written to after the start.
 */
#ifndef GF_GHTTP_SERVICE_ADMIN_ACCESS_H
#define GF_GHTTP_SERVICE_ADMIN_ACCESS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include <gf/ghttp/ghttp.h>

/* What was found out at the door. */
struct gf_admin_entry {
    const char *why;  /* of a refusal: a sentence that says why and what to do */
    long retry_after; /* of a 429: in how many seconds to ask again */
    bool by_cookie;   /* it is the browser that has proved it, not the user's own doing */
};

#define GF_ADMIN_TOO_MANY "there were too many wrong tokens from this address; wait, then ask again"

/* Whether this request may enter: 0, or the status of the refusal: 401, 403, or 429 after too many wrong tokens. */
int gf_admin_check_access(ghttp_request *r, struct gf_admin_entry *entry);

/* Whether another web site has caused it: 0 or 403. Part of the above, for the form that asks for the token. */
int gf_admin_check_site(const ghttp_request *r, struct gf_admin_entry *entry);

/* Whether a browser asks ahead of its user, for a page that it only expects them to open. */
bool gf_admin_is_prefetch(const ghttp_request *r);

/*
 * Whether path lies in one of the folders (separated by colons; "": any folder will do); links are followed first. 0,
 * and what is to be executed in executable; -EPERM: it lies elsewhere; or why it cannot be found.
 */
int gf_admin_check_executable(const char *folders, const char *path, char executable[PATH_MAX]);

#endif
