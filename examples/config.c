/*
 * Two servers that are set up by a file, examples/config.yaml, and not by the program.
 *
 * Type:
 *   GF_GCFG_FILE=examples/config.yaml build/release/examples/config      (8199, and 8299 for s1)
 *   curl http://127.0.0.1:8199/                                          → default: hello
 *   curl http://127.0.0.1:8299/                                          → s1: hello
 *   GF_SERVER_S1_ADDRESS=:8399 GF_GCFG_FILE=... build/release/examples/config    (the environment counts more)
 *
 * Then change the file, add a port to an address for example, and
 *   curl http://127.0.0.1:8199/debug/admin/restart                       → the new process has read it
 *
 * Without GF_GCFG_FILE it is config.yaml in the working folder, or what docs/configuration.md says.
 */
#include <gf/gf.h>
#include <stdio.h>

static const char *greeting = "hello";

static void greet(ghttp_request *r)
{
    ghttp_response_writefln(r, "%s: %s", ghttp_server_name(ghttp_request_server(r)), greeting);
}

static void pid(ghttp_request *r)
{
    ghttp_response_writefln(r, "%d", gproc_pid());
}

static int start(const char *name)
{
    ghttp_server *s = g_server(name);

    ghttp_server_bind(s, "/", greet);
    ghttp_server_bind(s, "/pid", pid);
    ghttp_server_enable_admin(s, NULL);
    return ghttp_server_start(s);
}

int main(void)
{
    char error[512];
    gcfg *cfg;
    int status = 1;

    if (gcfg_load_found(&cfg, error, sizeof(error)) < 0) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    greeting = gcfg_text(cfg, "app.greeting", greeting); /* the program's own values can be in the same file */
    if (!start(NULL) && !start("s1"))
        status = g_wait();
    gcfg_free(cfg);
    return status;
}
