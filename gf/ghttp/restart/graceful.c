#include "graceful.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <gf/glog/glog.h>
#include <gf/glog/logger.h>
#include <gf/gproc/gproc.h>
#include <gf/gproc/signals.h>

#include "../engine/engine.h"
#include "../server/registry.h"
#include "fault.h"
#include "history.h"
#include "keeper_link.h"
#include "machine.h"
#include "orders.h"

struct gf_machine gf_machine = {.lock = PTHREAD_MUTEX_INITIALIZER,
                                .changed = PTHREAD_COND_INITIALIZER,
                                .wake_fd = -1,
                                .drained_fd = -1,
                                .gone_fd = -1,
                                .health = GF_HEALTH_NONE,
                                .successor = {.pidfd = -1, .control = -1, .standard_error = -1}};

#define M gf_machine

/* How long the end of the process waits for a disk to take the last lines of the log files. */
#define LAST_LINES_MS 2000

int64_t gf_machine_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

void gf_machine_wake(void)
{
    uint64_t one = 1;

    while (M.wake_fd >= 0 && write(M.wake_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
}

bool gf_machine_is_graceful(void)
{
    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (s->settings.graceful)
            return true;
    return false;
}

/* ---- requests ---- */

/* What keeps it from starting a new process now, with the lock held; NULL: nothing. */
static const char *what_it_does(void)
{
    if (!M.running)
        return "without a server";
    if (M.state != GF_GRACEFUL_SERVING)
        return gf_graceful_state_name(M.state);
    if (M.shutdown_asked)
        return "shutting down";
    return M.request ? gf_graceful_state_name(GF_GRACEFUL_STARTING) : NULL;
}

const char *gf_graceful_ask(const char *path)
{
    const char *why;

    pthread_mutex_lock(&M.lock);
    why = what_it_does();
    if (!why) {
        snprintf(M.unattended_path, sizeof(M.unattended_path), "%s", path);
        M.unattended =
            (struct gf_restart_request){.path = *path ? M.unattended_path : NULL, .asked_ms = gf_machine_now_ms()};
        M.request = &M.unattended;
    }
    pthread_mutex_unlock(&M.lock);
    if (!why)
        gf_machine_wake();
    return why;
}

/* ---- signals ---- */

/* Several in a row are one wish; one that comes while a restart is under way has been granted already. */
static void on_restart_signal(int signo, void *arg)
{
    const char *why;

    (void)arg;
    if (gf_keeper_link_forward(signo))
        return;
    why = gf_graceful_ask("");
    if (why)
        glog_info("SIGUSR1: this process is %s already", why);
}

static void on_shutdown_signal(int signo, void *arg)
{
    (void)arg;
    gf_keeper_link_forward(signo); /* and this process, where it still drains, ends its part */
    gf_graceful_shutdown();
}

static int listen_to_signals(void)
{
    static const int shutdown_signals[] = {SIGTERM, SIGINT, SIGQUIT};
    static bool listening; /* heard twice, one signal would be two wishes */
    int result = listening ? 0 : gproc_on_signal(SIGUSR1, on_restart_signal, NULL);

    for (size_t i = 0; !result && !listening && i < sizeof(shutdown_signals) / sizeof(*shutdown_signals); i++)
        result = gproc_on_signal(shutdown_signals[i], on_shutdown_signal, NULL);
    listening |= !result;
    return result;
}

/* ---- the machine's life ---- */

/* Detached: a program whose servers do not start ends without having been in g_wait(). */
static int start_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    int result = pthread_attr_init(&attributes);

    if (result)
        return -result;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    result = pthread_create(&thread, &attributes, gf_machine_main, NULL);
    pthread_attr_destroy(&attributes);
    return -result;
}

/* Unless an earlier try has. */
static int open_event(int *fd, int flags)
{
    if (*fd < 0)
        *fd = eventfd(0, EFD_CLOEXEC | flags);
    return *fd < 0 ? -errno : 0;
}

/* May be tried again, for another server, when it fails for want of descriptors or threads. */
static int start_machine(void)
{
    int result = open_event(&M.wake_fd, EFD_NONBLOCK);

    if (!result)
        result = open_event(&M.drained_fd, EFD_NONBLOCK);
    if (!result)
        result = open_event(&M.gone_fd, 0);
    gf_predecessor_meet(&M.greeting);
    M.facts.generation = M.greeting.generation;
    if (!result)
        result = listen_to_signals();
    if (!result)
        result = start_thread();
    M.running = !result;
    return result;
}

static int need_machine(void)
{
    int result = 0;

    pthread_mutex_lock(&M.lock);
    if (!M.running)
        result = start_machine();
    pthread_mutex_unlock(&M.lock);
    return result;
}

/* ---- what others ask ---- */

static bool is_ending(void)
{
    bool ending;

    pthread_mutex_lock(&M.lock);
    ending = M.shutdown_asked || M.state > GF_GRACEFUL_HANDING_OVER;
    pthread_mutex_unlock(&M.lock);
    return ending;
}

int gf_graceful_start_server(ghttp_server *s)
{
    int result = need_machine();

    if (result < 0) {
        gf_server_fail(s, result, "ghttp_server_start(): cannot watch for restarts: %s", strerror(-result));
        glog_error("server \"%s\" does not start: %s", s->name, ghttp_server_error(s));
        return result;
    }
    gf_fault_point(M.greeting.generation, "before-listeners", -1);
    if (is_ending()) {
        glog_info("server \"%s\" does not start any more: the process is ending", s->name);
        atomic_store(&s->state, GF_SERVER_STOPPED);
        return 0; /* no mistake of the program's, which is to go on to g_wait() and let the others end in order */
    }
    result = gf_server_start(s, &gf_predecessor_inheritance, M.drained_fd);
    gf_machine_wake(); /* for the case that the end has begun meanwhile */
    return result;
}

/* A new process that is being started has its listeners already and would serve on: nothing could be kept of the wish.
 */
int gf_graceful_stop_server(ghttp_server *s)
{
    bool restarts;

    if (gf_server_state(s) != GF_SERVER_SERVING)
        return -EINVAL;
    pthread_mutex_lock(&M.lock);
    restarts = M.state == GF_GRACEFUL_STARTING || M.state == GF_GRACEFUL_HANDING_OVER || M.request;
    s->stop_asked |= !restarts;
    pthread_mutex_unlock(&M.lock);
    if (restarts)
        return -EBUSY;
    gf_machine_wake();
    return 0;
}

int gf_graceful_shutdown(void)
{
    bool running;

    pthread_mutex_lock(&M.lock);
    running = M.running && M.state != GF_GRACEFUL_GONE;
    M.force_asked |= M.shutdown_asked;
    M.shutdown_asked |= running;
    pthread_mutex_unlock(&M.lock);
    gf_machine_wake();
    return running ? 0 : -EINVAL;
}

static int refuse(struct gf_outcome *outcome, const char *path, const char *why)
{
    *outcome = (struct gf_outcome){.result = -EBUSY, .old_pid = getpid(), .generation = M.greeting.generation};
    snprintf(outcome->executable, sizeof(outcome->executable), "%s", path ? path : "");
    snprintf(outcome->reason, sizeof(outcome->reason), "this process is %s", why ? why : "not in g_wait() yet");
    return outcome->result;
}

/* A restart begins when g_wait() says that all servers are set up, which the main thread cannot do while it waits. */
static bool would_wait_for_itself(void)
{
    return !M.set_up && gettid() == getpid();
}

int gf_graceful_restart(const char *path, struct gf_outcome *ret_outcome)
{
    struct gf_restart_request request = {.path = path && *path ? path : NULL, .asked_ms = gf_machine_now_ms()};
    const char *why;
    int result;

    pthread_mutex_lock(&M.lock);
    why = what_it_does();
    if (why || would_wait_for_itself()) {
        result = refuse(ret_outcome, path, why);
    } else {
        M.request = &request;
        gf_machine_wake();
        while (!request.done)
            pthread_cond_wait(&M.changed, &M.lock);
        *ret_outcome = request.outcome;
        result = request.outcome.result;
    }
    pthread_mutex_unlock(&M.lock);
    return result;
}

static bool has_started_server(void)
{
    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) != GF_SERVER_NEW && gf_server_state(s) != GF_SERVER_FAILED)
            return true;
    return false;
}

