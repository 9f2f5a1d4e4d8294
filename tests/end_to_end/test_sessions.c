/*
 * Cookies and sessions from the outside: logging in and out, ids that clients make up, what lies in the folder, and
 * that a restart logs nobody out.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/client.h"
#include "tests/support/process.h"

#define ID_SIZE 32

static struct process *server;
static char folder[512];
static int port;

/* A client with a jar for the one cookie that it is given. */
struct visitor {
    char cookie[256]; /* "gfsessionid=…", or "" */
    char set[512];    /* the last Set-Cookie as it came */
    char body[256];
    int set_count;
};

static void start_with(const char *setting, const char *second)
{
    const char *arguments[] = {"127.0.0.1:0", "sessions", setting, second, NULL};
    struct process_options options = {.program = "session_server", .arguments = arguments};

    server = process_start(&options);
    cr_assert(ne(ptr, server, NULL));
    cr_assert(zero(int, process_wait_line(server, "port ", 20000)));
    char *line = process_find_line(server, "port ");
    port = atoi(line + strlen("port "));
    free(line);
    snprintf(folder, sizeof(folder), "%s/sessions/default", process_folder(server));
}

static void start(const char *setting)
{
    start_with(setting, NULL);
}

static void start_plain(void)
{
    start(NULL);
}

static void stop(void)
{
    process_free(server);
}

TestSuite(sessions, .init = start_plain, .fini = stop, .timeout = 60);

static void keep_cookie(struct visitor *v, const struct answer *a)
{
    char *set = answer_header(a, "Set-Cookie");

    v->set_count = answer_header_count(a, "Set-Cookie");
    snprintf(v->set, sizeof(v->set), "%s", set ? set : "");
    if (strstr(v->set, "Max-Age=0"))
        v->cookie[0] = 0;
    else if (set)
        snprintf(v->cookie, sizeof(v->cookie), "%.*s", (int)strcspn(set, ";"), set);
    free(set);
}

static int visit(struct visitor *v, const char *path)
{
    struct client *c = client_connect_port(port);
    char request[1024];
    int error = 0, status;

    cr_assert(ne(ptr, c, NULL));
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n%s%s%s\r\n", path,
             v->cookie[0] ? "Cookie: theme=dark; " : "", v->cookie, v->cookie[0] ? "\r\n" : "");
    cr_assert(zero(int, client_send_text(c, request)));
    const struct answer *a = client_receive(c, &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s: %s", path, strerror(-error));
    status = a->status;
    snprintf(v->body, sizeof(v->body), "%s", a->body ? a->body : "");
    keep_cookie(v, a);
    client_close(c);
    return status;
}

static void expect_body(struct visitor *v, const char *path, const char *body)
{
    cr_expect(eq(int, visit(v, path), 200), "%s", path);
    cr_expect(eq(str, v->body, (char *)body), "%s", path);
}

/* The folder's files of sessions. */
static int count_files(void)
{
    DIR *opened = opendir(folder);
    int count = 0;

    if (!opened)
        return 0;
    for (const struct dirent *entry; (entry = readdir(opened));)
        count += strlen(entry->d_name) == ID_SIZE;
    closedir(opened);
    return count;
}

static void path_of(const struct visitor *v, char *path, size_t size)
{
    snprintf(path, size, "%s/%s", folder, strchr(v->cookie, '=') + 1);
}

/* ---- cookies ---- */

Test(sessions, several_cookies_go_out_with_one_answer)
{
    struct client *c = client_connect_port(port);
    int error = 0;
    const struct answer *a = client_get(c, "/cookies", &error);

    cr_assert(ne(ptr, (void *)a, NULL));
    cr_expect(eq(int, answer_header_count(a, "Set-Cookie"), 3));
    cr_expect(strstr(a->head, "Set-Cookie: first=1; Path=/; Max-Age=31536000\r\n") != NULL);
    cr_expect(strstr(a->head, "Set-Cookie: second=2; Path=/; HttpOnly\r\n") != NULL);
    cr_expect(strstr(a->head, "Set-Cookie: third=; Path=/; Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:01 GMT\r\n") !=
              NULL);
    client_close(c);
}

