/*
 * Uploads of the website of the examples as they come over the wire: slowly, cut, too many, and not as they should be.
 */
#include "tests/support/client.h"
#include "tests/support/visit.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BOUNDARY "----harbour"
#define FILE_HEAD(name)                                                                                                \
    "--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"files\"; filename=\"" name "\"\r\n"                      \
    "Content-Type: application/octet-stream\r\n\r\n"
#define FORM_END "\r\n--" BOUNDARY "--\r\n"

enum {
    READ_TIMEOUT_S = 3,
    PIECES = 10,       /* half a second apart: longer together than READ_TIMEOUT_S */
    MAX_UPLOADS = 100, /* website.maxUploads */
    WAIT_MS = 20000,
};

static struct visit v;
static char cookie[256];

static void log_in(void)
{
    static const char request[] = "POST /login HTTP/1.1\r\nHost: localhost\r\nContent-Length: 31\r\n"
                                  "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
                                  "user=alice&password=open+sesame";
    struct client *c = client_connect_port(v.port);
    int error = 0;

    cr_assert(not(zero(ptr, c)));
    cr_assert(zero(int, client_send_text(c, request)));
    const struct answer *a = client_receive(c, &error);
    cr_assert(not(zero(ptr, (void *)a)), "%s", strerror(-error));
    cr_assert(eq(int, a->status, 303));
    char *set = answer_header(a, "Set-Cookie");
    cr_assert(not(zero(ptr, set)));
    snprintf(cookie, sizeof(cookie), "Cookie: %.*s", (int)strcspn(set, ";"), set);
    free(set);
    client_close(c);
}

static void start(void)
{
    cr_assert(zero(int, visit_website_alone(&v, "GF_SERVER_READTIMEOUT=3s")));
    log_in();
}

static void finish(void)
{
    visit_finish(&v);
}

TestSuite(website_uploads, .init = start, .fini = finish, .timeout = 120);

static struct client *begin_upload(size_t size)
{
    struct client *c = client_connect_port(v.port);
    char head[640];

    cr_assert(not(zero(ptr, c)));
    snprintf(head, sizeof(head),
             "POST /uploads HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n"
             "Content-Type: multipart/form-data; boundary=" BOUNDARY "\r\n%s\r\n\r\n",
             size, cookie);
    cr_assert(zero(int, client_send_text(c, head)));
    return c;
}

static int end_upload(struct client *c)
{
    int error = 0, status;
    const struct answer *a = client_receive(c, &error);

    cr_assert(not(zero(ptr, (void *)a)), "%s", strerror(-error));
    status = a->status;
    client_close(c);
    return status;
}

static int upload(const char *form)
{
    struct client *c = begin_upload(strlen(form));

    cr_assert(zero(int, client_send_text(c, form)));
    return end_upload(c);
}

static int count_files(const char *name)
{
    char path[512];
    int count = 0;

    snprintf(path, sizeof(path), "%s/data/%s", process_folder(v.server), name);
    DIR *folder = opendir(path);
    cr_assert(not(zero(ptr, folder)));
    for (const struct dirent *entry; (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    closedir(folder);
    return count;
}

static void expect_kept(int count)
{
    cr_expect(eq(int, count_files("uploads"), 2 * count), "each with what is known of it");
    cr_expect(zero(int, count_files("incoming")));
}

/* A line that is slow, not silent: readTimeout is between two pieces, not for all of them. */
Test(website_uploads, one_may_take_longer_than_the_read_timeout)
{
    static const char head[] = FILE_HEAD("slow.bin"), end[] = FORM_END;
    struct timespec begun, ended;
    char piece[1000];

    memset(piece, 'x', sizeof(piece));
    struct client *c = begin_upload(strlen(head) + PIECES * sizeof(piece) + strlen(end));
    clock_gettime(CLOCK_MONOTONIC, &begun);
    cr_assert(zero(int, client_send_text(c, head)));
    for (int i = 0; i < PIECES; i++) {
        usleep(500000); /* the line */
        cr_assert(zero(int, client_send(c, piece, sizeof(piece))), "after %d pieces", i);
    }
    cr_assert(zero(int, client_send_text(c, end)));
    cr_expect(eq(int, end_upload(c), 303));
    clock_gettime(CLOCK_MONOTONIC, &ended);
    cr_expect(gt(long, ended.tv_sec - begun.tv_sec, READ_TIMEOUT_S));
    expect_kept(1);
}

Test(website_uploads, one_that_falls_silent_or_is_cut_leaves_nothing)
{
    static const char whole[] = FILE_HEAD("whole.bin") "whole\r\n";
    struct client *silent = begin_upload(100000), *cut = begin_upload(100000);

    cr_assert(zero(int, client_send_text(silent, whole)));
    cr_assert(zero(int, client_send_text(silent, FILE_HEAD("half.bin") "half")));
    cr_assert(zero(int, client_send_text(cut, whole)));
    cr_assert(zero(int, client_send_text(cut, FILE_HEAD("half.bin") "half")));
    client_close(cut);
    cr_expect(eq(int, end_upload(silent), 408));
    for (int i = 0; i < WAIT_MS / 10 && count_files("incoming"); i++)
        usleep(10000);
    expect_kept(0);
}

Test(website_uploads, several_come_together_and_other_fields_are_none)
{
    cr_expect(eq(int,
                 upload(FILE_HEAD("one.bin") "1\r\n" FILE_HEAD(
                     "two.bin") "2\r\n--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny" FORM_END),
                 303));
    expect_kept(2);
}

Test(website_uploads, forms_without_a_file_are_refused)
{
    cr_expect(eq(int,
                 upload("--" BOUNDARY "\r\nContent-Disposition: form-data; name=\"files\"; filename=\"\"\r\n"
                        "Content-Type: application/octet-stream\r\n\r\n" FORM_END),
                 422));
    cr_expect(eq(int, upload("--" BOUNDARY "--\r\n"), 422));
    cr_expect(eq(int, upload("this is no form"), 400));
    cr_expect(eq(int, end_upload(begin_upload((size_t)65 << 20)), 413));
    expect_kept(0);
}

Test(website_uploads, strangers_are_sent_to_the_login_before_they_have_sent_anything)
{
    cookie[0] = 0;
    struct client *c = client_connect_port(v.port);
    cr_assert(not(zero(ptr, c)));
    cr_assert(zero(int, client_send_text(c, "POST /uploads HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n"
                                            "Content-Type: multipart/form-data; boundary=" BOUNDARY "\r\n\r\n")));
    cr_expect(eq(int, end_upload(c), 303));
    expect_kept(0);
}

/* A form of so many files. */
static char *make_form(int count)
{
    static const char head[] = FILE_HEAD("small.bin"), end[] = FORM_END;
    char *form = calloc((size_t)count + 1, sizeof(head) + sizeof(end));

    cr_assert(not(zero(ptr, form)));
    for (int i = 0; i < count; i++) {
        strcat(form, i ? "\r\n" : "");
        strcat(form, head);
    }
    return strcat(form, end);
}

Test(website_uploads, there_is_a_greatest_number_of_them)
{
    char *many = make_form(MAX_UPLOADS), *too_many = make_form(MAX_UPLOADS + 1);

    cr_expect(eq(int, upload(too_many), 507));
    expect_kept(0);
    cr_expect(eq(int, upload(many), 303));
    expect_kept(MAX_UPLOADS);
    cr_expect(eq(int, upload(FILE_HEAD("one.bin") "1" FORM_END), 507));
    free(many);
    free(too_many);
}
