/*
 * What generations leave to each other and to the children of handlers: exactly what is meant, and no more of it in the
 * thirtieth than in the second.
 */
#include "tests/support/rig.h"
#include "tests/support/rig_load.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One thread left behind by each restart would be more; the pool of spare threads grows by some on a busy machine. */
enum { LEAKED = 15 };

static struct rig rig;

static void finish(void)
{
    rig_finish(&rig);
}

/* A file of /proc/<pid>, with its NULs as line feeds; allocated. */
static char *read_proc(pid_t pid, const char *name)
{
    char path[64], *text = calloc(1, 65536);
    FILE *file;
    size_t size = 0;

    snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
    file = fopen(path, "re");
    if (file) {
        size = fread(text, 1, 65535, file);
        fclose(file);
    }
    for (size_t i = 0; i < size; i++)
        if (!text[i])
            text[i] = '\n';
    return text;
}

/* ---- children of handlers ---------------------------------------------------------------------------------------- */

/* A program that starts reads files, the C library first of all; what it could have of a server has no path. */
static bool is_file(const char *target, ssize_t size)
{
    return size > 0 && target[0] == '/' && strncmp(target, "/memfd:", 7) != 0;
}

/* Descriptors above 2 that are no files, shown when there are some. */
static int count_inherited(pid_t pid)
{
    char path[64], link[400], target[256];
    DIR *folder;
    struct dirent *entry;
    int count = 0;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    while (folder && (entry = readdir(folder))) {
        ssize_t size;

        if (entry->d_name[0] == '.' || atoi(entry->d_name) <= 2)
            continue;
        snprintf(link, sizeof(link), "%s/%s", path, entry->d_name);
        size = readlink(link, target, sizeof(target) - 1);
        if (size < 0 || is_file(target, size)) /* the program's start closes what it has read meanwhile */
            continue;
        fprintf(stderr, "inherited: %s %.*s\n", entry->d_name, (int)size, target);
        count++;
    }
    if (folder)
        closedir(folder);
    return folder ? count : -1;
}

/* Until the exec the child is a copy of the server. */
static void wait_until_sleeping(pid_t child)
{
    for (int i = 0; i < 500; i++) {
        char *name = read_proc(child, "comm");
        bool there = !strcmp(name, "sleep\n");

        free(name);
        if (there)
            return;
        usleep(10000);
    }
    cr_assert(0, "there is no child %d", (int)child);
}

/* The two below SIGRTMIN are the C library's own, which no program can set. */
static void expect_no_signal_in(const char *status, const char *key)
{
    const unsigned long internal = 3UL << 31;
    char line[64];
    const char *at;

    snprintf(line, sizeof(line), "\n%s:", key);
    at = strstr(status, line);
    cr_assert(not(zero(ptr, (void *)at)));
    cr_expect(zero(ulong, strtoul(at + strlen(line), NULL, 16) & ~internal), "%.40s", at + 1);
}

static void check_child(const char *path)
{
    pid_t child = (pid_t)rig_fetch_number(&rig.http, path);
    char *variables, *status;

    cr_assert(gt(int, child, 0));
    wait_until_sleeping(child);
    variables = read_proc(child, "environ");
    status = read_proc(child, "status");
    cr_expect(zero(int, count_inherited(child)));
    cr_expect(zero(ptr, strstr(variables, "GF_SERVER_RELOAD")));
    expect_no_signal_in(status, "SigBlk");
    expect_no_signal_in(status, "SigIgn");
    kill(child, SIGKILL);
    free(variables);
    free(status);
}

Test(restart_hygiene, children_of_handlers_inherit_nothing, .fini = finish, .timeout = 60)
{
    struct rig_load load;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(zero(int, rig_load_start(&load, &rig))); /* clients come and go while children are started */
    for (int generation = 1; generation <= 3; generation++) {
        cr_assert(zero(int, rig_load_wait(&load, 5)));
        check_child("/spawn");
        check_child("/spawn?gproc=1");
        cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    }
    cr_expect(zero(u64, rig_load_end(&load)));
}

/* It lives on, and has nothing of ours that could keep a port, or hold up a restart or a shutdown. */
Test(restart_hygiene, a_child_outlives_its_generation, .fini = finish, .timeout = 60)
{
    pid_t child;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    child = (pid_t)rig_fetch_number(&rig.http, "/spawn");
    cr_assert(gt(int, child, 0));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(int, process_wait_pid_gone(rig.first, 4000)));
    cr_expect(zero(long, rig_fetch_number(&rig.http, "/shutdown")));
    cr_expect(zero(int, process_wait_pid_gone(rig.pid, 4000)));
    cr_expect(zero(int, kill(child, 0)));
    cr_expect(lt(long, rig_ask_pid(&rig), 0));
    kill(child, SIGKILL);
}

