/*
 * The guard: a small process that outlives a test just long enough to end what the test has started.
 *
 * It is forked once, holds the reading end of a pipe, and learns groups through it (a negative number: forget this
 * one). The pipe's end is the end of the test: a crash, a time-out's SIGKILL and an ordinary exit are all the same to
 * it. After the fork only async-signal-safe functions are called, since the test may have threads.
 */
#include "tests/support/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

enum { GROUPS_MAX = 64 }; /* programs of one test at the same time */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int guard_pipe = -1;

static void keep(pid_t *groups, pid_t number)
{
    pid_t old = number > 0 ? 0 : -number;
    for (int i = 0; i < GROUPS_MAX; i++) {
        if (groups[i] == old) {
            groups[i] = number > 0 ? number : 0;
            return;
        }
    }
}

static void watch(int input)
{
    static pid_t groups[GROUPS_MAX];
    pid_t number;
    ssize_t n;
    while ((n = read(input, &number, sizeof(number))) != 0) {
        if (n == sizeof(number))
            keep(groups, number);
        else if (errno != EINTR)
            break;
    }
    for (int i = 0; i < GROUPS_MAX; i++)
        if (groups[i] > 0)
            kill(-groups[i], SIGKILL);
}

static void start(void)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        /* Nothing of the test's may stay open here: who waits for the end of its output would wait for us. */
        int nothing = open("/dev/null", O_RDWR);
        dup2(ends[0], 3); /* the writing end too is closed below, or covered by this */
        for (int fd = 0; fd < 3; fd++)
            dup2(nothing, fd);
        close_range(4, ~0U, 0);
        setsid();
        watch(3);
        _exit(0);
    }
    close(ends[0]);
    if (pid < 0)
        close(ends[1]);
    else
        guard_pipe = ends[1];
}

int guard_add(pid_t group)
{
    pthread_once(&once, start);
    if (guard_pipe < 0)
        return -ECHILD;
    return write(guard_pipe, &group, sizeof(group)) == sizeof(group) ? 0 : -errno;
}

void guard_remove(pid_t group)
{
    pid_t forget = -group;
    if (guard_pipe >= 0 && write(guard_pipe, &forget, sizeof(forget)) < 0)
        return; /* the guard is gone: nothing to forget */
}
