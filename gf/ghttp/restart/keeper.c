#include "keeper.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "../../gproc/reload.h"
#include "../../gproc/start.h"
#include "channel.h"
#include "fault.h"
#include "generations.h"
#include "keeper_link.h"
#include "listeners_json.h"
#include "notify.h"
#include "successor.h"

/* A process that crashes more often than this does not get better by being started once more. */
#define STARTS_MAX 5
#define STARTS_WITHIN_MS 60000
/* Longer and longer between two starts that follow one another: what broke it may need a moment. */
#define PAUSE_STEP_MS 200
/* Until a message that there was no memory for is tried again. */
#define STARVED_MS 100
/* What a new process is left to become ready, unless the one that crashed had a setting for it. */
#define READY_TIMEOUT_MS 30000

static struct {
    int near;
    int signals;
    pid_t serving;  /* who does, or did last */
    bool ending;    /* the end was asked for */
    int end_signal; /* to be passed on; 0: none */
    int64_t end_due_ms;
    int status; /* of the end */
    bool over;
    bool starved; /* of memory: a message lies unread */

    /* what the process that serves has said of itself */
    struct gf_handed listeners, arriving;
    char executable[PATH_MAX];
    struct cJSON *foreign;
    int64_t ready_timeout_ms;
    unsigned generation;

    /* the new one, until it is ready */
    struct gf_successor successor;
    int64_t deadline_ms;
    int64_t next_start_ms; /* 0: none is due */
    int64_t starts[STARTS_MAX];
} keeper = {.near = -1,
            .signals = -1,
            .listeners = GF_HANDED_NONE,
            .arriving = GF_HANDED_NONE,
            .ready_timeout_ms = READY_TIMEOUT_MS,
            .successor = {.pidfd = -1, .control = -1, .standard_error = -1}};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void end_with(int status)
{
    keeper.over = true;
    keeper.status = status;
}

/* ---- what it was left ---- */

static double number_of(const struct cJSON *object, const char *key, double fallback)
{
    const struct cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 9e15 ? item->valuedouble : fallback;
}

static const char *text_of(const struct cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

    return text ? text : "";
}

/* As far as the kernel bears it out: the environment may be anybody's. */
static int take_over(const struct cJSON *root)
{
    int near = (int)number_of(root, "near", -1), far = (int)number_of(root, "far", -1);

    if (number_of(root, "version", 0) != GF_CHANNEL_VERSION || near < 3 || far < 3 || near == far)
        return -EINVAL;
    keeper.near = near;
    if (fcntl(near, F_SETFD, FD_CLOEXEC) < 0)
        return -errno;
    gf_keeper_link_adopt(far);
    keeper.serving = (pid_t)number_of(root, "serving", 0);
    keeper.generation = (unsigned)number_of(root, "generation", 1);
    snprintf(keeper.executable, sizeof(keeper.executable), "%s",
             gf_start_get()->exe_path ? gf_start_get()->exe_path : "");
    return gf_generations_add(keeper.serving, 0) ? 0 : -ECHILD;
}

/* ---- what generations say ---- */

static void drop_listeners(struct gf_handed *handed)
{
    for (size_t i = 0; i < handed->count; i++)
        close(handed->listeners[i].fd);
    gf_handed_finish(handed);
}

static void take_listener(const struct cJSON *message, int fd)
{
    struct gf_handed *handed = &keeper.arriving;
    struct gf_handed_listener *listener;

    if (!handed->listeners)
        handed->listeners = calloc(GF_HANDED_LISTENERS_MAX, sizeof(*handed->listeners));
    if (!handed->listeners || handed->count == GF_HANDED_LISTENERS_MAX) {
        close(fd);
        return;
    }
    listener = &handed->listeners[handed->count++];
    listener->fd = fd;
    listener->tls = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(message, "tls"));
    snprintf(listener->server, sizeof(listener->server), "%s", text_of(message, "server"));
    snprintf(listener->address, sizeof(listener->address), "%s", text_of(message, "address"));
}

