/*
 * The life of servers as the public interface tells it: each of these goes through the state machine of the restart
 * floor, which alone starts, drains and ends servers.
 */
#include <gf/ghttp/ghttp.h>

#include "restart/graceful.h"
#include "service/static_files.h"

int ghttp_server_start(ghttp_server *s)
{
    gf_static_files_attach(s);
    return gf_graceful_start_server(s);
}

int ghttp_server_run(ghttp_server *s)
{
    return ghttp_server_start(s) < 0 ? 1 : gf_graceful_wait();
}

int ghttp_server_shutdown(ghttp_server *s)
{
    return gf_graceful_stop_server(s);
}

int ghttp_restart_all(const char *new_exe_path)
{
    struct gf_outcome outcome;

    return gf_graceful_restart(new_exe_path, &outcome);
}

int ghttp_server_restart(ghttp_server *s, const char *new_exe_path)
{
    (void)s; /* a process restarts whole */
    return ghttp_restart_all(new_exe_path);
}

int ghttp_shutdown_all(void)
{
    return gf_graceful_shutdown();
}
