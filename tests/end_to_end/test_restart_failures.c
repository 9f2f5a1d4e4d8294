/*
 * New processes that do not become ready, of every kind: the old one serves all the while, who asked is told why, and
 * the next restart works at once.
 */
#include "tests/support/rig.h"
#include "tests/support/rig_load.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct fault {
    const char *settings; /* of the new process */
    int result;           /* of the restart */
    const char *reason;   /* a part of what the log says */
};

static struct rig rig;
static struct rig_load load;

static void finish(void)
{
    rig_finish(&rig);
}

static void begin(void)
{
    cr_assert(zero(int, rig_begin(&rig, "set_gracefulReadyTimeout=2500ms")));
    cr_assert(zero(int, rig_load_start(&load, &rig)));
    cr_assert(zero(int, rig_load_wait(&load, 5)));
}

/* Asks the API for a restart that cannot succeed. */
static void fail_once(const char *path, const struct fault *fault)
{
    pid_t old = rig.pid;

    process_mark(rig.process);
    cr_expect(eq(long, rig_fetch_number(&rig.http, path), fault->result), "%s", fault->settings);
    cr_expect(eq(int, rig_ask_pid(&rig), old), "%s", fault->settings);
    cr_expect(zero(int, process_wait_line(rig.process, "server restart failed: ", 1000)));
    cr_expect(zero(int, process_wait_line(rig.process, fault->reason, 1000)), "%s", fault->settings);
    cr_expect(eq(int, rig_count_processes(&rig), 1), "%s", fault->settings);
    cr_expect(zero(int, rig_count_zombies(old)), "%s", fault->settings);
    cr_expect(zero(u64, rig_load_failures(&load)), "%s", fault->settings);
}

/* Each is followed by a restart that works. */
static void fail_as(const struct fault *faults, size_t count, const char *always)
{
    begin();
    for (size_t i = 0; i < count; i++) {
        char settings[512];

        snprintf(settings, sizeof(settings), "set_gracefulReadyTimeout=2500ms\n%s\n%s", always, faults[i].settings);
        cr_assert(zero(int, rig_settings(&rig, settings)));
        fail_once("/restart", &faults[i]);
        cr_assert(zero(int, rig_settings(&rig, "set_gracefulReadyTimeout=2500ms")));
        cr_assert(gt(int, rig_restart_by_api(&rig), 0), "after %s", faults[i].settings);
        cr_assert(zero(int, rig_load_wait(&load, 3)));
        cr_assert(zero(int, rig_wait_processes(&rig, 1, 20000)));
    }
    cr_expect(zero(u64, rig_load_end(&load)));
    cr_expect(zero(int, process_stop(rig.process)));
}

Test(restart_failures, before_its_servers_start, .fini = finish, .timeout = 120)
{
    static const struct fault faults[] = {
        {"fault=exit0", -ECHILD, "ended with exit status 0"},
        {"fault=exit1", -ECHILD, "ended with exit status 1; its last words: cannot open the database: no such table"},
        {"fault=abort", -ECHILD, "was ended by signal 6"},
        {"fault=kill", -ECHILD, "was ended by signal 9"},
        {"fault=hang", -ETIMEDOUT, "not ready within gracefulReadyTimeout"},
        {"fault=close_channel", -ECHILD, "closed the channel before it was ready"},
        {"fault=garbage", -ECHILD, "something that is no message"},
        {"fault=lie", -ECHILD, "an unknown word"},
    };

    fail_as(faults, sizeof(faults) / sizeof(*faults), "");
}

/* It has the listeners then, and could take connections that it will not serve. */
Test(restart_failures, after_its_servers_have_started, .fini = finish, .timeout = 120)
{
    static const struct fault faults[] = {
        {"fault=late_exit0", -ECHILD, "ended with exit status 0"},
        {"fault=late_exit1", -ECHILD, "ended with exit status 1"},
        {"fault=late_abort", -ECHILD, "was ended by signal 6"},
        {"fault=late_kill", -ECHILD, "was ended by signal 9"},
        {"fault=late_hang", -ETIMEDOUT, "not ready within gracefulReadyTimeout"},
        {"fault=late_close_channel", -ECHILD, "closed the channel before it was ready"},
        {"fault=late_garbage", -ECHILD, "something that is no message"},
    };

    fail_as(faults, sizeof(faults) / sizeof(*faults), "late_delay_ms=100");
}

/* A port that another process holds. */
static int hold_port(int *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert(ge(int, fd, 0));
    cr_assert(zero(int, bind(fd, (const struct sockaddr *)&address, size)));
    cr_assert(zero(int, listen(fd, 1)));
    cr_assert(zero(int, getsockname(fd, (struct sockaddr *)&address, &size)));
    *port = ntohs(address.sin_port);
    return fd;
}

Test(restart_failures, one_of_two_servers_does_not_start, .fini = finish, .timeout = 120)
{
    static const struct fault faults[] = {
        {"fault=", -ECHILD, "Address already in use"},
        {"fault=goes_on", -ECHILD, "Address already in use"},
    };
    char address[64];
    int port, fd = hold_port(&port);

    snprintf(address, sizeof(address), "address_2=127.0.0.1:%d", port);
    fail_as(faults, sizeof(faults) / sizeof(*faults), address);
    close(fd);
}

