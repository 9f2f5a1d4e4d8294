#include "admin_status.h"

#include <cjson/cJSON.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gf/gproc/gproc.h>

#include "../../gproc/start.h"
#include "../engine/engine.h"
#include "../restart/graceful.h"
#include "../server/registry.h"
#include "../server/server.h"

/* Requests that a server's list of running ones shows: as many as a person reads. */
#define RUNNING_MAX 20

static void put_number(cJSON *object, const char *name, double number, bool *complete)
{
    *complete &= cJSON_AddNumberToObject(object, name, number) != NULL;
}

/* How many bytes of text are one character of UTF-8 (RFC 3629); 0: they are none. */
static size_t utf8_size(const unsigned char *text)
{
    size_t size = text[0] < 0x80   ? 1
                  : text[0] < 0xc2 ? 0
                  : text[0] < 0xe0 ? 2
                  : text[0] < 0xf0 ? 3
                  : text[0] < 0xf5 ? 4
                                   : 0;

    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    if (size == 3 && ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f)))
        return 0; /* longer than it need be, or half of a pair */
    if (size == 4 && ((text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f)))
        return 0;
    return size;
}

/* Paths and last words may be any bytes, JSON is UTF-8: what is not becomes '?'. */
static void put_text(cJSON *object, const char *name, const char *text, bool *complete)
{
    char *clean = strdup(text ? text : "");

    for (unsigned char *at = (unsigned char *)clean; at && *at;) {
        size_t size = utf8_size(at);

        if (!size)
            *at = '?';
        at += size ? size : 1;
    }
    *complete &= clean && cJSON_AddStringToObject(object, name, clean);
    free(clean);
}

static void put_bool(cJSON *object, const char *name, bool value, bool *complete)
{
    *complete &= cJSON_AddBoolToObject(object, name, value) != NULL;
}

/* The item belongs to the object afterwards, or to nobody. */
static void put_item(cJSON *object, const char *name, cJSON *item, bool *complete)
{
    if (!item || !cJSON_AddItemToObject(object, name, item)) {
        cJSON_Delete(item);
        *complete = false;
    }
}

static void append_item(cJSON *array, cJSON *item, bool *complete)
{
    if (!item || !cJSON_AddItemToArray(array, item)) {
        cJSON_Delete(item);
        *complete = false;
    }
}

static cJSON *whole_or_none(cJSON *object, bool complete)
{
    if (complete)
        return object;
    cJSON_Delete(object);
    return NULL;
}

/* ---- outcomes --------------------------------------------------------------------------------- */

void gf_admin_outcome_format(const struct gf_outcome *outcome, char *text, size_t size)
{
    if (outcome->result < 0)
        snprintf(text, size, "server restart failed: %s", outcome->reason);
    else if (outcome->new_pid == outcome->old_pid)
        snprintf(text, size,
                 "server restarting: graceful is off, so a full restart has begun; %d finishes its requests and then "
                 "executes anew",
                 (int)outcome->old_pid);
    else
        snprintf(text, size, "server restarted: %d -> %d, generation %u, %lld ms", (int)outcome->old_pid,
                 (int)outcome->new_pid, outcome->generation, (long long)outcome->took_ms);
}

cJSON *gf_admin_outcome_new(const struct gf_outcome *outcome)
{
    char text[GF_OUTCOME_REASON_MAX + 64];
    cJSON *object = cJSON_CreateObject();
    bool complete = object != NULL;

    gf_admin_outcome_format(outcome, text, sizeof(text));
    put_bool(object, "ok", outcome->result == 0, &complete);
    put_number(object, "old_pid", outcome->old_pid, &complete);
    put_number(object, "new_pid", outcome->new_pid, &complete);
    put_number(object, "generation", outcome->generation, &complete);
    put_number(object, "took_ms", (double)outcome->took_ms, &complete);
    put_number(object, "waiting", outcome->waiting, &complete);
    put_text(object, "executable", outcome->executable, &complete);
    put_text(object, "message", text, &complete);
    return whole_or_none(object, complete);
}

static cJSON *make_history_entry(const struct gf_history_entry *entry)
{
    cJSON *object = cJSON_CreateObject();
    bool complete = object != NULL;
    time_t seconds = (time_t)(entry->at_ms / 1000);
    char date[32] = "", at[48];
    struct tm utc;

    if (gmtime_r(&seconds, &utc))
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &utc);
    snprintf(at, sizeof(at), "%s.%03dZ", date, (int)(entry->at_ms % 1000));
    put_number(object, "generation", entry->generation, &complete);
    put_number(object, "pid", entry->pid, &complete);
    put_number(object, "result", entry->result, &complete);
    put_bool(object, "ok", entry->result == 0, &complete);
    put_number(object, "took_ms", (double)entry->took_ms, &complete);
    put_text(object, "at", at, &complete);
    put_number(object, "waiting", entry->waiting, &complete);
    put_text(object, "reason", entry->reason, &complete);
    return whole_or_none(object, complete);
}

