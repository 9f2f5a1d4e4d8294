/*
 * Children: what they inherit, how they are waited for and killed; shell commands and their bounds.
 */
#include <gf/gproc/gproc.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

TestSuite(gproc_child, .timeout = 30);

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static gproc_process *started(const char *command)
{
    char *const argv[] = {"sh", "-c", (char *)command, NULL};
    gproc_process *p = gproc_process_new("sh", argv, NULL);

    cr_assert(not(zero(ptr, p)));
    cr_assert(eq(int, gproc_process_start(p), 0));
    return p;
}

Test(gproc_child, its_status_can_be_had_more_than_once)
{
    int status = -1;
    gproc_process *p = started("exit 7");

    cr_expect(gt(int, gproc_process_pid(p), 0));
    cr_expect(eq(int, gproc_process_wait(p, -1, &status), 0));
    cr_expect(eq(int, WIFEXITED(status), 1));
    cr_expect(eq(int, WEXITSTATUS(status), 7));
    status = -1;
    cr_expect(eq(int, gproc_process_wait(p, 0, &status), 0));
    cr_expect(eq(int, WEXITSTATUS(status), 7));
    cr_expect(eq(int, gproc_process_signal(p, SIGTERM), -ESRCH));
    cr_expect(eq(int, waitpid(gproc_process_pid(p), NULL, WNOHANG), -1), "it was not reaped");
    gproc_process_free(p);
}

Test(gproc_child, waiting_has_a_limit_and_kill_ends_it)
{
    int status = 77;
    gproc_process *p = started("exec sleep 30");
    int64_t begin = now_ms();

    cr_expect(eq(int, gproc_process_wait(p, 0, &status), -ETIMEDOUT));
    cr_expect(eq(int, gproc_process_wait(p, 60, &status), -ETIMEDOUT));
    cr_expect(ge(i64, now_ms() - begin, 59));
    cr_expect(eq(int, status, 77));
    cr_expect(eq(int, gproc_process_start(p), 0), "starting twice is fine");
    cr_expect(eq(int, gproc_process_kill(p), 0));
    cr_expect(eq(int, gproc_process_wait(p, 5000, &status), 0));
    cr_expect(eq(int, WIFSIGNALED(status), 1));
    cr_expect(eq(int, WTERMSIG(status), SIGKILL));
    gproc_process_free(p);
}

Test(gproc_child, a_child_that_has_ended_unseen_takes_no_signal)
{
    gproc_process *p = started("exit 0");
    siginfo_t ended;

    waitid(P_PID, (id_t)gproc_process_pid(p), &ended, WEXITED | WNOWAIT);
    cr_expect(eq(int, gproc_process_signal(p, SIGTERM), -ESRCH));
    pid_t pid = gproc_process_pid(p);
    gproc_process_free(p);
    cr_expect(eq(int, waitpid(pid, NULL, WNOHANG), -1), "freeing reaps it");
}

Test(gproc_child, errors_of_the_start_are_told)
{
    gproc_process *p = gproc_process_new("/nowhere/at/all", NULL, NULL);

    cr_expect(eq(int, gproc_process_start(p), -ENOENT));
    cr_expect(eq(int, gproc_process_pid(p), 0));
    cr_expect(eq(int, gproc_process_wait(p, 0, NULL), -ECHILD));
    cr_expect(eq(int, gproc_process_kill(p), -ESRCH));
    gproc_process_free(p);
    p = gproc_process_new("gf-nowhere", NULL, NULL);
    cr_expect(eq(int, gproc_process_start(p), -ENOENT));
    gproc_process_free(p);
    p = gproc_process_new("/etc/passwd", NULL, NULL);
    cr_expect(eq(int, gproc_process_start(p), -EACCES));
    gproc_process_free(p);
    cr_expect(zero(ptr, gproc_process_new("", NULL, NULL)));
    cr_expect(eq(int, errno, EINVAL));
    gproc_process_free(NULL);
}

