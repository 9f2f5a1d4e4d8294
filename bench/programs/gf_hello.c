/*
 * One route, one worker: what gf adds to libmicrohttpd, and nothing else, is measured with this server.
 *
 *   gf_hello <port>                         http on 127.0.0.1
 *   gf_hello <port> <certificate> <key>     https
 *
 * Its counterpart is bare_microhttpd.c, which answers the same bytes.
 */
#include <gf/gf.h>

#include <stdio.h>

static void hello(ghttp_request *r)
{
    ghttp_response_write(r, "Hello, World\n");
}

int main(int count, char **arguments)
{
    ghttp_server *s = g_server(NULL);
    char address[64];

    if (count != 2 && count != 4) {
        fprintf(stderr, "usage: %s <port> [<certificate> <key>]\n", arguments[0]);
        return 2;
    }
    snprintf(address, sizeof(address), "127.0.0.1:%s", arguments[1]);
    ghttp_server_bind(s, "/", hello);
    ghttp_server_set(s, "workers", "1");
    if (count == 4) {
        ghttp_server_set_https_address(s, address);
        ghttp_server_enable_https(s, arguments[2], arguments[3]);
    } else {
        ghttp_server_set_address(s, address);
    }
    return ghttp_server_run(s);
}
