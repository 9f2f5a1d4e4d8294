/*
 * The replacement of this process: starting the new one, handing over to it, watching over it, and coming back when it
 * dies. One function for each of these states; machine.c has the others.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "../server/registry.h"
#include "ancestors.h"
#include "channel.h"
#include "fault.h"
#include "handover.h"
#include "health.h"
#include "history.h"
#include "keeper_link.h"
#include "machine.h"
#include "socket_activation.h"
#include "stand_in.h"
#include "supervisor.h"

/* What a connection that cannot move is left for one more request, before it is half-closed: longer than most clients
 * think between two requests, short enough that the old process does not stay for idle ones. */
#define HAND_OVER_GRACE_MS 5000

/* That live at once, the new one included: each holds memory and connections. */
#define GENERATIONS_MAX 3
/* How long the oldest may take to come to its end (machine.c gives its requests 5 s). */
#define ROOM_TIMEOUT_MS 10000
/* Between the close of its channel and the end of a process lies only what the kernel has to do. */
#define END_TIMEOUT_MS 1000
/* How often a new process is asked whether it is well, and how long it may stay silent. */
#define PING_MS 500
#define SILENCE_MS 3000
/* One bad answer may be an accident. */
#define UNHEALTHY_MAX 2

#define M gf_machine

static void start(void);
static void watch(void);
static void forget_health(void);

/* ---- starting the new process ---- */

/* Who hangs says nothing any more, and whoever is between says nothing of it: the kernel knows how many live. It counts
 * a first process that stays as the keeper too, which has said that it is none of them any more. */
static unsigned count_behind(void)
{
    unsigned said = gf_history_behind(), living;

    return gf_ancestors_count(&living) && living < said ? living : said;
}

static char *greeting_for_successor(const struct gf_restart_request *request)
{
    struct cJSON *message = cJSON_CreateObject();
    char *text = NULL;

    gf_socket_activation_tell(message);
    if (cJSON_AddStringToObject(message, "type", "hello") &&
        cJSON_AddNumberToObject(message, "generation", M.greeting.generation + 1) &&
        cJSON_AddNumberToObject(message, "pid", getpid()) &&
        cJSON_AddNumberToObject(message, "behind", count_behind()) &&
        cJSON_AddNumberToObject(message, "began", (double)request->asked_ms) &&
        cJSON_AddStringToObject(message, "forced", M.forced) && !gf_history_write(message))
        text = cJSON_PrintUnformatted(message);
    cJSON_Delete(message);
    return text;
}

static void spawn(void)
{
    char error[512];
    char *message = greeting_for_successor(M.request);
    int result = -ENOMEM;

    snprintf(error, sizeof(error), "no memory for a new process");
    gf_fault_point(M.greeting.generation, "before-spawn", -1);
    if (message)
        result = gf_successor_spawn(&M.successor, M.executable, message, NULL, error, sizeof(error));
    cJSON_free(message);
    if (result < 0) {
        gf_machine_fail(result, error);
        return;
    }
    gf_stand_in_begin(M.successor.control, M.successor.pid);
    gf_fault_point(M.greeting.generation, "after-spawn", M.successor.control);
    M.deadline_ms = gf_machine_now_ms() + gf_machine_longest(offsetof(struct gf_settings, graceful_ready_timeout));
    gf_machine_enter(GF_GRACEFUL_STARTING, start);
}

/* It does not come to its end: ends it, with what it still has. But not the first process where that is to stay: its
 * end would be that of the service. */
static void force_room(void)
{
    pid_t pid;
    int result = gf_ancestors_end_oldest(count_behind(), gf_keeper_link_pid(), &pid);

    if (result < 0) {
        gf_machine_fail(-EBUSY, "too many processes before this one still end their requests");
        return;
    }
    snprintf(M.forced, sizeof(M.forced),
             "; process %d, the oldest, did not come to its end and was killed, with %u requests in flight", (int)pid,
             gf_history_in_flight(pid));
    glog_warning("too many processes: %s", M.forced + 2);
    M.deadline_ms = gf_machine_now_ms() + END_TIMEOUT_MS; /* until those in between have heard of it */
}

/* Too many generations live: the oldest is asked to come to its end, its requests in flight are given some time. */
static void make_room(void)
{
    struct pollfd fds[GF_MACHINE_FDS];

    if (gf_machine_flag(&M.shutdown_asked))
        gf_machine_fail(-ECANCELED, "a shutdown was asked for meanwhile");
    else if (count_behind() + 2 <= GENERATIONS_MAX)
        spawn();
    else if (gf_machine_now_ms() < M.deadline_ms)
        gf_machine_wait_for(fds, GF_MACHINE_FDS, M.deadline_ms);
    else
        force_room();
}

void gf_machine_begin_start(void)
{
    M.deadline_ms = gf_machine_now_ms() + ROOM_TIMEOUT_MS;
    M.forced[0] = 0;
    gf_fault_point(M.greeting.generation, "room", gf_predecessor_fd());
    if (count_behind() + 2 > GENERATIONS_MAX)
        gf_predecessor_say("room");
    gf_machine_enter(GF_GRACEFUL_STARTING, make_room);
}