/* The newest first. */
static cJSON *make_history(const struct gf_graceful_facts *facts)
{
    cJSON *array = cJSON_CreateArray();
    bool complete = array != NULL;

    for (size_t i = facts->history_count; i-- > 0 && complete;)
        append_item(array, make_history_entry(&facts->history[i]), &complete);
    return whole_or_none(array, complete);
}

/* ---- the process before this one -------------------------------------------------------------- */

static const char *plural(unsigned long long count)
{
    return count == 1 ? "" : "s";
}

/* "3 connections moved, 1 closed with notice, 0 raced, 0 cut; 1 request still runs: /sleep (1, the longest for 3 s)" */
static int format_drain(const struct gf_drain *drain, char *text, size_t size)
{
    unsigned long long moved = drain->moved, closed = drain->closed, raced = drain->raced, cut = drain->cut;
    int used = snprintf(text, size, "%llu connection%s moved, %llu closed with notice, %llu raced, %llu cut", moved,
                        plural(moved), closed, raced, cut);

    if (drain->waiting)
        used += snprintf(text + used, size - (size_t)used, ", %u waited to be let in at its hand-over", drain->waiting);
    if (drain->in_flight)
        used += snprintf(text + used, size - (size_t)used, "; %u request%s still %s%s%s", drain->in_flight,
                         plural(drain->in_flight), drain->in_flight == 1 ? "runs" : "run", *drain->holds_up ? ": " : "",
                         drain->holds_up);
    else if (drain->connections)
        used += snprintf(text + used, size - (size_t)used, "; %u connection%s still open", drain->connections,
                         plural(drain->connections));
    return used;
}

static bool is_watching(const struct gf_drain *drain)
{
    return !strcmp(drain->state, gf_graceful_state_name(GF_GRACEFUL_WATCHING));
}

static void format_report(const struct gf_drain_report *report, char *text, size_t size)
{
    const struct gf_drain *older = &report->older;
    int used = snprintf(text, size, "process %d %s: ", (int)report->drain.pid,
                        report->gone                  ? "has drained and gone"
                        : is_watching(&report->drain) ? "watches over this one and drains"
                                                      : "drains");

    used += format_drain(&report->drain, text + used, size - (size_t)used);
    if (!older->pid)
        return;
    used += snprintf(text + used, size - (size_t)used, "; so does process %d before it: ", (int)older->pid);
    format_drain(older, text + used, size - (size_t)used);
}

static void put_drain(cJSON *object, const struct gf_drain *drain, bool *complete)
{
    put_number(object, "pid", drain->pid, complete);
    put_text(object, "state", drain->state, complete);
    put_number(object, "moved", (double)drain->moved, complete);
    put_number(object, "closed", (double)drain->closed, complete);
    put_number(object, "raced", (double)drain->raced, complete);
    put_number(object, "cut", (double)drain->cut, complete);
    put_number(object, "waiting", drain->waiting, complete);
    put_number(object, "in_flight", drain->in_flight, complete);
    put_number(object, "connections", drain->connections, complete);
    put_text(object, "holds_up", drain->holds_up, complete);
}

static cJSON *make_older(const struct gf_drain *older)
{
    cJSON *object = older->pid ? cJSON_CreateObject() : cJSON_CreateNull();
    bool complete = object != NULL;

    if (older->pid)
        put_drain(object, older, &complete);
    return whole_or_none(object, complete);
}

static cJSON *make_predecessor(const struct gf_drain_report *report)
{
    char text[2 * GF_HOLDS_UP_MAX + 768]; /* both texts and some numbers */
    cJSON *object = report->drain.pid ? cJSON_CreateObject() : cJSON_CreateNull();
    bool complete = object != NULL;

    if (!report->drain.pid)
        return object;
    format_report(report, text, sizeof(text));
    put_drain(object, &report->drain, &complete);
    put_bool(object, "gone", report->gone, &complete);
    put_item(object, "older", make_older(&report->older), &complete);
    put_text(object, "message", text, &complete);
    return whole_or_none(object, complete);
}

/* ---- servers ---------------------------------------------------------------------------------- */

struct listing {
    cJSON *array;
    bool complete;
};

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static cJSON *make_running_request(const struct gf_running *running, int64_t now)
{
    cJSON *object = cJSON_CreateObject();
    bool complete = object != NULL;

    put_text(object, "method", running->method, &complete);
    put_text(object, "route", running->route, &complete);
    put_number(object, "ms", (double)(now - running->since_ms), &complete);
    return whole_or_none(object, complete);
}

static cJSON *make_running(ghttp_server *s, const ghttp_request *asker)
{
    struct gf_running running[RUNNING_MAX + 1]; /* the asker may be among them */
    size_t count = gf_engine_running(&s->service, running, RUNNING_MAX + 1);
    int64_t now = now_ms();
    cJSON *array = cJSON_CreateArray();
    bool complete = array != NULL;

    for (size_t i = 0; i < count && complete; i++)
        if (running[i].request != asker && cJSON_GetArraySize(array) < RUNNING_MAX)
            append_item(array, make_running_request(&running[i], now), &complete);
    return whole_or_none(array, complete);
}

