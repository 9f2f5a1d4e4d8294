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
#include "ancestors.h"
#include "error_loan.h"
#include "fault.h"
#include "handover.h"
#include "history.h"
#include "keeper_link.h"
#include "supervisor.h"

/* What requests in flight are left when a new generation waits for the end of the oldest. */
#define HURRY_MS 5000

#define M gf_machine

/* ---- small questions ---- */

int64_t gf_machine_longest(size_t offset)
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

void gf_machine_enter(enum gf_graceful_state state, void (*step)(void))
{
    pthread_mutex_lock(&M.lock);
    M.state = M.facts.state = state;
    pthread_cond_broadcast(&M.changed);
    pthread_mutex_unlock(&M.lock);
    M.step = step;
}

void gf_machine_wait_for(struct pollfd *fds, nfds_t count, int64_t until_ms)
{
    int64_t left, look_ms = gf_error_loan_look();
    uint64_t heard;

    fds[0] = (struct pollfd){.fd = M.wake_fd, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = M.drained_fd, .events = POLLIN};
    fds[2] = (struct pollfd){.fd = gf_predecessor_fd(), .events = POLLIN};
    fds[4] = (struct pollfd){.fd = gf_error_loan_fd(), .events = POLLIN};
    fds[3] = (struct pollfd){.fd = gf_ancestors_fd(), .events = POLLIN}; /* asked for anew, it lets go of the ended */
    gf_supervisor_tick();
    if (gf_supervisor_due_ms() < until_ms)
        until_ms = gf_supervisor_due_ms();
    if (look_ms < until_ms)
        until_ms = look_ms;
    left = until_ms - gf_machine_now_ms();
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
    if (fds[2].revents) {
        gf_predecessor_hear();
        M.reported_ms = 0; /* how many are behind us may have changed: our successor wants to know */
    }
    if (fds[4].revents)
        gf_error_loan_relay();
}

/* ---- outcomes ---- */

void gf_machine_settle(int result, pid_t new_pid, const char *reason)
{
    struct gf_restart_request *request;

    pthread_mutex_lock(&M.lock);
    request = M.request;
    request->outcome = (struct gf_outcome){.result = result,
                                           .old_pid = getpid(),
                                           .new_pid = new_pid,
                                           .generation = new_pid == getpid() ? 1 : M.greeting.generation + 1,
                                           .took_ms = gf_machine_now_ms() - request->asked_ms,
                                           .waiting = result ? 0 : M.waiting};
    snprintf(request->outcome.executable, sizeof(request->outcome.executable), "%s",
             M.executable    ? M.executable
             : request->path ? request->path
                             : "");
    snprintf(request->outcome.reason, sizeof(request->outcome.reason), "%s", reason);
    gf_history_add(&request->outcome);
    M.facts.last = request->outcome;
    M.facts.has_outcome = true;
    M.request = NULL;
    request->done = true;
    pthread_cond_broadcast(&M.changed);
    pthread_mutex_unlock(&M.lock);
    free(M.executable);
    M.executable = NULL;
}

/* The outcome that was given has turned out to be wrong. */
void gf_machine_note_failure(int result, unsigned waiting, const char *reason)
{
    pthread_mutex_lock(&M.lock);
    M.facts.last.result = result;
    M.facts.last.waiting = waiting;
    snprintf(M.facts.last.reason, sizeof(M.facts.last.reason), "%s", reason);
    gf_history_correct(result, waiting, reason);
    pthread_mutex_unlock(&M.lock);
}

void gf_machine_fail(int result, const char *reason)
{
    gf_supervisor_failed(reason);
    gf_machine_enter(GF_GRACEFUL_SERVING, gf_machine_serve); /* first: who is told may ask again at once */
    gf_machine_settle(result, 0, reason);
    glog_error("server restart failed: %s", reason); /* last: who reads it may ask again at once */
}

/* ---- draining servers, in every state ---- */

void gf_machine_log_drained(const ghttp_server *s, unsigned about_to_be_cut)
{
    const struct gf_service_counters *counters = &s->service.counters;

    glog_info("server \"%s\" drained: %u connections moved, %u were closed with notice, %u requests crossed a close, "
              "%u were cut",
              s->name, (unsigned)atomic_load(&counters->moved), (unsigned)atomic_load(&counters->closed),
              (unsigned)atomic_load(&counters->raced), (unsigned)atomic_load(&counters->cut) + about_to_be_cut);
}

