/*
 * Children: how they are started, and the object that stands for one.
 *
 * Owns: each object its copy of the arguments and a pidfd, which goes on meaning this very process when its number
 * has long been given to another. Any thread may enter; an object's lock is not held while somebody waits.
 *
 * posix_spawn and never fork: its cost does not grow with the heap, and between a fork and the exec a process with
 * threads could safely do next to nothing.
 */
#include <gf/gproc/child.h>
#include <gf/gproc/arguments.h>
#include <gf/gproc/binary.h>
#include <gf/gproc/deadline.h>
#include <gf/gproc/start.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

GF_START_NEEDED;

struct gproc_process {
    pthread_mutex_t lock;
    char *path;
    char **argv;
    char **envp;  /* NULL: that of this process at the start */
    pid_t pid;    /* 0: not started */
    int pidfd;    /* -1: not started */
    bool adopted; /* not started here, so perhaps no child of ours: never reaped */
    bool ended;   /* and reaped */
    int status;   /* when it has ended */
};

/* ---- starting ---- */

static int fill_actions(posix_spawn_file_actions_t *actions, const struct gf_child_plan *plan)
{
    int error = 0;

    if (plan->output_fd >= 0) {
        /* The input last: where this process runs without one, output_fd itself may be 0. */
        error = posix_spawn_file_actions_adddup2(actions, plan->output_fd, STDOUT_FILENO);
        if (error == 0)
            error = posix_spawn_file_actions_adddup2(actions, plan->output_fd, STDERR_FILENO);
        if (error == 0)
            error = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    }
    if (error == 0)
        error = posix_spawn_file_actions_addclosefrom_np(actions, 3);
    return error;
}

static int fill_attributes(posix_spawnattr_t *attributes, const struct gf_child_plan *plan)
{
    short flags = POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF;
    sigset_t set;

    if (plan->output_fd >= 0)
        flags |= POSIX_SPAWN_SETPGROUP; /* the group 0, which is what attributes begin with: one of its own */
    sigfillset(&set);
    int error = posix_spawnattr_setsigdefault(attributes, &set);
    sigemptyset(&set);
    if (error == 0)
        error = posix_spawnattr_setsigmask(attributes, &set);
    return error != 0 ? error : posix_spawnattr_setflags(attributes, flags);
}

static int spawn(const struct gf_child_plan *plan, pid_t *ret_pid)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;

    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0)
        return -error;
    error = posix_spawnattr_init(&attributes);
    if (error != 0)
        goto fail_attributes;
    error = fill_actions(&actions, plan);
    if (error == 0)
        error = fill_attributes(&attributes, plan);
    if (error == 0)
        error = posix_spawn(ret_pid, plan->path, &actions, &attributes, plan->argv,
                            plan->envp != NULL ? plan->envp : environ);
    posix_spawnattr_destroy(&attributes);
fail_attributes:
    posix_spawn_file_actions_destroy(&actions);
    return -error;
}

int gf_child_spawn(const struct gf_child_plan *plan, pid_t *ret_pid, int *ret_pidfd)
{
    pid_t pid;
    int status;

    int result = spawn(plan, &pid);
    if (result < 0)
        return result;
    /* The number cannot have been given away: the child is not reaped, even if it has ended. */
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0) {
        result = -errno;
        kill(pid, SIGKILL);
        gf_child_reap(pid, &status);
        return result;
    }
    *ret_pid = pid;
    *ret_pidfd = pidfd;
    return 0;
}

