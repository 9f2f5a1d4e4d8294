#include "successor.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gf/glog/glog.h>
#include <gf/glog/line.h>
#include <gf/glog/terminal.h>

#include "../../gproc/reload.h"
#include "../../gproc/signals.h"
#include "../../gproc/start.h"
#include "../server/registry.h"
#include "../server/server.h"
#include "ancestors.h"
#include "channel.h"
#include "error_loan.h"
#include "fault.h"
#include "handover.h"
#include "keeper_link.h"
#include "listeners_json.h"
#include "machine.h"
#include "socket_activation.h"
#include "state.h"

/* The successor's numbers: control, the listeners, then its way to our standard error, and to the keeper. */
#define CONTROL_FD 3
/* Between SIGKILL and the end of a process lies only what the kernel has to do. */
#define KILL_TIMEOUT_MS 10000
/* How often its end is looked for where nothing tells of it. */
#define LOOK_MS 5
/* Pieces of its standard error that are passed on before the state machine looks at anything else: as much as a pipe
 * holds, so that the last words of a process that has ended are complete. One that writes without end stops nobody. */
#define RELAYED_AT_ONCE 16

/* ---- the executable ---- */

static int check_executable(const char *path, char *error, size_t size)
{
    struct stat status;

    if (stat(path, &status) < 0) {
        int result = -errno;

        snprintf(error, size, "the executable \"%s\": %s", path, strerror(-result));
        return result;
    }
    if (!S_ISREG(status.st_mode)) {
        snprintf(error, size, "the executable \"%s\" is not a regular file", path);
        return -EACCES;
    }
    if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0) {
        snprintf(error, size, "\"%s\" may not be executed by this user: %s", path, strerror(errno));
        return -EACCES;
    }
    return 0;
}

static char *make_absolute(const char *path)
{
    char *folder = path[0] == '/' ? NULL : getcwd(NULL, 0);
    char *absolute = NULL;

    if (path[0] == '/')
        return strdup(path);
    if (!folder || asprintf(&absolute, "%s/%s", folder, path) < 0)
        absolute = NULL;
    free(folder);
    return absolute;
}

int gf_successor_find_executable(const char *path, char **ret_path, char *error, size_t error_size)
{
    const char *chosen = path && *path ? path : gf_start_get()->exe_path;
    char *absolute;
    int result;

    if (!chosen) {
        snprintf(error, error_size, "it is not known by which executable this process was started; name one");
        return -ENOENT;
    }
    absolute = make_absolute(chosen);
    if (!absolute) {
        snprintf(error, error_size, "no memory for the executable's path");
        return -ENOMEM;
    }
    result = check_executable(absolute, error, error_size);
    if (result < 0)
        free(absolute);
    else
        *ret_path = absolute;
    return result;
}

/* ---- what it inherits ---- */

/* Everything that one spawn needs, and that its end gives back. */
struct spawning {
    struct gf_handed handed;
    int sources[GF_HANDED_LISTENERS_MAX + 4]; /* duplicates from source_min on, clear of the successor's numbers */
    int targets[GF_HANDED_LISTENERS_MAX + 4];
    size_t source_count;
    int source_min;
    int ends[2];  /* the channel */
    int error[2]; /* its standard error */
    char *variable;
    char **environment;
    size_t inherited_variables; /* of environment; ours stands behind them */
    char **arguments;
};

static int inherit(struct spawning *sp, int fd, int target)
{
    int source = fcntl(fd, F_DUPFD_CLOEXEC, sp->source_min);

    if (source < 0)
        return -errno;
    sp->sources[sp->source_count] = source;
    sp->targets[sp->source_count++] = target;
    return 0;
}

static int inherit_listener(struct spawning *sp, const struct gf_handed_listener *listener)
{
    struct gf_handed_listener *handed = &sp->handed.listeners[sp->handed.count];

    if (sp->handed.count == GF_HANDED_LISTENERS_MAX)
        return -E2BIG;
    *handed = *listener;
    handed->fd = CONTROL_FD + 1 + (int)sp->handed.count++;
    return inherit(sp, listener->fd, handed->fd);
}