static void abandon_start(int result, const char *why)
{
    char burial[GF_OUTCOME_REASON_MAX - 256], reason[GF_OUTCOME_REASON_MAX];
    bool ceased = gf_stand_in_end();

    gf_successor_bury(&M.successor, true, burial, sizeof(burial));
    snprintf(reason, sizeof(reason), "%s%s%s", why, *why ? "; " : "", burial);
    if (ceased)
        gf_machine_accept_all();
    gf_machine_fail(result, reason);
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

/* ---- handing over ---- */

static int64_t probation_ms(void)
{
    int64_t probation = gf_machine_longest(offsetof(struct gf_settings, graceful_probation));
    int64_t drain = gf_machine_longest(offsetof(struct gf_settings, graceful_shutdown_timeout));

    return probation < drain ? probation : drain;
}

/* All ports at the same moment; who asked is told only then, so that whoever connects after the answer meets the new
 * process. */
static void hand_over(const struct cJSON *ready)
{
    pid_t pid = M.successor.pid;
    char reason[256];

    gf_machine_enter(GF_GRACEFUL_HANDING_OVER, watch);
    gf_supervisor_handed_over(M.successor.pidfd);
    gf_fault_point(M.greeting.generation, "before-hand-over", M.successor.control);
    if (gf_channel_say(M.successor.control, "accept") == -ENOMEM)
        glog_warning("no memory to tell the new process to accept; it does so by itself in a moment");
    gf_machine_cease_all();
    M.waiting = gf_machine_count_waiting();
    gf_fault_point(M.greeting.generation, "after-cease", M.successor.control);
    gf_handover_begin(M.successor.control, ready);
    cJSON_Delete(M.offer);
    M.offer = cJSON_Duplicate(ready, true);
    snprintf(reason, sizeof(reason), "process %d serves%s", (int)pid, M.forced);
    gf_machine_settle(0, pid, reason);
    glog_info("server restarted: process %d serves, %lld ms after it was asked for; %d drains; %u waited to be let in",
              (int)pid, (long long)M.facts.last.took_ms, (int)getpid(), M.waiting);
    gf_machine_drain_all(HAND_OVER_GRACE_MS);
    gf_fault_point(M.greeting.generation, "after-hand-over", M.successor.control);
    gf_predecessor_say("settled");
    M.deadline_ms = gf_machine_now_ms() + probation_ms();
    M.heard_ms = gf_machine_now_ms();
    M.watches_on = false;
    M.drain_logged_ms = 0;
    gf_machine_enter(GF_GRACEFUL_WATCHING, watch);
    gf_stand_in_end();
}

/* What it has said is not that it is ready to serve by our protocol. */
static void describe_refusal(const struct cJSON *message, char *why, size_t size)
{
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "reason"));
    const struct cJSON *version = cJSON_GetObjectItemCaseSensitive(message, "version");

    if (is_word(message, "failed") && reason)
        snprintf(why, size, "it reports: %s", reason);
    else if (is_word(message, "ready") && cJSON_IsNumber(version) && version->valuedouble != GF_CHANNEL_VERSION)
        snprintf(why, size,
                 "it is of a library that speaks version %.0f of the restart protocol, this process is of one that "
                 "speaks version %d; end the one and start the other in full, once",
                 version->valuedouble, GF_CHANNEL_VERSION);
    else
        snprintf(why, size, "it reports: an unknown word");
}

static void hear_start(void)
{
    struct cJSON *message = NULL;
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
        hand_over(message);
    } else {
        describe_refusal(message, why, sizeof(why));
        end_of_successor(why);
    }
    cJSON_Delete(message);
}

static void start(void)
{
    struct pollfd fds[GF_MACHINE_FDS + 3] = {[GF_MACHINE_FDS] = {.fd = M.successor.control, .events = POLLIN},
                                             {.fd = M.successor.pidfd, .events = POLLIN},
                                             {.fd = M.successor.standard_error, .events = POLLIN}};

    gf_machine_wait_for(fds, GF_MACHINE_FDS + 3, M.deadline_ms);
    gf_machine_end_drained(false);
    if (gf_machine_flag(&M.shutdown_asked)) {
        abandon_start(-ECANCELED, "a shutdown was asked for meanwhile");
        return;
    }
    gf_successor_relay(&M.successor);
    if (fds[GF_MACHINE_FDS].revents)
        hear_start(); /* also when it has ended: what it said last tells more */
    else if (fds[GF_MACHINE_FDS + 1].revents)
        end_of_successor("");
    else if (gf_machine_now_ms() >= M.deadline_ms)
        abandon_start(-ETIMEDOUT, "it was not ready within gracefulReadyTimeout");
}

/* ---- watching ---- */

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
    if (is_word(message, "pong"))
        word = GF_WORD_PONG;
    else if (is_word(message, "settled"))
        word = GF_WORD_SETTLED;
    else if (is_word(message, "shutdown"))
        word = GF_WORD_SHUTDOWN;
    else if (is_word(message, "room"))
        word = GF_WORD_ROOM;
    else if (is_word(message, "leave"))
        word = GF_WORD_LEAVE;
    else if (is_word(message, "returned"))
        gf_handover_return(message);
    if (word == GF_WORD_PONG)
        gf_handover_hear_answer(message);
    if (word == GF_WORD_SETTLED)
        gf_keeper_link_hold();
    else if (word == GF_WORD_SHUTDOWN)
        gf_keeper_link_hear_end();
    if (count && is_word(message, "successor") && M.state == GF_GRACEFUL_DRAINING && gf_handover_goes_on())
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

static void watch(void)
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
