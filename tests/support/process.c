/*
 * A program under test: see process.h.
 *
 * The program leads a process group, which its later generations stay in; this process is the subreaper to which they
 * fall when their parent has gone. One thread for each program reads the pipe that all generations write to: its end
 * is the end of them all.
 */
#include "tests/support/process.h"

#include "tests/support/guard.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    OUTPUT_MAX = 8 << 20, /* more than any test writes; the rest is read and dropped */
    SHOWN_AT_FAILURE = 8192,
    STOP_PATIENCE_MS = 10000,
};

struct process {
    pid_t pid;
    int pidfd;
    int output;  /* the reading end */
    int give_up; /* eventfd: the reader is to stop before the end of the output */
    char *folder;
    bool own_folder;
    bool stopped; /* the group is gone, its number may mean somebody else */
    pthread_t reader;

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    char *text; /* terminated */
    size_t size, capacity, mark;
    bool ended;  /* no generation has the pipe open any more */
    bool reaped; /* status holds */
    int status;
};

/* ---- time ------------------------------------------------------------------------------------------------------ */

static struct timespec deadline_after(int timeout_ms)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += timeout_ms / 1000;
    t.tv_nsec += timeout_ms % 1000 * 1000000L;
    if (t.tv_nsec >= 1000000000L) {
        t.tv_sec++;
        t.tv_nsec -= 1000000000L;
    }
    return t;
}

static int ms_until(const struct timespec *deadline)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    long ms = (deadline->tv_sec - now.tv_sec) * 1000 + (deadline->tv_nsec - now.tv_nsec + 999999) / 1000000;
    return ms > 0 ? (int)ms : 0;
}

/* ---- output ---------------------------------------------------------------------------------------------------- */

static void keep_output(struct process *p, const char *data, size_t size)
{
    pthread_mutex_lock(&p->lock);
    if (size > OUTPUT_MAX - p->size)
        size = OUTPUT_MAX - p->size;
    if (p->size + size + 1 > p->capacity) {
        size_t capacity = (p->size + size + 1) * 2;
        char *grown = realloc(p->text, capacity);
        if (!grown)
            size = 0;
        else
            p->text = grown, p->capacity = capacity;
    }
    if (size > 0) {
        for (size_t i = 0; i < size; i++)
            p->text[p->size++] = data[i] ? data[i] : '?'; /* a NUL would hide what follows it */
        p->text[p->size] = 0;
        pthread_cond_broadcast(&p->changed);
    }
    pthread_mutex_unlock(&p->lock);
}

static bool sanitizer_reported(const struct process *p)
{
    static const char *const signs[] = {"ThreadSanitizer", "AddressSanitizer", "LeakSanitizer", "runtime error:"};
    for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++)
        if (p->text && strstr(p->text, signs[i]))
            return true;
    return false;
}

/* A sanitizer's report must not be missed by a test that looks at something else. Called with the lock held. */
static void abort_if_reported(const struct process *p)
{
    if (!sanitizer_reported(p))
        return;
    fprintf(stderr, "a sanitizer reported something in process %d:\n%s\n", (int)p->pid, p->text);
    fflush(stderr);
    abort();
}

