/*
 * Files as answers: by handlers, and from folders ahead of the routes.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/client.h"
#include "tests/support/process.h"

enum {
    PATIENCE_MS = 20000,
    LARGE = 30000000,
};

static char folder[] = "/tmp/gf-files-XXXXXX";
static struct process *process;
static int port, only_port;
static struct client *client;

static void run(const char *command)
{
    char line[2048];

    snprintf(line, sizeof(line), "cd %s && %s", folder, command);
    cr_assert(eq(int, system(line), 0), "%s", line);
}

static void fill_in(const char *setting, char *text, size_t size)
{
    size_t length = 0;

    for (const char *at = setting; *at && length + sizeof(folder) < size; at++) {
        if (*at == '$')
            length += (size_t)snprintf(text + length, size - length, "%s", folder);
        else
            text[length++] = *at;
    }
    text[length] = 0;
}

/* In the first setting '$' is the folder. */
static void begin(const char *setting, const char *other)
{
    char set[256] = "";
    const char *const arguments[] = {folder, setting ? set : NULL, other, NULL};
    struct process_options options = {.program = "files_server", .arguments = arguments};
    char *line;

    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    if (setting)
        fill_in(setting, set, sizeof(set));
    run("mkdir -p www/folder www/site/a www/empty empty www/.git assets more secret www/.well-known &&"
        " printf 0123456789 >www/plain.txt && printf more >more/more.txt && printf wrong >more/plain.txt &&"
        " printf shadow >www/shadowed.txt && printf index >www/site/index.html && printf htm >www/site/a/index.htm &&"
        " printf css >assets/x.css && printf deep >more/x.css && printf secret >secret/s &&"
        " printf secret >www/.git/config && printf known >www/.well-known/x && printf posted >www/posted &&"
        " ln -s plain.txt www/link.txt && ln -s ../secret/s www/out.txt && ln -s ../secret www/outdir &&"
        " mkfifo www/fifo && : >www/nothing.txt && touch -d '2020-01-01 00:00:00 UTC' www/plain.txt &&"
        " printf evil >'www/folder/<b>&\"x\" %41.txt' && printf h >www/folder/.hidden && mkdir www/folder/sub &&"
        " printf plain-js >www/z.js && printf gzip-js >www/z.js.gz && printf br-js >www/z.js.br && printf zst-js "
        ">www/z.js.zst &&"
        " printf page >www/old.html && printf stale >www/old.html.gz && touch -d 2019-01-01 www/old.html.gz &&"
        " head -c 30000000 /dev/urandom >www/large.bin");
    process = process_start(&options);
    cr_assert(ne(ptr, process, NULL));
    cr_assert(eq(int, process_wait_line(process, "ports ", PATIENCE_MS), 0));
    line = process_find_line(process, "ports ");
    cr_assert(eq(int, sscanf(line, "ports %d %d", &port, &only_port), 2));
    free(line);
    client = client_connect_port(port);
    cr_assert(ne(ptr, client, NULL));
}

static void start(void)
{
    begin(NULL, NULL);
}

static void start_with_lists(void)
{
    begin("indexFolder=true", NULL);
}

static void start_with_pairs(void)
{
    begin("staticPaths=/set/=$/more,/assets=$/more", "rewrites=/old=/more.txt,/new=/plain.txt");
}

static void start_with_links(void)
{
    begin("followLinks=true", NULL);
}

static void start_with_lists_of_links(void)
{
    begin("followLinks=true", "indexFolder=true");
}

static void stop(void)
{
    client_close(client);
    cr_assert(eq(int, process_stop(process), 0));
    process_free(process);
    run("rm -rf www empty assets more secret");
    rmdir(folder);
}

TestSuite(files, .init = start, .fini = stop, .timeout = 60);
TestSuite(files_and_links, .init = start_with_links, .fini = stop, .timeout = 60);
TestSuite(files_and_pairs, .init = start_with_pairs, .fini = stop, .timeout = 60);
TestSuite(files_and_lists_of_links, .init = start_with_lists_of_links, .fini = stop, .timeout = 60);
TestSuite(files_and_lists, .init = start_with_lists, .fini = stop, .timeout = 60);

