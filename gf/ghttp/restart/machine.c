/*
 * The thread of the state machine: one function for each state. A step waits for what its state waits for, does one
 * thing, and chooses the next step.
 */
#include "machine.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "../engine/engine.h"
#include "../server/registry.h"
#include "channel.h"

/* What a connection that cannot move is left for one more request, before it is half-closed: longer than most clients
 * think between two requests, short enough that the old process does not stay for idle ones. */
#define HAND_OVER_GRACE_MS 5000

#define M gf_machine

static void serve(void);
static void start(void);
static void hand_over(void);
static void drain(void);
static void drain_to_execute(void);

/* ---- small questions ---- */

static int64_t longest(size_t offset)
{
    int64_t most = 0;

    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        int64_t value = *(const int64_t *)((const char *)&s->settings + offset);

        if (value > most)
            most = value;
    }
    return most;
}

static bool all_are_in(enum gf_server_state one, enum gf_server_state other)
{
    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) != GF_SERVER_NEW && gf_server_state(s) != one && gf_server_state(s) != other)
            return false;
    return true;
}

static void enter(enum gf_graceful_state state, void (*step)(void))
{
    pthread_mutex_lock(&M.lock);
    M.state = M.facts.state = state;
    pthread_cond_broadcast(&M.changed);
    pthread_mutex_unlock(&M.lock);
    M.step = step;
}

/* Waits for one of fds, whose first two are always the wake-up and the end of a drain. */
static void wait_for(struct pollfd *fds, nfds_t count, int64_t until_ms)
{
    int64_t left = until_ms - gf_machine_now_ms();
    uint64_t heard;

    fds[0] = (struct pollfd){.fd = M.wake_fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = M.drained_fd, .events = POLLIN};
    if (until_ms == INT64_MAX)
        left = -1;
    else if (left < 0)
        left = 0;
    else if (left > 3600000)
        left = 3600000;
    if (poll(fds, count, (int)left) <= 0)
        for (nfds_t i = 0; i < count; i++)
            fds[i].revents = 0;
    for (int i = 0; i < 2; i++)
        if (fds[i].revents && read(fds[i].fd, &heard, sizeof(heard)) < 0)
            fds[i].revents = 0;
}

/* ---- outcomes ---- */

static void settle(int result, pid_t new_pid, const char *reason)
{
    struct gf_restart_request *request;

    pthread_mutex_lock(&M.lock);
    request = M.request;
    request->outcome = (struct gf_outcome){.result = result,
                                           .old_pid = getpid(),
                                           .new_pid = new_pid,
                                           .generation = M.greeting.generation + 1,
                                           .took_ms = gf_machine_now_ms() - request->asked_ms};
    snprintf(request->outcome.executable, sizeof(request->outcome.executable), "%s",
             M.executable    ? M.executable
             : request->path ? request->path
                             : "");
    snprintf(request->outcome.reason, sizeof(request->outcome.reason), "%s", reason);
    M.facts.last = request->outcome;
    M.facts.has_outcome = true;
    M.request = NULL;
    request->done = true;
    pthread_cond_broadcast(&M.changed);
    pthread_mutex_unlock(&M.lock);
    free(M.executable);
    M.executable = NULL;
}

static void fail(int result, const char *reason)
{
    glog_error("server restart failed: %s", reason);
    enter(GF_GRACEFUL_SERVING, serve); /* first: who is told may ask again at once */
    settle(result, 0, reason);
}

/* ---- draining servers, in every state ---- */

static void log_drained(ghttp_server *s, unsigned cut)
{
    const struct gf_service_counters *counters = &s->service.counters;

    glog_info("server \"%s\" drained: %u connections were closed with notice, %u requests crossed a close, %u were cut",
              s->name, (unsigned)atomic_load(&counters->closed), (unsigned)atomic_load(&counters->raced), cut);
}

/* Ends the servers whose drain is complete or has lasted too long; when the next has lasted too long. */
static int64_t end_drained(bool force)
{
    int64_t next = INT64_MAX;

    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        if (gf_server_state(s) != GF_SERVER_DRAINING)
            continue;
        if (force || !gf_server_connections(s) || gf_machine_now_ms() >= s->drain_until_ms)
            log_drained(s, gf_server_stop(s));
        else if (s->drain_until_ms < next)
            next = s->drain_until_ms;
    }
    return next;
}

static void cease_all(void)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_SERVING)
            gf_engine_cease(&s->service);
}

static void drain_all(int grace_ms)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_SERVING)
            gf_server_drain(s, grace_ms, gf_machine_now_ms() + s->settings.graceful_shutdown_timeout);
}

static void close_all_listeners(bool handed_over)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_DRAINING)
            gf_server_close_listeners(s, handed_over);
}

static void begin_shutdown(void)
{
    glog_info("server shutting down");
    cease_all();
    drain_all(0);
    close_all_listeners(false);
    enter(GF_GRACEFUL_DRAINING, drain);
}

/* ---- serving ---- */