/* A signal interrupts poll(2), and this thread is where signals arrive: ThreadSanitizer of GCC 12 gives them out only
 * at the next call. */
static void wait_for_thread(void)
{
    struct pollfd gone = {.fd = M.gone_fd, .events = POLLIN};

    while (poll(&gone, 1, -1) < 0 && errno == EINTR)
        continue;
    pthread_mutex_lock(&M.lock); /* it writes with the lock held, as its last deed */
    pthread_mutex_unlock(&M.lock);
}

int gf_graceful_wait(void)
{
    int result;

    if (!has_started_server()) {
        gf_predecessor_say_failed("no server of the program runs");
        glog_error("g_wait(): no server runs");
        gf_engine_stop();
        return 1;
    }
    if (gf_machine_is_graceful() && (result = gf_orders_start()) < 0)
        glog_warning("no orders by message will be heard: %s", strerror(-result));
    gf_signals_settle_hangup();
    pthread_mutex_lock(&M.lock);
    M.set_up = true;
    pthread_mutex_unlock(&M.lock);
    gf_machine_wake();
    wait_for_thread();
    gf_engine_stop();
    gf_logger_stop_all(LAST_LINES_MS);
    if (M.replaced_by && gf_keeper_link_is_first())
        gf_keeper_link_execute(M.replaced_by);
    return M.exit_status;
}

void gf_graceful_facts(struct gf_graceful_facts *ret_facts)
{
    pthread_mutex_lock(&M.lock);
    *ret_facts = M.facts;
    pthread_mutex_unlock(&M.lock);
    gf_history_facts(ret_facts);
    ret_facts->graceful = gf_machine_is_graceful();
}

const char *gf_graceful_state_name(enum gf_graceful_state state)
{
    static const char *const names[] = {"serving", "restarting", "handing over", "watching", "draining", "gone"};

    return names[state];
}
