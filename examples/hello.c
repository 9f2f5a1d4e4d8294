#include <gf/gf.h>

static void hello(ghttp_request *r)
{
    ghttp_response_writeln(r, "hello");
}

int main(void)
{
    ghttp_server *s = g_server(NULL);
    ghttp_server_bind(s, "/", hello);
    ghttp_server_set_graceful(s, true);
    ghttp_server_set_port(s, 8199);
    return ghttp_server_run(s);
}
