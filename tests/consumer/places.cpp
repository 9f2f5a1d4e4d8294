/*
 * Prints what is bound and where: C++ has handlers that are lambdas, with commas that no macro's own count gets right.
 */
#include <gf/gf.h>
#include <cstdio>

extern "C" void hello(ghttp_request *r)
{
    ghttp_response_write(r, "hello");
    ghttp_response_fail(r, "a reason");
}

int main()
{
    ghttp_server *s = g_server(nullptr);
    ghttp_binding table[] = {GHTTP_BINDING("/first", hello), GHTTP_BINDING("/second", hello), {}};

    ghttp_server_use(s, ghttp_middleware_request_id);
    ghttp_server_bind(s, "/lambda", [](ghttp_request *r) { int a = 1, b = 2; ghttp_response_writef(r, "%d", a + b); });
    ghttp_group_bind_table(ghttp_server_group(s, "/table"), table);
    ghttp_server_routes(
        s, [](const ghttp_route *route, void *) { std::printf("%s %s\n", route->path, route->place); }, nullptr);
    return 0;
}
