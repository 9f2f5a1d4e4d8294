/*
 * Embedded files over the wire: as those of folders are served, before folders of the same prefix.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/client.h"
#include "tests/support/process.h"

enum {
    PATIENCE_MS = 20000,
    LARGE = 3000000,
};

/* The first 128 bits of the SHA-256 of digits.txt. */
#define DIGITS_ETAG "\"84d89877f0d4041efb6bf91a16f0248f\""

static char folder[] = "/tmp/gf-resources-XXXXXX";
static struct process *process;
static struct client *client;

static void run(const char *command)
{
    char line[1024];

    snprintf(line, sizeof(line), "cd %s && %s", folder, command);
    cr_assert(eq(int, system(line), 0), "%s", line);
}

static void begin(const char *setting)
{
    const char *const arguments[] = {folder, setting, NULL};
    struct process_options options = {.program = "resources_server", .arguments = arguments};
    char *line;
    int port = 0;

    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    run("mkdir -p www/sub www/only assets && printf disk >www/shadowed.txt && printf disk >www/sub/disk.txt &&"
        " printf disk >www/only/x.txt && printf asset >assets/x.txt");
    process = process_start(&options);
    cr_assert(ne(ptr, process, NULL));
    cr_assert(eq(int, process_wait_line(process, "port ", PATIENCE_MS), 0));
    line = process_find_line(process, "port ");
    cr_assert(eq(int, sscanf(line, "port %d", &port), 1));
    free(line);
    client = client_connect_port(port);
    cr_assert(ne(ptr, client, NULL));
}

static void start(void)
{
    begin(NULL);
}

static void start_with_lists(void)
{
    begin("indexFolder=true");
}

static void stop(void)
{
    client_close(client);
    cr_assert(eq(int, process_stop(process), 0));
    process_free(process);
    run("rm -rf www assets");
    rmdir(folder);
}

TestSuite(resources, .init = start, .fini = stop, .timeout = 60);
TestSuite(resources_and_lists, .init = start_with_lists, .fini = stop, .timeout = 60);

