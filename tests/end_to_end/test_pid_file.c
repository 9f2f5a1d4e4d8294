/*
 * The pid file: whole, readable for all, of the process that serves, and gone in the end, unless it is somebody else's.
 */
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rig rig;
static char path[512];

static void finish(void)
{
    rig_finish(&rig);
}

static void begin(const char *more)
{
    char lines[1024];

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(path, sizeof(path), "%s/server.pid", rig.folder);
    snprintf(lines, sizeof(lines), "set_pidFile=%s\n%s", path, more);
    cr_assert(zero(int, rig_settings(&rig, lines)));
    rig.preface = "umask 077";
}

static long read_pid(void)
{
    FILE *file = fopen(path, "re");
    char text[64] = "", *end;
    long pid;

    if (!file)
        return 0;
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    pid = strtol(text, &end, 10);
    return strcmp(end, "\n") ? -1 : pid;
}

/* Waits for what the process does right after it has said the line in the log, or before. */
static bool wait_for_pid(long pid)
{
    for (int i = 0; i < 500; i++) {
        if (read_pid() == pid)
            return true;
        usleep(20000);
    }
    return false;
}

/* Temporary files of it that are left. */
static int count_rests(void)
{
    DIR *folder = opendir(rig.folder);
    struct dirent *entry;
    int count = 0;

    while (folder && (entry = readdir(folder)))
        count += strstr(entry->d_name, "server.pid.") != NULL;
    if (folder)
        closedir(folder);
    return count;
}

Test(pid_file, names_the_process_that_serves, .fini = finish, .timeout = 60)
{
    struct stat status;

    begin("");
    cr_assert(zero(int, rig_start(&rig)));
    cr_expect(wait_for_pid(rig.first));
    cr_assert(zero(int, stat(path, &status)));
    cr_expect(eq(int, status.st_mode & 07777, 0644)); /* whatever the umask */
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cr_expect(eq(long, read_pid(), rig.pid));
    cr_expect(zero(int, rig_wait_processes(&rig, 1, 20000)));
    cr_expect(eq(long, read_pid(), rig.pid), "the old process has left it alone");
    cr_expect(zero(int, process_stop(rig.process)));
    cr_expect(zero(long, read_pid()));
    cr_expect(zero(int, count_rests()));
}

Test(pid_file, of_another_process_is_left_alone, .fini = finish, .timeout = 60)
{
    FILE *file;

    begin("");
    cr_assert(zero(int, rig_start(&rig)));
    cr_expect(wait_for_pid(rig.first));
    file = fopen(path, "we");
    cr_assert(not(zero(ptr, file)));
    fprintf(file, "%d\n", (int)getpid());
    fclose(file);
    cr_expect(zero(int, process_stop(rig.process)));
    cr_expect(eq(long, read_pid(), getpid()));
}

/* It stands there before the old process can know that the new one is ready; and that dies. */
Test(pid_file, of_the_old_process_again_after_a_rollback, .fini = finish, .timeout = 60)
{
    begin("set_gracefulProbation=30s");
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cr_expect(eq(long, read_pid(), rig.pid));
    cr_assert(zero(int, kill(rig.pid, SIGKILL)));
    cr_expect(wait_for_pid(rig.first));
    cr_expect(zero(int, process_stop(rig.process)));
    cr_expect(zero(long, read_pid()));
}

/* What stands there is replaced, not written to: a link's target least of all. */
Test(pid_file, does_not_follow_links, .fini = finish, .timeout = 60)
{
    char target[600];
    struct stat status;
    FILE *file;

    begin("");
    snprintf(target, sizeof(target), "%s/precious", rig.folder);
    file = fopen(target, "we");
    cr_assert(not(zero(ptr, file)));
    fputs("precious", file);
    fclose(file);
    cr_assert(zero(int, symlink("precious", path)));
    cr_assert(zero(int, rig_start(&rig)));
    cr_expect(wait_for_pid(rig.first));
    cr_assert(zero(int, stat(target, &status)));
    cr_expect(eq(long, status.st_size, 8));
    cr_assert(zero(int, lstat(path, &status)));
    cr_expect(eq(int, status.st_mode &S_IFMT, S_IFREG));
}

Test(pid_file, that_cannot_be_written_does_not_keep_it_from_serving, .fini = finish, .timeout = 60)
{
    char lines[600];

    begin("");
    snprintf(lines, sizeof(lines), "set_pidFile=%s/nowhere/server.pid", rig.folder);
    cr_assert(zero(int, rig_settings(&rig, lines)));
    cr_assert(zero(int, rig_start(&rig)));
    cr_expect(zero(int, process_wait_line(rig.process, "pidFile: cannot write", 10000)));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
}
