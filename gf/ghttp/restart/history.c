#include "history.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../server/registry.h"
#include "../server/server.h"

static struct {
    pthread_mutex_t lock;
    size_t count;
    struct gf_history_entry entries[GF_HISTORY_MAX];
    struct gf_drain_report predecessor;
} history = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- restarts ---- */

/* A long one loses its middle: how it begins, and what was said last, tell the most. */
static void shorten(char text[GF_HISTORY_REASON_MAX], const char *reason)
{
    static const char gap[] = " … ";
    size_t size = strlen(reason), half = (GF_HISTORY_REASON_MAX - sizeof(gap)) / 2;

    if (size < GF_HISTORY_REASON_MAX) {
        memcpy(text, reason, size + 1);
        return;
    }
    memcpy(text, reason, half);
    memcpy(text + half, gap, sizeof(gap) - 1);
    memcpy(text + half + sizeof(gap) - 1, reason + size - half, half + 1);
}

static void append(const struct gf_history_entry *entry)
{
    if (history.count == GF_HISTORY_MAX) {
        memmove(history.entries, history.entries + 1, sizeof(history.entries) - sizeof(history.entries[0]));
        history.count--;
    }
    history.entries[history.count++] = *entry;
}

void gf_history_add(unsigned generation, pid_t pid, int result, int64_t took_ms, const char *reason)
{
    struct gf_history_entry entry = {.generation = generation, .pid = pid, .result = result, .took_ms = took_ms};
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    entry.at_ms = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
    shorten(entry.reason, reason);
    pthread_mutex_lock(&history.lock);
    append(&entry);
    pthread_mutex_unlock(&history.lock);
}

void gf_history_correct(int result, const char *reason)
{
    pthread_mutex_lock(&history.lock);
    if (history.count) {
        struct gf_history_entry *last = &history.entries[history.count - 1];

        last->result = result;
        shorten(last->reason, reason);
    }
    pthread_mutex_unlock(&history.lock);
}

static bool write_entry(struct cJSON *array, const struct gf_history_entry *entry)
{
    struct cJSON *item = cJSON_CreateObject();

    if (!cJSON_AddItemToArray(array, item)) {
        cJSON_Delete(item);
        return false;
    }
    return cJSON_AddNumberToObject(item, "generation", entry->generation) &&
           cJSON_AddNumberToObject(item, "pid", entry->pid) && cJSON_AddNumberToObject(item, "result", entry->result) &&
           cJSON_AddNumberToObject(item, "took_ms", (double)entry->took_ms) &&
           cJSON_AddNumberToObject(item, "at_ms", (double)entry->at_ms) &&
           cJSON_AddStringToObject(item, "reason", entry->reason);
}

int gf_history_write(struct cJSON *message)
{
    struct cJSON *array = cJSON_AddArrayToObject(message, "history");
    bool good = array != NULL;

    pthread_mutex_lock(&history.lock);
    for (size_t i = 0; good && i < history.count; i++)
        good = write_entry(array, &history.entries[i]);
    pthread_mutex_unlock(&history.lock);
    return good ? 0 : -ENOMEM;
}

static double number(const struct cJSON *object, const char *key)
{
    const struct cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(item) && item->valuedouble > -1e6 && item->valuedouble < 9e15 ? item->valuedouble : 0;
}

void gf_history_read(const struct cJSON *message)
{
    const struct cJSON *item;

    pthread_mutex_lock(&history.lock);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(message, "history"))
    {
        const char *reason = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(item, "reason"));
        struct gf_history_entry entry = {.generation = (unsigned)number(item, "generation"),
                                         .pid = (pid_t)number(item, "pid"),
                                         .result = (int)number(item, "result"),
                                         .took_ms = (int64_t)number(item, "took_ms"),
                                         .at_ms = (int64_t)number(item, "at_ms")};

        shorten(entry.reason, reason ? reason : "");
        append(&entry);
    }
    pthread_mutex_unlock(&history.lock);
}

/* ---- reports of a drain ---- */

static void count_server(struct gf_drain_report *report, const ghttp_server *s)
{
    const struct gf_service_counters *counters = &s->service.counters;

    report->moved += atomic_load(&counters->moved);
    report->closed += atomic_load(&counters->closed);
    report->raced += atomic_load(&counters->raced);
    report->cut += atomic_load(&counters->cut);
    report->in_flight += gf_server_in_flight(s);
    report->connections += gf_server_connections(s);
}