static int inherit_own_listeners(struct spawning *sp)
{
    int result = 0;

    for (ghttp_server *s = gf_registry_first(); s && !result; s = gf_registry_next(s)) {
        for (size_t i = 0; gf_server_state(s) == GF_SERVER_SERVING && i < s->listener_count && !result; i++) {
            struct gf_handed_listener listener = {.fd = s->listeners[i].fd, .tls = s->listeners[i].tls};

            snprintf(listener.server, sizeof(listener.server), "%s", s->name);
            snprintf(listener.address, sizeof(listener.address), "%s", s->listeners[i].address.text);
            result = inherit_listener(sp, &listener);
        }
    }
    return result;
}

static int inherit_listeners(struct spawning *sp, const struct gf_handed *listeners)
{
    int result = 0;

    if (!listeners)
        return inherit_own_listeners(sp);
    for (size_t i = 0; i < listeners->count && !result; i++)
        result = inherit_listener(sp, &listeners->listeners[i]);
    return result;
}

static int inherit_standard_error(struct spawning *sp)
{
    int target = CONTROL_FD + 1 + (int)sp->handed.count;
    int result;

    if (fcntl(STDERR_FILENO, F_GETFD) < 0)
        return 0; /* we have none to pass its words on to */
    if (pipe2(sp->error, O_CLOEXEC) < 0)
        return -errno;
    result = inherit(sp, sp->error[1], STDERR_FILENO);
    if (!result)
        result = inherit(sp, gf_error_loan_original(), target);
    if (!result)
        sp->handed.standard_error = target;
    return result;
}

static int inherit_keeper(struct spawning *sp)
{
    int fd = gf_keeper_link_open();

    if (fd < 0)
        return 0;
    sp->handed.keeper = CONTROL_FD + 2 + (int)sp->handed.count;
    return inherit(sp, fd, sp->handed.keeper);
}

static int make_environment(struct spawning *sp)
{
    char **before = gf_start_get()->envp;
    size_t count = 0;
    char *ours;

    while (before && before[count])
        count++;
    if (asprintf(&ours, "%s=%s", GF_RELOAD_VARIABLE, sp->variable) < 0)
        return -ENOMEM;
    sp->environment = calloc(count + 2, sizeof(*sp->environment));
    if (!sp->environment) {
        free(ours);
        return -ENOMEM;
    }
    for (size_t i = 0; i < count; i++)
        sp->environment[i] = before[i];
    sp->environment[count] = ours;
    sp->inherited_variables = count;
    return 0;
}

int gf_successor_make_arguments(char ***ret_arguments, const char *path)
{
    const struct gf_start *start = gf_start_get();
    bool same = start->exe_path && !strcmp(start->exe_path, path);
    char **arguments = calloc((size_t)start->argc + 2, sizeof(*arguments));

    if (!arguments)
        return -ENOMEM;
    arguments[0] = (char *)path;
    for (int i = 0; start->argv && i < start->argc; i++)
        if (i || same)
            arguments[i] = start->argv[i];
    *ret_arguments = arguments;
    return 0;
}

static int count_listeners(void)
{
    size_t count = 0;

    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_SERVING)
            count += s->listener_count;
    return (int)count;
}

static int prepare(struct spawning *sp, const char *path, const struct gf_handed *listeners)
{
    int result;

    sp->source_min = CONTROL_FD + 3 + (listeners ? (int)listeners->count : count_listeners());
    sp->handed.listeners = calloc(GF_HANDED_LISTENERS_MAX, sizeof(*sp->handed.listeners));
    if (!sp->handed.listeners)
        return -ENOMEM;
    result = gf_channel_new(sp->ends);
    if (!result)
        result = inherit(sp, sp->ends[1], CONTROL_FD);
    if (!result)
        result = inherit_listeners(sp, listeners);
    if (!result)
        result = inherit_standard_error(sp);
    if (!result)
        result = inherit_keeper(sp);
    if (result)
        return result;
    sp->handed.control = CONTROL_FD;
    result = gf_listeners_json_print(&sp->handed, getpid(), &gf_start_get()->nofile, &sp->variable);
    if (!result)
        result = make_environment(sp);
    return result ? result : gf_successor_make_arguments(&sp->arguments, path);
}