/* ---- sessions ---- */

Test(sessions, login_and_logout)
{
    struct visitor v = {.cookie = ""}, other = {.cookie = ""};
    char expected[512];

    expect_body(&v, "/", "nobody");
    cr_expect(eq(int, v.set_count, 0), "nothing was set, so there is no cookie");
    cr_expect(eq(int, count_files(), 0));
    expect_body(&v, "/login?user=ann", "ann");
    snprintf(expected, sizeof(expected), "%s; Path=/; Max-Age=86400; HttpOnly; SameSite=Lax", v.cookie);
    cr_expect(eq(str, v.set, expected));
    cr_expect(eq(sz, strlen(v.cookie), strlen("gfsessionid=") + ID_SIZE));
    expect_body(&v, "/", "ann");
    cr_expect(eq(int, v.set_count, 0), "the client has it already");
    expect_body(&other, "/", "nobody");
    expect_body(&other, "/login?user=bob", "bob");
    expect_body(&v, "/", "ann");
    cr_expect(eq(int, count_files(), 2));
    struct visitor copy = v;
    expect_body(&v, "/logout", "nobody");
    cr_expect(eq(str, v.cookie, ""), "the cookie has been taken back");
    expect_body(&copy, "/", "nobody");
    expect_body(&other, "/", "bob");
    cr_expect(eq(int, count_files(), 1));
}

Test(sessions, login_gives_another_id)
{
    struct visitor v = {.cookie = ""};

    expect_body(&v, "/set?key=basket&value=7", "0");
    struct visitor before = v;
    expect_body(&v, "/login?user=ann", "ann");
    cr_expect(ne(str, v.cookie, before.cookie));
    expect_body(&v, "/get?key=basket", "7");
    expect_body(&before, "/", "nobody");
    expect_body(&before, "/get?key=basket", "none");
    cr_expect(eq(int, count_files(), 1));
}

Test(sessions, ids_of_clients_are_not_adopted)
{
    static const char *const ids[] = {
        "0123456789abcdef0123456789abcdef",
        "../../x",
        "..%2f..%2fx",
        "../../../../../../../etc/passwd0",
        "lock",
        "",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    };

    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        struct visitor v;
        char planted[256];

        snprintf(v.cookie, sizeof(v.cookie), "gfsessionid=%s", ids[i]);
        strcpy(planted, v.cookie);
        expect_body(&v, "/", "nobody");
        expect_body(&v, "/login?user=ann", "ann");
        cr_expect(ne(str, v.cookie, planted), "%s", ids[i]);
        cr_expect(eq(sz, strlen(v.cookie), strlen("gfsessionid=") + ID_SIZE), "%s", ids[i]);
        cr_expect(eq(int, count_files(), (int)i + 1), "%s", ids[i]);
    }
    cr_expect(eq(int, visit(&(struct visitor){.cookie = "x=1"}, "/"), 200));
}

Test(sessions, folder_and_files_are_for_the_user_alone)
{
    struct visitor v = {.cookie = ""};
    struct stat found;
    char path[1024];

    expect_body(&v, "/login?user=ann", "ann");
    path_of(&v, path, sizeof(path));
    cr_assert(zero(int, stat(path, &found)));
    cr_expect(eq(int, found.st_mode & 07777, 0600));
    cr_assert(zero(int, stat(folder, &found)));
    cr_expect(eq(int, found.st_mode & 07777, 0700));
}

Test(sessions, damaged_file_is_no_session)
{
    struct visitor v = {.cookie = ""};
    char path[1024];

    expect_body(&v, "/login?user=ann", "ann");
    path_of(&v, path, sizeof(path));
    struct timespec times[2] = {{.tv_sec = time(NULL)}, {.tv_sec = time(NULL) + 1000}};
    FILE *file = fopen(path, "w");
    cr_assert(file && fputs("{\"version\":1,", file) >= 0 && fclose(file) == 0);
    cr_assert(zero(int, utimensat(AT_FDCWD, path, times, 0)));
    expect_body(&v, "/", "nobody");
    expect_body(&v, "/login?user=ann", "ann");
    expect_body(&v, "/", "ann");
}

