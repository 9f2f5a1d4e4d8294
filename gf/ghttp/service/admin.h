/*
 * The admin page: shows the process, restarts it, ends it. The public ghttp_server_enable_admin() is here.
 *
 * A restart's answer is its outcome: the handler blocks until the new process serves or has failed.
 * Thread: each request's own.
 */
#ifndef GF_GHTTP_SERVICE_ADMIN_H
#define GF_GHTTP_SERVICE_ADMIN_H

/* The place of the page when the program names none. */
#define GF_ADMIN_PATTERN_DEFAULT "/debug/admin"

#endif