static void close_pair(int pair[2])
{
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0)
            close(pair[i]);
}

static void finish(struct spawning *sp)
{
    for (size_t i = 0; i < sp->source_count; i++)
        close(sp->sources[i]);
    close_pair(sp->ends);
    close_pair(sp->error);
    if (sp->environment)
        free(sp->environment[sp->inherited_variables]);
    free(sp->environment);
    free(sp->arguments);
    cJSON_free(sp->variable);
    free(sp->handed.listeners);
}

/* ---- the start ---- */

static int add_files(posix_spawn_file_actions_t *files, const struct spawning *sp)
{
    int last = STDERR_FILENO;
    int result = 0;

    if (gf_start_get()->cwd_fd >= 0) /* first: its number may become one of the targets */
        result = posix_spawn_file_actions_addfchdir_np(files, gf_start_get()->cwd_fd);
    for (size_t i = 0; i < sp->source_count && !result; i++) {
        result = posix_spawn_file_actions_adddup2(files, sp->sources[i], sp->targets[i]);
        if (sp->targets[i] > last)
            last = sp->targets[i];
    }
    /* the program's own descriptors too, whether it thought of close-on-exec or not */
    return result ? result : posix_spawn_file_actions_addclosefrom_np(files, last + 1);
}

static int add_signals(posix_spawnattr_t *attributes)
{
    sigset_t blocked, defaults;
    int result;

    gf_signals_inherited_block(&blocked);
    sigfillset(&defaults);
    for (int signo = 1; signo < NSIG; signo++)
        if (sigismember(&gf_start_get()->ignored, signo) == 1)
            sigdelset(&defaults, signo);
    result = posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!result)
        result = posix_spawnattr_setsigmask(attributes, &blocked);
    return result ? result : posix_spawnattr_setsigdefault(attributes, &defaults);
}

static int spawn(const struct spawning *sp, const char *path, pid_t *ret_pid)
{
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attributes;
    int result = posix_spawn_file_actions_init(&files);

    if (result)
        return -result;
    result = posix_spawnattr_init(&attributes);
    if (result)
        goto fail;
    result = add_files(&files, sp);
    if (!result)
        result = add_signals(&attributes);
    if (!result)
        result = posix_spawn(ret_pid, path, &files, &attributes, sp->arguments, sp->environment);
    posix_spawnattr_destroy(&attributes);
fail:
    posix_spawn_file_actions_destroy(&files);
    return -result;
}

static int take(int *fd)
{
    int taken = *fd;

    *fd = -1;
    return taken;
}

