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

void gf_history_add(const struct gf_outcome *outcome)
{
    struct gf_history_entry entry = {.generation = outcome->generation,
                                     .pid = outcome->new_pid,
                                     .result = outcome->result,
                                     .took_ms = outcome->took_ms,
                                     .waiting = outcome->waiting};
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    entry.at_ms = now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
    shorten(entry.reason, outcome->reason);
    pthread_mutex_lock(&history.lock);
    append(&entry);
    pthread_mutex_unlock(&history.lock);
}

void gf_history_correct(int result, unsigned waiting, const char *reason)
{
    pthread_mutex_lock(&history.lock);
    if (history.count) {
        struct gf_history_entry *last = &history.entries[history.count - 1];

        last->result = result;
        last->waiting = waiting;
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
           cJSON_AddNumberToObject(item, "waiting", entry->waiting) &&
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
                                         .at_ms = (int64_t)number(item, "at_ms"),
                                         .waiting = (unsigned)number(item, "waiting")};

        shorten(entry.reason, reason ? reason : "");
        append(&entry);
    }
    pthread_mutex_unlock(&history.lock);
}

/* ---- reports of a drain ---- */

static void count_server(struct gf_drain *drain, const ghttp_server *s)
{
    const struct gf_service_counters *counters = &s->service.counters;

    drain->moved += atomic_load(&counters->moved);
    drain->closed += atomic_load(&counters->closed);
    drain->raced += atomic_load(&counters->raced);
    drain->cut += atomic_load(&counters->cut);
    drain->in_flight += gf_server_in_flight(s);
    drain->connections += gf_server_connections(s);
}

static bool write_drain(struct cJSON *object, const struct gf_drain *drain)
{
    return cJSON_AddNumberToObject(object, "pid", drain->pid) &&
           cJSON_AddStringToObject(object, "state", drain->state) &&
           cJSON_AddNumberToObject(object, "moved", (double)drain->moved) &&
           cJSON_AddNumberToObject(object, "closed", (double)drain->closed) &&
           cJSON_AddNumberToObject(object, "raced", (double)drain->raced) &&
           cJSON_AddNumberToObject(object, "cut", (double)drain->cut) &&
           cJSON_AddNumberToObject(object, "waiting", drain->waiting) &&
           cJSON_AddNumberToObject(object, "in_flight", drain->in_flight) &&
           cJSON_AddNumberToObject(object, "connections", drain->connections) &&
           cJSON_AddStringToObject(object, "holds_up", drain->holds_up);
}

/* What the process before this one has said of itself, for the one after this. */
static bool write_older(struct cJSON *message)
{
    struct gf_drain_report report;

    pthread_mutex_lock(&history.lock);
    report = history.predecessor;
    pthread_mutex_unlock(&history.lock);
    return !report.drain.pid || report.gone || write_drain(cJSON_AddObjectToObject(message, "older"), &report.drain);
}

struct cJSON *gf_history_report(const char *state, unsigned waiting, const char *holds_up)
{
    struct cJSON *message = cJSON_CreateObject();
    struct gf_drain drain = {.pid = getpid(), .waiting = waiting};

    snprintf(drain.state, sizeof(drain.state), "%s", state);
    snprintf(drain.holds_up, sizeof(drain.holds_up), "%s", holds_up);
    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        count_server(&drain, s);
    if (cJSON_AddStringToObject(message, "type", "drain") && write_drain(message, &drain) &&
        cJSON_AddNumberToObject(message, "behind", gf_history_behind()) && write_older(message))
        return message;
    cJSON_Delete(message);
    return NULL;
}

static void read_text(const struct cJSON *object, const char *key, char *text, size_t size)
{
    const char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

    snprintf(text, size, "%s", value ? value : "");
}

static void read_drain(const struct cJSON *object, struct gf_drain *drain)
{
    *drain = (struct gf_drain){.pid = (pid_t)number(object, "pid"),
                               .moved = (uint64_t)number(object, "moved"),
                               .closed = (uint64_t)number(object, "closed"),
                               .raced = (uint64_t)number(object, "raced"),
                               .cut = (uint64_t)number(object, "cut"),
                               .waiting = (unsigned)number(object, "waiting"),
                               .in_flight = (unsigned)number(object, "in_flight"),
                               .connections = (unsigned)number(object, "connections")};
    read_text(object, "state", drain->state, sizeof(drain->state));
    read_text(object, "holds_up", drain->holds_up, sizeof(drain->holds_up));
}

void gf_history_hear(const struct cJSON *message)
{
    struct gf_drain_report report = {.behind = (unsigned)number(message, "behind")};

    read_drain(message, &report.drain);
    read_drain(cJSON_GetObjectItemCaseSensitive(message, "older"), &report.older);
    pthread_mutex_lock(&history.lock);
    history.predecessor = report;
    pthread_mutex_unlock(&history.lock);
}

void gf_history_follow(pid_t pid, unsigned behind)
{
    pthread_mutex_lock(&history.lock);
    history.predecessor = (struct gf_drain_report){.drain.pid = pid, .behind = behind};
    pthread_mutex_unlock(&history.lock);
}

unsigned gf_history_behind(void)
{
    unsigned behind;

    pthread_mutex_lock(&history.lock);
    behind = history.predecessor.drain.pid && !history.predecessor.gone ? 1 + history.predecessor.behind : 0;
    pthread_mutex_unlock(&history.lock);
    return behind;
}

unsigned gf_history_in_flight(pid_t pid)
{
    const struct gf_drain_report *report = &history.predecessor;
    unsigned count;

    pthread_mutex_lock(&history.lock);
    count = pid == report->drain.pid ? report->drain.in_flight : pid == report->older.pid ? report->older.in_flight : 0;
    pthread_mutex_unlock(&history.lock);
    return count;
}

void gf_history_part(void)
{
    pthread_mutex_lock(&history.lock);
    history.predecessor.gone = history.predecessor.drain.pid != 0;
    history.predecessor.drain.in_flight = history.predecessor.drain.connections = 0;
    history.predecessor.drain.holds_up[0] = 0;
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
