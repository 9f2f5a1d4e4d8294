/*
 * The replacement of this process: making room for the new one, starting it, and handing over to it. watch.c has what
 * comes then, machine.c the other states.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "../server/registry.h"
#include "ancestors.h"
#include "channel.h"
#include "fault.h"
#include "handover.h"
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

#define M gf_machine

static void start(void);

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

static bool has_number(const struct cJSON *message, const char *key, int wanted)
{
    const struct cJSON *item = cJSON_GetObjectItemCaseSensitive(message, key);

    return cJSON_IsNumber(item) && item->valuedouble == wanted;
}

/* ---- handing over ---- */

/* All ports at the same moment; who asked is told only then, so that whoever connects after the answer meets the new
 * process. */
static void hand_over(const struct cJSON *ready)
{
    pid_t pid = M.successor.pid;
    char reason[256];

    gf_machine_enter(GF_GRACEFUL_HANDING_OVER, gf_machine_watch);
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
    gf_machine_begin_watch();
    gf_stand_in_end();
}

/* What it has said is not that it is ready to serve by our protocol. */
static void describe_refusal(const struct cJSON *message, char *why, size_t size)
{
    const char *reason = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "reason"));
    const struct cJSON *version = cJSON_GetObjectItemCaseSensitive(message, "version");

    if (gf_channel_is(message, "failed") && reason)
        snprintf(why, size, "it reports: %s", reason);
    else if (gf_channel_is(message, "ready") && cJSON_IsNumber(version) && version->valuedouble != GF_CHANNEL_VERSION)
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
    } else if (gf_channel_is(message, "ready") && has_number(message, "pid", M.successor.pid) &&
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
