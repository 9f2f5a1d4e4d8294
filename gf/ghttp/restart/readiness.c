/*
 * Readiness: what the state machine does once g_wait() has been entered: a process takes over, with all its servers or
 * not at all, and those whom it concerns are told.
 */
#include "machine.h"

#include <unistd.h>

#include <gf/glog/glog.h>

#include "../server/registry.h"
#include "history.h"
#include "socket_activation.h"
#include "state.h"
#include "supervisor.h"

#define M gf_machine

static void refuse(const char *why)
{
    gf_predecessor_say_failed(why);
    M.exit_status = 1;
    gf_machine_begin_shutdown();
}

/* A process that a restart has started takes over with all servers, and all that they had, or not at all. */
static bool refuse_to_take_over(void)
{
    char error[320];

    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        if (gf_server_state(s) != GF_SERVER_FAILED)
            continue;
        glog_error("not taking over: server \"%s\" did not start", s->name);
        refuse(s->error);
        return true;
    }
    if (gf_state_settle(error, sizeof(error)) < 0) {
        glog_error("not taking over: %s", error);
        refuse(error);
        return true;
    }
    return false;
}

/* The process before this one waits for our word. */
static void say_ready(void)
{
    int64_t began = M.greeting.restart_began_ms;

    if (gf_predecessor_say_ready() < 0)
        glog_warning("the process before this one has gone without a word; serving on");
    gf_machine_accept_all(); /* not before all are up: a client that is let in is served */
    pthread_mutex_lock(&M.lock);
    M.facts.restart_took_ms = began ? gf_machine_now_ms() - began : 0;
    gf_history_add(M.greeting.generation, getpid(), 0, M.facts.restart_took_ms, "it took over");
    pthread_mutex_unlock(&M.lock);
}

/* g_wait() has been entered. */
void gf_machine_become_ready(void)
{
    bool waits = gf_predecessor_waits();

    if (M.is_ready || (waits && refuse_to_take_over()))
        return;
    M.is_ready = true;
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        gf_server_own_listeners(s);
        gf_socket_activation_disown(s);
    }
    gf_supervisor_ready();
    if (waits)
        say_ready();
}
