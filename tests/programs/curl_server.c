/*
 * What a client that is not ours asks for while the server is restarted: forms, redirects, cookies, ranges, uploads. A
 * graceful server over HTTP and HTTPS, which takes its addresses from the file "settings" of its working folder, as a
 * rig writes it (tests/support/rig.h), and serves the files of "www" there.
 */
#include <gf/gf.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* FNV-1a, as the test computes it. */
static uint64_t checksum(const void *data, size_t size)
{
    const unsigned char *bytes = data;
    uint64_t hash = 0xcbf29ce484222325U;

    for (size_t i = 0; i < size; i++)
        hash = (hash ^ bytes[i]) * 0x100000001b3U;
    return hash;
}

static void pid(ghttp_request *r)
{
    ghttp_response_writefln(r, "%d", gproc_pid());
}

static void echo(ghttp_request *r)
{
    ghttp_response_writef(r, "echo %s", ghttp_request_get(r, "n"));
}

static void hop(ghttp_request *r)
{
    char url[64];

    snprintf(url, sizeof(url), "/echo?n=%ld", (long)ghttp_request_get_int(r, "n", -1));
    ghttp_response_redirect(r, url, 0);
}

/* Counts the visits of a client in its cookie. */
static void visit(ghttp_request *r)
{
    const char *before = ghttp_request_cookie(r, "visits");
    char count[32];

    snprintf(count, sizeof(count), "%ld", before ? atol(before) + 1 : 1);
    ghttp_response_set_cookie(r, "visits", count);
    ghttp_response_writef(r, "visit %s", count);
}

static void form(ghttp_request *r)
{
    const ghttp_upload *file = ghttp_request_file(r, "file");

    if (!file) {
        ghttp_response_write_status(r, 400);
        return;
    }
    ghttp_response_writef(r, "form %s %s %zu %016jx", ghttp_request_get(r, "n"), ghttp_upload_filename(file),
                          ghttp_upload_size(file),
                          (uintmax_t)checksum(ghttp_upload_data(file), ghttp_upload_size(file)));
}

static void put(ghttp_request *r)
{
    size_t size;
    const void *body = ghttp_request_body(r, &size);

    ghttp_response_writef(r, "put %zu %016jx", size, (uintmax_t)checksum(body, size));
}

/* The value of a name in the settings; "" if there is none. */
static const char *setting(const char *name, char value[512])
{
    char line[1024];
    FILE *file = fopen("settings", "re");
    size_t size = strlen(name);

    *value = '\0';
    while (file && fgets(line, sizeof(line), file))
        if (!strncmp(line, name, size) && line[size] == '=')
            snprintf(value, 512, "%.*s", (int)strcspn(line + size + 1, "\n"), line + size + 1);
    if (file)
        fclose(file);
    return value;
}

int main(void)
{
    ghttp_server *s = g_server(NULL);
    char first[512], second[512];

    ghttp_server_set(s, "graceful", "true");
    ghttp_server_set(s, "gracefulProbation", "200ms");
    ghttp_server_set_root(s, "www");
    ghttp_server_bind(s, "/pid", pid);
    ghttp_server_bind(s, "/echo", echo);
    ghttp_server_bind(s, "/hop", hop);
    ghttp_server_bind(s, "/visit", visit);
    ghttp_server_bind(s, "POST:/form", form);
    ghttp_server_bind(s, "PUT:/put", put);
    ghttp_server_set_address(s, setting("address_1", first));
    ghttp_server_set_https_address(s, setting("https_1", first));
    ghttp_server_enable_https(s, setting("certificate", first), setting("key", second));
    ghttp_server_enable_admin(s, NULL);
    if (ghttp_server_start(s) < 0)
        return 1;
    return g_wait();
}
