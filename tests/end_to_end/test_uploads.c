/*
 * Forms and files over the wire, as curl sends them and as clients break them.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/support/port.h"
#include "tests/support/process.h"
#include "tests/support/raw.h"

static struct process *server;
static int port;

static void start(void)
{
    char path[256], *line;

    server = process_start(&(struct process_options){.program = "form_server"});
    cr_assert(ne(ptr, server, NULL));
    cr_assert(eq(int, process_wait_line(server, "ports ", 20000), 0));
    line = process_find_line(server, "ports ");
    port = atoi(line + strlen("ports "));
    free(line);
    snprintf(path, sizeof(path), "%s/saved", process_folder(server));
    cr_assert(eq(int, mkdir(path, 0700), 0));
}

static void stop(void)
{
    int status = -1;

    cr_assert(eq(int, process_signal(server, SIGTERM), 0));
    cr_assert(eq(int, process_wait_exit(server, 20000, &status), 0));
    cr_assert(eq(int, status, 0));
    process_free(server);
}

TestSuite(uploads, .init = start, .fini = stop, .timeout = 60);

/* A command in the server's folder: its exit status. */
static int run(const char *command)
{
    char whole[1024];

    snprintf(whole, sizeof(whole), "cd %s && %s", process_folder(server), command);
    return system(whole);
}

static void make_file(const char *name, size_t size)
{
    char path[256];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", process_folder(server), name);
    file = fopen(path, "w");
    cr_assert(ne(ptr, file, NULL));
    for (size_t i = 0; i < size; i++)
        fputc((int)((i * 31 + i / 251 + size) & 0xff), file);
    cr_assert(eq(int, fclose(file), 0));
}

/* What curl prints with these options (in the server's folder), the status behind it. */
static char *curl(const char *path, const char *options)
{
    static char text[4096];
    char command[1024];
    FILE *output;
    size_t size;

    snprintf(command, sizeof(command), "cd %s && curl -q -sS -m 20 -w '%%{http_code}' %s 'http://127.0.0.1:%d%s'",
             process_folder(server), options, port, path);
    output = popen(command, "r");
    cr_assert(ne(ptr, output, NULL));
    size = fread(text, 1, sizeof(text) - 1, output);
    text[size] = '\0';
    cr_assert(eq(int, pclose(output), 0), "%s", command);
    return text;
}

Test(uploads, several_files_and_values)
{
    make_file("one.bin", 1000);
    make_file("two.bin", 70000);
    make_file("empty.bin", 0);
    cr_expect(
        eq(str,
           curl("/upload?name=query", "-F name=Anna -F 'f=@one.bin' -F 'list[]=1' -F 'list[]=b c' -F 'g=@empty.bin' "
                                      "-F 'f[]=@two.bin;filename=../../two.sav;type=image/png'"),
           "name=Anna\nlist=1\nlist=b c\n"
           "f: one.bin application/octet-stream 1000 0 saved/one.bin\n"
           "g: empty.bin application/octet-stream 0 0 saved/empty.bin\n"
           "f[]: two.sav image/png 70000 0 saved/two.sav\n200"));
    cr_expect(
        eq(int, run("cmp one.bin saved/one.bin && cmp two.bin saved/two.sav && cmp empty.bin saved/empty.bin"), 0));
    cr_expect(eq(int, run("test $(stat -c %a saved/one.bin) = 600 && test $(ls saved | wc -l) = 3"), 0));
}

Test(uploads, of_seven_megabytes_twice)
{
    make_file("large.bin", 7000000);
    for (int i = 0; i < 2; i++) {
        char *text = curl("/upload", "-F f=@large.bin");

        cr_expect(strstr(text, " 7000000 0 saved/large") && strstr(text, ".bin\n200"), "%s", text);
    }
    cr_expect(eq(int, run("for f in saved/*; do cmp large.bin $f || exit 1; done; test $(ls saved | wc -l) = 2"), 0),
              "the second has a name of its own");
}

Test(uploads, over_the_limit_get_413)
{
    make_file("huge.bin", 9 << 20);
    char *text = curl("/upload", "-F f=@huge.bin");

    cr_expect(eq(str, text + strlen(text) - 3, "413"), "%s", text);
}

