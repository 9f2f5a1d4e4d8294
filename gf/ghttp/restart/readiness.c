/*
 * Readiness: what the state machine does once g_wait() has been entered: a process takes over, with all its servers or
 * not at all, and those whom it concerns are told.
 */
#include "machine.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include <gf/glog/glog.h>
#include <gf/gproc/gproc.h>

#include "../server/registry.h"
#include "channel.h"
#include "history.h"
#include "socket_activation.h"
#include "state.h"
#include "supervisor.h"

#define M gf_machine

/* From "ready" to "accept" the old process needs well under a millisecond; where its state machine hangs, the one that
 * stands in for it says the word after a good second. */
#define ACCEPT_TIMEOUT_MS 3000

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
        refuse(ghttp_server_error(s));
        return true;
    }
    if (gf_state_settle(error, sizeof(error)) < 0) {
        glog_error("not taking over: %s", error);
        refuse(error);
        return true;
    }
    return false;
}

/* There is no way back. */
static void take_what_there_is(void)
{
    char error[320];

    if (gf_state_settle(error, sizeof(error)) < 0)
        glog_error("%s", error);
    gf_predecessor_close_dropped();
}

/* A descriptor that tells of the old process's end; -1: it has ended, or there is none to be had. While it lives it is
 * our parent, so the number is its own. */
static int open_predecessor(void)
{
    int fd = pidfd_open(gproc_ppid(), 0);

    if (fd >= 0 && getppid() != gproc_ppid()) {
        close(fd);
        fd = -1;
    }
    return fd;
}

/* -EAGAIN: it is not there yet; -EPIPE: the channel has ended. What else is said before it is for nobody. */
static int hear_accept(int channel)
{
    struct cJSON *message = NULL;
    int result = gf_channel_receive(channel, &message, NULL, NULL);
    const char *type = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "type"));
    bool is_accept = type && !strcmp(type, "accept");

    cJSON_Delete(message);
    return is_accept ? 0 : result == -EPIPE ? -EPIPE : -EAGAIN;
}

/* fds: the channel, -1 once it has ended, and the old process's end. */
static bool has_gone(const struct pollfd fds[2])
{
    return fds[1].revents || (fds[0].fd < 0 && getppid() != gproc_ppid());
}

/*
 * A process that the old one has turned down may not let a client in: it is about to be killed. So this one waits to be
 * told to accept. An ended channel alone says nothing: whose end it is, the end of a process tells. 0; -EPIPE: the old
 * process has gone; -ETIMEDOUT: it is there, and silent.
 */
static int wait_for_accept(void)
{
    struct pollfd fds[2] = {{.fd = gf_predecessor_fd(), .events = POLLIN},
                            {.fd = open_predecessor(), .events = POLLIN}};
    int64_t until = gf_machine_now_ms() + ACCEPT_TIMEOUT_MS, left;
    int end_fd = fds[1].fd, result = -EAGAIN;

    while (result == -EAGAIN && (left = until - gf_machine_now_ms()) > 0) {
        if (poll(fds, 2, (int)left) <= 0)
            continue;
        if (fds[0].revents)
            result = hear_accept(fds[0].fd);
        if (result == -EPIPE) {
            fds[0].fd = -1; /* poll() passes it over from now on */
            result = -EAGAIN;
        }
        if (result == -EAGAIN && has_gone(fds))
            result = -EPIPE;
    }
    if (end_fd >= 0)
        close(end_fd);
    return result == -EAGAIN ? -ETIMEDOUT : result;
}

/* The process before this one waits for our word. */
static void say_ready(void)
{
    int64_t began = M.greeting.restart_began_ms;
    int result = gf_predecessor_say_ready();
    struct gf_outcome outcome = {.generation = M.greeting.generation, .new_pid = getpid()};

    if (result < 0 && result != -EPIPE) {
        glog_error("not taking over: the process before this one cannot be told: %s", strerror(-result));
        refuse(strerror(-result));
        return;
    }
    result = wait_for_accept();
    if (result == -EPIPE)
        glog_warning("the process before this one has gone without a word; serving on");
    else if (result < 0)
        glog_warning("the process before this one has not said that it lets go; serving on");
    outcome.waiting = gf_machine_count_waiting();
    gf_machine_accept_all(); /* not before all are up: a client that is let in is served */
    pthread_mutex_lock(&M.lock);
    M.facts.restart_took_ms = began ? gf_machine_now_ms() - began : 0;
    outcome.took_ms = M.facts.restart_took_ms;
    snprintf(outcome.reason, sizeof(outcome.reason), "it took over%s", M.greeting.forced);
    gf_history_add(&outcome);
    pthread_mutex_unlock(&M.lock);
}

/* g_wait() has been entered. */
void gf_machine_become_ready(void)
{
    bool waits = gf_predecessor_waits();

    if (M.is_ready || (waits && refuse_to_take_over()))
        return;
    if (!waits)
        take_what_there_is();
    M.is_ready = true;
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        gf_server_own_listeners(s);
        gf_socket_activation_disown(s);
    }
    gf_supervisor_ready();
    if (waits)
        say_ready();
}
