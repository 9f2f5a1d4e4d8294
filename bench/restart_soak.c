/*
 * Restarts under load, again and again: requests, failures and closed connections by kind of client, times, and what
 * the last generation takes of the system beside the second. Then the same for nginx's upgrade of its binary, where
 * that is installed, with the two kinds of client that its file server can serve in the same way.
 *
 *   restart_soak [-n restarts] [-p ms between them] [-u upgrades of nginx, and as many restarts of gf beside them]
 *
 * Measures and prints; fails nothing.
 */
#include "bench/support/machine.h"
#include "bench/support/nginx.h"
#include "tests/support/soak.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CLIENTS_MS = 30000,
    COMPARED = 1 << SOAK_KEPT_HTTP | 1 << SOAK_FRESH_HTTP,
    /* What the last generation may have above the second: allocators and busy moments differ by as much. */
    MORE_KIB = 24 << 10, /* four downloads of 6 MiB may be under way, or their memory not yet given back */
    MORE_DESCRIPTORS = 10,
    MORE_THREADS = 8,
    MORE_BYTES = 32, /* of environment: numbers of pids and descriptors grow digits */
};

/* ---- printing ---------------------------------------------------------------------------------------------------- */

static void print_times(const char *what, const struct latency *l)
{
    if (l->count)
        printf("  %-58s %6" PRIu64 " %9.1f %9.1f %9.1f\n", what, l->count, (double)latency_percentile(l, 0.5) / 1000,
               (double)latency_percentile(l, 0.99) / 1000, (double)l->max_us / 1000);
}

static void print_latency(const struct soak_outcome *o)
{
    if (o->present && o->inside.count + o->outside.count)
        printf("  %-24s %10.2f %9.2f %9.2f %12.2f %9.2f %9.2f\n", o->name,
               (double)latency_percentile(&o->outside, 0.5) / 1000,
               (double)latency_percentile(&o->outside, 0.99) / 1000, (double)o->outside.max_us / 1000,
               (double)latency_percentile(&o->inside, 0.5) / 1000, (double)latency_percentile(&o->inside, 0.99) / 1000,
               (double)o->inside.max_us / 1000);
}

/* Of the slow kinds: an exchange goes over a restart and more, so that there is no outside. */
static void print_whole(const struct soak_outcome *o)
{
    const struct latency *l = &o->result.latency;

    if (o->present && !(o->inside.count + o->outside.count) && l->count)
        printf("  %-24s %10.0f %9.0f %9.0f\n", o->name, (double)latency_percentile(l, 0.5) / 1000,
               (double)latency_percentile(l, 0.99) / 1000, (double)l->max_us / 1000);
}

static void print_generations(const struct soak_result *r)
{
    printf("\n  %10s %8s %12s %12s %8s %20s %8s %8s\n", "generation", "pid", "resident KiB", "descriptors", "threads",
           "environment", "zombies", "sockets");
    for (int i = 0; i < SOAK_LOOKS; i++) {
        const struct generation *g = &r->looks[i];

        printf("  %10d %8d %12ld %12ld %8ld %4ld, %8ld bytes %8d %8d\n", g->number, (int)g->pid, g->resident_kib,
               g->descriptors, g->threads, g->variables, g->environment_bytes, g->zombies, g->sockets);
    }
    printf("  processes left at the end: %d\n", r->left);
}

static bool looks_like(const struct generation *last, const struct generation *second)
{
    return last->resident_kib <= second->resident_kib + MORE_KIB &&
           last->descriptors <= second->descriptors + MORE_DESCRIPTORS &&
           last->threads <= second->threads + MORE_THREADS && last->variables == second->variables &&
           last->environment_bytes <= second->environment_bytes + MORE_BYTES && !last->zombies &&
           last->sockets <= second->sockets;
}

static const char *met(bool is_met)
{
    return is_met ? "met" : "NOT MET";
}

static void print_requirements(const struct soak_result *r)
{
    const struct generation *second = &r->looks[SOAK_SECOND], *last = &r->looks[SOAK_LAST];
    uint64_t failures = soak_outcomes_failures(r->outcomes), closed = soak_outcomes_closed(r->outcomes);

    printf("requirement: no request fails: %" PRIu64 " of %" PRIu64 " requests failed in %d restarts: %s\n", failures,
           failures + soak_outcomes_requests(r->outcomes), r->restarts, met(!failures));
    printf("requirement: no kept plain-HTTP connection is closed: %" PRIu64 " closed in %d restarts: %s\n", closed,
           r->restarts, met(!closed));
    printf("requirement: every restart succeeds: %d refused: %s\n", r->refused, met(!r->refused));
    printf("requirement: the last generation looks like the second: %ld and %ld KiB, %ld and %ld descriptors, %ld and "
           "%ld threads, %ld and %ld bytes of environment, %d and %d zombies, %d and %d sockets: %s\n",
           last->resident_kib, second->resident_kib, last->descriptors, second->descriptors, last->threads,
           second->threads, last->environment_bytes, second->environment_bytes, last->zombies, second->zombies,
           last->sockets, second->sockets, met(looks_like(last, second)));
}

