/*
 * The manual's two servers on four ports. A restart of the one restarts the process, and with it both.
 *
 * Type:
 *   build/release/examples/multi                            (8100, 8200 and 8300, 8400)
 *   curl http://127.0.0.1:8100/                             → s1
 *   curl http://127.0.0.1:8400/                             → s2
 *   curl http://127.0.0.1:8100/debug/admin/restart          → four listeners move to the new process
 *   curl http://127.0.0.1:8100/debug/admin/shutdown         → the process ends, in order
 *
 * GF_ADDRESS_1 and GF_ADDRESS_2 set other addresses, as comma lists.
 */
#include <gf/gf.h>
#include <stdlib.h>

static void name(ghttp_request *r)
{
    ghttp_response_writeln(r, ghttp_server_name(ghttp_request_server(r)));
}

static void pid(ghttp_request *r)
{
    ghttp_response_writefln(r, "%d", gproc_pid());
}

static ghttp_server *make(const char *server, const char *variable, const char *address)
{
    ghttp_server *s = g_server(server);

    ghttp_server_bind(s, "/", name);
    ghttp_server_bind(s, "/pid", pid);
    ghttp_server_set_graceful(s, true);
    ghttp_server_enable_admin(s, NULL);
    ghttp_server_set_address(s, getenv(variable) ? getenv(variable) : address);
    return s;
}

int main(void)
{
    if (ghttp_server_start(make("s1", "GF_ADDRESS_1", ":8100,:8200")) < 0 ||
        ghttp_server_start(make("s2", "GF_ADDRESS_2", ":8300,:8400")) < 0)
        return 1;
    return g_wait();
}