int gf_successor_spawn(struct gf_successor *successor, const char *path, const char *message,
                       const struct gf_handed *listeners, char *error, size_t error_size)
{
    struct spawning sp = {.handed = GF_HANDED_NONE, .ends = {-1, -1}, .error = {-1, -1}};
    pid_t pid = 0;
    char why[320] = "";
    int result = prepare(&sp, path, listeners);

    if (!result && send(sp.ends[0], message, strlen(message), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
        result = -errno;
    if (!result)
        result = gf_ancestors_send(sp.ends[0]);
    if (!result)
        result = gf_handover_send_ticket_keys(sp.ends[0]);
    if (!result)
        result = gf_state_send(sp.ends[0], why, sizeof(why));
    if (!result)
        result = spawn(&sp, path, &pid);
    if (!result) {
        gf_fault_point(gf_machine.greeting.generation, "before-pidfd", sp.ends[0]);
        *successor = (struct gf_successor){.pid = pid,
                                           .pidfd = pidfd_open(pid, 0),
                                           .control = take(&sp.ends[0]),
                                           .standard_error = take(&sp.error[0])};
        if (successor->standard_error >= 0)
            fcntl(successor->standard_error, F_SETFL, O_NONBLOCK);
    } else {
        snprintf(error, error_size, "cannot start \"%s\": %s", path,
                 why[0]               ? why
                 : result == -ENOEXEC ? "it is not a program for this machine"
                 : result == -E2BIG   ? "there are more listeners, or longer addresses, than can be handed over"
                                      : strerror(-result));
    }
    finish(&sp);
    return result;
}

/* ---- its words and its end ---- */

static void remember(struct gf_successor *successor, const char *text, size_t size)
{
    size_t drop;

    if (size > GF_LAST_WORDS_MAX) {
        text += size - GF_LAST_WORDS_MAX;
        size = GF_LAST_WORDS_MAX;
    }
    drop = successor->last_words_size + size > GF_LAST_WORDS_MAX ? successor->last_words_size + size - GF_LAST_WORDS_MAX
                                                                 : 0;
    memmove(successor->last_words, successor->last_words + drop, successor->last_words_size - drop);
    successor->last_words_size -= drop;
    memcpy(successor->last_words + successor->last_words_size, text, size);
    successor->last_words_size += size;
    successor->last_words[successor->last_words_size] = 0;
}

bool gf_successor_relay(struct gf_successor *successor)
{
    char text[GF_GLOG_LINE_MAX];
    ssize_t size = 1;

    if (successor->standard_error < 0)
        return false;
    for (int i = 0; i < RELAYED_AT_ONCE; i++) {
        size = read(successor->standard_error, text, sizeof(text));
        if (size < 0 && errno == EINTR)
            continue;
        if (size <= 0)
            break;
        gf_terminal_write(text, (size_t)size);
        remember(successor, text, (size_t)size);
    }
    if (size > 0 || (size < 0 && (errno == EAGAIN || errno == EINTR)))
        return true;
    close(successor->standard_error);
    successor->standard_error = -1;
    return false;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* Its end is seen at once by the pidfd; where there was none to be had, for want of descriptors, by looking often. 0,
 * and its status; -ECHILD: it has ended, but another part of the program has taken the status; -ETIMEDOUT. */
static int reap(const struct gf_successor *successor, int *ret_status)
{
    struct pollfd end = {.fd = successor->pidfd, .events = POLLIN};
    int64_t until = now_ms() + KILL_TIMEOUT_MS;
    pid_t found;

    while ((found = waitpid(successor->pid, ret_status, WNOHANG)) != successor->pid) {
        if (found < 0 && errno == ECHILD)
            return -ECHILD;
        if (now_ms() >= until)
            return -ETIMEDOUT;
        if (end.revents || end.fd < 0) /* the kernel is about to hand it over */
            poll(NULL, 0, LOOK_MS);
        else
            poll(&end, 1, KILL_TIMEOUT_MS);
    }
    return 0;
}

static void describe(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "was ended by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "ended with exit status %d", WEXITSTATUS(status));
}

bool gf_successor_bury(struct gf_successor *successor, bool kill_it, char *text, size_t size)
{
    char how[128] = "cannot be waited for";
    int status = 0, result;

    if (kill_it)
        kill(successor->pid, SIGKILL); /* ours and not yet reaped: the number is still its own */
    result = reap(successor, &status);
    if (!result)
        describe(status, how, sizeof(how));
    gf_successor_relay(successor);
    while (successor->last_words_size && successor->last_words[successor->last_words_size - 1] == '\n')
        successor->last_words[--successor->last_words_size] = 0;
    snprintf(text, size, "the new process %d %s%s%s", (int)successor->pid, how,
             successor->last_words_size ? "; its last words: " : "", successor->last_words);
    gf_successor_release(successor);
    return result != -ETIMEDOUT;
}

void gf_successor_release(struct gf_successor *successor)
{
    const int fds[] = {successor->pidfd, successor->control, successor->standard_error};

    for (size_t i = 0; successor->pid && i < sizeof(fds) / sizeof(*fds); i++)
        if (fds[i] >= 0)
            close(fds[i]);
    *successor = (struct gf_successor){.pidfd = -1, .control = -1, .standard_error = -1};
}
