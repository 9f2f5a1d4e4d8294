/* What answers with files are made of: dates, conditions, ranges, codings, types, and folders that nothing leads out
 * of. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/byte_ranges.h>
#include <gf/ghttp/message/coding.h>
#include <gf/ghttp/message/conditions.h>
#include <gf/ghttp/message/fields.h>
#include <gf/ghttp/message/http_date.h>
#include <gf/ghttp/message/media_type.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/service/static_folder.h>

Test(files, dates_are_read_in_three_forms)
{
    static const char *const texts[] = {"Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    static const char *const bad[] = {"",
                                      "Sun",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 GMT+1",
                                      "Sun, 06 Now 1994 08:49:37 GMT",
                                      "Sun, 46 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 28:49:37 GMT",
                                      "784111777"};
    char text[GF_HTTP_DATE_SIZE];
    time_t time;

    for (int i = 0; i < 3; i++) {
        cr_assert(eq(int, gf_http_date_parse(texts[i], &time), 0), "%s", texts[i]);
        cr_assert(eq(long, (long)time, 784111777L), "%s", texts[i]);
    }
    cr_assert(eq(int, gf_http_date_format(784111777, text), 0));
    cr_assert(eq(str, text, (char *)texts[0]));
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_assert(eq(int, gf_http_date_parse(bad[i], &time), -EINVAL), "%s", bad[i]);
}

static const struct gf_version version = {.etag = "\"a-b\"", .modified = 784111777};

static int check(const char *names_and_values)
{
    struct gf_arena *arena = gf_arena_new(65536);
    struct gf_fields fields = {.items = NULL};
    char *copy = gf_arena_strdup(arena, names_and_values), *line;
    int status;

    while ((line = strsep(&copy, "\n"))) {
        char *value = strstr(line, ": ");

        if (value) {
            *value = 0;
            gf_fields_add(&fields, arena, line, value + 2);
        }
    }
    status = gf_conditions_check(&fields, &version);
    gf_arena_free(arena);
    return status;
}

#define DATE "Sun, 06 Nov 1994 08:49:37 GMT"
#define BEFORE "Sun, 06 Nov 1994 08:49:36 GMT"

Test(files, conditions_are_checked_in_the_order_of_the_standard)
{
    cr_expect(eq(int, check(""), 200));
    cr_expect(eq(int, check("If-None-Match: \"a-b\""), 304));
    cr_expect(eq(int, check("If-None-Match: W/\"a-b\""), 304));
    cr_expect(eq(int, check("If-None-Match: \"x,\", \"a-b\""), 304));
    cr_expect(eq(int, check("If-None-Match: *"), 304));
    cr_expect(eq(int, check("If-None-Match: \"a-\""), 200));
    cr_expect(eq(int, check("If-None-Match: a-b"), 200));
    cr_expect(eq(int, check("If-Modified-Since: " DATE), 304));
    cr_expect(eq(int, check("If-Modified-Since: " BEFORE), 200));
    cr_expect(eq(int, check("If-Modified-Since: yesterday"), 200));
    cr_expect(eq(int, check("If-None-Match: \"x\"\nIf-Modified-Since: " DATE), 200));
    cr_expect(eq(int, check("If-Match: \"a-b\""), 200));
    cr_expect(eq(int, check("If-Match: *"), 200));
    cr_expect(eq(int, check("If-Match: W/\"a-b\""), 412));
    cr_expect(eq(int, check("If-Match: \"x\""), 412));
    cr_expect(eq(int, check("If-Match: \"x\"\nIf-None-Match: \"a-b\""), 412));
    cr_expect(eq(int, check("If-Unmodified-Since: " DATE), 200));
    cr_expect(eq(int, check("If-Unmodified-Since: " BEFORE), 412));
    cr_expect(eq(int, check("If-Match: \"a-b\"\nIf-Unmodified-Since: " BEFORE), 200));
}

/* What a program has set need not be one. */
Test(files, a_tag_that_is_none_is_compared_as_it_is)
{
    static struct gf_field fields[] = {{"If-None-Match", "\"x\""}};
    struct gf_fields headers = {.items = fields, .count = 1};
    char tag[] = {'W', 0, '"', 'x', '"', 0};
    struct gf_version odd = {.etag = tag, .undated = true};

    cr_expect(eq(int, gf_conditions_check(&headers, &odd), 200));
}

