/**
 * @file g.h
 * The facade that a program meets first: the one server of a name, and the wait for all of them.
 */
#ifndef GF_G_H
#define GF_G_H

#include <gf/export.h>
#include <gf/ghttp/ghttp.h>

GF_BEGIN_DECLS

/**
 * The server of this name; made at the first call, the same object at every later one.
 *
 * @param name at most 64 bytes without control characters; NULL, "" and "default" name the same server.
 * @return the server, owned by the library until the process ends. Never NULL: where the name is not
 *         usable or memory is short, a server whose start fails with the reason.
 * Thread: any thread.
 */
GF_API ghttp_server *g_server(const char *name);

/**
 * Waits until every server of the process has stopped: by a signal (SIGTERM, SIGINT, SIGQUIT), by the
 * admin page, by ghttp_shutdown_all(), or because a restart has handed everything to a new process.
 * A process that was started by a restart says here that it is ready.
 *
 * @return the exit status for main(): 0 after an orderly end, 1 when a server did not start.
 * Thread: the thread that runs main(); once.
 */
GF_API int g_wait(void);

GF_END_DECLS

#endif