static void print_soak(const struct soak_result *r, int pause_ms)
{
    printf("\n%d restarts in %.0f s, %d ms or more between two, by the page and by SIGUSR1 in turns, all clients at "
           "once\n",
           r->restarts, r->seconds, pause_ms);
    soak_outcomes_print(r->outcomes, stdout);
    printf("\n  %-58s %6s %9s %9s %9s\n", "milliseconds", "count", "p50", "p99", "max");
    print_times("from asking until who asked is told", &r->told);
    print_times("from asking until an answer of the new process", &r->seen);
    print_times("the same until told, asked while three generations live", &r->queued);
    print_times("waited by the soak until one more generation may live", &r->awaited);
    printf("\n  %-24s %30s %32s\n", "milliseconds of requests", "outside: p50       p99       max",
           "during restarts: p50   p99   max");
    for (int i = 0; i < SOAK_KINDS; i++)
        print_latency(&r->outcomes[i]);
    printf("\n  %-24s %30s\n", "milliseconds of slow ones", "p50       p99       max");
    for (int i = 0; i < SOAK_KINDS; i++)
        print_whole(&r->outcomes[i]);
    print_generations(r);
    if (r->lost_sight)
        printf("  after %d restarts no client saw the new process within 5 s\n", r->lost_sight);
    if (r->refused)
        printf("  the first refusal: %s\n", r->refusal);
    for (int i = 0; i < r->warning_count && i < (int)(sizeof(r->warnings) / sizeof(r->warnings[0])); i++)
        printf("  log: %s\n", r->warnings[i]);
    print_requirements(r);
    fflush(stdout);
}

/* ---- beside nginx ------------------------------------------------------------------------------------------------ */

struct compared {
    const char *name;
    int upgrades;
    double seconds;
    struct soak_outcome outcomes[SOAK_KINDS];
};

static int compare_gf(struct compared *c, int upgrades, int pause_ms, struct soak_result *r)
{
    struct soak_options options = {.restarts = upgrades, .pause_ms = pause_ms, .kinds = COMPARED};
    int error = soak_run(&options, r);

    c->name = "gf";
    c->upgrades = r->restarts;
    c->seconds = r->seconds;
    memcpy(c->outcomes, r->outcomes, sizeof(c->outcomes));
    return error;
}

static int upgrade_nginx(struct nginx *n, struct compared *c, int upgrades, int pause_ms)
{
    struct soak_clients_options options = {.http = {.port = n->port}, .kinds = COMPARED, .file = NGINX_FILE_TEXT};
    struct soak_clients *clients = soak_clients_start(&options);
    int64_t began = machine_now_us();
    int error = clients ? soak_clients_wait_all(clients, CLIENTS_MS) : -errno;

    for (int i = 0; i < upgrades && !error; i++) {
        pid_t old = 0;

        usleep((useconds_t)pause_ms * 1000);
        soak_clients_restart_begin(clients, n->master);
        error = nginx_upgrade(n, &old);
        soak_clients_restart_end(clients);
        if (!error)
            error = nginx_wait_gone(n, old, CLIENTS_MS);
        c->upgrades += !error;
    }
    if (clients)
        soak_clients_stop(clients, c->outcomes);
    soak_clients_free(clients);
    c->seconds = (double)(machine_now_us() - began) / 1e6;
    return error;
}

static int compare_nginx(struct compared *c, struct nginx *n, int upgrades, int pause_ms)
{
    int error = nginx_start(n);

    c->name = "nginx";
    if (!error)
        error = upgrade_nginx(n, c, upgrades, pause_ms);
    return error;
}

static double closed_per_upgrade(const struct compared *c, enum soak_kind kind)
{
    return c->upgrades ? (double)c->outcomes[kind].closed / c->upgrades : 0;
}