static void put_count(cJSON *object, const char *name, const _Atomic uint64_t *count, bool *complete)
{
    put_number(object, name, (double)atomic_load(count), complete);
}

static void list_listener(const struct gf_listener *listener, void *arg)
{
    struct listing *listing = arg;
    char text[GF_ADDRESS_TEXT_MAX + 8];
    cJSON *item = cJSON_CreateObject();
    int waiting = gf_listener_waiting(listener);

    gf_listener_text(listener, text, sizeof(text));
    put_text(item, "scheme", listener->tls ? "https" : "http", &listing->complete);
    put_text(item, "address", text, &listing->complete);
    put_number(item, "port", listener->port, &listing->complete);
    put_item(item, "waiting", waiting < 0 ? cJSON_CreateNull() : cJSON_CreateNumber(waiting), &listing->complete);
    append_item(listing->array, item, &listing->complete);
}

static cJSON *make_server(ghttp_server *s, const ghttp_request *asker)
{
    static const char *const states[] = {"new", "serving", "draining", "stopped", "failed"};
    static const struct gf_service_counters none;
    enum gf_server_state state = gf_server_state(s);
    /* Before its start and after its end a server's service is not there to be read. */
    bool is_there = state == GF_SERVER_SERVING || state == GF_SERVER_DRAINING;
    const struct gf_service_counters *counters = is_there ? &s->service.counters : &none;
    cJSON *object = cJSON_CreateObject();
    struct listing listing = {.array = cJSON_CreateArray(), .complete = object != NULL};

    put_text(object, "name", s->name, &listing.complete);
    put_text(object, "state", states[state], &listing.complete);
    gf_server_each_listener(s, list_listener, &listing);
    put_item(object, "listeners", listing.array, &listing.complete);
    put_number(object, "connections", atomic_load(&counters->connections), &listing.complete);
    put_number(object, "in_flight", atomic_load(&counters->in_flight), &listing.complete);
    put_count(object, "requests", &counters->requests, &listing.complete);
    put_count(object, "refused", &counters->refused, &listing.complete);
    put_count(object, "overloaded", &counters->overloaded, &listing.complete);
    put_count(object, "moved", &counters->moved, &listing.complete);
    put_count(object, "closed", &counters->closed, &listing.complete);
    put_count(object, "raced", &counters->raced, &listing.complete);
    put_count(object, "cut", &counters->cut, &listing.complete);
    if (asker)
        put_item(object, "running", is_there ? make_running(s, asker) : cJSON_CreateArray(), &listing.complete);
    return whole_or_none(object, listing.complete);
}

static cJSON *make_servers(const ghttp_request *asker)
{
    cJSON *array = cJSON_CreateArray();
    bool complete = array != NULL;

    for (ghttp_server *s = gf_registry_first(); s && complete; s = gf_registry_next(s))
        append_item(array, make_server(s, asker), &complete);
    return whole_or_none(array, complete);
}

static void note_tls(const struct gf_listener *listener, void *arg)
{
    *(bool *)arg |= listener->tls;
}

/* What has become of the keys of session tickets: "kept" from the process before this one, by all servers that have
 * TLS; "new": of one at least they are not; "none": no server has TLS. */
static const char *what_of_tickets(void)
{
    const char *found = "none";

    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        bool tls = false;

        gf_server_each_listener(s, note_tls, &tls);
        if (tls && !s->inherited_tickets)
            return "new";
        if (tls)
            found = "kept";
    }
    return found;
}

/* ---- the process ------------------------------------------------------------------------------ */

cJSON *gf_admin_status_new(const ghttp_request *asker)
{
    struct gf_graceful_facts facts;
    struct gf_engine_facts engine;
    cJSON *object = cJSON_CreateObject();
    bool complete = object != NULL;

    gf_graceful_facts(&facts);
    gf_engine_facts(&engine);
    put_number(object, "pid", getpid(), &complete);
    put_number(object, "parent", gproc_ppid(), &complete);
    put_number(object, "generation", facts.generation, &complete);
    put_number(object, "uptime_ms", (double)gproc_uptime(), &complete);
    put_text(object, "executable", gf_start_get()->exe_path, &complete);
    put_bool(object, "graceful", facts.graceful, &complete);
    put_text(object, "state", gf_graceful_state_name(facts.state), &complete);
    put_number(object, "restart_took_ms", (double)facts.restart_took_ms, &complete);
    put_number(object, "workers", engine.workers, &complete);
    put_number(object, "threads", engine.threads, &complete);
    put_number(object, "idle_threads", engine.idle_threads, &complete);
    put_item(object, "last_restart", facts.has_outcome ? gf_admin_outcome_new(&facts.last) : cJSON_CreateNull(),
             &complete);
    put_item(object, "history", make_history(&facts), &complete);
    put_item(object, "predecessor", make_predecessor(&facts.predecessor), &complete);
    put_text(object, "tls", what_of_tickets(), &complete);
    put_item(object, "servers", make_servers(asker), &complete);
    return whole_or_none(object, complete);
}
