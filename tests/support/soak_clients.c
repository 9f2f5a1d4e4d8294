/*
 * The clients of a soak: see soak_clients.h.
 *
 * Most kinds are loads (load.h). When a request began is noted when it is made, and looked up by its number when its
 * answer is checked.
 */
#include "tests/support/soak_clients.h"

#include "tests/support/slow_client.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    TIMEOUT_MS = 30000,
    TAIL_US = 100000, /* after the old process has stopped accepting a restart may still be felt */
    NUMBERS = 4096,   /* more than the requests of one kind that are under way together */
    PIDS = 8,         /* more than the generations that live together */
    LINES = 40,       /* of the longest answer */
    SLEEP_MIN_MS = 200,
    SLEEP_MAX_MS = 1500,
    UPLOAD_SIZE = 256 << 10,
    DOWNLOAD_SIZE = 6 << 20,
    SLOW_MS = 1000,
};

static const struct kind {
    const char *name;
    bool tls, fresh;
    int clients, pause_us; /* pause 0: a slow client */
    enum { FAST, SLEEPING, UPLOADING, DOWNLOADING } what;
} kinds[SOAK_KINDS] = {
    [SOAK_KEPT_HTTP] = {"kept HTTP", false, false, 8, 4000, FAST},
    [SOAK_SELDOM_HTTP] = {"kept HTTP, seldom used", false, false, 16, 2300000, FAST},
    [SOAK_FRESH_HTTP] = {"fresh HTTP", false, true, 2, 6000, FAST},
    [SOAK_KEPT_HTTPS] = {"kept HTTPS", true, false, 4, 5000, FAST},
    [SOAK_RESUMED_HTTPS] = {"resumed HTTPS", true, true, 2, 10000, FAST},
    [SOAK_HANDLER_HTTP] = {"slow handlers, HTTP", false, false, 6, 1000, SLEEPING},
    [SOAK_HANDLER_HTTPS] = {"slow handlers, HTTPS", true, false, 2, 1000, SLEEPING},
    [SOAK_UPLOAD_HTTP] = {"slow uploads, HTTP", false, false, 3, 0, UPLOADING},
    [SOAK_UPLOAD_HTTPS] = {"slow uploads, HTTPS", true, false, 1, 0, UPLOADING},
    [SOAK_DOWNLOAD_HTTP] = {"slow downloads, HTTP", false, false, 3, 0, DOWNLOADING},
    [SOAK_DOWNLOAD_HTTPS] = {"slow downloads, HTTPS", true, false, 1, 0, DOWNLOADING},
};

struct soak_client {
    struct soak_clients *all;
    const struct kind *kind;
    struct load *load;
    struct slow_client *slow;
    _Atomic uint64_t began_us[NUMBERS];

    pthread_mutex_t lock; /* what follows */
    struct latency inside, outside;
};

struct soak_clients {
    struct soak_clients_options options;
    struct soak_client clients[SOAK_KINDS];
    bool stopped;

    _Atomic uint64_t restart_began_us, restart_ended_us; /* of the last restart; ended 0: it goes on */

    pthread_mutex_t lock; /* what follows */
    pthread_cond_t changed;
    pid_t served[PIDS]; /* who has served up to the restart that goes on, the last ones */
    int served_count;
    atomic_bool awaited;
    pid_t first_pid;
    uint64_t first_us;
};

static uint64_t now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- restarts -------------------------------------------------------------------------------------------------- */

uint64_t soak_clients_restart_begin(struct soak_clients *c, pid_t pid)
{
    uint64_t now;

    pthread_mutex_lock(&c->lock);
    c->served[c->served_count++ % PIDS] = pid;
    c->first_pid = 0;
    c->first_us = 0;
    atomic_store(&c->awaited, true);
    pthread_mutex_unlock(&c->lock);
    now = now_us();
    atomic_store(&c->restart_ended_us, 0);
    atomic_store(&c->restart_began_us, now);
    return now;
}

void soak_clients_restart_end(struct soak_clients *c)
{
    atomic_store(&c->restart_ended_us, now_us() + TAIL_US);
}

uint64_t soak_clients_first_answer(struct soak_clients *c, pid_t *pid, int timeout_ms)
{
    struct timespec until;
    uint64_t at;
    int error = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000 + 1;
    pthread_mutex_lock(&c->lock);
    while (!c->first_us && !error)
        error = pthread_cond_timedwait(&c->changed, &c->lock, &until);
    atomic_store(&c->awaited, false);
    at = c->first_us;
    *pid = c->first_pid;
    pthread_mutex_unlock(&c->lock);
    return at;
}

/* An answer of this process has come in. */
static void see_pid(struct soak_clients *c, pid_t pid, uint64_t at)
{
    bool known = false;

    if (!atomic_load(&c->awaited))
        return;
    pthread_mutex_lock(&c->lock);
    for (int i = 0; i < PIDS; i++)
        known |= c->served[i] == pid;
    if (!known && !c->first_us) {
        c->first_us = at;
        c->first_pid = pid;
        atomic_store(&c->awaited, false);
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->lock);
}