static void take_serving(const struct cJSON *message)
{
    pid_t pid = (pid_t)number_of(message, "pid", 0), watcher = (pid_t)number_of(message, "watcher", 0);

    if (!gf_generations_add(pid, watcher == getpid() || watcher == pid ? 0 : watcher))
        return; /* it has ended meanwhile: who comes back says so */
    keeper.serving = pid;
    keeper.generation = (unsigned)number_of(message, "generation", keeper.generation + 1);
    keeper.ready_timeout_ms = (int64_t)number_of(message, "readyTimeout", READY_TIMEOUT_MS);
    snprintf(keeper.executable, sizeof(keeper.executable), "%s", text_of(message, "executable"));
    drop_listeners(&keeper.listeners);
    keeper.listeners = keeper.arriving;
    keeper.arriving = (struct gf_handed)GF_HANDED_NONE;
    cJSON_Delete(keeper.foreign);
    keeper.foreign = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(message, "foreign"), true);
    glog_info("process %d serves; this one, the first, stays as its parent", (int)pid);
}

static void take_word(const char *type, const struct cJSON *message)
{
    struct gf_generation *generation = gf_generations_find((pid_t)number_of(message, "pid", 0));

    if (generation && !strcmp(type, "shutdown"))
        generation->in_order = true;
    else if (generation && !strcmp(type, "unwatched"))
        generation->watcher = 0;
}

static void hear_message(const struct cJSON *message, int fd)
{
    const char *type = text_of(message, "type");

    if (fd >= 0 && !strcmp(type, "listener")) {
        take_listener(message, fd);
        return;
    }
    if (fd >= 0)
        close(fd);
    if (!strcmp(type, "begin"))
        drop_listeners(&keeper.arriving);
    else if (!strcmp(type, "serving"))
        take_serving(message);
    else
        take_word(type, message);
}

/* Until nothing is left, or nobody is left to say something, or there is no memory for it: that may come later. */
static void hear_generations(void)
{
    struct cJSON *message;
    int fds[1], result = 0;
    size_t count = 1;

    while (!result || result == -EBADMSG) {
        result = gf_channel_receive(keeper.near, &message, fds, &count);
        if (!result) {
            hear_message(message, count ? fds[0] : -1);
            cJSON_Delete(message);
        }
        count = 1;
    }
    keeper.starved = result != -EAGAIN && result != -EPIPE;
}

/* ---- signals ---- */

static void forward(int signo)
{
    const struct gf_generation *serving = gf_generations_find(keeper.serving);

    if (signo == SIGCHLD)
        return;
    if (keeper.successor.pid)
        pidfd_send_signal(keeper.successor.pidfd, signo, NULL, 0);
    if (gf_keeper_is_end_signal(signo) && !keeper.ending) {
        keeper.ending = true;
        keeper.end_signal = signo;
        keeper.end_due_ms = now_ms() + GF_KEEPER_PATIENCE_MS;
    } else if (serving && !serving->ended) {
        pidfd_send_signal(serving->pidfd, signo, NULL, 0);
    }
}

static void pass_end_on(void)
{
    const struct gf_generation *serving = gf_generations_find(keeper.serving);

    if (!keeper.end_signal || now_ms() < keeper.end_due_ms)
        return;
    if (serving && !serving->ended && !serving->in_order)
        pidfd_send_signal(serving->pidfd, keeper.end_signal, NULL, 0);
    keeper.end_signal = 0;
}

static void hear_signals(void)
{
    struct signalfd_siginfo info;

    while (read(keeper.signals, &info, sizeof(info)) == sizeof(info))
        forward((int)info.ssi_signo);
}

/* All that have ended, whosever children they once were; but not the one whose start is under way. */
static void reap(void)
{
    siginfo_t info = {.si_pid = 0};
    int status;

    while (!waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid &&
           info.si_pid != keeper.successor.pid) {
        if (waitpid(info.si_pid, &status, WNOHANG) == info.si_pid)
            gf_generations_reaped(info.si_pid, status);
        info.si_pid = 0;
    }
}