static bool take_flag(const bool *flag)
{
    bool value;

    pthread_mutex_lock(&M.lock);
    value = *flag;
    pthread_mutex_unlock(&M.lock);
    return value;
}

static struct gf_restart_request *pending_request(void)
{
    struct gf_restart_request *request;

    pthread_mutex_lock(&M.lock);
    request = M.request;
    pthread_mutex_unlock(&M.lock);
    return request;
}

static char *greeting_for_successor(const struct gf_restart_request *request)
{
    struct cJSON *message = cJSON_CreateObject();
    char *text = NULL;

    if (cJSON_AddStringToObject(message, "type", "hello") &&
        cJSON_AddNumberToObject(message, "generation", M.greeting.generation + 1) &&
        cJSON_AddNumberToObject(message, "began", (double)request->asked_ms))
        text = cJSON_PrintUnformatted(message);
    cJSON_Delete(message);
    return text;
}

static void begin_start(const struct gf_restart_request *request)
{
    char error[512];
    char *message = greeting_for_successor(request);
    int result = -ENOMEM;

    snprintf(error, sizeof(error), "no memory for a new process");
    if (message)
        result = gf_successor_spawn(&M.successor, M.executable, message, error, sizeof(error));
    cJSON_free(message);
    if (result < 0) {
        fail(result, error);
        return;
    }
    M.deadline_ms = gf_machine_now_ms() + longest(offsetof(struct gf_settings, graceful_ready_timeout));
    enter(GF_GRACEFUL_STARTING, start);
}

/* Graceful is off: everything ends, and the process executes anew. The listeners stay open until then, for the case
 * that it cannot. */
static void begin_full_restart(void)
{
    cease_all();
    drain_all(0);
    M.deadline_ms = gf_machine_now_ms() + longest(offsetof(struct gf_settings, graceful_shutdown_timeout));
    enter(GF_GRACEFUL_DRAINING, drain_to_execute);
}

static void begin_restart(const struct gf_restart_request *request)
{
    char error[512];
    int result = gf_successor_find_executable(request->path, &M.executable, error, sizeof(error));

    if (result < 0) {
        fail(result, error);
        return;
    }
    glog_info("server reloading");
    if (gf_machine_is_graceful())
        begin_start(request);
    else
        begin_full_restart();
}

/* g_wait() has been entered by a process that a restart has started: the one before it waits for our word. */
static void say_ready(void)
{
    int64_t began = M.greeting.restart_began_ms;

    if (!gf_predecessor_waits())
        return;
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        if (gf_server_state(s) != GF_SERVER_FAILED)
            continue;
        gf_predecessor_say_failed(s->error);
        glog_error("not taking over: server \"%s\" did not start", s->name);
        M.exit_status = 1;
        begin_shutdown();
        return;
    }
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        gf_server_own_listeners(s);
    if (gf_predecessor_say_ready() < 0)
        glog_warning("the process before this one has gone without a word; serving on");
    pthread_mutex_lock(&M.lock);
    M.facts.restart_took_ms = began ? gf_machine_now_ms() - began : 0;
    pthread_mutex_unlock(&M.lock);
}

static bool was_asked_to_stop(ghttp_server *s)
{
    bool asked;

    pthread_mutex_lock(&M.lock);
    asked = s->stop_asked;
    s->stop_asked = false;
    pthread_mutex_unlock(&M.lock);
    return asked && gf_server_state(s) == GF_SERVER_SERVING;
}

/* Single servers that were told to stop; the others go on. */
static void stop_asked_servers(void)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        if (!was_asked_to_stop(s))
            continue;
        glog_info("server \"%s\" shutting down", s->name);
        gf_server_drain(s, 0, gf_machine_now_ms() + s->settings.graceful_shutdown_timeout);
        gf_server_close_listeners(s, false);
    }
}

static void serve(void)
{
    struct pollfd fds[2];
    struct gf_restart_request *request = pending_request();

    stop_asked_servers();

    if (take_flag(&M.set_up))
        say_ready();
    if (M.step != serve)
        return;
    if (take_flag(&M.shutdown_asked)) {
        begin_shutdown();
    } else if (request && take_flag(&M.set_up)) { /* else not all servers have their listeners yet */
        begin_restart(request);
    } else {
        int64_t next = end_drained(take_flag(&M.force_asked));

        if (take_flag(&M.set_up) && all_are_in(GF_SERVER_STOPPED, GF_SERVER_FAILED))
            enter(GF_GRACEFUL_DRAINING, drain);
        else
            wait_for(fds, 2, next);
    }
}

/* ---- starting the new process ---- */

static void abandon_start(int result, const char *why)
{
    char burial[GF_OUTCOME_REASON_MAX - 256], reason[GF_OUTCOME_REASON_MAX];

    gf_successor_bury(&M.successor, true, burial, sizeof(burial));
    snprintf(reason, sizeof(reason), "%s%s%s", why, *why ? "; " : "", burial);
    fail(result, reason);
}