Test(uploads, that_are_malformed_save_nothing)
{
    static const struct {
        const char *type, *body;
    } cases[] = {
        {"multipart/form-data; boundary=yy",
         "--xx\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n1\r\n--xx--"},
        {"multipart/form-data; boundary=xx",
         "--xx\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n1\r\n--xx\r\n"},
        {"multipart/form-data; boundary=xx", ""},
        {"multipart/form-data", "--xx\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n1\r\n--xx--"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char request[512];
        struct raw raw;
        int size = snprintf(request, sizeof(request),
                            "POST /upload HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: %s\r\n"
                            "Content-Length: %zu\r\n\r\n%s",
                            cases[i].type, strlen(cases[i].body), cases[i].body);

        cr_expect(eq(int, raw_exchange(&raw, port, request, (size_t)size), 400), "case %zu", i);
        raw_close(&raw);
    }
    cr_expect(eq(int, run("test $(ls saved | wc -l) = 0"), 0));
}

/* The client goes away in the middle of the body: no handler runs, and the server serves on. */
Test(uploads, that_are_cut_save_nothing)
{
    static const char head[] = "POST /upload HTTP/1.1\r\nHost: a\r\nContent-Type: multipart/form-data; boundary=xx\r\n"
                               "Content-Length: 200000\r\n\r\n"
                               "--xx\r\nContent-Disposition: form-data; name=f; filename=a\r\n\r\n";
    char *data = calloc(1, 100000);

    cr_assert(ne(ptr, data, NULL));
    for (int i = 0; i < 20; i++) {
        struct raw raw;

        cr_assert(eq(int, raw_connect(&raw, port), 0));
        cr_assert(eq(int, raw_send(&raw, head, sizeof(head) - 1), 0));
        cr_assert(eq(int, raw_send(&raw, data, (size_t)i * 5000), 0));
        if (i % 2)
            raw_abort(&raw);
        else
            raw_close(&raw);
    }
    free(data);
    cr_expect(eq(str, curl("/upload", "-F list=1 -F list=2"), "list=1\nlist=2\n200"));
    cr_expect(eq(int, run("test $(ls saved | wc -l) = 0"), 0));
}

Test(uploads, structs_are_read_from_every_source)
{
    cr_expect(eq(str, curl("/person?name=Anna&age=30", ""), "Anna is 30\n200"));
    cr_expect(eq(str, curl("/person?name=Anna", "-F name=Otto"), "Otto is 7\n200"));
    cr_expect(eq(str, curl("/person?age=3", "-H 'Content-Type: application/json' -d '{\"name\":\"Eva\",\"age\":4}'"),
                 "Eva is 4\n200"));
    cr_expect(
        eq(str, curl("/person?age=0", ""),
           "{\"code\":51,\"message\":\"name is required; age must be at least 1\",\"data\":{\"errors\":[{\"field\":"
           "\"name\",\"rule\":\"required\",\"message\":\"name is required\"},{\"field\":\"age\",\"rule\":\"min\","
           "\"message\":\"age must be at least 1\"}]}}400"));
}

Test(uploads, what_curl_says_of_itself)
{
    char expected[128];

    snprintf(expected, sizeof(expected), "t1 0 anna p:w de http://r/ 1\nhttp://127.0.0.1:%d/words?a=%%20b\n200", port);
    cr_expect(
        eq(str,
           curl("/words?a=%20b", "-b 'x=1; token=t1' -u anna:p:w -H 'Accept-Language: de-AT,en;q=0.5' -e http://r/ "
                                 "-H 'X-Requested-With: XMLHttpRequest'"),
           expected));
}

/* ---- the example -------------------------------------------------------------------------------------------------
 */

static void finish(void)
{
    process_free(server);
}

Test(example, forms, .fini = finish, .timeout = 60)
{
    char variable[32];
    int status = -1;

    port = free_port();
    snprintf(variable, sizeof(variable), "GF_PORT=%d", port);
    server =
        process_start(&(struct process_options){.program = "forms", .environment = (const char *[]){variable, NULL}});
    cr_assert(ne(ptr, server, NULL));
    cr_assert(eq(int, process_wait_line(server, "server started listening on [", 20000), 0));
    make_file("photo.png", 5000);
    cr_expect(ne(ptr, strstr(curl("/", ""), "multipart/form-data"), NULL));
    cr_expect(eq(str, curl("/people", "-F name=Anna -F age=30 -F picture=@photo.png"),
                 "Anna, 30 years\n5000 bytes in pictures/photo.png\n200"));
    cr_expect(eq(int, run("cmp photo.png pictures/photo.png"), 0));
    cr_expect(ne(ptr, strstr(curl("/people", "-F age=7"), "\"name is required; only for grown-ups\""), NULL));
    cr_expect(eq(str, curl("/people", "-H 'Content-Type: application/json' -d '{\"name\":\"Anna\",\"age\":30}'"),
                 "Anna, 30 years\n200"));
    cr_assert(eq(int, process_signal(server, SIGTERM), 0));
    cr_assert(eq(int, process_wait_exit(server, 20000, &status), 0));
    cr_expect(eq(int, status, 0));
}
