/*
 * A server with an admin page as a test wants it to be. The environment says how:
 *
 *   GF_ADDRESS        a comma list of addresses
 *   GF_ADMIN_PATTERN  where the page is; not set: /debug/admin
 *   GF_ADMIN_TOKEN, GF_ADMIN_FOLDERS, GF_READY_TIMEOUT  the settings adminToken, adminExeFolders, gracefulReadyTimeout
 *   GF_HANDLER_THREADS  likewise handlerThreads
 *   GF_GRACEFUL       0: off
 *
 * /wait does not answer before the named pipe "gate" in the working folder is opened for writing.
 */
#include <gf/gf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void pid(ghttp_request *r)
{
    ghttp_response_writefln(r, "%d", gproc_pid());
}

/* Until somebody opens the other end of the named pipe "gate". */
static void wait_at_gate(ghttp_request *r)
{
    FILE *gate;

    puts("waiting");
    fflush(stdout);
    gate = fopen("gate", "re");
    ghttp_response_writeln(r, gate ? "through" : "there is no gate");
    if (gate)
        fclose(gate);
}

int main(void)
{
    static const char *const settings[][2] = {
        {"GF_ADDRESS", "address"},
        {"GF_ADMIN_TOKEN", "adminToken"},
        {"GF_ADMIN_FOLDERS", "adminExeFolders"},
        {"GF_READY_TIMEOUT", "gracefulReadyTimeout"},
        {"GF_HANDLER_THREADS", "handlerThreads"},
    };
    const char *graceful = getenv("GF_GRACEFUL");
    ghttp_server *s = g_server("ad <&> min");

    for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
        if (getenv(settings[i][0]))
            ghttp_server_set(s, settings[i][1], getenv(settings[i][0]));
    ghttp_server_bind(s, "/pid", pid);
    ghttp_server_bind(s, "/wait", wait_at_gate);
    ghttp_server_set_graceful(s, !graceful || strcmp(graceful, "0"));
    ghttp_server_enable_admin(s, getenv("GF_ADMIN_PATTERN"));
    return ghttp_server_run(s);
}
