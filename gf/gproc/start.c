/*
 * Records how this process was started, in a constructor, before the program can change any of it.
 *
 * Owns: the one record. Written before main(), read by any thread after.
 */
#include <gf/gproc/start.h>
#include <gf/gproc/arguments.h>
#include <gf/gproc/binary.h>
#include <gf/gproc/gproc.h>
#include <gf/gproc/reload.h>
#include <gf/gproc/signals.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first of those that a program may have. */
#define GF_START_PRIORITY 101

static struct gf_start start = {.cwd_fd = -1, .state_fd = -1};

const struct gf_start *gf_start_get(void)
{
    return &start;
}

/* A number of these that is free would become a socket's: what the program prints would go to a client. */
static void fill_standard_descriptors(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY) != fd)
            return; /* there is no such file here */
}

/* Above 2: a process that is started without standard error must not have its folder there. */
static int open_working_directory(void)
{
    int fd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fd > 2)
        return fd;
    int above = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    close(fd);
    return above;
}

static bool is_this_program(const char *path)
{
    struct stat one;
    struct stat other;

    return stat(path, &one) == 0 && stat("/proc/self/exe", &other) == 0 && one.st_dev == other.st_dev &&
           one.st_ino == other.st_ino;
}

/* As it was called, for an upgrade replaces the file of that name, or the link: /proc/self/exe names the old one. */
static bool path_as_called(const char *name, char *buffer, size_t size)
{
    if (name == NULL || name[0] == '\0')
        return false;
    if (strchr(name, '/') != NULL)
        return gf_binary_check(name) == 0 && gf_binary_make_absolute(name, buffer, size) == 0;
    /* The caller may have given any name: one found in $PATH counts only if it is what runs here. */
    return gf_binary_search_path(name, getenv("PATH"), buffer, size) == 0 && is_this_program(buffer);
}

static char *find_executable(const char *name)
{
    char path[PATH_MAX];

    if (path_as_called(name, path, sizeof(path)))
        return strdup(path);
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    if (length <= 0)
        return NULL;
    path[length] = '\0';
    return strdup(path);
}

static void record_ignored_signals(void)
{
    struct sigaction action;

    sigemptyset(&start.ignored);
    for (int signo = 1; signo <= SIGRTMAX; signo++)
        if (sigaction(signo, NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            sigaddset(&start.ignored, signo);
}

/* glibc gives constructors the arguments of main(). The library's other constructors come after this one. */
__attribute__((constructor(GF_START_PRIORITY))) static void record_start(int argc, char **argv, char **envp)
{
    (void)envp; /* environ is read after the variable was taken out */
    fill_standard_descriptors();
    clock_gettime(CLOCK_REALTIME, &start.wall);
    clock_gettime(CLOCK_MONOTONIC, &start.monotonic);
    record_ignored_signals();
    bool reloaded = gf_reload_take(&start.reload, &start.parent);
    if (start.parent == 0 && getenv(GF_STATE_VARIABLE))
        gf_signals_begin_anew();
    else if (reloaded)
        gf_signals_begin(start.parent > 0);

    start.keeper = gf_reload_take_keeper();
    start.state_fd = gf_reload_take_state();
    gf_activation_take_sockets(&start.activation);

    char *const none[] = {NULL};
    start.argc = argv != NULL ? argc : 0;
    start.argv = gf_arguments_copy(argv != NULL ? argv : none);
    start.envp = gf_arguments_copy(environ != NULL ? environ : none);
    gf_activation_take_manager(&start.activation);
    start.cwd_fd = open_working_directory();
    if (getrlimit(RLIMIT_NOFILE, &start.nofile) < 0)
        start.nofile = (struct rlimit){.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    start.exe_path = find_executable(argv != NULL ? argv[0] : NULL);
}

const char *gf_start_find_file(const char *path, char *buffer, size_t size)
{
    const char *slash = start.exe_path != NULL ? strrchr(start.exe_path, '/') : NULL;

    if (path[0] == '/' || path[0] == '\0' || slash == NULL || access(path, F_OK) == 0)
        return path;
    int length = snprintf(buffer, size, "%.*s/%s", (int)(slash - start.exe_path), start.exe_path, path);
    return length > 0 && (size_t)length < size && access(buffer, F_OK) == 0 ? buffer : path;
}

pid_t gproc_pid(void)
{
    return getpid();
}

pid_t gproc_ppid(void)
{
    return start.parent > 0 ? start.parent : getpid();
}

bool gproc_is_child(void)
{
    return start.parent > 0;
}

static int64_t milliseconds(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000;
}

int64_t gproc_start_time(void)
{
    return milliseconds(&start.wall);
}

int64_t gproc_uptime(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return milliseconds(&now) - milliseconds(&start.monotonic);
}
