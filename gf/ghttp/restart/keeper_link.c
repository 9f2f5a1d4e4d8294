#include "keeper_link.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <gf/glog/glog.h>
#include <gf/gproc/gproc.h>

#include "../../gproc/reload.h"
#include "../../gproc/start.h"
#include "../server/registry.h"
#include "../server/server.h"
#include "channel.h"
#include "keeper.h"
#include "machine.h"
#include "socket_activation.h"

/* The keeper reads within microseconds; a first process that still drains does not, but then the socket has room for
 * hundreds of listeners. */
#define SEND_TIMEOUT_MS 1000

static struct {
    pthread_mutex_t lock; /* what signals need */
    int pidfd;            /* of the process that serves; -1: this one does */
    bool handed_over;
    uint64_t owed; /* signals that wait for the keeper, a bit each */
    bool ends;     /* the process that serves has begun to end */
    int end_asked; /* the signal that asked for the end before the new process served; 0: none */

    int near; /* the keeper's end; in the first process only */
    int far;  /* the generations' */
} keeper = {.lock = PTHREAD_MUTEX_INITIALIZER, .pidfd = -1, .near = -1, .far = -1};

/* ---- the socket ---- */

static void close_ends(void)
{
    if (keeper.near >= 0)
        close(keeper.near);
    if (keeper.far >= 0)
        close(keeper.far);
    keeper.near = keeper.far = -1;
}

static bool is_wanted(void)
{
    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (s->settings.stable_pid)
            return true;
    return getpid() == 1;
}

bool gf_keeper_link_is_first(void)
{
    return !gproc_is_child() && !gf_start_get()->keeper && is_wanted();
}

/* What a new process that failed has left in the socket is nobody's business: each start has its own. */
static void open_ends(void)
{
    int ends[2], result = gf_channel_new(ends);

    close_ends();
    if (result < 0) {
        glog_warning("stablePid: the first process cannot stay: %s", strerror(-result));
        return;
    }
    keeper.near = ends[0];
    keeper.far = ends[1];
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* the new process's new process is to be ours when its parent has gone */
}

int gf_keeper_link_open(void)
{
    if (gf_keeper_link_is_first())
        open_ends();
    return keeper.far;
}

static bool is_channel(int fd)
{
    int type = 0, domain = 0;
    socklen_t size = sizeof(int);

    return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_SEQPACKET &&
           !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) && domain == AF_UNIX;
}

void gf_keeper_link_adopt(int fd)
{
    if (fd < 0)
        return;
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (is_channel(fd))
        keeper.far = fd;
    else
        glog_warning("GF_SERVER_RELOAD: descriptor %d is no way to a keeper", fd);
}

/* The kernel knows who made the socket. */
pid_t gf_keeper_link_pid(void)
{
    struct ucred maker = {.pid = 0};
    socklen_t size = sizeof(maker);

    if (keeper.far < 0)
        return gf_keeper_link_is_first() ? getpid() : 0;
    return getsockopt(keeper.far, SOL_SOCKET, SO_PEERCRED, &maker, &size) < 0 ? 0 : maker.pid;
}

/* ---- what a generation says ---- */

static int send_message(const struct cJSON *message, int fd)
{
    struct pollfd room = {.fd = keeper.far, .events = POLLOUT};
    int result = gf_channel_send(keeper.far, message, &fd, fd >= 0);

    while (result == -EAGAIN && poll(&room, 1, SEND_TIMEOUT_MS) > 0)
        result = gf_channel_send(keeper.far, message, &fd, fd >= 0);
    return result;
}

static int say(const char *word, pid_t pid)
{
    struct cJSON *message = cJSON_CreateObject();
    int result = -ENOMEM;

    if (cJSON_AddStringToObject(message, "type", word) && cJSON_AddNumberToObject(message, "pid", pid))
        result = send_message(message, -1);
    cJSON_Delete(message);
    return result;
}

void gf_keeper_link_say(const char *word, pid_t pid)
{
    if (keeper.far >= 0 && !gf_keeper_link_is_first())
        say(word, pid);
}

