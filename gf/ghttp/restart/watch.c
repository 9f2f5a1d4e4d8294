/*
 * The watch: what the state machine does once it has handed over: watching over the new process, asking whether it is
 * well, trusting it, and coming back when it dies.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "../server/registry.h"
#include "channel.h"
#include "fault.h"
#include "handover.h"
#include "health.h"
#include "keeper_link.h"
#include "machine.h"
#include "supervisor.h"

/* Between the close of its channel and the end of a process lies only what the kernel has to do. */
#define END_TIMEOUT_MS 1000
/* How often a new process is asked whether it is well, and how long it may stay silent. */
#define PING_MS 500
#define SILENCE_MS 3000
/* One bad answer may be an accident. */
#define UNHEALTHY_MAX 2

#define M gf_machine

static void forget_health(void);

/* ---- the ways out ---- */

/* The new process is trusted, or has been replaced or ended in its turn: there is no way back any more. */
static void end_watch(void)
{
    gf_fault_point(M.greeting.generation, "end-watch", M.successor.control);
    forget_health();
    gf_handover_trust();
    gf_keeper_link_say("unwatched", M.successor.pid);
    gf_machine_close_listeners(true);
    M.reported_ms = 0; /* the new process is to know that it is trusted */
    gf_machine_enter(GF_GRACEFUL_DRAINING, gf_machine_drain);
}

/* Of the connections that had moved, those that it has not touched; but not from one that still might. */
static void take_connections_back(bool has_ended, unsigned *ret_taken, unsigned *ret_lost)
{
    if (has_ended) {
        *ret_taken = gf_handover_take_back(ret_lost);
        return;
    }
    gf_handover_forget();
    *ret_taken = *ret_lost = 0;
}

/* It has died on us: its listeners are ours too, their backlog has kept the clients. */
static void come_back(const char *why)
{
    char burial[GF_OUTCOME_REASON_MAX - 512], reason[GF_OUTCOME_REASON_MAX];
    unsigned taken, lost, waiting = gf_machine_count_waiting();
    bool has_ended;

    gf_fault_point(M.greeting.generation, "come-back", M.successor.control);
    forget_health();
    gf_handover_end();
    gf_machine_resume_all(); /* first: to let in who waits is never wrong */
    has_ended = gf_successor_bury(&M.successor, true, burial, sizeof(burial));
    take_connections_back(has_ended, &taken, &lost);
    snprintf(reason, sizeof(reason),
             "rolled back: process %d serves again, with %u connections that had moved (%u were lost with the new "
             "process) and %u clients that waited to be let in; %s%s%s",
             (int)getpid(), taken, lost, waiting, why, *why ? "; " : "", burial);
    gf_machine_note_failure(-ECHILD, waiting, reason);
    gf_supervisor_failed(reason);
    gf_machine_enter(GF_GRACEFUL_SERVING, gf_machine_serve); /* first: who reads the log may ask again at once */
    glog_error("server restart failed: %s", reason);
}

/* The new process has nothing left to do and steps aside: from now on its own successor is ours. */
static void follow(const struct cJSON *message, int control)
{
    gf_fault_point(M.greeting.generation, "follow", control);
    cJSON_Delete(M.offer);
    M.offer = cJSON_Duplicate(message, true);
    gf_handover_follow(control, message);
    close(M.successor.control);
    M.successor.control = control;
    M.reported_ms = 0; /* it is to know at once who is behind it */
}

enum gf_word gf_machine_hear_successor(void)
{
    enum gf_word word = GF_WORD_NONE;
    struct cJSON *message = NULL;
    int fds[1];
    size_t count = 1;
    int result = gf_channel_receive(M.successor.control, &message, fds, &count);