Test(gproc_child, gets_its_arguments_and_environment)
{
    char *argv[] = {"sh", "-c", "test \"$A\" = 1 && test -z \"$HOME\" && test $# = 1", "x", "y", NULL};
    char *envp[] = {"A=1", "PATH=/bin:/usr/bin", NULL};
    gproc_process *p = gproc_process_new("/bin/sh", argv, envp);
    int status = -1;

    argv[2] = envp[0] = NULL; /* both were copied */
    cr_assert(eq(int, gproc_process_start(p), 0));
    cr_assert(eq(int, gproc_process_wait(p, 5000, &status), 0));
    cr_expect(eq(int, status, 0));
    gproc_process_free(p);
}

/* What tests/programs/gproc_probe says about itself when this process starts it. */
static void read_probe(char *text, size_t size)
{
    char self[PATH_MAX] = "", probe[PATH_MAX], file[] = "/tmp/gf-test-XXXXXX";
    char *const argv[] = {"probe", "state", NULL};
    int saved = dup(STDOUT_FILENO), status = -1;
    int fd = mkstemp(file);

    cr_assert(gt(i64, readlink("/proc/self/exe", self, sizeof(self) - 1), 0));
    snprintf(probe, sizeof(probe), "%.3000s/../programs/gproc_probe", dirname(self));
    gproc_process *p = gproc_process_new(probe, argv, NULL);
    dup2(fd, STDOUT_FILENO);
    int result = gproc_process_start(p);
    dup2(saved, STDOUT_FILENO);
    cr_assert(eq(int, result, 0));
    cr_assert(eq(int, gproc_process_wait(p, 5000, &status), 0));
    cr_assert(eq(int, status, 0));
    ssize_t got = pread(fd, text, size - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    gproc_process_free(p);
    unlink(file);
}

Test(gproc_child, inherits_nothing_but_the_standard_descriptors)
{
    char text[4096];
    sigset_t all;

    cr_assert(ge(int, dup(STDIN_FILENO), 3)); /* not close-on-exec */
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    read_probe(text, sizeof(text));
    cr_expect(eq(str, text, "fd 0\nfd 1\nfd 2\n"));
}

Test(gproc_child, manager_signals_and_waits_for_all)
{
    char *const argv[] = {"sh", "-c", "exec sleep 30", NULL};
    gproc_manager *m = gproc_manager_new();
    gproc_process *p[3];
    int status;

    for (int i = 0; i < 3; i++)
        cr_assert(eq(int, gproc_manager_spawn(m, "sh", argv, NULL, &p[i]), 0));
    cr_expect(eq(sz, gproc_manager_count(m), 3));
    cr_expect(gproc_manager_find(m, gproc_process_pid(p[1])) == p[1]);
    cr_expect(zero(ptr, gproc_manager_find(m, getpid())));
    cr_expect(lt(int, gproc_manager_spawn(m, "/nowhere/at/all", NULL, NULL, NULL), 0));
    cr_expect(eq(sz, gproc_manager_count(m), 3));

    cr_expect(eq(int, gproc_process_kill(p[0]), 0));
    cr_expect(eq(int, gproc_process_wait(p[0], 5000, NULL), 0));
    cr_expect(eq(int, gproc_manager_wait_all(m, 20), -ETIMEDOUT));
    cr_expect(eq(int, gproc_manager_signal_all(m, SIGTERM), 0), "one that has ended is no error");
    cr_expect(eq(int, gproc_manager_wait_all(m, 5000), 0));
    cr_expect(eq(int, gproc_process_wait(p[2], 0, &status), 0));
    cr_expect(eq(int, WTERMSIG(status), SIGTERM));

    cr_expect(eq(int, gproc_manager_remove(m, gproc_process_pid(p[1])), 0));
    cr_expect(eq(int, gproc_manager_remove(m, getpid()), -ENOENT));
    cr_expect(eq(sz, gproc_manager_count(m), 2));
    gproc_manager_free(m);
    gproc_manager_free(NULL);
}

Test(gproc_child, manager_adopts_a_running_process)
{
    gproc_manager *m = gproc_manager_new();
    gproc_process *mine = started("exec sleep 30");
    pid_t pid = gproc_process_pid(mine);
    int status = 0;

    cr_expect(eq(int, gproc_manager_add(m, pid), 0));
    cr_expect(eq(int, gproc_manager_add(m, pid), -EEXIST));
    cr_expect(eq(int, gproc_manager_add(m, 0), -ESRCH));
    cr_expect(eq(int, gproc_manager_add(m, INT_MAX), -ESRCH));
    cr_expect(eq(int, gproc_manager_kill_all(m), 0));
    cr_expect(eq(int, gproc_manager_wait_all(m, 5000), 0));
    cr_expect(eq(int, gproc_process_wait(gproc_manager_find(m, pid), 0, &status), 0));
    cr_expect(eq(int, status, -1));
    cr_expect(eq(int, gproc_process_wait(mine, 5000, &status), 0), "it was left to who started it");
    cr_expect(eq(int, WTERMSIG(status), SIGKILL));
    gproc_process_free(mine);
    gproc_manager_free(m);
}

/* ---- shell ---- */

Test(gproc_child, shell_collects_both_outputs)
{
    char *output = NULL;
    int status = -1;

    cr_expect(eq(int, gproc_shell_exec("echo out; echo err >&2; cat; exit 3", &output, 100, 5000, &status), 0));
    cr_expect(eq(str, output, "out\nerr\n"));
    cr_expect(eq(int, WEXITSTATUS(status), 3));
    free(output);
    cr_expect(eq(int, gproc_shell_exec("true", &output, 0, -1, NULL), 0));
    cr_expect(eq(str, output, ""));
    free(output);
    cr_expect(eq(int, gproc_shell_exec("echo x", NULL, 10, -1, NULL), 0));
    cr_expect(eq(int, gproc_shell_exec(NULL, &output, 10, -1, NULL), -EINVAL));
}

Test(gproc_child, shell_output_is_bounded_exactly)
{
    char *output = NULL;
    int64_t begin = now_ms();

    cr_expect(eq(int, gproc_shell_exec("head -c 100000 /dev/zero | tr '\\0' x", &output, 100000, -1, NULL), 0));
    cr_expect(eq(sz, strlen(output), 100000));
    free(output);
    output = NULL;
    cr_expect(eq(int, gproc_shell_exec("head -c 100001 /dev/zero; sleep 30", &output, 100000, -1, NULL), -EMSGSIZE));
    cr_expect(eq(int, gproc_shell_exec("yes", &output, 1000, -1, NULL), -EMSGSIZE));
    cr_expect(zero(ptr, output));
    cr_expect(lt(i64, now_ms() - begin, 10000));
}

Test(gproc_child, shell_time_out_kills_the_pipeline_too)
{
    char file[] = "/tmp/gf-test-XXXXXX", command[128], text[32] = "";
    int fd = mkstemp(file);
    int64_t begin = now_ms();

    snprintf(command, sizeof(command), "sleep 30 & echo $! > %s; sleep 30 | cat", file);
    cr_expect(eq(int, gproc_shell_exec(command, NULL, 1000, 300, NULL), -ETIMEDOUT));
    cr_expect(lt(i64, now_ms() - begin, 10000));
    cr_assert(gt(i64, pread(fd, text, sizeof(text) - 1, 0), 0));
    /* The grandchild is init's to reap; it is dead when it is gone or a zombie. */
    snprintf(command, sizeof(command),
             "for i in $(seq 500); do grep -q '^State:.[^Z]' /proc/%d/status || exit 0; sleep 0.01; done; exit 1",
             atoi(text));
    int status = -1;
    cr_expect(eq(int, gproc_shell_run(command, &status), 0));
    cr_expect(eq(int, status, 0), "the command in the background lives on");
    unlink(file);
}

Test(gproc_child, shell_does_not_wait_for_what_is_in_the_background)
{
    char *output = NULL;
    int64_t begin = now_ms();

    cr_expect(eq(int, gproc_shell_exec("sleep 20 & echo $!", &output, 1000, -1, NULL), 0));
    cr_expect(lt(i64, now_ms() - begin, 10000));
    cr_expect(eq(int, kill(atoi(output), SIGKILL), 0));
    free(output);
}

Test(gproc_child, shell_run_gives_the_status)
{
    int status = -1;

    cr_expect(eq(int, gproc_shell_run("exit 5", &status), 0));
    cr_expect(eq(int, WEXITSTATUS(status), 5));
    cr_expect(eq(int, gproc_shell_run("-x 2>/dev/null", &status), 0));
    cr_expect(eq(int, WEXITSTATUS(status), 127), "a command is no option");
}