static void expect_ranges(const char *header, off_t size, int status, const char *expected)
{
    struct gf_ranges ranges = {.count = 0};
    char text[512] = "";

    cr_expect(eq(int, gf_ranges_parse(header, size, &ranges), status), "%s", header);
    for (size_t i = 0; status == 206 && i < ranges.count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%ld+%ld ", (long)ranges.items[i].offset,
                 (long)ranges.items[i].size);
    cr_expect(eq(str, text, (char *)expected), "%s", header);
}

Test(files, ranges_are_those_of_the_file)
{
    expect_ranges("bytes=0-0", 10, 206, "0+1 ");
    expect_ranges("bytes=2-5", 10, 206, "2+4 ");
    expect_ranges("bytes=5-", 10, 206, "5+5 ");
    expect_ranges("bytes=-3", 10, 206, "7+3 ");
    expect_ranges("bytes=-30", 10, 206, "0+10 ");
    expect_ranges("Bytes=8-99999999999999999999999", 10, 206, "8+2 ");
    expect_ranges("bytes=0-1, 8-9", 10, 206, "0+2 8+2 ");
    expect_ranges("bytes=8-9,20-30,0-1", 10, 206, "8+2 0+2 ");
    expect_ranges("bytes=10-", 10, 416, "");
    expect_ranges("bytes=-0", 10, 416, "");
    expect_ranges("bytes=0-0", 0, 416, "");
    expect_ranges("bytes=-1", 0, 416, "");
}

Test(files, ranges_that_make_no_sense_do_not_count)
{
    static const char *const headers[] = {
        "",          "bytes",       "bytes=",        "bytes=-",          "bytes=a-b",
        "bytes=5-2", "lines=1-2",   "bytes=0-5,3-9", "bytes=0-1;2-3",    "bytes=1",
        "bytes=+1-", "bytes=--1",   "bytes=0-1 2-3", "bytes=0-,0-,0-",   "bytes=0x1-2",
        "bytes=,,,", "bytes=1-2-3", "bytes = 0-1",   "bytes=0-0,-10,-10"};
    char many[256] = "bytes=";

    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
        expect_ranges(headers[i], 10, 200, "");
    for (int i = 0; i < 17; i++)
        snprintf(many + strlen(many), sizeof(many) - strlen(many), "%d-%d,", 2 * i, 2 * i);
    expect_ranges(many, 1000, 200, "");
}

Test(files, codings_are_taken_by_name_or_star)
{
    cr_expect(gf_coding_is_accepted("gzip", "gzip"));
    cr_expect(gf_coding_is_accepted("br;q=0.5, GZIP ;q=0.1", "gzip"));
    cr_expect(gf_coding_is_accepted("*", "br"));
    cr_expect(not(gf_coding_is_accepted("*, br;q=0", "br")));
    cr_expect(not(gf_coding_is_accepted("gzip;q=0.000", "gzip")));
    cr_expect(not(gf_coding_is_accepted("gzipped", "gzip")));
    cr_expect(not(gf_coding_is_accepted("", "gzip")));
    cr_expect(not(gf_coding_is_accepted(NULL, "gzip")));
}