static int send_listener(const ghttp_server *s, const struct gf_listener *listener)
{
    struct cJSON *message = cJSON_CreateObject();
    int result = -ENOMEM;

    if (cJSON_AddStringToObject(message, "type", "listener") && cJSON_AddStringToObject(message, "server", s->name) &&
        cJSON_AddStringToObject(message, "address", listener->address.text) &&
        cJSON_AddBoolToObject(message, "tls", listener->tls))
        result = send_message(message, listener->fd);
    cJSON_Delete(message);
    return result;
}

static int send_listeners(void)
{
    int result = 0;

    for (const ghttp_server *s = gf_registry_first(); s && !result; s = gf_registry_next(s))
        for (size_t i = 0; gf_server_state(s) == GF_SERVER_SERVING && i < s->listener_count && !result; i++)
            result = send_listener(s, &s->listeners[i]);
    return result;
}

static int send_serving(void)
{
    const char *executable = gf_start_get()->exe_path;
    int64_t timeout = gf_machine_longest(offsetof(struct gf_settings, graceful_ready_timeout));
    struct cJSON *message = cJSON_CreateObject();
    int result = -ENOMEM;

    gf_socket_activation_tell(message);
    if (cJSON_AddStringToObject(message, "type", "serving") && cJSON_AddNumberToObject(message, "pid", getpid()) &&
        cJSON_AddNumberToObject(message, "watcher", gproc_ppid()) &&
        cJSON_AddNumberToObject(message, "generation", gf_machine.greeting.generation) &&
        cJSON_AddNumberToObject(message, "readyTimeout", (double)timeout) &&
        cJSON_AddStringToObject(message, "executable", executable ? executable : ""))
        result = send_message(message, -1);
    cJSON_Delete(message);
    return result;
}

void gf_keeper_link_announce(void)
{
    int result;

    if (keeper.far < 0 || gf_keeper_link_is_first())
        return;
    result = say("begin", getpid());
    if (!result)
        result = send_listeners();
    if (!result)
        result = send_serving();
    if (result < 0)
        glog_warning("the first process cannot be told who serves: %s", strerror(-result));
}

/* ---- signals of the first process ---- */

void gf_keeper_signals(sigset_t *ret_set)
{
    static const int forwarded[] = {SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};

    sigemptyset(ret_set);
    for (size_t i = 0; i < sizeof(forwarded) / sizeof(*forwarded); i++)
        sigaddset(ret_set, forwarded[i]);
}

bool gf_keeper_is_end_signal(int signo)
{
    return signo == SIGTERM || signo == SIGINT || signo == SIGQUIT;
}

static void set_target(int pidfd, bool handed_over)
{
    pthread_mutex_lock(&keeper.lock);
    if (keeper.pidfd >= 0)
        close(keeper.pidfd);
    keeper.pidfd = pidfd;
    keeper.handed_over = handed_over;
    pthread_mutex_unlock(&keeper.lock);
}

void gf_keeper_link_hand_over(int pidfd)
{
    int end_asked;

    if (!gf_keeper_link_is_first() || keeper.near < 0)
        return;
    set_target(fcntl(pidfd, F_DUPFD_CLOEXEC, 3), true);
    pthread_mutex_lock(&keeper.lock);
    end_asked = keeper.end_asked;
    pthread_mutex_unlock(&keeper.lock);
    if (end_asked) /* it came while the last word before this was said */
        gf_keeper_link_forward(end_asked);
}

void gf_keeper_link_hold(void)
{
    if (gf_keeper_link_is_first() && keeper.near >= 0)
        set_target(-1, true);
}

void gf_keeper_link_hear_end(void)
{
    pthread_mutex_lock(&keeper.lock);
    keeper.ends = true;
    pthread_mutex_unlock(&keeper.lock);
}

void gf_keeper_link_take_back(void)
{
    if (!gf_keeper_link_is_first())
        return;
    set_target(-1, false);
    close_ends();
    prctl(PR_SET_CHILD_SUBREAPER, 0);
}

static bool owe(int signo)
{
    bool handed_over;

    pthread_mutex_lock(&keeper.lock);
    handed_over = keeper.handed_over;
    if (handed_over)
        keeper.owed |= UINT64_C(1) << (signo - 1);
    else if (gf_keeper_is_end_signal(signo))
        keeper.end_asked = signo;
    pthread_mutex_unlock(&keeper.lock);
    return handed_over;
}

