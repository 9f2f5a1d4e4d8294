/*
 * The folder of sessions when a server starts and restarts: one that cannot be used is heard of before anybody is
 * logged out by it.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/client.h"
#include "tests/support/process.h"

enum {
    WAIT_MS = 20000,
};

static struct process *server;
static char folder[] = "/tmp/gf-test-XXXXXX"; /* the working folder and $TMPDIR */
static char cookie[256], body[256];
static int port;

static void make_folder(void)
{
    cr_assert(not(zero(ptr, mkdtemp(folder))));
}

static void finish(void)
{
    char command[64];

    process_free(server);
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_assert(zero(int, system(command)));
}

TestSuite(sessions_folder, .init = make_folder, .fini = finish, .timeout = 60);

static void start(const char *path)
{
    char variable[64];
    const char *arguments[] = {"127.0.0.1:0", path, NULL}, *environment[] = {variable, NULL};

    snprintf(variable, sizeof(variable), "TMPDIR=%s", folder);
    server = process_start(&(struct process_options){
        .program = "session_server", .arguments = arguments, .environment = environment, .folder = folder});
    cr_assert(not(zero(ptr, server)));
}

static void expect_body(const char *path, const char *expected)
{
    struct client *c = client_connect_port(port);
    char request[512];
    int error = 0;

    cr_assert(not(zero(ptr, c)));
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n%s%s\r\n", path,
             cookie, cookie[0] ? "\r\n" : "");
    cr_assert(zero(int, client_send_text(c, request)));
    const struct answer *a = client_receive(c, &error);
    cr_assert(not(zero(ptr, (void *)a)), "%s: %s", path, strerror(-error));
    char *set = answer_header(a, "Set-Cookie");
    if (set)
        snprintf(cookie, sizeof(cookie), "Cookie: %.*s", (int)strcspn(set, ";"), set);
    free(set);
    snprintf(body, sizeof(body), "%s", a->body ? a->body : "");
    if (expected)
        cr_expect(eq(str, body, (char *)expected), "%s", path);
    client_close(c);
}

static void start_and_log_in(const char *path)
{
    start(path);
    cr_assert(zero(int, process_wait_line(server, "port ", WAIT_MS)));
    char *line = process_find_line(server, "port ");
    port = atoi(line + strlen("port "));
    free(line);
    expect_body("/login?user=ann", "ann");
}

static pid_t ask_pid(void)
{
    expect_body("/pid", NULL);
    return (pid_t)atol(body);
}

/* Good for two at a time. */
static const char *in_folder(const char *name)
{
    static char paths[2][256];
    static int used;
    char *path = paths[used++ % 2];

    snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
    return path;
}

static const char *default_folder(void)
{
    char name[64];

    snprintf(name, sizeof(name), "gsessions-%u", (unsigned)geteuid());
    return in_folder(name);
}

static void expect_no_restart(const char *why)
{
    pid_t before = ask_pid();

    process_mark(server);
    cr_assert(zero(int, kill(before, SIGUSR1)));
    cr_expect(zero(int, process_wait_line(server, why, WAIT_MS)));
    cr_expect(zero(int, process_wait_line(server, "server restart failed: ", WAIT_MS)));
    cr_expect(eq(int, ask_pid(), before), "the old process serves on");
    expect_body("/", "ann");
    expect_body("/set?key=a&value=b", "0");
}

static void restart(const char *path)
{
    pid_t before = ask_pid();

    expect_body(path, NULL);
    cr_expect(ne(int, ask_pid(), before), "%s: %s", path, body);
}

/* ---- a folder that the settings name ---- */

Test(sessions_folder, server_does_not_start_with_one_that_cannot_be_used)
{
    int status;

    cr_assert(zero(int, mkdir(in_folder("sessions"), 0755)));
    start("sessions");
    cr_expect(zero(int, process_wait_line(server,
                                          "server \"default\" does not start: ghttp_server_start(): "
                                          "\"sessionPath\": sessions must belong to the server's user, and be "
                                          "of mode 0700",
                                          WAIT_MS)));
    cr_expect(zero(int, process_wait_exit(server, WAIT_MS, &status)));
    cr_expect(eq(int, WEXITSTATUS(status), 1));
}

Test(sessions_folder, one_that_cannot_be_used_any_more_lets_no_new_process_take_over)
{
    start_and_log_in("a/sessions");
    cr_assert(zero(int, chmod(in_folder("a/sessions"), 0755)));
    expect_no_restart("does not start: ghttp_server_start(): \"sessionPath\": a/sessions must");
    cr_assert(zero(int, chmod(in_folder("a/sessions"), 0700)));
    restart("/restart");
    expect_body("/", "ann");
    expect_body("/get?key=a", "b");
}

/* ---- where they name none ---- */

/* Who uses no sessions needs no folder, whatever is in its place. */
Test(sessions_folder, server_starts_without_one_that_nobody_needs)
{
    cr_assert(zero(int, mkdir(default_folder(), 0755)));
    start("");
    cr_expect(zero(int, process_wait_line(server, "port ", WAIT_MS)));
}

Test(sessions_folder, one_that_has_gone_lets_no_new_process_take_over)
{
    start_and_log_in("");
    cr_assert(zero(int, rename(default_folder(), in_folder("away"))));
    cr_assert(zero(int, mkdir(default_folder(), 0755)));
    restart("/restart");
    expect_body("/", "ann"); /* the folder was handed over, wherever it is by now */
    cr_assert(zero(int, chmod(in_folder("away"), 0700)));
    cr_assert(zero(int, chmod(in_folder("away/session_server/default"), 0755)));
    expect_no_restart("not taking over: \"sessionPath\" (empty): ");
}

/* It would look for them under its own name. */
Test(sessions_folder, restart_into_a_program_of_another_name_keeps_them)
{
    char command[512], *program = process_program("session_server");

    start_and_log_in("");
    snprintf(command, sizeof(command), "cp %s %s", program, in_folder("renamed"));
    cr_assert(zero(int, system(command)));
    free(program);
    snprintf(command, sizeof(command), "/debug/admin/restart?newExeFilePath=%s", in_folder("renamed"));
    restart(command);
    expect_body("/", "ann");
    restart("/restart");
    expect_body("/", "ann");
}