Test(files, codings_have_weights)
{
    static const struct {
        const char *header;
        int gzip;
    } cases[] = {
        {"gzip", 1000},       {"gzip;q=1", 1000},    {"gzip;q=1.000", 1000},
        {"gzip;q=0.5", 500},  {"gzip; q=0.25", 250}, {"gzip;level=9;q=0.001", 1},
        {"gzip;Q=0.3", 300},  {"gzip;q=0.0001", 0},  {"gzip;q=", 1000},
        {"gzip;q=2", 1000},   {"gzip;q=x", 1000},    {"gzip;q=0.5x", 1000},
        {"gzip;q=0.5 ", 500}, {"*;q=0.2", 200},      {"*;q=0.2, gzip", 1000},
        {"br;q=0.7", 0},      {"x-gzip;q=0.4", 400}, {"gzip;q=1.5", 1000},
        {";q=0.5", 0},        {"gzip;;q=0.1;", 100},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        cr_expect(eq(int, gf_coding_quality(cases[i].header, "gzip"), cases[i].gzip), "%s", cases[i].header);
}

Test(files, types_follow_the_last_extension)
{
    cr_expect(eq(str, (char *)gf_media_type("a/b.HTML"), "text/html; charset=utf-8"));
    cr_expect(eq(str, (char *)gf_media_type("a.tar.gz"), "application/gzip"));
    cr_expect(eq(str, (char *)gf_media_type("a.css/b"), "application/octet-stream"));
    cr_expect(eq(str, (char *)gf_media_type("a."), "application/octet-stream"));
    cr_expect(eq(str, (char *)gf_media_type(""), "application/octet-stream"));
}

/* ---- folders ---- */

static char base[] = "/tmp/gf-files-XXXXXX";

static void run(const char *format)
{
    char command[512];

    snprintf(command, sizeof(command), "cd %s && %s", base, format);
    cr_assert(eq(int, system(command), 0), "%s", command);
}

static void make(void)
{
    cr_assert(ne(ptr, mkdtemp(base), NULL));
    run("mkdir -p www/sub other && echo in >www/sub/in && echo secret >other/secret && mkfifo www/fifo &&"
        " ln -s ../other/secret www/out && ln -s ../other www/outdir && ln -s sub/in www/link &&"
        " ln -s sub www/linkdir && ln -s /etc www/etc && ln -s loop www/loop");
}

static void clean(void)
{
    run("rm -rf www other");
    rmdir(base);
}

static int try_open(const char *name, bool links, bool stepwise)
{
    char folder[64];

    snprintf(folder, sizeof(folder), "%s/www", base);
    int fd = stepwise ? gf_folder_open_stepwise(folder, name) : gf_folder_open(folder, name, links);
    if (fd < 0)
        return fd;
    cr_expect(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
    return 0;
}

Test(files, folders_let_nothing_lead_out, .init = make, .fini = clean)
{
    static const char *const inside[] = {"", "sub", "sub/", "sub/in", "sub//in", "fifo"};
    static const char *const outside[] = {
        "..",  "../other/secret", "sub/../../other/secret", "out", "outdir/secret", "outdir", "etc/passwd", "loop",
        "none"};
    static const char *const links[] = {"link", "linkdir", "linkdir/in"};

    for (int way = 0; way < 3; way++) { /* without links, with them, step by step */
        for (size_t i = 0; i < sizeof(inside) / sizeof(*inside); i++)
            cr_expect(eq(int, try_open(inside[i], way == 1, way == 2), 0), "%d: %s", way, inside[i]);
        for (size_t i = 0; i < sizeof(outside) / sizeof(*outside); i++)
            cr_expect(lt(int, try_open(outside[i], way == 1, way == 2), 0), "%d: %s", way, outside[i]);
        for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
            cr_expect(eq(int, try_open(links[i], way == 1, way == 2) == 0, way == 1), "%d: %s", way, links[i]);
        cr_expect(eq(int, try_open("sub/in/", way == 1, way == 2), -ENOTDIR));
    }
}

Test(files, paths_with_tricks_name_no_file)
{
    static const struct {
        const char *raw, *path;
        bool may;
    } cases[] = {
        {"/", "/", true},
        {"/a/b.txt", "/a/b.txt", true},
        {"/a%20b", "/a b", true},
        {"/.well-known/x", "/.well-known/x", true},
        {"/..", "/..", false},
        {"/a/../b", "/a/../b", false},
        {"/a/%2e%2e/b", "/a/../b", false},
        {"/a/./b", "/a/./b", false},
        {"/.git/config", "/.git/config", false},
        {"/a/.env", "/a/.env", false},
        {"/a%2fb", "/a/b", false},
        {"/a%2Fb", "/a/b", false},
        {"/a%5Cb", "/a\\b", false},
        {"/a\\b", "/a\\b", false},
        {"/.well-knownx", "/.well-knownx", false},
        {"*", "*", false},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct ghttp_request r = {.path = cases[i].path, .raw_path = cases[i].raw};
        cr_expect(eq(int, gf_folder_may_hold(&r), cases[i].may), "%s", cases[i].raw);
    }
}