/* Whoever asked at the page reads there what whoever reads the log finds there. */
Test(restart_failures, the_page_tells_the_reason, .fini = finish, .timeout = 60)
{
    char *body = NULL;

    begin();
    cr_assert(zero(int, rig_settings(&rig, "fault=exit1")));
    cr_expect(eq(int, rig_page(&rig, "/restart", &body), 502));
    cr_assert(not(zero(ptr, body)));
    cr_expect(not(zero(ptr, strstr(body, "ended with exit status 1"))), "%s", body);
    cr_expect(not(zero(ptr, strstr(body, "cannot open the database: no such table"))), "%s", body);
    free(body);
    body = NULL;
    cr_expect(eq(int, rig_page(&rig, "/restart?newExeFilePath=/nowhere", &body), 404));
    cr_assert(not(zero(ptr, body)));
    cr_expect(not(zero(ptr, strstr(body, "No such file"))), "%s", body);
    free(body);
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
    cr_assert(zero(int, rig_settings(&rig, NULL)));
    cr_expect(gt(int, rig_restart_by_page(&rig), 0));
    cr_expect(zero(u64, rig_load_end(&load)));
}

/* ---- executables that are none ----------------------------------------------------------------------------------- */

static void make_file(const char *name, const char *text, mode_t mode)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", rig.folder, name);
    file = fopen(path, "we");
    cr_assert(not(zero(ptr, file)));
    fputs(text, file);
    fclose(file);
    cr_assert(zero(int, chmod(path, mode)));
}

Test(restart_failures, executables_that_cannot_be_started, .fini = finish, .timeout = 120)
{
    static const struct fault faults[] = {
        {"missing", -ENOENT, "No such file"},      {"folder", -EACCES, "not a regular file"},
        {"plain", -EACCES, "may not be executed"}, {"text", -ENOEXEC, "not a program for this machine"},
        {"script", -ENOENT, "No such file"},       {"empty", -ENOEXEC, "not a program for this machine"},
    };
    char path[512];

    begin();
    snprintf(path, sizeof(path), "%s/folder", rig.folder);
    cr_assert(zero(int, mkdir(path, 0755)));
    make_file("plain", "#!/bin/sh\n", 0644);
    make_file("text", "this is no program\n", 0755);
    make_file("script", "#!/nowhere/interpreter\n", 0755);
    make_file("empty", "", 0755);
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        snprintf(path, sizeof(path), "/restart?path=%s/%s", rig.folder, faults[i].settings);
        fail_once(path, &faults[i]);
    }
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(u64, rig_load_end(&load)));
    cr_expect(zero(int, process_stop(rig.process)));
}

/* A script is a program too; this one ends at once, and its words are many. */
Test(restart_failures, last_words_are_kept_and_bounded, .fini = finish, .timeout = 60)
{
    char path[512], *line;

    begin();
    make_file("talks",
              "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9; do printf '%1000s' $i >&2; done\necho the last >&2\nexit 3\n",
              0755);
    snprintf(path, sizeof(path), "/restart?path=%s/talks", rig.folder);
    fail_once(path, &(struct fault){"talks", -ECHILD, "exit status 3"});
    line = process_find_line(rig.process, "server restart failed: ");
    cr_assert(not(zero(ptr, line)));
    cr_expect(not(zero(ptr, strstr(line, "the last"))));
    cr_expect(lt(sz, strlen(line), 4096));
    free(line);
    cr_expect(zero(u64, rig_load_end(&load)));
}

/* Its words are passed on, but nothing waits for their end. What the log says then is more than a test reads. */
Test(restart_failures, one_that_writes_without_end_is_given_up, .fini = finish, .timeout = 60)
{
    begin();
    cr_assert(zero(int, rig_settings(&rig, "fault=talk")));
    cr_expect(eq(long, rig_fetch_number(&rig.http, "/restart"), -ETIMEDOUT));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
    cr_expect(zero(u64, rig_load_failures(&load)));
    cr_assert(zero(int, rig_settings(&rig, NULL)));
    cr_expect(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(u64, rig_load_end(&load)));
}

/* Nobody has to ask again: the file is replaced and the next restart takes it. */
Test(restart_failures, executable_is_replaced_meanwhile, .fini = finish, .timeout = 60)
{
    char path[512], bad[512], *program = process_program("restart_server");
    pid_t old;

    begin();
    old = rig.pid;
    make_file("next.new", "this is no program\n", 0755);
    snprintf(bad, sizeof(bad), "%s/next.new", rig.folder);
    snprintf(path, sizeof(path), "%s/next", rig.folder);
    cr_assert(zero(int, rename(bad, path)));
    cr_expect(eq(long, rig_fetch_number(&rig.http, "/restart?path=next"), -ENOEXEC));
    cr_assert(zero(int, unlink(path)));
    cr_assert(zero(int, symlink(program, path)));
    cr_expect(zero(long, rig_fetch_number(&rig.http, "/restart?path=next")));
    rig.pid = rig_ask_pid(&rig);
    cr_expect(ne(int, rig.pid, old));
    cr_expect(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(u64, rig_load_end(&load)));
    free(program);
}
