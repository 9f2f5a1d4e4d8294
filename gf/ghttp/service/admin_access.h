/*
 * Who may enter the admin page, and which executables may be named there: whoever enters can start a program as
 * this server's user. Thread: any; nothing here is written to after the start.
 */
#ifndef GF_GHTTP_SERVICE_ADMIN_ACCESS_H
#define GF_GHTTP_SERVICE_ADMIN_ACCESS_H

#include <limits.h>
#include <stddef.h>

#include <gf/ghttp/ghttp.h>

/*
 * Whether this request may enter: 0, or the status of the refusal (401, 403) with a sentence in *ret_why that says
 * why and what to do.
 */
int gf_admin_check_access(const ghttp_request *r, const char **ret_why);

/* Whether a browser asks ahead of its user, for a page that it only expects them to open. */
bool gf_admin_is_prefetch(const ghttp_request *r);

/*
 * Whether path lies in one of the folders (separated by colons; "": any folder will do); links are followed first. 0,
 * and what is to be executed in executable; -EPERM: it lies elsewhere; or why it cannot be found.
 */
int gf_admin_check_executable(const char *folders, const char *path, char executable[PATH_MAX]);

#endif