/* Whether the process before us still moves connections to us, and we move them on. */
static bool is_between(void)
{
    return gf_predecessor_fd() >= 0 && gf_handover_goes_on();
}

/* What the process before us passes on through us is ours too: see step_aside(). */
static bool may_end(const ghttp_server *s, bool force)
{
    return force || gf_machine_now_ms() >= s->drain_until_ms || (!gf_server_connections(s) && !is_between());
}

int64_t gf_machine_end_drained(bool force)
{
    int64_t next = INT64_MAX;

    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        if (gf_server_state(s) != GF_SERVER_DRAINING)
            continue;
        if (may_end(s, force)) {
            gf_server_stop(s);
            gf_machine_log_drained(s, 0);
        } else if (s->drain_until_ms < next) {
            next = s->drain_until_ms;
        }
    }
    return next;
}

unsigned gf_machine_count_waiting(void)
{
    unsigned count = 0;

    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        bool is_up = gf_server_state(s) == GF_SERVER_SERVING || gf_server_state(s) == GF_SERVER_DRAINING;

        for (size_t i = 0; is_up && i < s->listener_count; i++) {
            int waiting = s->listeners[i].fd >= 0 ? gf_listener_waiting(&s->listeners[i]) : 0;

            count += waiting > 0 ? (unsigned)waiting : 0;
        }
    }
    return count;
}

void gf_machine_cease_all(void)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_SERVING)
            gf_engine_cease(&s->service);
}

void gf_machine_accept_all(void)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_SERVING)
            gf_engine_resume(&s->service);
}

void gf_machine_drain_all(int grace_ms)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_SERVING)
            gf_server_drain(s, grace_ms, gf_machine_now_ms() + s->settings.graceful_shutdown_timeout);
}

void gf_machine_close_listeners(bool handed_over)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_DRAINING)
            gf_server_close_listeners(s, handed_over);
}

void gf_machine_begin_shutdown(void)
{
    glog_info("server shutting down");
    gf_supervisor_stopping();
    gf_predecessor_say("shutdown");
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_SERVING)
            gf_engine_empty(&s->service); /* who waits in the backlog has been promised an answer */
    gf_machine_cease_all();
    gf_machine_drain_all(0);
    gf_machine_close_listeners(false);
    gf_machine_enter(GF_GRACEFUL_DRAINING, gf_machine_drain);
}

/* ---- serving ---- */

void gf_machine_hurry(void)
{
    int64_t until = gf_machine_now_ms() + HURRY_MS;

    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_DRAINING && s->drain_until_ms > until)
            s->drain_until_ms = until;
}

bool gf_machine_flag(const bool *flag)
{
    bool value;

    pthread_mutex_lock(&M.lock);
    value = *flag;
    pthread_mutex_unlock(&M.lock);
    return value;
}

struct gf_restart_request *gf_machine_pending_request(void)
{
    struct gf_restart_request *request;

    pthread_mutex_lock(&M.lock);
    request = M.request;
    pthread_mutex_unlock(&M.lock);
    return request;
}

static void begin_restart(const struct gf_restart_request *request)
{
    char error[512];
    int result = gf_successor_find_executable(request->path, &M.executable, error, sizeof(error));

    if (result < 0) {
        gf_machine_fail(result, error);
        return;
    }
    glog_info("server reloading");
    gf_supervisor_reloading();
    if (gf_machine_is_graceful())
        gf_machine_begin_start();
    else
        gf_machine_begin_full_restart();
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

void gf_machine_serve(void)
{
    struct pollfd fds[GF_MACHINE_FDS];
    struct gf_restart_request *request = gf_machine_pending_request();

    stop_asked_servers();

    if (gf_machine_flag(&M.set_up))
        gf_machine_become_ready();
    if (M.step != gf_machine_serve)
        return;
    if (gf_machine_flag(&M.shutdown_asked)) {
        gf_machine_begin_shutdown();
    } else if (request && gf_machine_flag(&M.set_up)) { /* else not all servers have their listeners yet */
        begin_restart(request);
    } else {
        int64_t next = gf_machine_end_drained(gf_machine_flag(&M.force_asked));

        if (gf_machine_flag(&M.set_up) && all_are_in(GF_SERVER_STOPPED, GF_SERVER_FAILED)) {
            gf_supervisor_stopping();
            gf_predecessor_say("shutdown"); /* else the end would look like a death to it, and it would come back */
            gf_machine_enter(GF_GRACEFUL_DRAINING, gf_machine_drain);
        } else {
            gf_machine_wait_for(fds, GF_MACHINE_FDS, next);
        }
    }
}

/* ---- draining ---- */

bool gf_machine_is_answered(void)
{
    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_DRAINING && gf_server_connections(s))
            return false;
    return true;
}