/* The answer to a request with these headers, each with its CRLF. */
static const struct answer *ask(const char *method, const char *target, const char *headers)
{
    char request[1024];
    int error = 0;
    const struct answer *a;

    snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: a\r\n%s\r\n", method, target, headers);
    cr_assert(eq(int, client_send_text(client, request), 0));
    a = strcmp(method, "HEAD") ? client_receive(client, &error) : client_receive_head(client, &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s %s: %s", method, target, strerror(-error));
    cr_assert(a->keep_alive, "%s %s", method, target);
    return a;
}

static const struct answer *get(const char *target)
{
    return ask("GET", target, "");
}

static void expect_header(const struct answer *a, const char *name, const char *value)
{
    char *found = answer_header(a, name);

    if (value)
        cr_expect(found && !strcmp(found, value), "%s is %s in\n%s", name, found ? found : "none", a->head);
    else
        cr_expect(eq(ptr, found, NULL), "%s in\n%s", name, a->head);
    free(found);
}

static void expect(const char *target, int status, const char *body)
{
    const struct answer *a = get(target);

    cr_expect(eq(int, a->status, status), "%s: %d", target, a->status);
    if (body)
        cr_expect(eq(str, a->body, (char *)body), "%s", target);
}

Test(resources, are_served_with_type_and_version)
{
    const struct answer *a = get("/digits.txt");

    cr_assert(eq(int, a->status, 200));
    cr_assert(eq(str, a->body, "0123456789"));
    expect_header(a, "Content-Type", "text/plain; charset=utf-8");
    expect_header(a, "Content-Length", "10");
    expect_header(a, "ETag", DIGITS_ETAG);
    expect_header(a, "Accept-Ranges", "bytes");
    expect_header(a, "X-Content-Type-Options", "nosniff");
    cr_expect(eq(int, answer_header_count(a, "Last-Modified"), 1));
    a = ask("HEAD", "/digits.txt", "");
    cr_expect(eq(int, a->status, 200));
    expect_header(a, "Content-Length", "10");
    expect_header(get("/nothing.txt"), "Content-Length", "0");
    expect_header(get("/site.css"), "Content-Type", "text/css; charset=utf-8"); /* before its route */
    a = get("/sub/bytes.bin");
    cr_assert(eq(sz, a->body_size, 8));
    cr_expect(zero(int, memcmp(a->body, "a\0b\377\r\n\"\\", 8)));
}

/* Whether these are the bytes of large.bin from offset. */
static void expect_large(const char *bytes, size_t offset, size_t size)
{
    size_t at = 0;

    while (at < size && (unsigned char)bytes[at] == (unsigned char)((offset + at) * 7 >> 3))
        at++;
    cr_assert(eq(sz, at, size));
}

Test(resources, of_many_bytes_are_whole)
{
    for (int i = 0; i < 3; i++) {
        const struct answer *a = get("/made/large.bin");

        cr_assert(eq(sz, a->body_size, LARGE));
        expect_large(a->body, 0, LARGE);
    }
    const struct answer *a = ask("GET", "/made/large.bin", "Range: bytes=1000000-2499999\r\n");
    cr_assert(eq(int, a->status, 206));
    cr_assert(eq(sz, a->body_size, 1500000));
    expect_large(a->body, 1000000, 1500000);
}

Test(resources, that_the_client_has_are_not_sent)
{
    const struct answer *a = ask("GET", "/digits.txt", "If-None-Match: " DIGITS_ETAG "\r\n");

    cr_assert(eq(int, a->status, 304));
    cr_assert(zero(sz, a->body_size));
    expect_header(a, "ETag", DIGITS_ETAG);
    cr_expect(eq(int, ask("GET", "/digits.txt", "If-None-Match: \"x\"\r\n")->status, 200));
    cr_expect(eq(int, ask("GET", "/digits.txt", "If-Match: \"x\"\r\n")->status, 412));
    static const char since[] = "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT\r\n";
    expect_header(get("/made/z.js"), "Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT");
    cr_expect(eq(int, ask("GET", "/made/z.js", since)->status, 304));
    cr_expect(eq(int, ask("GET", "/digits.txt", since)->status, 200));
}

static bool has(const struct answer *a, const char *text)
{
    return strstr(a->body, text) != NULL;
}

Test(resources, are_sent_in_part)
{
    const struct answer *a = ask("GET", "/digits.txt", "Range: bytes=2-4\r\n");

    cr_assert(eq(int, a->status, 206));
    cr_expect(eq(str, a->body, "234"));
    expect_header(a, "Content-Range", "bytes 2-4/10");
    cr_expect(eq(int, ask("GET", "/digits.txt", "Range: bytes=10-\r\n")->status, 416));
    cr_expect(eq(str, ask("GET", "/digits.txt", "Range: bytes=-2\r\nIf-Range: " DIGITS_ETAG "\r\n")->body, "89"));
    cr_expect(eq(int, ask("GET", "/digits.txt", "Range: bytes=-2\r\nIf-Range: \"x\"\r\n")->status, 200));
    a = ask("GET", "/digits.txt", "Range: bytes=0-1,8-9\r\n");
    cr_assert(eq(int, a->status, 206));
    cr_expect(has(a, "\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n--"));
    cr_expect(has(a, "\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--"));
}

Test(resources, are_sent_compressed_to_who_accepts_it)
{
    const struct answer *a = ask("GET", "/made/z.js", "Accept-Encoding: gzip, br\r\n");

    cr_expect(eq(str, a->body, "br-js"));
    expect_header(a, "Content-Encoding", "br");
    expect_header(a, "Content-Type", "text/javascript; charset=utf-8");
    expect_header(a, "Vary", "Accept-Encoding");
    expect_header(a, "ETag", "\"b0123456789abcdef0123456789abcde\"");
    cr_expect(eq(str, ask("GET", "/made/z.js", "Accept-Encoding: gzip\r\n")->body, "gzip-js"));
    a = get("/made/z.js");
    cr_expect(eq(str, a->body, "plain-js"));
    expect_header(a, "Vary", "Accept-Encoding");
    cr_expect(eq(str, ask("GET", "/made/old.html", "Accept-Encoding: gzip\r\n")->body, "page"));
}

Test(resources, have_folders_with_index_files)
{
    const struct answer *a = get("/");

    cr_expect(eq(str, a->body, "<!DOCTYPE html>\n<title>Embedded</title>\n"));
    expect_header(a, "Content-Type", "text/html; charset=utf-8");
    expect("/sub/", 200, "<p>in sub</p>\n");
    expect("/web/", 200, "<!DOCTYPE html>\n<title>Embedded</title>\n");
    a = get("/sub?q=1");
    cr_expect(eq(int, a->status, 301));
    expect_header(a, "Location", "./sub/?q=1");
    expect("/sub/deep", 403, NULL);
    expect("/sub/deep/", 403, NULL);
    expect("/empty_of_index", 200, "route /empty_of_index\n"); /* a route before a folder */
    expect("/made/", 403, NULL);
}

Test(resources, are_found_by_decoded_names)
{
    expect("/empty_of_index/a%20b+c%2541&.txt", 200, "a");
    expect("/empty_of_index/gr%C3%B6%C3%9Fe.txt", 200, "u");
    expect("/empty_of_index/a%3F%3F=b.txt", 200, "tri");
    expect("//sub//deep///x.txt", 200, "deep");
    expect("/old", 200, "0123456789"); /* rewritten */
}

Test(resources, that_are_none_are_not_found)
{
    static const char *const targets[] = {"/none",
                                          "/index.html/",
                                          "/digits",
                                          "/.env",
                                          "/sub/.hidden",
                                          "/sub/../x",
                                          "/sub%2fdeep/x.txt",
                                          "/web/none",
                                          "/made/digits.txt",
                                          "/webdigits.txt",
                                          "/SUB/deep/x.txt"};

    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
        expect(targets[i], 404, NULL);
    expect("/.well-known/known.txt", 200, "known");
}

Test(resources, come_before_folders_of_the_same_prefix)
{
    expect("/shadowed.txt", 200, "shadow\n");
    expect("/web/shadowed.txt", 200, "shadow\n");
    expect("/sub/disk.txt", 200, "disk");
    expect("/only/x.txt", 200, "disk");
    expect("/web/assets/x.txt", 200, "asset"); /* a longer prefix */
}

Test(resources, pass_hooks_and_no_middleware_as_folders_do)
{
    static const char *const targets[] = {"/digits.txt", "/only/x.txt"};

    for (int i = 0; i < 2; i++) {
        const struct answer *a = get(targets[i]);

        expect_header(a, "X-Hook", "yes");
        expect_header(a, "X-Middleware", NULL);
    }
    const struct answer *a = ask("POST", "/digits.txt", "Content-Length: 0\r\n");
    cr_expect(eq(str, a->body, "route /digits.txt\n"));
    cr_expect(eq(int, ask("POST", "/index.html", "Content-Length: 0\r\n")->status,
                 ask("POST", "/only/x.txt", "Content-Length: 0\r\n")->status));
}

Test(resources, are_answers_of_handlers)
{
    const struct answer *a = get("/resource?path=sub/deep/x.txt");

    cr_expect(eq(str, a->body, "deep"));
    expect_header(a, "X-Result", "served");
    expect_header(a, "Content-Type", "text/plain; charset=utf-8");
    cr_expect(eq(int, ask("GET", "/resource?path=digits.txt", "If-None-Match: " DIGITS_ETAG "\r\n")->status, 304));
    a = get("/resource?path=none");
    cr_expect(eq(int, a->status, 404));
    expect_header(a, "X-Result", "none");
}

Test(resources_and_lists, have_folders_that_are_listed)
{
    const struct answer *a = get("/web/empty_of_index/");

    cr_assert(eq(int, a->status, 200));
    expect_header(a, "Content-Type", "text/html; charset=utf-8");
    cr_expect(has(a, "<a href=\"./a%20b%2Bc%2541%26.txt\">a b+c%41&amp;.txt</a></td><td>1</td>"));
    cr_expect(has(a, "it&#39;s $HOME (1) #x.txt</a>"));
    cr_expect(eq(int, get("/web/empty_of_index")->status, 301));
    a = get("/sub/deep/");
    cr_expect(has(a, "<a href=\"../\">../</a>"));
    cr_expect(has(a, ">x.txt</a></td><td>4</td>"));
    a = get("/made/");
    cr_expect(has(a, ">large.bin</a></td><td>3000000</td>"));
}
