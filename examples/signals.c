/*
 * Control from the command line: signals restart the process and end it, and the program hears of its own ones.
 *
 * Type:
 *   build/release/examples/signals              (listens on 8199; GF_PORT=9000 for another port)
 *                                               → "pid 4711, the first"
 *   kill -SIGUSR1 4711                          → "pid 4712, started by a restart of 4711"; 4711 ends its requests
 *   kill -SIGUSR2 4712                          → "4712 has answered 0 requests": a handler of the program's own
 *   kill -SIGTERM 4712                          → the end, in order; SIGINT (Ctrl-C) and SIGQUIT do the same,
 *                                                 a second one does not wait for requests in flight
 */
#include <gf/gf.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_uint answered;

static void hello(ghttp_request *r)
{
    atomic_fetch_add(&answered, 1);
    ghttp_response_writefln(r, "hello from %d", gproc_pid());
}

static void tell(int signo, void *arg)
{
    (void)signo;
    (void)arg;
    printf("%d has answered %u requests\n", gproc_pid(), atomic_load(&answered));
    fflush(stdout);
}

int main(void)
{
    const char *port = getenv("GF_PORT");
    ghttp_server *s = g_server(NULL);

    gproc_on_signal(SIGUSR2, tell, NULL); /* runs on a thread, where printf() is fine */
    ghttp_server_bind(s, "/", hello);
    ghttp_server_set_graceful(s, true);
    ghttp_server_set_address(s, port ? port : "8199");
    if (ghttp_server_start(s) < 0)
        return 1;
    if (gproc_is_child())
        printf("pid %d, started by a restart of %d\n", gproc_pid(), gproc_ppid());
    else
        printf("pid %d, the first\n", gproc_pid());
    fflush(stdout);
    return g_wait();
}