/* ---- starting the process anew ---- */

static char *make_greeting(void)
{
    struct cJSON *message = cJSON_CreateObject();
    char *text = NULL;

    if (cJSON_AddStringToObject(message, "type", "hello") &&
        cJSON_AddNumberToObject(message, "generation", keeper.generation + 1) &&
        cJSON_AddNumberToObject(message, "began", (double)now_ms()) &&
        (!keeper.foreign || cJSON_AddItemReferenceToObject(message, "foreign", keeper.foreign)))
        text = cJSON_PrintUnformatted(message);
    cJSON_Delete(message);
    return text;
}

static void give_up(const char *why)
{
    char line[512];

    gf_notify_line(why, line, sizeof(line));
    glog_error("giving up: %s; the service ends", line);
    gf_notify_send("STATUS=giving up: %s", line);
    end_with(1);
}

static bool may_start(void)
{
    int64_t now = now_ms();

    if (keeper.starts[0] && now - keeper.starts[0] < STARTS_WITHIN_MS)
        return false;
    memmove(keeper.starts, keeper.starts + 1, sizeof(keeper.starts) - sizeof(keeper.starts[0]));
    keeper.starts[STARTS_MAX - 1] = now;
    return true;
}

static void plan_start(void)
{
    int recent = 0;

    for (int i = 0; i < STARTS_MAX; i++)
        recent += keeper.starts[i] && now_ms() - keeper.starts[i] < STARTS_WITHIN_MS;
    keeper.next_start_ms = now_ms() + recent * PAUSE_STEP_MS;
}

/* What is in the way may be there for a moment only: no memory, or a file that is being replaced. */
static void start(void)
{
    char error[512] = "no memory", *greeting;
    int result = -ENOMEM;

    keeper.next_start_ms = 0;
    if (!may_start()) {
        give_up("the process that serves cannot be kept running: it was started 5 times within a minute");
        return;
    }
    gf_fault_point(keeper.generation, "keeper-start", -1);
    greeting = make_greeting();
    if (greeting)
        result =
            gf_successor_spawn(&keeper.successor, keeper.executable, greeting, &keeper.listeners, error, sizeof(error));
    cJSON_free(greeting);
    keeper.deadline_ms = now_ms() + keeper.ready_timeout_ms;
    if (result < 0) {
        glog_error("starting anew failed: %s", error);
        plan_start();
    }
}

static void abandon_start(const char *why)
{
    char burial[GF_LAST_WORDS_MAX + 256];

    gf_successor_bury(&keeper.successor, true, burial, sizeof(burial));
    glog_error("starting anew failed: %s%s", why, burial);
    if (keeper.ending)
        end_with(1);
    else
        plan_start();
}

/* It announces itself over the socket too; here it only must not fail. */
static void hear_start(void)
{
    struct cJSON *message = NULL;
    int result = gf_channel_receive(keeper.successor.control, &message, NULL, NULL);

    if (result == -EAGAIN)
        return;
    if (!result && !strcmp(text_of(message, "type"), "ready")) {
        gf_channel_say(keeper.successor.control, "accept");
        hear_generations();
        gf_successor_release(&keeper.successor);
    } else {
        abandon_start(result ? "" : text_of(message, "reason"));
    }
    cJSON_Delete(message);
}

static void see_start(void)
{
    struct pollfd end = {.fd = keeper.successor.pidfd, .events = POLLIN};

    gf_successor_relay(&keeper.successor);
    hear_start();
    if (!keeper.successor.pid)
        return;
    if (poll(&end, 1, 0) > 0)
        abandon_start("");
    else if (now_ms() >= keeper.deadline_ms)
        abandon_start("it was not ready within gracefulReadyTimeout; ");
}

/* ---- ends ---- */

static int exit_status(const struct gf_generation *generation)
{
    if (WIFSIGNALED(generation->status))
        return 128 + WTERMSIG(generation->status);
    return WEXITSTATUS(generation->status);
}