static void *read_output(void *arg)
{
    struct process *p = arg;
    bool shown = getenv("GF_TEST_VERBOSE") != NULL;
    char buffer[16384];
    for (;;) {
        struct pollfd both[] = {{.fd = p->output, .events = POLLIN}, {.fd = p->give_up, .events = POLLIN}};
        if (poll(both, 2, -1) < 0 && errno != EINTR)
            break;
        if (both[1].revents)
            break;
        if (!both[0].revents)
            continue;
        ssize_t n = read(p->output, buffer, sizeof(buffer));
        if (n == 0 || (n < 0 && errno != EINTR))
            break;
        if (n < 0)
            continue;
        if (shown && write(STDERR_FILENO, buffer, (size_t)n) < 0)
            shown = false;
        keep_output(p, buffer, (size_t)n);
    }
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    pthread_cond_broadcast(&p->changed);
    abort_if_reported(p);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* Complete lines since from that contain the text; *last, if wanted, is the beginning of the last one. */
static int count_lines(const struct process *p, size_t from, const char *text, const char **last)
{
    int count = 0;
    const char *at = p->text ? p->text + from : NULL;
    while (at && (at = strstr(at, text))) {
        const char *end = strchr(at, '\n');
        if (!end)
            break;
        if (last) {
            const char *begin = memrchr(p->text, '\n', (size_t)(at - p->text));
            *last = begin ? begin + 1 : p->text;
        }
        count++;
        at = end + 1;
    }
    return count;
}

static void show_end(const struct process *p, const char *text, int count)
{
    size_t from = p->size > SHOWN_AT_FAILURE ? p->size - SHOWN_AT_FAILURE : 0;
    fprintf(stderr, "process %d %s without %d line(s) with \"%s\"; the end of its output:\n%s\n", (int)p->pid,
            p->ended ? "ended" : "goes on", count, text, p->text ? p->text + from : "");
}

int process_wait_lines(struct process *p, const char *text, int count, int timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    int result = 0;
    pthread_mutex_lock(&p->lock);
    while (count_lines(p, p->mark, text, NULL) < count) {
        if (p->ended)
            result = -EPIPE;
        else if (result == 0)
            result = -pthread_cond_timedwait(&p->changed, &p->lock, &deadline);
        if (result < 0) {
            show_end(p, text, count);
            break;
        }
    }
    pthread_mutex_unlock(&p->lock);
    return result;
}

int process_wait_line(struct process *p, const char *text, int timeout_ms)
{
    return process_wait_lines(p, text, 1, timeout_ms);
}

void process_mark(struct process *p)
{
    pthread_mutex_lock(&p->lock);
    p->mark = p->size;
    pthread_mutex_unlock(&p->lock);
}

char *process_output(struct process *p)
{
    pthread_mutex_lock(&p->lock);
    char *copy = strdup(p->text ? p->text : "");
    pthread_mutex_unlock(&p->lock);
    return copy;
}

char *process_find_line(struct process *p, const char *text)
{
    const char *last = NULL;
    char *copy = NULL;
    pthread_mutex_lock(&p->lock);
    if (count_lines(p, 0, text, &last) > 0)
        copy = strndup(last, strcspn(last, "\n"));
    pthread_mutex_unlock(&p->lock);
    return copy;
}

/* ---- start ----------------------------------------------------------------------------------------------------- */

char *process_program(const char *name)
{
    static const char *const folders[] = {"tests/programs", "tests/fault_programs", "examples", "bench/programs"};
    const char *root = getenv("GF_TEST_PROGRAMS");
    if (!root || !*root)
        root = GF_TEST_PROGRAMS_DEFAULT;
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        char *path;
        if (asprintf(&path, "%s/%s/%s", root, folders[i], name) < 0)
            return NULL;
        if (access(path, X_OK) == 0)
            return path;
        free(path);
    }
    errno = ENOENT;
    return NULL;
}

