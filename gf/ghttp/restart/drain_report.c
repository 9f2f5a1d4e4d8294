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
#define AND_MORE ", and more"

#define M gf_machine

/* Behind a comma where it is not the first. false: there is no room; the text says so, and is complete. */
static bool append(char *text, size_t size, const char *item)
{
    size_t length = strlen(text);

    if (length + strlen(item) + 2 + sizeof(AND_MORE) > size) { /* so that there is always room for that */
        snprintf(text + length, size - length, AND_MORE);
        return false;
    }
    snprintf(text + length, size - length, "%s%s", length ? ", " : "", item);
    return true;
}

/* "/sleep (2, the longest for 14 s)": what the drain of a server waits for, by route. */
static bool append_running(ghttp_server *s, char *text, size_t size)
{
    static struct gf_running running[RUNNING_MAX];
    size_t count = gf_engine_running(&s->service, running, RUNNING_MAX);
    bool fits = true;

    for (size_t i = 0; i < count && fits; i++) {
        size_t same = 0, before = 0;
        char item[192];

        for (size_t j = 0; j < count; j++) {
            same += !strcmp(running[j].route, running[i].route);
            before += j < i && !strcmp(running[j].route, running[i].route);
        }
        snprintf(item, sizeof(item), "%s (%zu, the longest for %lld s)", running[i].route, same,
                 (long long)(gf_machine_now_ms() - running[i].since_ms) / 1000);
        if (!before)
            fits = append(text, size, item);
    }
    return fits;
}

static bool is_held_up(ghttp_server *s)
{
    return gf_server_state(s) == GF_SERVER_DRAINING && gf_server_in_flight(s);
}

static void log_what_holds_up(void)
{
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        char text[GF_HOLDS_UP_MAX] = "";

        if (!is_held_up(s))
            continue;
        append_running(s, text, sizeof(text));
        glog_info("server \"%s\" drains: %u requests still run: %s", s->name, gf_server_in_flight(s),
                  text[0] ? text : "handlers past their time limit, whose clients have been answered");
    }
}

static struct cJSON *make_report(void)
{
    char text[GF_HOLDS_UP_MAX] = "";
    bool fits = true;

    for (ghttp_server *s = gf_registry_first(); s && fits; s = gf_registry_next(s))
        if (is_held_up(s))
            fits = append_running(s, text, sizeof(text));
    return gf_history_report(gf_graceful_state_name(M.state), M.waiting, text);
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
    report = make_report();
    if (report)
        gf_channel_send(M.successor.control, report, NULL, 0);
    cJSON_Delete(report);
}

int64_t gf_machine_next_report(int64_t next)
{
    int64_t report = gf_machine_now_ms() + DRAIN_REPORT_MS;

    return next < report ? next : report;
}