static void count_time(struct soak_client *c, uint64_t began, uint64_t ended)
{
    uint64_t from = atomic_load(&c->all->restart_began_us), to = atomic_load(&c->all->restart_ended_us);
    bool inside = from && ended >= from && (!to || began <= to);

    pthread_mutex_lock(&c->lock);
    latency_add(inside ? &c->inside : &c->outside, ended - began);
    pthread_mutex_unlock(&c->lock);
}

/* ---- requests -------------------------------------------------------------------------------------------------- */

static int sleep_of(uint64_t n)
{
    return SLEEP_MIN_MS + (int)(n * 7919 % (SLEEP_MAX_MS - SLEEP_MIN_MS + 1)); /* a prime: all lengths, unsorted */
}

static size_t make_request(uint64_t n, char *buffer, void *arg)
{
    struct soak_client *c = arg;
    const char *close = c->kind->fresh ? "Connection: close\r\n" : "";
    char target[128];

    if (c->all->options.file)
        snprintf(target, sizeof(target), "/file");
    else if (c->kind->what == SLEEPING)
        snprintf(target, sizeof(target), "/sleep?n=%" PRIu64 "&ms=%d", n, sleep_of(n));
    else
        snprintf(target, sizeof(target), "/echo?n=%" PRIu64, n);
    atomic_store(&c->began_us[n % NUMBERS], now_us());
    return (size_t)snprintf(buffer, LOAD_REQUEST_MAX, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", target, close);
}

/* What must follow the pid with which the answer begins. */
static size_t expect(const struct soak_client *c, uint64_t n, long pid, char *text, size_t size)
{
    size_t length;

    if (c->kind->what == SLEEPING)
        return (size_t)snprintf(text, size, " %" PRIu64 "\n%ld %" PRIu64 "\n", n, pid, n);
    length = (size_t)snprintf(text, size, "\n");
    for (uint64_t i = 0; i <= n % LINES; i++)
        length += (size_t)snprintf(text + length, size - length, "%" PRIu64 ":%" PRIu64 "\n", n, i);
    return length;
}

static bool is_right(struct soak_client *c, uint64_t n, const struct answer *answer, long *pid)
{
    char expected[LINES * 48], *rest = answer->body;
    size_t length;

    *pid = 0;
    if (answer->status != 200 || !answer->body)
        return false;
    if (c->all->options.file)
        return !strcmp(answer->body, c->all->options.file);
    *pid = strtol(answer->body, &rest, 10);
    length = expect(c, n, *pid, expected, sizeof(expected));
    return *pid > 0 && strlen(rest) == length && !memcmp(rest, expected, length);
}

static bool check_answer(uint64_t n, const struct answer *answer, char *why, size_t size, void *arg)
{
    struct soak_client *c = arg;
    uint64_t now = now_us();
    long pid;

    if (!is_right(c, n, answer, &pid)) {
        snprintf(why, size, "status %d, body of %zu bytes: %.100s", answer->status, answer->body_size,
                 answer->body ? answer->body : "");
        return false;
    }
    if (c->kind->what == FAST) {
        see_pid(c->all, (pid_t)pid, now);
        count_time(c, atomic_load(&c->began_us[n % NUMBERS]), now);
    }
    return true;
}

/* ---- life ------------------------------------------------------------------------------------------------------ */

static int start_one(struct soak_client *c)
{
    const struct kind *k = c->kind;
    struct transport_target target = k->tls ? c->all->options.https : c->all->options.http;

    if (k->what == UPLOADING || k->what == DOWNLOADING) {
        struct slow_client_options options = {.target = target,
                                              .connections = k->clients,
                                              .download = k->what == DOWNLOADING,
                                              .size = k->what == DOWNLOADING ? DOWNLOAD_SIZE : UPLOAD_SIZE,
                                              .duration_ms = SLOW_MS};

        c->slow = slow_client_start(&options);
    } else {
        struct load_options options = {.target = target,
                                       .connections = k->clients,
                                       .fresh = k->fresh,
                                       .timeout_ms = TIMEOUT_MS,
                                       .pause_us = k->pause_us,
                                       .make = make_request,
                                       .check = check_answer,
                                       .arg = c};

        c->load = load_start(&options);
    }
    return c->slow || c->load ? 0 : -errno;
}

struct soak_clients *soak_clients_start(const struct soak_clients_options *options)
{
    struct soak_clients *all = calloc(1, sizeof(*all));
    pthread_condattr_t monotonic;
    int error = 0;

    if (!all)
        return NULL;
    all->options = *options;
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&all->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    for (int i = 0; i < SOAK_KINDS; i++) {
        struct soak_client *c = &all->clients[i];

        c->all = all;
        c->kind = &kinds[i];
        pthread_mutex_init(&c->lock, NULL);
        if (!error && (options->kinds & 1u << i))
            error = start_one(c);
    }
    if (!error)
        return all;
    soak_clients_free(all);
    errno = -error;
    return NULL;
}

static uint64_t requests_of(struct soak_client *c)
{
    if (c->load)
        return load_requests(c->load);
    return c->slow ? slow_client_requests(c->slow) : 1;
}

int soak_clients_wait_all(struct soak_clients *all, int timeout_ms)
{
    for (int waited = 0; waited < timeout_ms; waited += 20) {
        bool missing = false;

        for (int i = 0; i < SOAK_KINDS; i++)
            missing |= requests_of(&all->clients[i]) == 0;
        if (!missing)
            return 0;
        usleep(20000);
    }
    return -ETIMEDOUT;
}

uint64_t soak_clients_failures(struct soak_clients *all)
{
    uint64_t failures = 0;

    for (int i = 0; i < SOAK_KINDS; i++) {
        if (all->clients[i].load)
            failures += load_failures(all->clients[i].load);
        if (all->clients[i].slow)
            failures += slow_client_failures(all->clients[i].slow);
    }
    return failures;
}

static void stop_all(struct soak_clients *all)
{
    for (int i = 0; i < SOAK_KINDS && !all->stopped; i++) {
        if (all->clients[i].load)
            load_stop(all->clients[i].load);
        if (all->clients[i].slow)
            slow_client_stop(all->clients[i].slow);
    }
    all->stopped = true;
}

void soak_clients_stop(struct soak_clients *all, struct soak_outcome outcomes[SOAK_KINDS])
{
    stop_all(all);
    for (int i = 0; i < SOAK_KINDS; i++) {
        const struct soak_client *c = &all->clients[i];
        struct soak_outcome *o = &outcomes[i];

        *o = (struct soak_outcome){.name = c->kind->name, .present = c->load || c->slow, .clients = c->kind->clients};
        if (!o->present)
            continue;
        o->result = c->load ? *load_result(c->load) : *slow_client_result(c->slow);
        o->inside = c->inside;
        o->outside = c->outside;
        o->kept_plain = !c->kind->tls && !c->kind->fresh;
        if (!c->kind->fresh)
            o->closed = o->result.announced + o->result.closed_idle + o->result.raced;
    }
}

void soak_clients_free(struct soak_clients *all)
{
    if (!all)
        return;
    stop_all(all);
    for (int i = 0; i < SOAK_KINDS; i++) {
        load_free(all->clients[i].load);
        slow_client_free(all->clients[i].slow);
        pthread_mutex_destroy(&all->clients[i].lock);
    }
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

/* ---- outcomes -------------------------------------------------------------------------------------------------- */

void soak_outcomes_print(const struct soak_outcome outcomes[SOAK_KINDS], FILE *file)
{
    fprintf(file, "  %-24s %7s %9s %8s %6s %11s %9s %8s %9s\n", "", "clients", "requests", "failures", "raced",
            "connections", "announced", "unsaid", "resumed");
    for (int i = 0; i < SOAK_KINDS; i++) {
        const struct load_result *r = &outcomes[i].result;

        if (outcomes[i].present)
            fprintf(file,
                    "  %-24s %7d %9" PRIu64 " %8" PRIu64 " %6" PRIu64 " %11" PRIu64 " %9" PRIu64 " %8" PRIu64
                    " %9" PRIu64 "\n",
                    outcomes[i].name, outcomes[i].clients, r->requests, r->failures, r->raced, r->connections,
                    r->announced, r->closed_idle, r->resumed);
    }
    for (int i = 0; i < SOAK_KINDS; i++)
        for (int k = 0; outcomes[i].present && k < LOAD_FAILURES_KEPT && outcomes[i].result.failure[k][0]; k++)
            fprintf(file, "    %s: %s\n", outcomes[i].name, outcomes[i].result.failure[k]);
}

uint64_t soak_outcomes_requests(const struct soak_outcome outcomes[SOAK_KINDS])
{
    uint64_t sum = 0;

    for (int i = 0; i < SOAK_KINDS; i++)
        sum += outcomes[i].result.requests;
    return sum;
}

uint64_t soak_outcomes_failures(const struct soak_outcome outcomes[SOAK_KINDS])
{
    uint64_t sum = 0;

    for (int i = 0; i < SOAK_KINDS; i++)
        sum += outcomes[i].result.failures;
    return sum;
}

uint64_t soak_outcomes_closed(const struct soak_outcome outcomes[SOAK_KINDS])
{
    uint64_t sum = 0;

    for (int i = 0; i < SOAK_KINDS; i++)
        if (outcomes[i].kept_plain)
            sum += outcomes[i].closed;
    return sum;
}