static void print_compared_kind(const struct compared both[2], enum soak_kind kind)
{
    for (int i = 0; i < 2; i++) {
        const struct soak_outcome *o = &both[i].outcomes[kind];

        printf("  %-12s %-6s %9d %9" PRIu64 " %9" PRIu64 " %8" PRIu64 " %10" PRIu64 " %13.2f %9.2f %9.2f\n", o->name,
               both[i].name, both[i].upgrades, o->result.requests, o->result.failures, o->result.announced,
               o->result.closed_idle, closed_per_upgrade(&both[i], kind),
               (double)latency_percentile(&o->inside, 0.5) / 1000, (double)latency_percentile(&o->inside, 0.99) / 1000);
    }
}

/* nginx's number for one of gf's: above 1 is better for gf. */
static void print_ratio(const struct compared both[2], enum soak_kind kind)
{
    const struct soak_outcome *gf = &both[0].outcomes[kind], *nginx = &both[1].outcomes[kind];
    double gf_us = (double)latency_percentile(&gf->inside, 0.99);
    double nginx_us = (double)latency_percentile(&nginx->inside, 0.99);

    if (gf_us > 0 && nginx_us > 0)
        printf("  ratio nginx : gf, %s: p99 during upgrades %.2f; failures %" PRIu64 " : %" PRIu64
               "; kept connections closed per upgrade %.1f : %.1f\n",
               gf->name, nginx_us / gf_us, nginx->result.failures, gf->result.failures,
               closed_per_upgrade(&both[1], kind), closed_per_upgrade(&both[0], kind));
}

static void print_compared(const struct compared both[2], const char *version)
{
    printf("\n%s beside gf: USR2, then WINCH and QUIT; %d clients over kept connections, %d over fresh ones\n", version,
           both[0].outcomes[SOAK_KEPT_HTTP].clients, both[0].outcomes[SOAK_FRESH_HTTP].clients);
    printf("  %-12s %-6s %9s %9s %9s %8s %10s %13s %9s %9s\n", "", "", "upgrades", "requests", "failures", "closed",
           "closed", "kept closed", "p50 ms", "p99 ms");
    printf("  %-12s %-6s %9s %9s %9s %8s %10s %13s %9s %9s\n", "", "", "", "", "", "in reply", "unsaid", "per upgrade",
           "meanwhile", "meanwhile");
    print_compared_kind(both, SOAK_KEPT_HTTP);
    print_compared_kind(both, SOAK_FRESH_HTTP);
    print_ratio(both, SOAK_KEPT_HTTP);
    print_ratio(both, SOAK_FRESH_HTTP);
    for (int i = 0; i < 2; i++)
        for (int k = 0; k < SOAK_KINDS; k++)
            if (both[i].outcomes[k].present && both[i].outcomes[k].result.failure[0][0])
                printf("    %s, %s, the first failure: %s\n", both[i].name, both[i].outcomes[k].name,
                       both[i].outcomes[k].result.failure[0]);
}

static int compare(int upgrades, int pause_ms, struct soak_result *r)
{
    struct compared *both = calloc(2, sizeof(*both));
    struct nginx nginx = {.folder = ""};
    int error = both ? compare_nginx(&both[1], &nginx, upgrades, pause_ms) : -ENOMEM;

    if (error == -ENOENT)
        printf("\nnginx is not installed (apt-get install nginx-light): no comparison\n");
    else if (error)
        printf("\nnginx could not be upgraded: %s\n", strerror(-error));
    else if (!compare_gf(&both[0], upgrades, pause_ms, r))
        print_compared(both, nginx.version);
    nginx_stop(&nginx);
    free(both);
    return error == -ENOMEM ? error : 0;
}

/* ---- all --------------------------------------------------------------------------------------------------------- */

int main(int count, char **arguments)
{
    int restarts = 100, pause_ms = 300, upgrades = 20, letter, error;
    struct soak_result *result = calloc(1, sizeof(*result));

    while ((letter = getopt(count, arguments, "n:p:u:")) != -1) {
        if (letter == '?') {
            fprintf(stderr, "usage: %s [-n restarts] [-p ms between them] [-u upgrades of nginx]\n", arguments[0]);
            return 2;
        }
        *(letter == 'n' ? &restarts : letter == 'p' ? &pause_ms : &upgrades) = atoi(optarg);
    }
    if (!result || restarts < 3 || pause_ms < 0)
        return 2;
    machine_print(stdout);
    struct soak_options options = {.restarts = restarts, .pause_ms = pause_ms, .kinds = SOAK_ALL, .progress = stderr};
    error = soak_run(&options, result);
    print_soak(result, pause_ms);
    if (!error && upgrades > 0)
        error = compare(upgrades, pause_ms, result);
    if (error)
        fprintf(stderr, "restart_soak: %s\n", strerror(-error));
    free(result);
    return error ? 1 : 0;
}