/*
 * We have nothing left, but the process before us has requests in flight, whose connections we would move on when
 * they become idle. It gets our end of the channel to the new process instead, and closes the one to us: when we hear
 * that, we have had all that was on its way.
 */
static void step_aside(void)
{
    struct cJSON *message, *ports;

    if (M.passed_on || !is_between() || !gf_machine_is_answered() || gf_handover_keeps_copies())
        return;
    gf_fault_point(M.greeting.generation, "step-aside", M.successor.control);
    message = cJSON_CreateObject();
    ports = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(M.offer, "http"), true);
    if (ports && cJSON_AddStringToObject(message, "type", "successor") &&
        cJSON_AddItemToObject(message, "http", ports)) {
        M.passed_on = gf_predecessor_send(message, M.successor.control) != -EAGAIN;
        ports = NULL;
    }
    cJSON_Delete(ports);
    cJSON_Delete(message);
}

void gf_machine_drain(void)
{
    struct pollfd fds[GF_MACHINE_FDS + 2] = {[GF_MACHINE_FDS] = {.fd = M.successor.control, .events = POLLIN},
                                             {.fd = M.successor.standard_error, .events = POLLIN}};
    int64_t next = gf_machine_end_drained(gf_machine_flag(&M.force_asked));
    enum gf_word word = GF_WORD_NONE;

    if (gf_machine_pending_request())
        gf_machine_settle(-ECANCELED, 0, "a shutdown was asked for meanwhile");
    gf_machine_drain_all(0); /* what has started while the end began */
    if (all_are_in(GF_SERVER_STOPPED, GF_SERVER_FAILED)) {
        M.reported_ms = 0; /* the last report is the one that counts */
        gf_machine_report_drain();
        glog_info("all servers shutdown");
        gf_machine_enter(GF_GRACEFUL_GONE, NULL);
        return;
    }
    gf_fault_point(M.greeting.generation, "drain", M.successor.control);
    step_aside();
    gf_machine_report_drain();
    if (M.passed_on)
        fds[GF_MACHINE_FDS].fd = -1; /* its words are for the process before us */
    gf_machine_wait_for(fds, GF_MACHINE_FDS + 2, gf_machine_next_report(next));
    gf_successor_relay(&M.successor);
    if (fds[GF_MACHINE_FDS].revents)
        word = gf_machine_hear_successor();
    if (M.successor.control >= 0 && !M.passed_on)
        gf_handover_ask(M.successor.control);
    if (word == GF_WORD_LEAVE) {
        gf_fault_point(M.greeting.generation, "leave", M.successor.control);
        gf_machine_hurry();
    } else if (word == GF_WORD_SHUTDOWN) { /* it takes nothing any more */
        gf_handover_end();
        gf_predecessor_say("shutdown");
    } else if (word == GF_WORD_ROOM) {
        gf_predecessor_say("leave");
    } else if (word == GF_WORD_GONE) { /* what is idle now has nowhere to go, and what has gone there is lost */
        gf_handover_end();
        gf_handover_forget();
        close(M.successor.control);
        M.successor.control = -1;
    }
}

int64_t gf_machine_drain_limit(void)
{
    int64_t limit = 0;

    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_DRAINING && s->drain_until_ms > limit)
            limit = s->drain_until_ms;
    return limit;
}

bool gf_machine_can_resume(const ghttp_server *s)
{
    return gf_server_state(s) == GF_SERVER_DRAINING && s->listener_count && s->listeners[0].fd >= 0;
}

void gf_machine_resume_all(void)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_machine_can_resume(s))
            gf_server_resume(s);
}

void *gf_machine_main(void *arg)
{
    uint64_t one = 1;

    (void)arg;
    M.step = gf_machine_serve;
    while (M.step)
        M.step();
    gf_handover_end();
    gf_handover_forget();
    M.replaced_by = M.successor.pid;
    gf_supervisor_leave(M.replaced_by != 0);
    gf_successor_release(&M.successor);
    cJSON_Delete(M.offer);
    M.offer = NULL;
    pthread_mutex_lock(&M.lock);
    while (write(M.gone_fd, &one, sizeof(one)) < 0 && errno == EINTR)
        continue;
    pthread_mutex_unlock(&M.lock);
    return NULL;
}