static void describe(const struct gf_generation *generation, char *text, size_t size)
{
    if (!generation->reaped)
        snprintf(text, size, "has died");
    else if (WIFSIGNALED(generation->status))
        snprintf(text, size, "was ended by signal %d (%s)", WTERMSIG(generation->status),
                 strsignal(WTERMSIG(generation->status)));
    else
        snprintf(text, size, "ended with exit status %d", WEXITSTATUS(generation->status));
}

/* Whether the process before it is there to take its place. */
static bool is_watched(const struct gf_generation *generation)
{
    const struct gf_generation *watcher = gf_generations_find(generation->watcher);

    return watcher && !watcher->ended;
}

/* In order, if it said so, or has nothing to complain of, or was asked to end. Its status is known when those before
 * it, which may still drain, have ended too. */
static void see_end(struct gf_generation *serving)
{
    bool in_order = serving->in_order || keeper.ending || (serving->reaped && !serving->status);
    char how[128];

    if (in_order) {
        if (!gf_generations_any())
            end_with(serving->reaped ? exit_status(serving) : 1);
        return;
    }
    describe(serving, how, sizeof(how));
    glog_error("process %d %s; it is started anew on the same sockets", (int)serving->pid, how);
    keeper.serving = 0;
    plan_start();
}

static void decide(void)
{
    struct gf_generation *serving = gf_generations_find(keeper.serving);

    if (keeper.successor.pid)
        see_start();
    else if (serving && serving->ended && !is_watched(serving))
        see_end(serving);
    else if (keeper.next_start_ms && keeper.ending)
        end_with(1);
    else if (keeper.next_start_ms && now_ms() >= keeper.next_start_ms)
        start();
}

/* ---- the loop ---- */

static int wait_time(void)
{
    int64_t until = keeper.successor.pid ? keeper.deadline_ms : keeper.next_start_ms;
    int64_t left;

    if (keeper.starved && (!until || now_ms() + STARVED_MS < until))
        until = now_ms() + STARVED_MS;
    if (keeper.end_signal && (!until || keeper.end_due_ms < until))
        until = keeper.end_due_ms;
    if (!until)
        return -1;
    left = until - now_ms();
    return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

static void wait_for_news(void)
{
    struct pollfd fds[GF_GENERATIONS_MAX + 5] = {{.fd = keeper.starved ? -1 : keeper.near, .events = POLLIN},
                                                 {.fd = keeper.signals, .events = POLLIN},
                                                 {.fd = keeper.successor.pidfd, .events = POLLIN},
                                                 {.fd = keeper.successor.control, .events = POLLIN},
                                                 {.fd = keeper.successor.standard_error, .events = POLLIN}};
    size_t count = 5 + gf_generations_poll(fds + 5);

    poll(fds, count, wait_time());
}

int gf_keeper_run(const char *text)
{
    struct cJSON *root = cJSON_Parse(text);
    unsigned owed = (unsigned)number_of(root, "owed", 0);
    sigset_t waiting;
    int result;

    gf_keeper_signals(&waiting);
    pthread_sigmask(SIG_BLOCK, &waiting, NULL);
    keeper.signals = signalfd(-1, &waiting, SFD_CLOEXEC | SFD_NONBLOCK);
    result = keeper.signals < 0 ? -errno : take_over(root);
    cJSON_Delete(root);
    if (result < 0) {
        glog_error("GF_SERVER_KEEPER: nothing to keep: %s", strerror(-result));
        return 1;
    }
    hear_generations();
    for (int signo = 1; signo < 32; signo++)
        if (owed & (1u << (signo - 1)))
            forward(signo);
    while (!keeper.over) {
        hear_signals();
        gf_generations_look();
        reap(); /* after it: a process that has ended has left us its children, and their statuses, by then */
        hear_generations(); /* likewise: the last word of one that has ended is there */
        pass_end_on();
        decide();
        if (!keeper.over)
            wait_for_news();
    }
    return keeper.status;
}