/* The answer to a request with these headers, each with its CRLF. */
static const struct answer *ask(const char *method, const char *target, const char *headers)
{
    char request[4096];
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

/* ---- by handlers ---- */

/* The path of a request that has this file served by the handler. */
static const char *by_handler(const char *name, const char *more)
{
    static char target[512];

    snprintf(target, sizeof(target), "/file?path=%s/%s%s", folder, name, more);
    return target;
}

Test(files, are_served_with_type_and_version)
{
    const struct answer *a = get(by_handler("www/plain.txt", ""));

    cr_assert(eq(int, a->status, 200));
    cr_assert(eq(str, a->body, "0123456789"));
    expect_header(a, "Content-Type", "text/plain; charset=utf-8");
    expect_header(a, "Content-Length", "10");
    expect_header(a, "Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT");
    expect_header(a, "Accept-Ranges", "bytes");
    cr_assert(eq(int, answer_header_count(a, "ETag"), 1));
    a = ask("HEAD", by_handler("www/plain.txt", ""), "");
    cr_assert(eq(int, a->status, 200));
    expect_header(a, "Content-Length", "10");
    expect_header(get(by_handler("www/plain.txt", "&type=image/png")), "Content-Type", "image/png");
    expect_header(get(by_handler("www/nothing.txt", "")), "Content-Length", "0");
}

Test(files, of_many_bytes_are_whole)
{
    char path[128];
    char *bytes = malloc(LARGE);
    FILE *file;

    snprintf(path, sizeof(path), "%s/www/large.bin", folder);
    file = fopen(path, "re");
    cr_assert(eq(sz, fread(bytes, 1, LARGE, file), LARGE));
    fclose(file);
    for (int i = 0; i < 3; i++) {
        const struct answer *a = get(i ? by_handler("www/large.bin", "") : "/large.bin");
        cr_assert(eq(sz, a->body_size, LARGE));
        cr_assert(zero(int, memcmp(a->body, bytes, LARGE)));
    }
    const struct answer *a = ask("GET", "/large.bin", "Range: bytes=1000000-20999999\r\n");
    cr_assert(eq(int, a->status, 206));
    cr_assert(eq(sz, a->body_size, 20000000));
    cr_assert(zero(int, memcmp(a->body, bytes + 1000000, 20000000)));
    a = ask("GET", "/large.bin",
            "Range: bytes=0-999999, 2000000-2999999\r\n"); /* more than is put together in memory */
    cr_assert(eq(int, a->status, 200));
    cr_assert(eq(sz, a->body_size, LARGE));
    free(bytes);
}

Test(files, that_are_none_are_refused_at_once)
{
    expect(by_handler("www/none", ""), 404, "Not Found");
    expect(by_handler("www", ""), 404, "Not Found");
    expect(by_handler("www/fifo", ""), 404, "Not Found");
    expect(by_handler("www/plain.txt/x", ""), 404, "Not Found");
    expect("/file?path=/dev/null", 404, "Not Found");
    expect("/file?path=", 404, "Not Found");
    expect(by_handler("www/none", "&tell=1"), 200, "-2\n");
    expect(by_handler("www/plain.txt", "&tell=1"), 200, "0\n"); /* the handler's later words win */
    expect(by_handler("www/link.txt", ""), 200, "0123456789");  /* a handler knows what it names */
}

Test(files, keep_the_status_of_their_handler)
{
    const struct answer *a = ask("GET", by_handler("www/plain.txt", "&status=404"), "Range: bytes=0-1\r\n");

    cr_assert(eq(int, a->status, 404));
    cr_assert(eq(str, a->body, "0123456789"));
}

Test(files, are_sent_though_the_handler_flushes)
{
    char target[128];

    snprintf(target, sizeof(target), "/flushed?path=%s/www/plain.txt", folder);
    expect(target, 200, "0123456789");
}

static const struct answer *ask_with(const char *format, const char *value)
{
    char header[256], pattern[256];

    snprintf(pattern, sizeof(pattern), "%s%s\r\n", format, value);
    snprintf(header, sizeof(header), "%s", pattern);
    return ask("GET", "/plain.txt", header);
}

Test(files, that_the_client_has_are_not_sent)
{
    char *etag = answer_header(get("/plain.txt"), "ETag");
    const struct answer *a = ask_with("If-None-Match: ", etag);

    cr_assert(eq(int, a->status, 304));
    cr_assert(zero(sz, a->body_size));
    expect_header(a, "ETag", etag);
    expect_header(a, "Content-Type", NULL);
    cr_expect(eq(int, ask_with("If-None-Match: ", "\"x\"")->status, 200));
    cr_expect(eq(int, ask_with("If-Modified-Since: ", "Wed, 01 Jan 2020 00:00:00 GMT")->status, 304));
    cr_expect(eq(int, ask_with("If-Modified-Since: ", "Tue, 31 Dec 2019 23:59:59 GMT")->status, 200));
    cr_expect(eq(int, ask_with("If-Match: ", etag)->status, 200));
    cr_expect(eq(int, ask_with("If-Match: ", "\"x\"")->status, 412));
    cr_expect(eq(int, ask_with("If-Unmodified-Since: ", "Tue, 31 Dec 2019 23:59:59 GMT")->status, 412));
    run("printf 0123456789 >www/new && touch -r www/plain.txt www/new && mv www/new www/plain.txt");
    cr_expect(eq(int, ask_with("If-None-Match: ", etag)->status, 200)); /* another file of that size and time */
    free(etag);
}

Test(files, are_sent_in_part)
{
    const struct answer *a = ask_with("Range: ", "bytes=2-4");

    cr_assert(eq(int, a->status, 206));
    cr_assert(eq(str, a->body, "234"));
    expect_header(a, "Content-Range", "bytes 2-4/10");
    expect_header(a, "Content-Length", "3");
    cr_expect(eq(str, ask_with("Range: ", "bytes=-2")->body, "89"));
    cr_expect(eq(str, ask_with("Range: ", "bytes=7-")->body, "789"));
    a = ask_with("Range: ", "bytes=10-");
    cr_assert(eq(int, a->status, 416));
    expect_header(a, "Content-Range", "bytes */10");
    cr_expect(eq(int, ask_with("Range: ", "bytes=0-5,3-9")->status, 200));
    cr_expect(eq(int, ask_with("Range: ", "lines=0-5")->status, 200));
    a = ask("HEAD", "/plain.txt", "Range: bytes=2-4\r\n");
    cr_assert(eq(int, a->status, 200));
    expect_header(a, "Content-Length", "10");
}

Test(files, are_sent_in_several_parts)
{
    const struct answer *a = ask_with("Range: ", "bytes=0-1,8-9,50-60");
    char *type = answer_header(a, "Content-Type"), expected[512];
    const char *boundary = type ? strstr(type, "boundary=") : NULL;

    cr_assert(eq(int, a->status, 206));
    cr_assert(ne(ptr, (void *)boundary, NULL));
    boundary += strlen("boundary=");
    snprintf(expected, sizeof(expected),
             "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 0-1/10\r\n\r\n01\r\n"
             "--%s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Range: bytes 8-9/10\r\n\r\n89\r\n--%s--\r\n",
             boundary, boundary, boundary);
    cr_assert(eq(str, a->body, expected));
    expect_header(a, "Content-Range", NULL);
    free(type);
}

Test(files, are_sent_in_part_only_of_the_version_that_is_meant)
{
    char *etag = answer_header(get("/plain.txt"), "ETag"), headers[512];

    snprintf(headers, sizeof(headers), "Range: bytes=0-1\r\nIf-Range: %s\r\n", etag);
    cr_expect(eq(int, ask("GET", "/plain.txt", headers)->status, 206));
    cr_expect(eq(int, ask("GET", "/plain.txt", "Range: bytes=0-1\r\nIf-Range: \"x\"\r\n")->status, 200));
    cr_expect(eq(
        int, ask("GET", "/plain.txt", "Range: bytes=0-1\r\nIf-Range: Wed, 01 Jan 2020 00:00:00 GMT\r\n")->status, 206));
    cr_expect(eq(
        int, ask("GET", "/plain.txt", "Range: bytes=0-1\r\nIf-Range: Wed, 01 Jan 2020 00:00:01 GMT\r\n")->status, 200));
    free(etag);
}

static void expect_content(const char *query, const char *headers, int status, const char *body)
{
    char target[256];
    const struct answer *a;

    snprintf(target, sizeof(target), "/content?%s", query);
    a = ask("GET", target, headers);
    cr_expect(eq(int, a->status, status), "%s %s", query, headers);
    cr_expect(eq(str, a->body, (char *)body), "%s %s", query, headers);
}

/* 1577836800 is 2020-01-01. */
Test(files, may_be_bytes_in_memory)
{
    const struct answer *a = get("/content?name=x.css&modified=1577836800");

    cr_expect(eq(str, a->body, "0123456789"));
    expect_header(a, "Content-Type", "text/css; charset=utf-8");
    expect_header(a, "Last-Modified", "Wed, 01 Jan 2020 00:00:00 GMT");
    expect_header(a, "Accept-Ranges", "bytes");
    expect_header(a, "ETag", NULL);
    expect_content("modified=1577836800", "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT\r\n", 304, "");
    expect_content("modified=1577836800", "If-Unmodified-Since: Tue, 31 Dec 2019 00:00:00 GMT\r\n", 412,
                   "Precondition Failed");
    expect_content("modified=1577836800", "Range: bytes=2-4\r\nIf-Range: Wed, 01 Jan 2020 00:00:00 GMT\r\n", 206,
                   "234");
    expect_content("", "Range: bytes=2-4\r\n", 206, "234");
    expect_content("", "Range: bytes=10-\r\n", 416, "Range Not Satisfiable");
    expect_content("tens=0", "", 200, "");
    a = get("/content?tens=30000");
    cr_expect(eq(sz, a->body_size, 300000));
    cr_expect(zero(int, strncmp(a->body + 299990, "0123456789", 10)));
    expect_header(a, "Content-Type", "application/octet-stream");
    a = ask("HEAD", "/content?tens=30000", "");
    expect_header(a, "Content-Length", "300000");
}

/* Conditions about what nobody knows do not apply. */
Test(files, in_memory_have_the_version_that_their_handler_says)
{
    expect_header(get("/content"), "Last-Modified", NULL);
    expect_content("", "If-Modified-Since: Wed, 01 Jan 2020 00:00:00 GMT\r\n", 200, "0123456789");
    expect_content("", "If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT\r\n", 200, "0123456789");
    expect_content("", "If-None-Match: \"a\"\r\n", 200, "0123456789");
    expect_content("", "If-Match: \"a\"\r\n", 412, "Precondition Failed");
    expect_content("", "If-Match: *\r\n", 200, "0123456789");
    expect_content("", "Range: bytes=2-4\r\nIf-Range: \"a\"\r\n", 200, "0123456789");
    expect_content("", "Range: bytes=2-4\r\nIf-Range: Thu, 01 Jan 1970 00:00:00 GMT\r\n", 200, "0123456789");
    expect_header(get("/content?etag=%22a%22"), "ETag", "\"a\"");
    expect_content("etag=%22a%22", "If-None-Match: \"b\", W/\"a\"\r\n", 304, "");
    expect_content("etag=%22a%22", "Range: bytes=2-4\r\nIf-Range: \"a\"\r\n", 206, "234");
    expect_content("etag=%22a%22", "If-Match: \"a\"\r\n", 200, "0123456789");
    expect_content("etag=W/%22a%22", "If-None-Match: \"a\"\r\n", 304, "");
    expect_content("etag=W/%22a%22", "If-Match: \"a\"\r\n", 412, "Precondition Failed");
    expect_content("etag=W/%22a%22", "Range: bytes=2-4\r\nIf-Range: W/\"a\"\r\n", 200, "0123456789");
}

Test(files, are_downloaded_by_name)
{
    char target[512];

    snprintf(target, sizeof(target), "/download?path=%s/www/plain.txt", folder);
    expect_header(get(target), "Content-Disposition", "attachment; filename=\"plain.txt\"; filename*=UTF-8''plain.txt");
    snprintf(target, sizeof(target), "/download?path=%s/www/plain.txt&name=na%%C3%%AFve%%20%%22%%E5%%93%%88.txt",
             folder);
    const struct answer *a = get(target);
    cr_assert(eq(str, a->body, "0123456789"));
    expect_header(a, "Content-Disposition",
                  "attachment; filename=\"na_ve __.txt\"; filename*=UTF-8''na%C3%AFve%20%22%E5%93%88.txt");
    expect_header(a, "X-Content-Type-Options", "nosniff");
    snprintf(target, sizeof(target), "/download?path=%s/www/plain.txt&name=a%%0D%%0Ab", folder);
    a = get(target);
    cr_assert(eq(int, a->status, 500));
    expect_header(a, "Content-Disposition", NULL);
    snprintf(target, sizeof(target), "/download?path=%s/www/none", folder);
    a = get(target);
    cr_assert(eq(int, a->status, 404));
    expect_header(a, "Content-Disposition", NULL);
}

Test(files, and_scripts_for_other_sites)
{
    const struct answer *a = get("/jsonp?callback=$a.b[0].c");

    cr_assert(eq(int, a->status, 200));
    cr_assert(eq(str, a->body, "/**/$a.b[0].c({\"a\":[1,\"</script>\\u2028\"]});"));
    expect_header(a, "Content-Type", "text/javascript; charset=utf-8");
    expect_header(a, "X-Content-Type-Options", "nosniff");
    static const char *const bad[] = {"",    "alert(1)", "a%3Bb", "1a",    "a..b", "a.", "a[b]",
                                      "a[]", "a[0",      "a[0]b", "a%20b", "%3Cb", "a-b"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        char target[64];
        snprintf(target, sizeof(target), "/jsonp?callback=%s", bad[i]);
        expect(target, 400, "Bad Request");
    }
}

/* ---- from folders ---- */

Test(files, come_before_routes_and_these_before_folders)
{
    expect("/shadowed.txt", 200, "shadow");
    expect("/folder", 200, "route /folder\n");
    expect("/route", 200, "route /route\n");
    expect("/empty/", 403, "Forbidden");
    expect("/none", 404, "Not Found");
    expect("/posted", 200, "posted");
    cr_expect(eq(int, ask("POST", "/posted", "Content-Length: 0\r\n")->status, 200));
    cr_expect(eq(int, ask("POST", "/plain.txt", "Content-Length: 0\r\n")->status, 404));
    cr_expect(eq(int, ask("HEAD", "/plain.txt", "")->status, 200));
}

/* What a hook at this moment is told of a request. */
static void expect_told(const char *method, const char *path, const char *moment, const char *told)
{
    char target[256];

    snprintf(target, sizeof(target), "%s?tell-file=%s", path, moment);
    expect_header(ask(method, target, strcmp(method, "POST") ? "" : "Content-Length: 0\r\n"), "X-File", told);
}

Test(files, are_told_to_hooks)
{
    static const struct {
        const char *method, *path, *told;
    } cases[] = {
        {"GET", "/plain.txt", "yes"},    {"HEAD", "/plain.txt", "yes"}, {"POST", "/plain.txt", "no"},
        {"GET", "/shadowed.txt", "yes"}, {"GET", "/route", "no"},       {"GET", "/folder", "no"},
        {"GET", "/empty/", "yes"},       {"GET", "/none", "no"},        {"GET", "/site/", "yes"},
        {"GET", "/old", "yes"},          {"GET", "/hop", "no"},         {"GET", "/.git/config", "no"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        expect_told(cases[i].method, cases[i].path, "before", cases[i].told);
        expect_told(cases[i].method, cases[i].path, "after", cases[i].told);
    }
}

/* Middleware does not run for files, so it guards none; a hook does, whatever way the path is written. */
Test(files, are_guarded_by_hooks_and_not_by_middleware)
{
    static const char *const targets[] = {"/members/a.txt",    "/members",           "/members/",
                                          "//members///a.txt", "/%6dembers/%61.txt", "/members/none",
                                          "/members/a.txt?x",  "/members/sub",       "http://a/members/a.txt"};

    run("mkdir -p www/members/sub && printf members >www/members/a.txt && printf i >www/members/index.html");
    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++) {
        expect(targets[i], 401, "Unauthorized");
        cr_expect(eq(int, ask("HEAD", targets[i], "Range: bytes=0-1\r\n")->status, 401), "%s", targets[i]);
    }
    const struct answer *a = ask("GET", "/members/a.txt", "Authorization: me\r\n");
    cr_expect(eq(int, a->status, 200), "the middleware does not run");
    cr_expect(eq(str, a->body, "members"));
    cr_expect(eq(int, ask("GET", "/members/none", "Authorization: me\r\n")->status, 403), "here it does");
    cr_expect(eq(int, ask("GET", "/x%2f..%2fmembers/a.txt", "")->status, 404));
    cr_expect(eq(int, ask("GET", "/assets/../members/a.txt", "")->status, 404));
}

/* What a hook has begun to stream is the answer. */
Test(files, do_not_follow_what_a_hook_streams)
{
    run("mkdir www/streamed && printf file >www/streamed/x");
    expect("/streamed/x", 200, "from a hook\n");
    expect("/streamed/none", 200, "from a hook\n");
}

Test(files, stand_for_their_folders)
{
    expect("/site/", 200, "index");
    expect("/site/a/", 200, "htm");
    const struct answer *a = get("/site?q=1");
    cr_assert(eq(int, a->status, 301));
    expect_header(a, "Location", "./site/?q=1");
    a = get("//site");
    cr_assert(eq(int, a->status, 301));
    expect_header(a, "Location", "./site/");
}

Test(files, are_searched_in_order)
{
    expect("/plain.txt", 200, "0123456789");
    expect("/more.txt", 200, "more");
    expect("/assets/x.css", 200, "css");
    expect("/assets/deep/x.css", 200, "deep");
    expect("/assetsx/x.css", 404, NULL);
    expect("/assets/plain.txt", 404, NULL);
    expect("/old", 200, "0123456789");
    expect("/hop", 200, "route /route\n");
}

Test(files, outside_are_never_served)
{
    static const char *const targets[] = {"/../secret/s",
                                          "/%2e%2e/secret/s",
                                          "/..%2fsecret/s",
                                          "/%2e%2e%2fsecret%2fs",
                                          "/site/../../secret/s",
                                          "/..%5csecret%5cs",
                                          "/..\\secret\\s",
                                          "/out.txt",
                                          "/outdir/s",
                                          "/outdir/",
                                          "/link.txt",
                                          "/.git/config",
                                          "/fifo",
                                          "/assets/../secret/s",
                                          "/assets../secret/s",
                                          "/plain.txt/",
                                          "/site%2findex.html",
                                          "/%2e/plain.txt",
                                          "/folder/.hidden",
                                          "//../secret/s",
                                          "/....//secret/s",
                                          "/..;/secret/s",
                                          "/%252e%252e/s",
                                          "/assets/deep/../x.css"};

    for (size_t i = 0; i < sizeof(targets) / sizeof(*targets); i++)
        expect(targets[i], 404, NULL);
    const struct answer *a = get("/.well-known/x");
    cr_assert(eq(str, a->body, "known"));
}

Test(files_and_links, stay_in_their_folder)
{
    expect("/link.txt", 200, "0123456789");
    expect("/out.txt", 404, NULL);
    expect("/outdir/s", 404, NULL);
}

Test(files, compressed_before_are_sent_to_who_takes_them)
{
    const struct answer *a = get("/z.js");

    cr_assert(eq(str, a->body, "plain-js"));
    expect_header(a, "Vary", "Accept-Encoding");
    expect_header(a, "Content-Encoding", NULL);
    a = ask("GET", "/z.js", "Accept-Encoding: gzip\r\n");
    cr_assert(eq(str, a->body, "gzip-js"));
    expect_header(a, "Content-Encoding", "gzip");
    expect_header(a, "Content-Type", "text/javascript; charset=utf-8");
    expect_header(a, "Vary", "Accept-Encoding");
    a = ask("GET", "/z.js", "Accept-Encoding: gzip, br\r\n");
    cr_assert(eq(str, a->body, "br-js"));
    expect_header(a, "Content-Encoding", "br");
    a = ask("GET", "/z.js", "Accept-Encoding: gzip;q=0.5, zstd, br;q=0.9\r\n");
    cr_assert(eq(str, a->body, "zst-js"));
    expect_header(a, "Content-Encoding", "zstd");
    expect_header(a, "Vary", "Accept-Encoding");
    a = ask("GET", "/z.js", "Accept-Encoding: gzip;q=0\r\n");
    cr_assert(eq(str, a->body, "plain-js"));
    a = ask("GET", "/old.html", "Accept-Encoding: gzip\r\n"); /* older than what it was made of */
    cr_assert(eq(str, a->body, "page"));
    expect_header(a, "Vary", NULL);
}

Test(files, compressed_before_add_to_what_the_answer_varies_by)
{
    expect_header(ask("GET", "/z.js?vary=Origin", "Accept-Encoding: br\r\n"), "Vary", "Origin, Accept-Encoding");
    expect_header(ask("GET", "/z.js?vary=Origin", ""), "Vary", "Origin, Accept-Encoding");
    expect_header(get("/z.js?vary=accept-encoding"), "Vary", "accept-encoding");
    expect_header(get("/z.js?vary=*"), "Vary", "*");
}

static void expect_refusal(const char *target, const char *condition, int status)
{
    char headers[256];

    snprintf(headers, sizeof(headers), "Accept-Encoding: br\r\n%s\r\n", condition);
    const struct answer *a = ask("GET", target, headers);
    cr_expect(eq(int, a->status, status), "%s", target);
    expect_header(a, "Content-Type", "text/plain; charset=utf-8");
    expect_header(a, "Content-Encoding", NULL);
    expect_header(a, "Content-Disposition", NULL);
    expect_header(a, "ETag", NULL);
    expect_header(a, "Last-Modified", NULL);
    expect_header(a, "Content-Range", status == 416 ? "bytes */5" : NULL);
}

/* The text of the refusal is no Brotli, and no version of the file. */
Test(files, that_are_refused_are_not_described)
{
    char target[256];

    expect_refusal("/z.js", "If-Match: \"x\"", 412);
    expect_header(ask("GET", "/z.js", "Accept-Encoding: br\r\nIf-Match: \"x\"\r\n"), "Vary", "Accept-Encoding");
    expect_refusal("/z.js", "Range: bytes=5-", 416);
    snprintf(target, sizeof(target), "/download?path=%s/www/z.js.br", folder);
    expect_refusal(target, "If-Match: \"x\"", 412);
    expect_refusal(target, "Range: bytes=5-", 416);
    char *etag = answer_header(ask("GET", "/z.js", "Accept-Encoding: br\r\n"), "ETag");
    snprintf(target, sizeof(target), "Accept-Encoding: br\r\nIf-None-Match: %s\r\n", etag);
    const struct answer *a = ask("GET", "/z.js", target);
    cr_expect(eq(int, a->status, 304));
    expect_header(a, "ETag", etag);
    expect_header(a, "Content-Encoding", NULL);
    free(etag);
}

Test(files_and_lists, name_what_there_is)
{
    const struct answer *a = get("/assets/deep/");

    cr_assert(eq(int, a->status, 200));
    cr_assert(ne(ptr, strstr(a->body, "<a href=\"./x.css\">x.css</a>"), NULL), "%s", a->body);
    expect_header(a, "Content-Type", "text/html; charset=utf-8");
    a = get("/empty");
    cr_assert(eq(int, a->status, 301));
    expect_header(a, "Location", "./empty/");
    expect("/site/", 200, "index");
    client_close(client);
    client = client_connect_port(only_port);
    a = get("/folder/");
    cr_assert(eq(int, a->status, 200));
    cr_assert(
        ne(ptr, strstr(a->body, "./%3Cb%3E%26%22x%22%20%2541.txt\">&lt;b&gt;&amp;&quot;x&quot; %41.txt</a>"), NULL),
        "%s", a->body);
    cr_assert(eq(ptr, strstr(a->body, ".hidden"), NULL));
    cr_assert(ne(ptr, strstr(a->body, "<a href=\"./sub/\">sub/</a>"), NULL));
    expect("/folder/%3Cb%3E%26%22x%22%20%2541.txt", 200, "evil");
}

static bool lists(const char *target, const char *text)
{
    const struct answer *a = get(target);

    cr_expect(eq(int, a->status, 200), "%s", target);
    return strstr(a->body, text) != NULL;
}

/* What cannot be fetched is not told of: not that it is there, nor its size. */
Test(files_and_lists_of_links, name_what_stays_in_the_folder)
{
    run("cd www/folder && ln -s ../plain.txt up.txt && ln -s sub subdir && ln -s ../../secret/s out.txt &&"
        " ln -s ../../secret outdir && ln -s none dangling && ln -s /etc/passwd etc && ln -s ../fifo pipe");
    client_close(client);
    client = client_connect_port(only_port);
    cr_expect(lists("/folder/", ">up.txt</a></td><td>10</td>"));
    cr_expect(lists("/folder/", ">subdir/</a></td>"));
    cr_expect(not(lists("/folder/", "out.txt")));
    cr_expect(not(lists("/folder/", "outdir")));
    cr_expect(not(lists("/folder/", "dangling")));
    cr_expect(not(lists("/folder/", ">etc<")));
    cr_expect(not(lists("/folder/", "pipe")));
    cr_expect(lists("/", ">link.txt</a></td><td>10</td>"));
    cr_expect(not(lists("/", "out.txt")));
    expect("/folder/up.txt", 200, "0123456789");
    expect("/folder/out.txt", 404, NULL);
}

Test(files, need_no_route)
{
    client_close(client);
    client = client_connect_port(only_port);
    expect("/plain.txt", 200, "0123456789");
    expect("/more.txt", 200, "more"); /* by the setting searchPaths */
    expect("/none", 404, "Not Found");
    expect("/", 403, "Forbidden");
    cr_expect(eq(int, ask("POST", "/plain.txt", "Content-Length: 0\r\n")->status, 404));
}

Test(files_and_pairs, come_by_settings_where_the_program_says_nothing)
{
    expect("/set/more.txt", 200, "more");
    expect("/assets/x.css", 200, "css"); /* the program has named this prefix */
    expect("/old", 200, "0123456789");   /* and this path */
    expect("/new", 200, "0123456789");
    client_close(client);
    client = client_connect_port(only_port);
    expect("/assets/x.css", 200, "deep");
    expect("/old", 200, "more");
}

/* What a server says that is not to start. */
static void expect_no_start(const char *setting, const char *why)
{
    const char *const arguments[] = {"/tmp", setting, NULL};
    struct process_options options = {.program = "files_server", .arguments = arguments};
    struct process *other = process_start(&options);

    cr_assert(ne(ptr, other, NULL));
    cr_expect(eq(int, process_wait_line(other, why, PATIENCE_MS), 0), "%s: %s", setting, why);
    process_free(other);
}

Test(files_and_pairs, that_are_none_are_no_start)
{
    expect_no_start("staticPaths=/a", "staticPaths: \"/a\" is not two texts");
    expect_no_start("staticPaths=/a=", "staticPaths: \"/a=\" is not two texts");
    expect_no_start("staticPaths=a=/tmp", "staticPaths: \"a\" is no prefix of paths");
    expect_no_start("rewrites=/a=b", "rewrites: \"/a\" to \"b\" are not two plain paths");
}

Test(files, take_no_descriptors_with_them)
{
    static const char *const targets[] = {"/plain.txt?tell-file=before",
                                          "/none",
                                          "/site/?tell-file=after",
                                          "/site",
                                          "/empty/?tell-file=before",
                                          "/nothing.txt",
                                          "/fifo",
                                          "/z.js",
                                          "/old",
                                          "/content"};
    char command[64], line[16] = "";
    int counts[2];

    snprintf(command, sizeof(command), "ls /proc/%d/fd | wc -l", (int)process_pid(process));
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 200; i++)
            ask(i % 3 ? "GET" : "HEAD", targets[i % 10],
                i % 2 ? "Accept-Encoding: br\r\n" : "Range: bytes=0-1,3-4\r\n");
        FILE *pipe = popen(command, "re");
        cr_assert(ne(ptr, fgets(line, sizeof(line), pipe), NULL));
        counts[round] = atoi(line);
        pclose(pipe);
    }
    cr_expect(le(int, counts[1], counts[0] + 1));
}
