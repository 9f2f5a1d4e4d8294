/*
 * HTTPS. A restart reads the certificate anew, so a renewed one is taken without a failed request.
 *
 * Type:
 *   openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
 *           -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout server.key -out server.crt
 *   build/release/examples/https                                  (GF_CERT, GF_KEY: other files; GF_PORT: not 8200)
 *   curl --cacert server.crt https://localhost:8200/              → hello over TLS
 *   curl --cacert server.crt https://localhost:8200/pid           → the process id
 *   (make another certificate with the first command)
 *   curl -k https://localhost:8200/debug/admin/restart            → a new process, with the new certificate
 *   curl -k https://localhost:8200/debug/admin/shutdown           → the end, in order
 */
#include <gf/gf.h>
#include <stdlib.h>

static void hello(ghttp_request *r)
{
    ghttp_response_writeln(r, ghttp_request_is_https(r) ? "hello over TLS" : "hello");
}

static void pid(ghttp_request *r)
{
    ghttp_response_writefln(r, "%d", gproc_pid());
}

static const char *variable(const char *name, const char *fallback)
{
    return getenv(name) ? getenv(name) : fallback;
}

int main(void)
{
    ghttp_server *s = g_server(NULL);

    ghttp_server_bind(s, "/", hello);
    ghttp_server_bind(s, "/pid", pid);
    ghttp_server_enable_https(s, variable("GF_CERT", "server.crt"), variable("GF_KEY", "server.key"));
    ghttp_server_set_https_address(s, variable("GF_PORT", "8200"));
    ghttp_server_set_graceful(s, true);
    ghttp_server_enable_admin(s, NULL); /* /debug/admin */
    return ghttp_server_run(s);
}
