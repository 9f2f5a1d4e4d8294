/**
 * @file ghttp_server.h
 * Servers: their names, life, addresses, settings and configuration files; restarts and the end of the process.
 * Part of <gf/ghttp/ghttp.h>, whose first lines hold here too.
 */
#ifndef GF_GHTTP_SERVER_H
#define GF_GHTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include <gf/ghttp/ghttp_types.h>

GF_BEGIN_DECLS

/* ---- servers: names and life ------------------------------------------------------------------ */

/** The same as g_server(). Thread: any thread. */
GF_API ghttp_server *ghttp_server_get(const char *name);

/** The name of the server ("default" for the nameless one); owned by it. Thread: any thread. */
GF_API const char *ghttp_server_name(const ghttp_server *s);

/**
 * Opens the ports and begins to serve; returns once it serves (in a process that a restart has started, clients are
 * let in when all servers are up, in g_wait()). In a process that is ending already (a signal came
 * meanwhile) it does nothing and returns 0, so that the program goes on to g_wait() and the others end in order.
 *
 * @return 0, or a negative errno: then nothing of this server is left behind, the reason is logged and
 *         to be had from ghttp_server_error().
 * Thread: any thread, once for each server.
 */
GF_API int ghttp_server_start(ghttp_server *s);

/**
 * ghttp_server_start(), then g_wait().
 * @return the exit status for main(): 0, or 1 when the server did not start.
 * Thread: the thread that runs main().
 */
GF_API int ghttp_server_run(ghttp_server *s);

/**
 * Stops this server: closes its ports, lets the requests in flight finish (at most
 * `gracefulShutdownTimeout`). The other servers of the process go on. Returns at once.
 * @return 0; -EINVAL when it does not run; -EBUSY while a restart is under way, which starts it anew.
 * Thread: any thread, handlers included.
 */
GF_API int ghttp_server_shutdown(ghttp_server *s);

/**
 * Replaces the process by a new one that takes over all ports of all servers, without a failed request.
 * Blocks until the new process serves and this one has stopped accepting, or until it has failed; in
 * the latter case this process serves on as if nothing had been.
 *
 * @param new_exe_path the executable; NULL or "": the one by which this process was started.
 * @return 0 once the new process serves; else a negative errno: -EBUSY when a restart or a shutdown is
 *         under way or too many processes of earlier restarts still end their requests, -ECANCELED when a shutdown
 *         was asked for meanwhile, -ENOENT/-EACCES/-ENOEXEC for an executable that cannot be started, -ETIMEDOUT when
 *         it did not become ready within `gracefulReadyTimeout`, -ECHILD when it ended before.
 * Thread: any thread, handlers included.
 */
GF_API int ghttp_restart_all(const char *new_exe_path);

/** A process restarts whole, with all its servers: the same as ghttp_restart_all(). Thread: any thread. */
GF_API int ghttp_server_restart(ghttp_server *s, const char *new_exe_path);

/**
 * Ends the process in order: all ports close at once, requests in flight finish (at most
 * `gracefulShutdownTimeout`), then g_wait() returns. Returns at once.
 * @return 0, or -EINVAL when no server runs.
 * Thread: any thread, handlers included.
 */
GF_API int ghttp_shutdown_all(void);

/** What went wrong with this server, as a sentence; "" if nothing has. Thread: any thread. */
GF_API const char *ghttp_server_error(ghttp_server *s);

/**
 * Whether the server takes new requests: true from its start until a restart has handed its ports to another process,
 * or its end has begun. A handler that may run for long, as one that streams, looks now and then and ends when this
 * says false, so that `gracefulShutdownTimeout` does not cut it. Thread: any thread.
 */
GF_API bool ghttp_server_is_serving(const ghttp_server *s);

/**
 * The TCP ports on which the server really listens, `:0` resolved, in the order of its addresses, HTTP first.
 * @param ports room for n numbers, or NULL.
 * @return how many there are, which can be more than n; 0 while it does not serve.
 * Thread: any thread.
 */
GF_API int ghttp_server_listened_ports(ghttp_server *s, int *ports, size_t n);

/** The same for the ports of HTTPS alone. Thread: any thread. */
GF_API int ghttp_server_listened_https_ports(ghttp_server *s, int *ports, size_t n);

/**
 * Tells fn of each address on which the server really listens, as ghttp_server_set_address() takes it with `:0`
 * resolved: ":8199", "127.0.0.1:40211", "unix:/run/a.sock"; HTTP first. The text lives until fn returns.
 * @return how many there are; 0 while it does not serve; -ENOMEM. Thread: any thread.
 */
GF_API int ghttp_server_listened_addresses(ghttp_server *s, void (*fn)(const char *address, bool https, void *arg),
                                           void *arg);

/* ---- servers: addresses and settings ---------------------------------------------------------- */

/**
 * The ports for HTTP, on all addresses, IPv4 and IPv6: `ghttp_server_set_port(s, 8100, 8200)`. 0 lets the
 * system choose one.
 * @return 0 or -EINVAL. Thread: before start.
 */