int gf_child_await(int pidfd, int64_t deadline)
{
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};

    for (;;) {
        int ready = poll(&fd, 1, gf_deadline_left(deadline));
        if (ready > 0)
            return 0;
        if (ready == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

int gf_child_reap(pid_t pid, int *ret_status)
{
    int status;
    pid_t reaped;

    do
        reaped = waitpid(pid, &status, 0);
    while (reaped < 0 && errno == EINTR);
    if (reaped < 0)
        return -errno;
    *ret_status = status;
    return 0;
}

/* ---- the object ---- */

static gproc_process *new_process(void)
{
    gproc_process *p = calloc(1, sizeof(*p));

    if (p == NULL)
        return NULL;
    p->pidfd = -1;
    pthread_mutex_init(&p->lock, NULL);
    return p;
}

gproc_process *gproc_process_new(const char *path, char *const argv[], char *const envp[])
{
    char *const path_alone[] = {(char *)path, NULL};

    if (path == NULL || path[0] == '\0') {
        errno = EINVAL;
        return NULL;
    }
    gproc_process *p = new_process();
    if (p == NULL)
        return NULL;
    p->path = strdup(path);
    p->argv = gf_arguments_copy(argv != NULL ? argv : path_alone);
    if (envp != NULL)
        p->envp = gf_arguments_copy(envp);
    if (p->path == NULL || p->argv == NULL || (envp != NULL && p->envp == NULL)) {
        gproc_process_free(p);
        errno = ENOMEM;
        return NULL;
    }
    return p;
}

int gf_process_adopt(pid_t pid, gproc_process **ret_process)
{
    if (pid <= 0)
        return -ESRCH;
    gproc_process *p = new_process();
    if (p == NULL)
        return -ENOMEM;
    p->pidfd = pidfd_open(pid, 0);
    if (p->pidfd < 0) {
        int error = errno;
        gproc_process_free(p);
        return error == EINVAL ? -ESRCH : -error; /* EINVAL: the number of a thread */
    }
    p->pid = pid;
    p->adopted = true;
    *ret_process = p;
    return 0;
}

void gproc_process_free(gproc_process *p)
{
    if (p == NULL)
        return;
    if (p->pidfd >= 0) {
        gproc_process_wait(p, 0, NULL);
        close(p->pidfd);
    }
    pthread_mutex_destroy(&p->lock);
    free(p->path);
    free(p->argv);
    free(p->envp);
    free(p);
}

static int start_locked(gproc_process *p)
{
    char path[PATH_MAX];
    struct gf_child_plan plan = {.path = p->path, .argv = p->argv, .envp = p->envp, .output_fd = -1};

    if (p->pid != 0)
        return 0;
    if (strchr(p->path, '/') == NULL) {
        int result = gf_binary_search_path(p->path, getenv("PATH"), path, sizeof(path));
        if (result < 0)
            return result;
        plan.path = path;
    }
    return gf_child_spawn(&plan, &p->pid, &p->pidfd);
}

int gproc_process_start(gproc_process *p)
{
    pthread_mutex_lock(&p->lock);
    int result = start_locked(p);
    pthread_mutex_unlock(&p->lock);
    return result;
}

static int pidfd_of_running(gproc_process *p)
{
    pthread_mutex_lock(&p->lock);
    int pidfd = p->ended ? -1 : p->pidfd;
    pthread_mutex_unlock(&p->lock);
    return pidfd;
}

int gf_process_watch(gproc_process *p)
{
    int pidfd = pidfd_of_running(p);

    if (pidfd < 0)
        return -ECHILD;
    int copy = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
    return copy < 0 ? -errno : copy;
}

/* The process has ended; of several threads that wait the first one reaps. */
static int take_status(gproc_process *p, int *ret_status)
{
    int result = 0;

    pthread_mutex_lock(&p->lock);
    if (!p->ended && p->adopted)
        p->status = -1;
    else if (!p->ended)
        result = gf_child_reap(p->pid, &p->status);
    p->ended = result == 0;
    if (result == 0 && ret_status != NULL)
        *ret_status = p->status;
    pthread_mutex_unlock(&p->lock);
    return result;
}

int gproc_process_wait(gproc_process *p, int timeout_ms, int *ret_status)
{
    if (gproc_process_pid(p) == 0)
        return -ECHILD;
    int pidfd = pidfd_of_running(p);
    int result = pidfd < 0 ? 0 : gf_child_await(pidfd, gf_deadline_after(timeout_ms));
    return result < 0 ? result : take_status(p, ret_status);
}

int gproc_process_signal(gproc_process *p, int signo)
{
    int pidfd = pidfd_of_running(p);

    /* A process that has ended and waits to be reaped would take the signal without a word. */
    if (pidfd < 0 || gf_child_await(pidfd, 0) == 0)
        return -ESRCH;
    return pidfd_send_signal(pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

int gproc_process_kill(gproc_process *p)
{
    return gproc_process_signal(p, SIGKILL);
}

pid_t gproc_process_pid(gproc_process *p)
{
    pthread_mutex_lock(&p->lock);
    pid_t pid = p->pid;
    pthread_mutex_unlock(&p->lock);
    return pid;
}