static void pay(int signo)
{
    uint64_t bit = UINT64_C(1) << (signo - 1);

    pthread_mutex_lock(&keeper.lock);
    if ((keeper.ends && gf_keeper_is_end_signal(signo)) ||
        (keeper.pidfd >= 0 && pidfd_send_signal(keeper.pidfd, signo, NULL, 0) == 0))
        keeper.owed &= ~bit;
    pthread_mutex_unlock(&keeper.lock);
}

/* Owed first: this process may become the keeper while the thread of signals waits here, and then that one pays. */
bool gf_keeper_link_forward(int signo)
{
    struct timespec patience = {.tv_nsec = GF_KEEPER_PATIENCE_MS * 1000000L};

    if (!owe(signo))
        return false;
    if (gf_keeper_is_end_signal(signo))
        nanosleep(&patience, NULL);
    pay(signo);
    return true;
}

/* ---- becoming the keeper ---- */

static char *make_variable(pid_t serving)
{
    struct cJSON *root = cJSON_CreateObject();
    char *text = NULL, *variable = NULL;

    pthread_mutex_lock(&keeper.lock);
    if (cJSON_AddNumberToObject(root, "version", GF_CHANNEL_VERSION) &&
        cJSON_AddNumberToObject(root, "near", keeper.near) && cJSON_AddNumberToObject(root, "far", keeper.far) &&
        cJSON_AddNumberToObject(root, "serving", serving) &&
        cJSON_AddNumberToObject(root, "owed", (double)keeper.owed) && /* signals below 32 */
        cJSON_AddNumberToObject(root, "generation", gf_machine.greeting.generation + 1))
        text = cJSON_PrintUnformatted(root);
    pthread_mutex_unlock(&keeper.lock);
    cJSON_Delete(root);
    if (text && asprintf(&variable, "%s=%s", GF_KEEPER_VARIABLE, text) < 0)
        variable = NULL;
    cJSON_free(text);
    return variable;
}

static char **make_environment(char *variable)
{
    char **before = gf_start_get()->envp, **all;
    size_t count = 0;

    while (before && before[count])
        count++;
    all = calloc(count + 2, sizeof(*all));
    for (size_t i = 0; all && i < count; i++)
        all[i] = before[i];
    if (all)
        all[count] = variable;
    return all;
}

/* The file that runs here, even if another one has its name by now: both sides of the exec are the same program. */
static int execute(char **environment)
{
    const struct gf_start *start = gf_start_get();
    sigset_t waiting, before;
    int result;

    if (start->cwd_fd >= 0 && fchdir(start->cwd_fd) < 0)
        glog_warning("stablePid: cannot return to the folder of the start: %s", strerror(errno));
    fflush(NULL);
    gf_keeper_signals(&waiting);
    pthread_sigmask(SIG_SETMASK, &waiting, &before); /* one that comes now waits for the keeper */
    fcntl(keeper.near, F_SETFD, 0);
    fcntl(keeper.far, F_SETFD, 0);
    prlimit(0, RLIMIT_NOFILE, &start->nofile, NULL);
    execve("/proc/self/exe", start->argv, environment);
    result = -errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return result;
}

int gf_keeper_link_execute(pid_t serving)
{
    char *variable = NULL, **environment = NULL;
    int result = -ENOMEM;

    if (keeper.near < 0)
        return -ENOTCONN;
    variable = make_variable(serving);
    environment = variable ? make_environment(variable) : NULL;
    if (environment && gf_start_get()->argv)
        result = execute(environment);
    glog_error("the first process cannot stay as the parent: %s", strerror(-result));
    free(environment);
    free(variable);
    return result;
}

/*
 * Here and not in keeper.c, which nobody else calls: a static link would leave it out. Runs after the constructor that
 * records the start of the process, which has a priority.
 */
__attribute__((constructor)) static void keep_instead_of_main(void)
{
    if (gf_start_get()->keeper)
        _exit(gf_keeper_run(gf_start_get()->keeper));
}
