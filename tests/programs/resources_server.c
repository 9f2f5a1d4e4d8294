/*
 * A server of embedded files: the generated bundle for all paths and below /web, one made by hand below /made, and
 * folders, below the folder that is its first argument, that stand beside them: www for all paths and assets below
 * /web/assets. The other arguments are settings, "key=value".
 */
#include <gf/gf.h>
#include <stdio.h>
#include <string.h>

#include "web.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static unsigned char large[3000000];

/* z.js has neighbours that are not older, old.html one that is. */
static const gres_file made_files[] = {
    {"large.bin", large, sizeof(large), 1577836800, HASH},
    {"old.html", (const unsigned char *)"page", 4, 1577836800, HASH},
    {"old.html.gz", (const unsigned char *)"stale", 5, 1577836799, HASH},
    {"z.js", (const unsigned char *)"plain-js", 8, 1577836800, HASH},
    {"z.js.br", (const unsigned char *)"br-js", 5, 1577836800, "b" HASH},
    {"z.js.gz", (const unsigned char *)"gzip-js", 7, 1577836801, "a" HASH},
};
static const gres_bundle made = {GRES_LAYOUT, sizeof(made_files) / sizeof(*made_files), made_files};

static void route(ghttp_request *r)
{
    ghttp_response_writefln(r, "route %s", ghttp_request_path(r));
}

static void resource(ghttp_request *r)
{
    int result = ghttp_response_serve_resource(r, gres_find(&web, ghttp_request_get(r, "path")));

    ghttp_response_set_header(r, "X-Result", result == 0 ? "served" : "none");
}

static void mark(ghttp_request *r)
{
    ghttp_response_set_header(r, "X-Middleware", "yes");
    ghttp_request_next(r);
}

static void hook(ghttp_request *r)
{
    ghttp_response_set_header(r, "X-Hook", "yes");
}

static void set(ghttp_server *s, const char *pair)
{
    char key[64];
    const char *equals = strchr(pair, '=');

    if (!equals || (size_t)(equals - pair) >= sizeof(key))
        return;
    snprintf(key, sizeof(key), "%.*s", (int)(equals - pair), pair);
    ghttp_server_set(s, key, equals + 1);
}

/* Folders first, though bundles are searched before them. */
static void add_files(ghttp_server *s, const char *folder)
{
    char path[512];

    snprintf(path, sizeof(path), "%s/www", folder);
    ghttp_server_set_root(s, path);
    ghttp_server_add_static_path(s, "/web", path);
    snprintf(path, sizeof(path), "%s/assets", folder);
    ghttp_server_add_static_path(s, "/web/assets", path);
    ghttp_server_add_resources(s, "/", &web);
    ghttp_server_add_resources(s, "/web/", &web);
    ghttp_server_add_resources(s, "/made", &made);
}

int main(int argc, char **argv)
{
    ghttp_server *s = g_server(NULL);
    int port = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2)
        return 2;
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (unsigned char)(i * 7 >> 3);
    add_files(s, argv[1]);
    ghttp_server_set_rewrite(s, "/old", "/digits.txt");
    ghttp_server_use(s, mark);
    ghttp_server_bind_hook(s, "/*", GHTTP_HOOK_BEFORE_SERVE, hook);
    ghttp_server_bind(s, "/resource", resource);
    ghttp_server_bind(s, "/site.css", route);
    ghttp_server_bind(s, "/empty_of_index", route);
    ghttp_server_bind(s, "POST:/digits.txt", route);
    ghttp_server_set_address(s, "127.0.0.1:0");
    for (int i = 2; i < argc; i++)
        set(s, argv[i]);
    if (ghttp_server_start(s) < 0)
        return 1;
    ghttp_server_listened_ports(s, &port, 1);
    printf("port %d\n", port);
    return g_wait();
}