/* ---- generations ------------------------------------------------------------------------------------------------- */

Test(restart_hygiene, a_generation_knows_where_it_comes_from, .fini = finish, .timeout = 60)
{
    char expected[PATH_MAX + 128], folder[PATH_MAX], *body = NULL;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(not(zero(ptr, realpath(rig.folder, folder))));
    snprintf(expected, sizeof(expected), "pid=%d ppid=%d child=0 variable=unset folder=%s\n", (int)rig.first,
             (int)rig.first, folder);
    cr_expect(eq(int, rig_fetch(&rig.http, "/facts", &body), 200));
    cr_expect(eq(str, body, expected));
    free(body);
    for (int i = 0; i < 2; i++) {
        pid_t old = rig.pid;

        cr_assert(gt(int, rig_restart_by_api(&rig), 0));
        snprintf(expected, sizeof(expected), "pid=%d ppid=%d child=1 variable=unset folder=%s\n", (int)rig.pid,
                 (int)old, folder);
        cr_expect(eq(int, rig_fetch(&rig.http, "/facts", &body), 200));
        cr_expect(eq(str, body, expected));
        free(body);
    }
}

/* The same arguments, environment and limits, of which each raises that of open files; the name it was called by. */
Test(restart_hygiene, a_generation_is_started_as_the_first_one_was, .fini = finish, .timeout = 60)
{
    static const char *const names[] = {"cmdline", "environ", "limits"};
    char *first[3];

    rig_init(&rig);
    rig.preface = "ulimit -Sn 300";
    cr_assert(zero(int, rig_settings(&rig, NULL)));
    cr_assert(zero(int, rig_start(&rig)));
    for (int i = 0; i < 3; i++)
        first[i] = read_proc(rig.pid, names[i]);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    for (int i = 0; i < 3; i++) {
        char *now = read_proc(rig.pid, names[i]);
        char *ours = strstr(now, "GF_SERVER_RELOAD=");

        if (ours) {
            cr_expect(not(zero(ptr, strstr(ours, "\"files\":[300,"))), "%s", ours);
            *ours = 0;
        }
        cr_expect(eq(str, now, first[i]), "%s", names[i]);
        free(now);
        free(first[i]);
    }
}

/* What the generation has when nobody but the asker is connected: the least of some looks. */
static void count(int *ret_fds, int *ret_threads)
{
    *ret_fds = *ret_threads = 1 << 20;
    for (int i = 0; i < 20; i++) {
        char *body = NULL;
        int fds = 0, threads = 0;

        cr_assert(eq(int, rig_fetch(&rig.http, "/counts", &body), 200));
        cr_assert(eq(int, sscanf(body, "fds=%d threads=%d", &fds, &threads), 2));
        free(body);
        *ret_fds = fds < *ret_fds ? fds : *ret_fds;
        *ret_threads = threads < *ret_threads ? threads : *ret_threads;
        usleep(5000);
    }
}

Test(restart_hygiene, the_thirtieth_generation_has_no_more_than_the_second, .fini = finish, .timeout = 120)
{
    int fds, threads, later_fds, later_threads;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cr_assert(zero(int, rig_wait_processes(&rig, 1, 10000)));
    count(&fds, &threads);
    for (int i = 0; i < 30; i++)
        cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cr_assert(zero(int, rig_wait_processes(&rig, 1, 10000)));
    count(&later_fds, &later_threads);
    cr_expect(eq(int, later_fds, fds));
    cr_expect(lt(int, later_threads, threads + LEAKED));
    cr_expect(zero(int, rig_count_zombies(rig.pid)));
}

/* Restarts that fail leave nothing behind either. */
Test(restart_hygiene, failed_restarts_cost_nothing, .fini = finish, .timeout = 120)
{
    int fds, threads, later_fds, later_threads;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(zero(int, rig_settings(&rig, "fault=exit1")));
    cr_expect(lt(long, rig_fetch_number(&rig.http, "/restart"), 0));
    count(&fds, &threads);
    for (int i = 0; i < 20; i++)
        cr_expect(lt(long, rig_fetch_number(&rig.http, "/restart"), 0));
    count(&later_fds, &later_threads);
    cr_expect(eq(int, later_fds, fds));
    cr_expect(lt(int, later_threads, threads + LEAKED));
    cr_expect(zero(int, rig_count_zombies(rig.pid)));
}