Test(sessions, what_has_ended_is_removed_by_later_requests)
{
    struct visitor v = {.cookie = ""}, other = {.cookie = ""};
    struct timespec times[2] = {{.tv_sec = time(NULL)}, {.tv_sec = time(NULL) - 1}};
    char path[1024];

    expect_body(&v, "/login?user=ann", "ann");
    path_of(&v, path, sizeof(path));
    cr_assert(zero(int, utimensat(AT_FDCWD, path, times, 0)));
    expect_body(&v, "/", "nobody");
    for (int i = 0; i < 100 && access(path, F_OK) == 0; i++) { /* once a second it looks */
        expect_body(&other, "/set?key=a&value=1", "0");
        usleep(50000);
    }
    cr_expect(lt(int, access(path, F_OK), 0));
    cr_expect(eq(int, count_files(), 1));
}

Test(sessions, stream_sends_the_cookie_with_its_head)
{
    struct visitor v = {.cookie = ""};

    expect_body(&v, "/stream", "ab");
    cr_expect(eq(int, v.set_count, 1));
    expect_body(&v, "/get?key=begin", "1");
    expect_body(&v, "/get?key=end", "2");
}

Test(sessions, answer_that_failed_has_its_cookie_too)
{
    struct visitor v = {.cookie = ""};

    cr_expect(eq(int, visit(&v, "/fail"), 500));
    expect_body(&v, "/", "failed");
}

/* ---- many at once ---- */

struct writer {
    struct visitor visitor;
    pthread_t thread;
    int number;
    int failures;
};

enum { WRITERS = 4, WRITES = 25 };

static void *write_own_keys(void *arg)
{
    struct writer *w = arg;
    char path[64];

    for (int i = 0; i < WRITES; i++) {
        snprintf(path, sizeof(path), "/set?key=%d-%d&value=x", w->number, i);
        w->failures += visit(&w->visitor, path) != 200 || strcmp(w->visitor.body, "0") != 0;
    }
    return NULL;
}

Test(sessions, requests_at_once_lose_none_of_each_others_keys)
{
    struct visitor v = {.cookie = ""};
    struct writer writers[WRITERS];
    char path[64];

    expect_body(&v, "/login?user=ann", "ann");
    for (int i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){.visitor = v, .number = i};
        cr_assert(zero(int, pthread_create(&writers[i].thread, NULL, write_own_keys, &writers[i])));
    }
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        cr_expect(zero(int, writers[i].failures));
    }
    for (int i = 0; i < WRITERS * WRITES; i++) {
        snprintf(path, sizeof(path), "/get?key=%d-%d", i / WRITES, i % WRITES);
        expect_body(&v, path, "x");
    }
}

/* ---- restarts ---- */

Test(sessions, restart_logs_nobody_out)
{
    struct visitor v = {.cookie = ""};
    char first[32];

    expect_body(&v, "/login?user=ann", "ann");
    expect_body(&v, "/set?key=basket&value=7", "0");
    snprintf(first, sizeof(first), "%d", (int)process_pid(server));
    expect_body(&v, "/pid", first);
    cr_assert(zero(int, process_signal(server, SIGUSR1)));
    cr_assert(zero(int, process_wait_pid_gone(process_pid(server), 20000)));
    expect_body(&v, "/", "ann");
    expect_body(&v, "/get?key=basket", "7");
    cr_expect(eq(int, visit(&v, "/pid"), 200));
    cr_expect(ne(str, v.body, first));
    expect_body(&v, "/logout", "nobody");
}

/* ---- settings ---- */

static void start_secure(void)
{
    start("cookieSecure=true");
}

Test(sessions, cookie_is_secure_where_the_settings_say_so, .init = start_secure)
{
    struct visitor v = {.cookie = ""};

    expect_body(&v, "/login?user=ann", "ann");
    cr_expect(strstr(v.set, "; Secure; HttpOnly; SameSite=Lax") != NULL, "%s", v.set);
}

