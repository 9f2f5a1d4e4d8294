/*
 * The manual's single server, restarted without a failed request.
 *
 * Type:
 *   build/release/examples/graceful                    (listens on 8199; GF_PORT=9000 for another port)
 *   curl http://127.0.0.1:8199/pid                     → the process id
 *   curl http://127.0.0.1:8199/sleep &                 → takes 10 seconds; prints the process id twice
 *   curl http://127.0.0.1:8199/debug/admin/restart     → a new process serves; /pid shows it at once,
 *                                                        /sleep still ends with the old id in both lines
 *   kill -SIGUSR1 <process id>                         → the same by a signal
 *   kill -SIGTERM <process id>                         → the end, in order
 */
#include <gf/gf.h>
#include <stdlib.h>
#include <unistd.h>

static void hello(ghttp_request *r)
{
    ghttp_response_writeln(r, "哈喽!");
}

static void pid(ghttp_request *r)
{
    ghttp_response_writefln(r, "%d", gproc_pid());
}

static void slow(ghttp_request *r)
{
    ghttp_response_writefln(r, "%d", gproc_pid());
    usleep((useconds_t)(ghttp_request_get_double(r, "seconds", 10) * 1e6)); /* handlers may block: nobody else waits */
    ghttp_response_writefln(r, "%d", gproc_pid());
}

int main(void)
{
    const char *port = getenv("GF_PORT");
    ghttp_server *s = g_server(NULL);

    ghttp_server_bind(s, "/", hello);
    ghttp_server_bind(s, "/pid", pid);
    ghttp_server_bind(s, "/sleep", slow);
    ghttp_server_set_graceful(s, true);
    ghttp_server_enable_admin(s, NULL); /* /debug/admin */
    ghttp_server_set_address(s, port ? port : "8199");
    return ghttp_server_run(s);
}