#define ghttp_server_set_port(server, ...)                                                                             \
    ghttp_server_set_ports((server), (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/** The same for HTTPS. Thread: before start. */
#define ghttp_server_set_https_port(server, ...)                                                                       \
    ghttp_server_set_https_ports((server), (const int[]){__VA_ARGS__}, sizeof((const int[]){__VA_ARGS__}) / sizeof(int))

/** What ghttp_server_set_port() calls: n ports for HTTP, each 0..65535. Thread: before start. */
GF_API int ghttp_server_set_ports(ghttp_server *s, const int *ports, size_t n);

/** What ghttp_server_set_https_port() calls. Thread: before start. */
GF_API int ghttp_server_set_https_ports(ghttp_server *s, const int *ports, size_t n);

/**
 * The addresses for HTTP as a comma list, replacing what was set before: `8100`, `:8100`,
 * `127.0.0.1:8200`, `[::1]:8300`, `unix:/run/a.sock`.
 * @return 0 or -EINVAL with a message. Thread: before start.
 */
GF_API int ghttp_server_set_address(ghttp_server *s, const char *list);

/** The same for HTTPS. Thread: before start. */
GF_API int ghttp_server_set_https_address(ghttp_server *s, const char *list);

/**
 * The certificate (chain) and the private key for HTTPS, PEM files; read at the start, and anew at each
 * restart. With no HTTPS address set, HTTPS takes over the HTTP addresses if there are some, else :443.
 * @return 0 or -EINVAL. Thread: before start.
 */
GF_API int ghttp_server_enable_https(ghttp_server *s, const char *cert_path, const char *key_path);

/**
 * The page that shows the process and restarts or ends it, with `/restart` and `/shutdown` below it.
 * Open to peers on loopback or a Unix socket only, or to whoever brings the token of the setting
 * `adminToken`; browsers are shown a form for it.
 * @param pattern where it is; NULL: /debug/admin.
 * @return 0 or a negative errno. Thread: before start.
 */
GF_API int ghttp_server_enable_admin(ghttp_server *s, const char *pattern);

/**
 * Whether a restart hands the ports over without a gap (true) or drains, closes and executes anew
 * (false, the default as in GoFrame). Graceful as soon as one server of the process asks for it.
 * @return 0. Thread: before start.
 */
GF_API int ghttp_server_set_graceful(ghttp_server *s, bool on);

/**
 * Any setting by its configuration key, case and `-`, `_`, blanks in it ignored:
 * `ghttp_server_set(s, "clientMaxBodySize", "8m")`. docs/settings.md lists them.
 * @return 0; -ENOENT for an unknown key, -ENOTSUP for one of GoFrame's that means nothing here, -EINVAL for a bad
 * value, with a message.
 * Thread: before start.
 */
GF_API int ghttp_server_set(ghttp_server *s, const char *key, const char *value);

/**
 * The value of a setting, as ghttp_server_set() takes it: sizes in bytes ("8388608"), durations as "60000ms". What file
 * and environment say counts from the start of the server on.
 * @param ret_text room for the text and its 0.
 * @param size     that room's size in bytes.
 * @return 0; -ENOENT for an unknown key, -ENOSPC when the room is too small: then nothing is written.
 * Thread: before start; any thread, once the server serves.
 */
GF_API int ghttp_server_setting(ghttp_server *s, const char *key, char *ret_text, size_t size);

/* ---- servers: proxies before them --------------------------------------------------------------- */

/**
 * Names the proxies whose word on where a request comes from is believed, everywhere: in hooks, middleware and
 * handlers, for files, in the access log. ghttp_request_client_ip() is then the address in X-Forwarded-For farthest to
 * the right that is not one of theirs, and ghttp_request_scheme(), ghttp_request_is_https() and ghttp_request_url()
 * heed the X-Forwarded-Proto of the proxy next to the server. Of all other peers these headers are only text.
 *
 * @param list addresses and networks: "127.0.0.1, 10.0.0.0/8, fd00::/8, unix". A later call replaces the list.
 * @return 0 or -EINVAL, -ENOMEM. Thread: before start.
 */
GF_API int ghttp_server_trust_proxies(ghttp_server *s, const char *list);

/* ---- servers: configuration files ------------------------------------------------------------- */

/**
 * The YAML or JSON file from which this server takes its settings when it starts, in place of the one that gcfg_find()
 * finds: the map `server.<name>` in it, else the map `server`. What the program has set by a function counts more than
 * the environment (`GF_SERVER_<KEY>`, `GF_SERVER_<NAME>_<KEY>`), and that more than the file, in whatever order that
 * was. docs/configuration.md has the rest. A new process reads the file anew.
 *
 * @param path relative to the working folder at the start of the server.
 * @return 0, -EINVAL or -ENOMEM. A file that cannot be read, or says something wrong, fails the start.
 * Thread: before start.
 */
GF_API int ghttp_server_set_config_file(ghttp_server *s, const char *path);

GF_END_DECLS

#endif
