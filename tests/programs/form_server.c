/*
 * A server for forms: /upload saves the files that it gets into the folder "saved" and prints what came, /person reads
 * a struct. /echo
 * gives a body back. Prints its ports as http_server does.
 */
#include <gf/gf.h>

#include <stdio.h>

static void upload(ghttp_request *r)
{
    const char *name = ghttp_request_get(r, "name");
    size_t count;

    if (ghttp_request_is_malformed(r)) {
        ghttp_response_write_status(r, 400);
        return;
    }
    if (name)
        ghttp_response_writefln(r, "name=%s", name);
    const char *const *values = ghttp_request_get_all(r, "list", &count);
    for (size_t i = 0; i < count; i++)
        ghttp_response_writefln(r, "list=%s", values[i]);
    const ghttp_upload *const *files = ghttp_request_files(r, NULL, &count);
    for (size_t i = 0; i < count; i++) {
        char path[256] = "";
        int error = ghttp_upload_save(files[i], "saved", path, sizeof(path));

        ghttp_response_writefln(r, "%s: %s %s %zu %d %s", ghttp_upload_name(files[i]), ghttp_upload_filename(files[i]),
                                ghttp_upload_type(files[i]), ghttp_upload_size(files[i]), error, path);
    }
}

static void person(ghttp_request *r)
{
    struct {
        char name[16];
        int age;
    } it = {.age = 7};
    const struct ghttp_field fields[] = {
        {.name = "name", .type = GHTTP_FIELD_TEXT, GHTTP_FIELD_AT(__typeof__(it), name), .required = true},
        {.name = "age", .type = GHTTP_FIELD_INT, GHTTP_FIELD_AT(__typeof__(it), age), .min = 1, .max = 150},
    };

    if (ghttp_request_parse(r, fields, 2, &it) == 0)
        ghttp_response_writefln(r, "%s is %d", it.name, it.age);
}

static void words(ghttp_request *r)
{
    const char *user = "", *password = "", *cookie = ghttp_request_cookie(r, "token");
    int error = ghttp_request_basic_auth(r, &user, &password);

    ghttp_response_writefln(r, "%s %d %s %s %s %s %d", cookie ? cookie : "none", error, user, password,
                            ghttp_request_language(r, "en,de"), ghttp_request_referer(r), ghttp_request_is_ajax(r));
    ghttp_response_writeln(r, ghttp_request_url(r));
}

/* The body comes back as it came. */
static void echo(ghttp_request *r)
{
    size_t size;
    const void *body = ghttp_request_body(r, &size);

    ghttp_response_writefln(r, "%zu %d", size, ((const char *)body)[size]);
    for (size_t i = 0; i < size; i += 65536) {
        ghttp_response_write_bytes(r, (const char *)body + i, size - i < 65536 ? size - i : 65536);
        if (ghttp_response_flush(r) < 0)
            return;
    }
}

int main(void)
{
    int ports[2] = {0, 0};
    ghttp_server *s = g_server(NULL);

    setvbuf(stdout, NULL, _IOLBF, 0);
    ghttp_server_bind(s, "POST:/upload", upload);
    ghttp_server_bind(s, "POST:/echo", echo);
    ghttp_server_bind(s, "/person", person);
    ghttp_server_bind(s, "/words", words);
    ghttp_server_set_address(s, "127.0.0.1:0");
    if (ghttp_server_start(s) < 0)
        return 1;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    printf("sanitized\n");
#endif
    ghttp_server_listened_ports(s, ports, 2);
    printf("ports %d %d\n", ports[0], ports[1]);
    return g_wait();
}