static void start_short(void)
{
    start_with("sessionCookieMaxAge=16s", "sessionMaxAge=30d");
}

/* Asks for a path until the answer has a cookie: after a second, a sixteenth of its age. */
static void expect_cookie_again(struct visitor *v, const char *path)
{
    struct visitor before = *v;

    for (int i = 0; i < 1000 && (visit(v, path), !v->set_count); i++)
        usleep(20000);
    cr_expect(eq(int, v->set_count, 1), "%s", path);
    cr_expect(eq(str, v->set, before.set));
}

Test(sessions, cookie_lives_on_with_the_visitor_who_writes_or_reads, .init = start_short)
{
    struct visitor v = {.cookie = ""};

    expect_body(&v, "/login?user=ann", "ann");
    cr_expect(strstr(v.set, "; Max-Age=16; HttpOnly") != NULL, "%s", v.set);
    for (int i = 0; i < 2; i++) {
        expect_cookie_again(&v, "/set?key=seen&value=now");
        expect_cookie_again(&v, "/");
    }
    expect_body(&v, "/", "ann");
}

static void start_without_end(void)
{
    start("sessionCookieMaxAge=0");
}

Test(sessions, cookie_can_end_with_the_browser, .init = start_without_end)
{
    struct visitor v = {.cookie = ""};
    char expected[512];

    expect_body(&v, "/login?user=ann", "ann");
    snprintf(expected, sizeof(expected), "%s; Path=/; HttpOnly; SameSite=Lax", v.cookie);
    cr_expect(eq(str, v.set, expected));
    expect_body(&v, "/", "ann");
}

static void start_without_cookie(void)
{
    start("sessionCookieOutput=false");
}

/* The program has to give the id to the client. */
Test(sessions, cookie_is_left_to_the_program, .init = start_without_cookie)
{
    struct visitor v = {.cookie = ""};

    expect_body(&v, "/login?user=ann", "ann");
    cr_expect(zero(int, v.set_count), "%s", v.set);
    cr_expect(eq(int, visit(&v, "/id"), 200));
    cr_expect(eq(str, v.body, (char *)"none"), "nobody has told this client");
    cr_expect(eq(int, visit(&v, "/login-with-id?user=ann"), 200));
    cr_expect(zero(int, v.set_count), "%s", v.set);
    cr_assert(eq(sz, strlen(v.body), ID_SIZE));
    snprintf(v.cookie, sizeof(v.cookie), "gfsessionid=%.32s", v.body);
    expect_body(&v, "/", "ann");
    expect_body(&v, "/logout", "nobody");
    cr_expect(zero(int, v.set_count), "%s", v.set);
}

static void start_small(void)
{
    start("sessionMaxCount=2");
}

Test(sessions, new_ones_have_a_greatest_number, .init = start_small)
{
    struct visitor first = {.cookie = ""}, second = {.cookie = ""}, third = {.cookie = ""};

    expect_body(&first, "/login?user=ann", "ann");
    expect_body(&second, "/login?user=bob", "bob");
    cr_expect(eq(int, visit(&third, "/login?user=eve"), 500), "the handler has been told");
    cr_expect(eq(str, third.body, (char *)"nobody"));
    cr_expect(eq(int, third.set_count, 0));
    cr_expect(zero(int, process_wait_line(server, "sessions cannot be kept: their folder is full", 5000)));
    expect_body(&first, "/", "ann");
    expect_body(&first, "/login?user=anna", "anna"); /* under another id */
    expect_body(&second, "/logout", "nobody");
    expect_body(&third, "/login?user=eve", "eve");
    expect_body(&third, "/", "eve");
    cr_assert(zero(int, process_signal(server, SIGUSR1)));
    cr_assert(zero(int, process_wait_pid_gone(process_pid(server), 20000)));
    expect_body(&third, "/", "eve");
    cr_expect(eq(int, visit(&second, "/login?user=bob"), 500), "the next process has counted those that there were");
    expect_body(&first, "/login?user=ann", "ann");
}