static size_t list_length(const char *const *list)
{
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

/* The two lists one after the other, where a later "NAME=value" replaces an earlier one if variables is set. */
static char **join_lists(const char *const *first, const char *const *second, bool variables)
{
    char **all = calloc(list_length(first) + list_length(second) + 1, sizeof(*all));
    size_t n = 0;
    if (!all)
        return NULL;
    for (size_t i = 0; i < list_length(first); i++) {
        bool replaced = false;
        for (size_t k = 0; variables && k < list_length(second); k++)
            replaced |= strncmp(first[i], second[k], strcspn(second[k], "=") + 1) == 0;
        if (!replaced)
            all[n++] = (char *)first[i];
    }
    for (size_t i = 0; i < list_length(second); i++)
        all[n++] = (char *)second[i];
    return all;
}

static int spawn(struct process *p, const char *path, const struct process_options *options, int output)
{
    const char *name[] = {path, NULL};
    char **arguments = join_lists(name, options->arguments, false);
    char **variables = join_lists((const char *const *)environ, options->environment, true);
    posix_spawn_file_actions_t files;
    posix_spawnattr_t how;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, output, 1);
    posix_spawn_file_actions_adddup2(&files, output, 2);
    posix_spawn_file_actions_addclosefrom_np(&files, 3); /* nothing of the test runner's */
    posix_spawn_file_actions_addchdir_np(&files, p->folder);
    posix_spawnattr_init(&how);
    posix_spawnattr_setflags(&how, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setpgroup(&how, 0);
    posix_spawnattr_setsigdefault(&how, &all);
    posix_spawnattr_setsigmask(&how, &none);
    int error = arguments && variables ? posix_spawn(&p->pid, path, &files, &how, arguments, variables) : ENOMEM;
    posix_spawnattr_destroy(&how);
    posix_spawn_file_actions_destroy(&files);
    free(variables);
    free(arguments);
    return -error;
}

static char *make_folder(void)
{
    const char *base = getenv("TMPDIR");
    char *path;
    if (asprintf(&path, "%s/gf-test-XXXXXX", base && *base ? base : "/tmp") < 0)
        return NULL;
    if (mkdtemp(path))
        return path;
    free(path);
    return NULL;
}

static struct process *process_new(const struct process_options *options)
{
    struct process *p = calloc(1, sizeof(*p));
    pthread_condattr_t monotonic;
    if (!p)
        return NULL;
    p->pidfd = p->output = -1;
    p->give_up = eventfd(0, EFD_CLOEXEC);
    p->own_folder = !options->folder;
    p->folder = options->folder ? strdup(options->folder) : make_folder();
    pthread_mutex_init(&p->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&p->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return p;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status, (void)kind, (void)where;
    return remove(path);
}

static void process_discard(struct process *p)
{
    if (p->folder && p->own_folder)
        nftw(p->folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    if (p->pidfd >= 0)
        close(p->pidfd);
    if (p->output >= 0)
        close(p->output);
    if (p->give_up >= 0)
        close(p->give_up);
    pthread_cond_destroy(&p->changed);
    pthread_mutex_destroy(&p->lock);
    free(p->folder);
    free(p->text);
    free(p);
}

struct process *process_start(const struct process_options *options)
{
    char *path = strchr(options->program, '/') ? strdup(options->program) : process_program(options->program);
    struct process *p = path ? process_new(options) : NULL;
    int ends[2] = {-1, -1};
    int error = -errno;
    if (!p || !p->folder || p->give_up < 0)
        goto fail;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    error = pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
    if (error < 0)
        goto fail;
    p->output = ends[0];
    error = spawn(p, path, options, ends[1]);
    if (error < 0)
        goto fail;
    guard_add(p->pid);
    p->pidfd = pidfd_open(p->pid, 0);
    error = p->pidfd < 0 ? -errno : -pthread_create(&p->reader, NULL, read_output, p);
    if (error < 0)
        goto fail_spawned;
    close(ends[1]);
    free(path);
    return p;

fail_spawned:
    kill(-p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    guard_remove(p->pid);
fail:
    if (ends[1] >= 0)
        close(ends[1]);
    if (p)
        process_discard(p);
    free(path);
    errno = -error;
    return NULL;
}

pid_t process_pid(const struct process *p)
{
    return p->pid;
}

const char *process_folder(const struct process *p)
{
    return p->folder;
}

/* ---- end ------------------------------------------------------------------------------------------------------- */

int process_signal(struct process *p, int signo)
{
    return pidfd_send_signal(p->pidfd, signo, NULL, 0) < 0 ? -errno : 0;
}

static int wait_pidfd(int pidfd, int timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    struct pollfd one = {.fd = pidfd, .events = POLLIN};
    for (;;) {
        int n = poll(&one, 1, ms_until(&deadline));
        if (n > 0)
            return 0;
        if (n == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

int process_wait_exit(struct process *p, int timeout_ms, int *status)
{
    int result = wait_pidfd(p->pidfd, timeout_ms);
    if (result < 0)
        return result;
    pthread_mutex_lock(&p->lock);
    if (!p->reaped && waitpid(p->pid, &p->status, 0) == p->pid)
        p->reaped = true;
    if (!p->reaped)
        result = -ECHILD;
    else if (status)
        *status = p->status;
    pthread_mutex_unlock(&p->lock);
    return result;
}

int process_wait_end(struct process *p, int timeout_ms)
{
    struct timespec deadline = deadline_after(timeout_ms);
    int result = 0;
    pthread_mutex_lock(&p->lock);
    while (!p->ended && result == 0)
        result = -pthread_cond_timedwait(&p->changed, &p->lock, &deadline);
    result = p->ended ? 0 : result;
    pthread_mutex_unlock(&p->lock);
    return result;
}

int process_wait_pid_gone(pid_t pid, int timeout_ms)
{
    int pidfd = pidfd_open(pid, 0);
    if (pidfd < 0)
        return errno == ESRCH ? 0 : -errno;
    int result = wait_pidfd(pidfd, timeout_ms);
    close(pidfd);
    return result;
}

/* After this nobody of the group is left, and none of them is a zombie of ours. */
static void reap_group(struct process *p)
{
    kill(-p->pid, SIGKILL);
    process_wait_exit(p, STOP_PATIENCE_MS, NULL);
    while (waitpid(-p->pid, NULL, 0) > 0 || errno == EINTR)
        continue;
    guard_remove(p->pid);
}

int process_stop(struct process *p)
{
    int result = 0;
    if (p->stopped)
        return 0;
    kill(-p->pid, SIGTERM);
    if (process_wait_end(p, STOP_PATIENCE_MS) < 0)
        result = -ETIMEDOUT;
    reap_group(p);
    p->stopped = true;
    pthread_mutex_lock(&p->lock);
    abort_if_reported(p);
    pthread_mutex_unlock(&p->lock);
    return result;
}

void process_free(struct process *p)
{
    uint64_t one = 1;
    if (!p)
        return;
    process_stop(p);
    /* A stray process outside the group may still hold the pipe. */
    if (process_wait_end(p, 1000) < 0 && write(p->give_up, &one, sizeof(one)) < 0)
        abort();
    pthread_join(p->reader, NULL);
    process_discard(p);
}