/* What the process before this one has said of itself, for the one after this. */
static bool write_older(struct cJSON *message)
{
    struct gf_drain_report report;
    struct cJSON *older;

    pthread_mutex_lock(&history.lock);
    report = history.predecessor;
    pthread_mutex_unlock(&history.lock);
    if (!report.pid || report.gone)
        return true;
    older = cJSON_AddObjectToObject(message, "older");
    return cJSON_AddNumberToObject(older, "pid", report.pid) &&
           cJSON_AddNumberToObject(older, "in_flight", report.in_flight) &&
           cJSON_AddNumberToObject(older, "connections", report.connections) &&
           cJSON_AddStringToObject(older, "holds_up", report.holds_up);
}

struct cJSON *gf_history_report(const char *state, const char *holds_up)
{
    struct cJSON *message = cJSON_CreateObject();
    struct gf_drain_report report = {.pid = getpid()};

    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        count_server(&report, s);
    if (cJSON_AddStringToObject(message, "type", "drain") && cJSON_AddNumberToObject(message, "pid", report.pid) &&
        cJSON_AddStringToObject(message, "state", state) &&
        cJSON_AddNumberToObject(message, "moved", (double)report.moved) &&
        cJSON_AddNumberToObject(message, "closed", (double)report.closed) &&
        cJSON_AddNumberToObject(message, "raced", (double)report.raced) &&
        cJSON_AddNumberToObject(message, "cut", (double)report.cut) &&
        cJSON_AddNumberToObject(message, "in_flight", report.in_flight) &&
        cJSON_AddNumberToObject(message, "connections", report.connections) &&
        cJSON_AddNumberToObject(message, "behind", gf_history_behind()) &&
        cJSON_AddStringToObject(message, "holds_up", holds_up) && write_older(message))
        return message;
    cJSON_Delete(message);
    return NULL;
}

static void read_text(const struct cJSON *object, const char *key, char *text, size_t size)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

    snprintf(text, size, "%s", value ? value : "");
}

void gf_history_hear(const struct cJSON *message)
{
    const struct cJSON *older = cJSON_GetObjectItemCaseSensitive(message, "older");
    struct gf_drain_report *report = &history.predecessor;

    pthread_mutex_lock(&history.lock);
    history.predecessor = (struct gf_drain_report){.pid = (pid_t)number(message, "pid"),
                                                   .moved = (uint64_t)number(message, "moved"),
                                                   .closed = (uint64_t)number(message, "closed"),
                                                   .raced = (uint64_t)number(message, "raced"),
                                                   .cut = (uint64_t)number(message, "cut"),
                                                   .in_flight = (unsigned)number(message, "in_flight"),
                                                   .connections = (unsigned)number(message, "connections"),
                                                   .behind = (unsigned)number(message, "behind"),
                                                   .older = {.pid = (pid_t)number(older, "pid"),
                                                             .in_flight = (unsigned)number(older, "in_flight"),
                                                             .connections = (unsigned)number(older, "connections")}};
    read_text(message, "holds_up", report->holds_up, sizeof(report->holds_up));
    read_text(older, "holds_up", report->older.holds_up, sizeof(report->older.holds_up));
    pthread_mutex_unlock(&history.lock);
}

void gf_history_follow(pid_t pid, unsigned behind)
{
    pthread_mutex_lock(&history.lock);
    history.predecessor = (struct gf_drain_report){.pid = pid, .behind = behind};
    pthread_mutex_unlock(&history.lock);
}

unsigned gf_history_behind(void)
{
    unsigned behind;

    pthread_mutex_lock(&history.lock);
    behind = history.predecessor.pid && !history.predecessor.gone ? 1 + history.predecessor.behind : 0;
    pthread_mutex_unlock(&history.lock);
    return behind;
}

unsigned gf_history_in_flight(pid_t pid)
{
    const struct gf_drain_report *report = &history.predecessor;
    unsigned count;

    pthread_mutex_lock(&history.lock);
    count = pid == report->pid ? report->in_flight : pid == report->older.pid ? report->older.in_flight : 0;
    pthread_mutex_unlock(&history.lock);
    return count;
}

void gf_history_part(void)
{
    pthread_mutex_lock(&history.lock);
    history.predecessor.gone = history.predecessor.pid != 0;
    history.predecessor.in_flight = history.predecessor.connections = 0;
    history.predecessor.holds_up[0] = 0;
    history.predecessor.older.pid = 0;
    pthread_mutex_unlock(&history.lock);
}

void gf_history_facts(struct gf_graceful_facts *facts)
{
    pthread_mutex_lock(&history.lock);
    facts->history_count = history.count;
    memcpy(facts->history, history.entries, sizeof(history.entries));
    facts->predecessor = history.predecessor;
    pthread_mutex_unlock(&history.lock);
}
