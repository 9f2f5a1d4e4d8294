/*
 * Two servers with files, below the folder that is its first argument: one with routes beside www, more and assets, and
 * one with nothing but www. The other arguments are settings of both, "key=value".
 */
#include <cjson/cJSON.h>
#include <gf/gf.h>
#include <stdio.h>
#include <string.h>

static void file(ghttp_request *r)
{
    int result;

    ghttp_response_set_status(r, (int)ghttp_request_get_int(r, "status", 200));
    if (ghttp_request_get(r, "type"))
        ghttp_response_set_header(r, "Content-Type", ghttp_request_get(r, "type"));
    result = ghttp_response_serve_file(r, ghttp_request_get(r, "path"));
    if (ghttp_request_get_bool(r, "tell", false)) {
        ghttp_response_set_status(r, 200);
        ghttp_response_clear(r);
        ghttp_response_writefln(r, "%d", result);
    }
}

static void download(ghttp_request *r)
{
    ghttp_response_serve_download(r, ghttp_request_get(r, "path"), ghttp_request_get(r, "name"));
}

/* Bytes that live as long as the request: as many times ten as it asks for. */
static void content(ghttp_request *r)
{
    size_t size = 10 * (size_t)ghttp_request_get_int(r, "tens", 1);
    char *bytes = ghttp_request_alloc(r, size);

    for (size_t i = 0; bytes && i < size; i++)
        bytes[i] = (char)('0' + i % 10);
    if (ghttp_request_get(r, "etag"))
        ghttp_response_set_header(r, "ETag", ghttp_request_get(r, "etag"));
    if (ghttp_response_serve_content(r, bytes, size, ghttp_request_get(r, "name"),
                                     ghttp_request_get_int(r, "modified", 0)) < 0)
        glog_warning("no content");
}

static void flushed(ghttp_request *r)
{
    ghttp_response_serve_file(r, ghttp_request_get(r, "path"));
    ghttp_response_flush(r);
}

static void jsonp(ghttp_request *r)
{
    cJSON *json = cJSON_Parse("{\"a\":[1,\"</script>\xe2\x80\xa8\"]}");

    ghttp_response_write_jsonp(r, ghttp_request_get(r, "callback"), json);
    cJSON_Delete(json);
}

static void route(ghttp_request *r)
{
    ghttp_response_writefln(r, "route %s", ghttp_request_path(r));
}

/* Where it is asked for, what the hook is told. */
static void tell_file(ghttp_request *r)
{
    const char *where = ghttp_request_query(r, "tell-file");

    if (where && !strcmp(where, ghttp_request_arg(r)))
        ghttp_response_set_header(r, "X-File", ghttp_request_is_file(r) ? "yes" : "no");
}

static void members_only(ghttp_request *r)
{
    if (ghttp_request_header(r, "Authorization"))
        return;
    ghttp_response_write_status(r, 401);
    ghttp_request_exit(r);
}

static void refuse(ghttp_request *r)
{
    ghttp_response_write_status(r, 403);
}

static void stream(ghttp_request *r)
{
    ghttp_response_writeln(r, "from a hook");
    ghttp_response_flush(r);
}

static void vary(ghttp_request *r)
{
    ghttp_response_set_header(r, "Vary", ghttp_request_query(r, "vary"));
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

static int port_of(ghttp_server *s)
{
    int port = 0;

    ghttp_server_listened_ports(s, &port, 1);
    return port;
}

int main(int argc, char **argv)
{
    ghttp_server *s = g_server("both"), *only = g_server("only");
    char path[512];

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2)
        return 2;
    snprintf(path, sizeof(path), "%s/www", argv[1]);
    ghttp_server_set_root(s, path);
    ghttp_server_set_root(only, path);
    snprintf(path, sizeof(path), "%s/more", argv[1]);
    ghttp_server_add_search_path(s, path);
    snprintf(path, sizeof(path), "%s/empty, %s/more", argv[1], argv[1]);
    ghttp_server_set(only, "searchPaths", path);
    snprintf(path, sizeof(path), "%s/assets", argv[1]);
    ghttp_server_add_static_path(s, "/assets", path);
    snprintf(path, sizeof(path), "%s/more", argv[1]);
    ghttp_server_add_static_path(s, "/assets/deep/", path);
    ghttp_server_set_rewrite(s, "/old", "/plain.txt");
    ghttp_server_set_rewrite(s, "/hop", "/route");
    ghttp_server_bind_hook_with(s, "/*", GHTTP_HOOK_BEFORE_SERVE, tell_file, "before");
    ghttp_server_bind_hook_with(s, "/*", GHTTP_HOOK_AFTER_SERVE, tell_file, "after");
    ghttp_server_bind(s, "/file", file);
    ghttp_server_bind(s, "/download", download);
    ghttp_server_bind(s, "/content", content);
    ghttp_server_bind(s, "/flushed", flushed);
    ghttp_server_bind(s, "/jsonp", jsonp);
    ghttp_server_bind_hook(s, "/members/*", GHTTP_HOOK_BEFORE_SERVE, members_only);
    ghttp_server_bind_middleware(s, "/members/*", refuse);
    ghttp_server_bind_hook(s, "/streamed/*", GHTTP_HOOK_BEFORE_SERVE, stream);
    ghttp_server_bind_hook(s, "/z.js", GHTTP_HOOK_BEFORE_SERVE, vary);
    ghttp_server_bind(s, "/route", route);
    ghttp_server_bind(s, "/shadowed.txt", route);
    ghttp_server_bind(s, "/folder", route);
    ghttp_server_bind(s, "POST:/posted", route);
    ghttp_server_set_address(s, "127.0.0.1:0");
    ghttp_server_set_address(only, "127.0.0.1:0");
    for (int i = 2; i < argc; i++) {
        set(s, argv[i]);
        set(only, argv[i]);
    }
    if (ghttp_server_start(s) < 0 || ghttp_server_start(only) < 0)
        return 1;
    printf("ports %d %d\n", port_of(s), port_of(only));
    return g_wait();
}