    if (result == -EPIPE)
        return GF_WORD_GONE;
    if (result < 0)
        return GF_WORD_NONE;
    if (gf_channel_is(message, "pong"))
        word = GF_WORD_PONG;
    else if (gf_channel_is(message, "settled"))
        word = GF_WORD_SETTLED;
    else if (gf_channel_is(message, "shutdown"))
        word = GF_WORD_SHUTDOWN;
    else if (gf_channel_is(message, "room"))
        word = GF_WORD_ROOM;
    else if (gf_channel_is(message, "leave"))
        word = GF_WORD_LEAVE;
    else if (gf_channel_is(message, "returned"))
        gf_handover_return(message);
    if (word == GF_WORD_PONG)
        gf_handover_hear_answer(message);
    if (word == GF_WORD_SETTLED)
        gf_keeper_link_hold();
    else if (word == GF_WORD_SHUTDOWN)
        gf_keeper_link_hear_end();
    if (count && gf_channel_is(message, "successor") && M.state == GF_GRACEFUL_DRAINING && gf_handover_goes_on())
        follow(message, fds[0]);
    else if (count)
        close(fds[0]);
    cJSON_Delete(message);
    return word;
}

/* It has closed the channel without a last word: either it dies, or it has lost what was on its way to it. */
static void make_sure_of_end(void)
{
    struct pollfd end = {.fd = M.successor.pidfd, .events = POLLIN};

    if (poll(&end, 1, END_TIMEOUT_MS) <= 0)
        kill(M.successor.pid, SIGKILL);
}

/* How much it has been given over the channel, in connections, and what of all that lies there unread, in bytes. */
static uint64_t count_given(void)
{
    uint64_t given = 0;

    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        given += atomic_load(&s->service.counters.moved);
    return given;
}

static int count_unread(void)
{
    int unread = 0;

    return ioctl(M.successor.control, SIOCOUTQ, &unread) < 0 ? 0 : unread;
}

/* A channel that is full takes no question. It says the same as an answer would if the new process takes something out
 * of it; if not, that is silence. */
static bool takes_something(void)
{
    uint64_t given = count_given();
    int unread = count_unread();
    bool takes = given != M.given || unread < M.unread;

    M.given = given;
    M.unread = unread;
    return takes;
}

/* Serving is not enough: it must take in the connections that are on their way to it. */
static void ping(void)
{
    int64_t now = gf_machine_now_ms();

    if (now - M.pinged_ms < PING_MS)
        return;
    M.pinged_ms = now;
    if (gf_channel_say(M.successor.control, "ping") == -EAGAIN && takes_something())
        M.heard_ms = now;
}

/* Of those that the new program serves too: on a port that it has dropped nobody would answer. NULL: none. */
static const struct gf_listener *first_plain_listener(const ghttp_server *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        if (!s->listeners[i].tls && s->listeners[i].port && gf_handover_is_offered(&s->listeners[i]))
            return &s->listeners[i];
    return NULL;
}

static bool is_asked(const ghttp_server *s)
{
    return s->settings.graceful_health_path[0] == '/' && gf_server_state(s) == GF_SERVER_DRAINING &&
           first_plain_listener(s);
}

/* The next server whose health is asked for, from this one on; NULL: that was the last. */
static ghttp_server *next_asked(ghttp_server *s)
{
    while (s && !is_asked(s))
        s = gf_registry_next(s);
    return s;
}

/* One server after another, as far as it goes now. -EINPROGRESS; 0: all are well; else one is not, with the reason. */
static int ask_for_health(char *why, size_t size)
{
    int64_t now = gf_machine_now_ms();
    int result = 0;

    while (M.asked && !result) {
        const struct gf_listener *listener = first_plain_listener(M.asked);

        if (M.health.fd >= 0)
            result = gf_health_go_on(&M.health, now, why, size);
        else
            result = gf_health_begin(&M.health, listener->fd, listener->port, M.asked->settings.graceful_health_path,
                                     now, why, size);
        if (!result)
            M.asked = next_asked(gf_registry_next(M.asked));
    }
    return result;
}

/* false, with the reason: a server's health path has failed too often. */
static bool is_healthy(char *why, size_t size)
{
    int result;

    if (!M.asked && gf_machine_now_ms() < M.health_due_ms)
        return true;
    if (!M.asked)
        M.asked = next_asked(gf_registry_first());
    result = ask_for_health(why, size);
    if (result == -EINPROGRESS)
        return true;
    M.asked = NULL;
    M.health_due_ms = gf_machine_now_ms() + PING_MS;
    M.unhealthy = result ? M.unhealthy + 1 : 0;
    return M.unhealthy < UNHEALTHY_MAX;
}

