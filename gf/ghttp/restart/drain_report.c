/*
 * Reports of a drain: how it stands, to the new process and its page; what holds it up, to the log.
 *
 * Thread: the state machine's.
 */
#include "machine.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#include <gf/glog/glog.h>

#include "../engine/engine.h"
#include "../server/registry.h"
#include "channel.h"
#include "history.h"

/* How often a drain tells how it stands: to the new process, and to the log. */
#define DRAIN_REPORT_MS 500
#define DRAIN_LOG_MS 10000
/* Requests that a drain looks at to say what holds it up. */
#define RUNNING_MAX 256

#define M gf_machine

/* "/sleep (2, the longest for 14 s)": what a drain waits for, by route. */
static void describe_running(ghttp_server *s, char *text, size_t size)
{
    static struct gf_running running[RUNNING_MAX];
    size_t count = gf_engine_running(&s->service, running, RUNNING_MAX), length = 0;

    text[0] = 0;
    for (size_t i = 0; i < count && length < size; i++) {
        size_t same = 0, before = 0;

        for (size_t j = 0; j < count; j++) {
            same += !strcmp(running[j].route, running[i].route);
            before += j < i && !strcmp(running[j].route, running[i].route);
        }
        if (!before)
            length +=
                (size_t)snprintf(text + length, size - length, "%s%s (%zu, the longest for %lld s)", length ? ", " : "",
                                 running[i].route, same, (long long)(gf_machine_now_ms() - running[i].since_ms) / 1000);
    }
}

static void log_what_holds_up(void)
{
    char text[512];

    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        if (gf_server_state(s) != GF_SERVER_DRAINING || !gf_server_in_flight(s))
            continue;
        describe_running(s, text, sizeof(text));
        glog_info("server \"%s\" drains: %u requests still run: %s", s->name, gf_server_in_flight(s),
                  text[0] ? text : "handlers past their time limit, whose clients have been answered");
    }
}

/* To the new process, whose page shows it; into the log when it takes long. */
void gf_machine_report_drain(void)
{
    int64_t now = gf_machine_now_ms();
    struct cJSON *report;

    if (!M.drain_logged_ms)
        M.drain_logged_ms = now;
    if (now - M.drain_logged_ms >= DRAIN_LOG_MS) {
        M.drain_logged_ms = now;
        log_what_holds_up();
    }
    if (M.successor.control < 0 || M.passed_on || now - M.reported_ms < DRAIN_REPORT_MS)
        return;
    M.reported_ms = now;
    report = gf_history_report();
    if (report)
        gf_channel_send(M.successor.control, report, NULL, 0);
    cJSON_Delete(report);
}

int64_t gf_machine_next_report(int64_t next)
{
    int64_t report = gf_machine_now_ms() + DRAIN_REPORT_MS;

    return next < report ? next : report;
}