/* It has ended, or closed the channel: in either case it will not serve. */
static void end_of_successor(const char *why)
{
    abandon_start(-ECHILD, why);
}

static bool is_word(const struct cJSON *message, const char *word)
{
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "type"));

    return type && !strcmp(type, word);
}

static bool has_number(const struct cJSON *message, const char *key, int wanted)
{
    const struct cJSON *item = cJSON_GetObjectItemCaseSensitive(message, key);

    return cJSON_IsNumber(item) && item->valuedouble == wanted;
}

static void hear_successor(void)
{
    struct cJSON *message = NULL;
    const char *reason;
    char why[1024];
    int result = gf_channel_receive(M.successor.control, &message, NULL, NULL);

    if (result == -EAGAIN)
        return;
    if (result == -EPIPE) {
        end_of_successor("it closed the channel before it was ready");
    } else if (result < 0) {
        end_of_successor("it said something that is no message");
    } else if (is_word(message, "ready") && has_number(message, "pid", M.successor.pid) &&
               has_number(message, "version", GF_CHANNEL_VERSION)) {
        M.step = hand_over;
    } else {
        reason = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "reason"));
        snprintf(why, sizeof(why), "it reports: %s", is_word(message, "failed") && reason ? reason : "an unknown word");
        end_of_successor(why);
    }
    cJSON_Delete(message);
}

static void start(void)
{
    struct pollfd fds[5] = {[2] = {.fd = M.successor.control, .events = POLLIN},
                            [3] = {.fd = M.successor.pidfd, .events = POLLIN},
                            [4] = {.fd = M.successor.standard_error, .events = POLLIN}};

    wait_for(fds, 5, M.deadline_ms);
    end_drained(false);
    if (take_flag(&M.shutdown_asked)) {
        abandon_start(-ECANCELED, "a shutdown was asked for meanwhile");
        return;
    }
    gf_successor_relay(&M.successor);
    if (fds[2].revents)
        hear_successor();
    else if (fds[3].revents)
        end_of_successor("");
    else if (gf_machine_now_ms() >= M.deadline_ms)
        abandon_start(-ETIMEDOUT, "it was not ready within gracefulReadyTimeout");
}

/* ---- handing over ---- */

static void hand_over(void)
{
    pid_t pid = M.successor.pid;
    char reason[128];

    enter(GF_GRACEFUL_HANDING_OVER, hand_over);
    cease_all();
    snprintf(reason, sizeof(reason), "process %d serves", (int)pid);
    settle(0, pid, reason);
    glog_info("server restarted: process %d serves, %lld ms after it was asked for; %d drains", (int)pid,
              (long long)M.facts.last.took_ms, (int)getpid());
    drain_all(HAND_OVER_GRACE_MS);
    close_all_listeners(true);
    M.drain_began_ms = gf_machine_now_ms();
    enter(GF_GRACEFUL_DRAINING, drain);
}

/* ---- draining ---- */

static void drain(void)
{
    struct pollfd fds[3] = {[2] = {.fd = M.successor.standard_error, .events = POLLIN}};
    int64_t next = end_drained(take_flag(&M.force_asked));

    if (all_are_in(GF_SERVER_STOPPED, GF_SERVER_FAILED)) {
        glog_info("all servers shutdown");
        enter(GF_GRACEFUL_GONE, NULL);
        return;
    }
    wait_for(fds, 3, next);
    if (fds[2].revents)
        gf_successor_relay(&M.successor);
}

static bool everything_is_answered(void)
{
    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_DRAINING && gf_server_connections(s))
            return false;
    return true;
}

static void resume_all(void)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_DRAINING)
            gf_server_resume(s);
}

static void drain_to_execute(void)
{
    struct pollfd fds[2];
    char reason[512];
    int result;

    if (pending_request()) { /* who asked cannot wait for the end: the drain waits for the answer to them */
        char *path = strdup(M.executable);

        settle(0, getpid(), "graceful restarts are off: the process ends its requests, then executes anew");
        M.executable = path;
    }
    if (take_flag(&M.shutdown_asked)) {
        close_all_listeners(false);
        enter(GF_GRACEFUL_DRAINING, drain);
        return;
    }
    if (!everything_is_answered() && gf_machine_now_ms() < M.deadline_ms) {
        wait_for(fds, 2, M.deadline_ms);
        return;
    }
    glog_info("all servers shutdown");
    result = M.executable ? gf_successor_execute(M.executable) : -ENOMEM;
    snprintf(reason, sizeof(reason), "cannot execute \"%s\": %s; serving on", M.executable ? M.executable : "",
             strerror(-result));
    glog_error("server restart failed: %s", reason);
    free(M.executable);
    M.executable = NULL;
    resume_all();
    enter(GF_GRACEFUL_SERVING, serve);
}

void *gf_machine_main(void *arg)
{
    (void)arg;
    M.step = serve;
    while (M.step)
        M.step();
    gf_successor_release(&M.successor);
    return NULL;
}