static void forget_health(void)
{
    gf_health_end(&M.health);
    M.asked = NULL;
    M.unhealthy = 0;
    M.health_due_ms = 0;
}

static void reject(const char *why)
{
    kill(M.successor.pid, SIGKILL);
    come_back(why);
}

static void look_after(void)
{
    char why[1280];

    if (gf_machine_now_ms() - M.pinged_ms > 2 * PING_MS) /* stopped or frozen meanwhile, we have not asked */
        M.heard_ms = gf_machine_now_ms();
    if (gf_machine_now_ms() - M.heard_ms >= SILENCE_MS)
        reject("it did not answer any more");
    else if (!is_healthy(why, sizeof(why)))
        reject(why);
}

/* After it, there is nothing to watch over. */
static bool is_last_word(enum gf_word word)
{
    return word == GF_WORD_SETTLED || word == GF_WORD_SHUTDOWN || word == GF_WORD_LEAVE;
}

/* Where this process is to be the keeper, nobody would start a new one that dies while it still drains: so until its
 * drain is complete it can come back itself. */
static bool has_watched_enough(void)
{
    if (gf_machine_now_ms() < M.deadline_ms)
        return M.watches_on && gf_machine_is_answered();
    if (!gf_keeper_link_is_first() || M.watches_on || gf_machine_is_answered())
        return true;
    gf_handover_forget(); /* connections that have moved are the new process's from now on */
    M.watches_on = true;
    M.deadline_ms = gf_machine_drain_limit();
    return false;
}

static int64_t probation_ms(void)
{
    int64_t probation = gf_machine_longest(offsetof(struct gf_settings, graceful_probation));
    int64_t drain = gf_machine_longest(offsetof(struct gf_settings, graceful_shutdown_timeout));

    return probation < drain ? probation : drain;
}

void gf_machine_begin_watch(void)
{
    M.deadline_ms = gf_machine_now_ms() + probation_ms();
    M.heard_ms = gf_machine_now_ms();
    M.watches_on = false;
    M.drain_logged_ms = 0;
    gf_machine_enter(GF_GRACEFUL_WATCHING, gf_machine_watch);
}

void gf_machine_watch(void)
{
    struct pollfd fds[GF_MACHINE_FDS + 4] = {[GF_MACHINE_FDS] = {.fd = M.successor.control, .events = POLLIN},
                                             {.fd = M.successor.pidfd, .events = POLLIN},
                                             {.fd = M.successor.standard_error, .events = POLLIN},
                                             {.fd = M.health.fd, .events = M.health.events}};
    int64_t next = gf_machine_now_ms() + PING_MS;
    enum gf_word word = GF_WORD_NONE;

    ping();
    gf_machine_report_drain();
    gf_machine_wait_for(fds, GF_MACHINE_FDS + 4, next < M.deadline_ms ? next : M.deadline_ms);
    gf_successor_relay(&M.successor);
    if (fds[GF_MACHINE_FDS].revents)
        word = gf_machine_hear_successor();
    if (word != GF_WORD_NONE)
        M.heard_ms = gf_machine_now_ms();
    if (word == GF_WORD_ROOM)
        gf_predecessor_say("leave");
    if (word == GF_WORD_SHUTDOWN) {
        gf_handover_end(); /* what is left here ends here */
        gf_predecessor_say("shutdown");
    }
    if (word == GF_WORD_GONE)
        make_sure_of_end();
    if (word == GF_WORD_GONE || (word == GF_WORD_NONE && fds[GF_MACHINE_FDS + 1].revents))
        come_back("");
    else if (is_last_word(word) || gf_machine_flag(&M.shutdown_asked) || has_watched_enough())
        end_watch();
    else
        look_after();
    if (word == GF_WORD_LEAVE)
        gf_machine_hurry();
}
