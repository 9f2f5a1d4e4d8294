/*
 * Restart latency: from asking for a restart until the new process answers, by a signal and by the admin page, from a
 * small process and from one with a heap of 1 GiB.
 *
 *   restart_latency [-n restarts each way] [-m restarts each way with the heap] [-g MiB of the heap]
 *
 * A watcher asks /pid on a new connection each time, with a short pause between, and notes when the first answer of
 * another process has come in whole. The asker notes when it is told: the page's answer has come in, or the log line
 * has. One process restarts again and again; each generation grows its heap before it is replaced. Measures and prints;
 * judges one number, fails nothing.
 */
#include "bench/support/machine.h"
#include "bench/support/samples.h"
#include "tests/support/port.h"
#include "tests/support/process.h"
#include "tests/support/rig.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WANTED_MS = 20,
    PATIENCE_MS = 60000,
    WATCH_PAUSE_US = 200, /* how late a new process may be seen, and what leaves a small machine time to start it */
};

struct server {
    struct transport_target target;
    struct process *process;
    pid_t pid; /* of the generation that serves */
    int heap_mib;
};

/* ---- the watcher ----------------------------------------------------------------------------------------------- */

struct watch {
    const struct server *server;
    pthread_t thread;
    pid_t fresh;     /* who answered first that is not the server's pid; 0: nobody in time */
    int64_t seen_us; /* when */
    unsigned long answers, failures;
    long failure; /* the last one: a negative errno */
};

static void *watch(void *arg)
{
    struct watch *w = arg;
    int64_t until = machine_now_us() + PATIENCE_MS * 1000LL;

    while (!w->fresh && machine_now_us() < until) {
        long pid = rig_fetch_number(&w->server->target, "/pid");
        w->seen_us = machine_now_us();
        if (pid > 0)
            w->answers++;
        else
            w->failures++, w->failure = pid;
        if (pid > 0 && pid != w->server->pid)
            w->fresh = (pid_t)pid;
        else
            usleep(WATCH_PAUSE_US);
    }
    return NULL;
}

/* ---- who asks for the restart, and waits until told: 0 or a negative errno --------------------------------------- */

static int ask_by_signal(const struct server *s)
{
    process_mark(s->process);
    if (kill(s->pid, SIGUSR1) < 0)
        return -errno;
    return process_wait_line(s->process, "server restarted: process ", PATIENCE_MS);
}

static int ask_by_page(const struct server *s)
{
    int status = rig_fetch(&s->target, "/debug/admin/restart", NULL);
    return status == 200 ? 0 : status < 0 ? status : -EPROTO;
}

static const struct way {
    const char *name, *told;
    int (*ask)(const struct server *s);
} ways[] = {
    {"SIGUSR1", "the log says that the new process serves", ask_by_signal},
    {"admin page", "the page has answered", ask_by_page},
};

enum { WAYS = sizeof(ways) / sizeof(*ways) };

/* ---- measuring ------------------------------------------------------------------------------------------------- */

struct figures {
    struct samples first[WAYS], told[WAYS]; /* milliseconds */
    unsigned long answers, failures;
    long failure;
    long resident_mib, fork_us; /* of the process before its last restart */
};

static int restart_once(struct server *s, const struct way *way, struct samples *first, struct samples *told,
                        struct figures *figures)
{
    struct watch w = {.server = s};
    int64_t began, told_us;
    int result = -pthread_create(&w.thread, NULL, watch, &w);

    if (result < 0)
        return result;
    usleep(5000); /* the watcher's first rounds, with cold caches, are no part of the restart */
    began = machine_now_us();
    result = way->ask(s);
    told_us = machine_now_us();
    pthread_join(w.thread, NULL);
    figures->answers += w.answers;
    figures->failures += w.failures;
    if (w.failures)
        figures->failure = w.failure;
    if (!result && !w.fresh)
        result = -ETIMEDOUT;
    if (result < 0)
        return result;
    samples_add(first, (double)(w.seen_us - began) / 1000);
    samples_add(told, (double)(told_us - began) / 1000);
    result = process_wait_pid_gone(s->pid, PATIENCE_MS); /* its end is not to slow down the next restart */
    s->pid = w.fresh;
    return result;
}

static int grow(const struct server *s, struct figures *figures)
{
    char path[64];
    int status;

    snprintf(path, sizeof(path), "/grow?mib=%d", s->heap_mib);
    status = s->heap_mib ? rig_fetch(&s->target, path, NULL) : 200;
    figures->resident_mib = machine_resident_mib(s->pid);
    return status == 200 ? 0 : status < 0 ? status : -ENOMEM;
}

static int restart_all(struct server *s, int times, struct figures *figures)
{
    int result = 0;

    /* By turns, so that what else the machine does meets both. */
    for (int i = 0; i < times * WAYS && !result; i++) {
        int way = i % WAYS;
        result = grow(s, figures);
        if (!result && i == times * WAYS - 1)
            figures->fork_us = rig_fetch_number(&s->target, "/fork");
        if (!result)
            result = restart_once(s, &ways[way], &figures->first[way], &figures->told[way], figures);
    }
    return result;
}

static int start(struct server *s)
{
    char port[16];
    const char *arguments[] = {port, NULL};
    struct process_options options = {.program = "restartable", .arguments = arguments};

    s->target.port = free_port();
    if (s->target.port < 0)
        return s->target.port;
    snprintf(port, sizeof(port), "%d", s->target.port);
    s->process = process_start(&options);
    if (!s->process)
        return -errno;
    s->pid = process_pid(s->process);
    return process_wait_line(s->process, "started listening", PATIENCE_MS);
}

/* ---- printing -------------------------------------------------------------------------------------------------- */

static void print_line(const char *what, struct samples *s)
{
    printf("    %-44s %8.1f %8.1f %8.1f\n", what, samples_median(s), samples_percentile(s, 0.9), samples_max(s));
}

static void print_figures(const struct server *s, int times, struct figures *figures)
{
    char heap[64];
    double worst = 0;

    snprintf(heap, sizeof(heap), "a small process");
    if (s->heap_mib)
        snprintf(heap, sizeof(heap), "%d MiB of heap", s->heap_mib);
    printf("\n%s: %d restarts each way, %ld MiB resident before them; a fork() of it takes %.1f ms\n", heap, times,
           figures->resident_mib, (double)figures->fork_us / 1000);
    printf("  %-46s %8s %8s %8s\n", "milliseconds from asking until", "median", "p90", "max");
    for (int i = 0; i < WAYS; i++) {
        printf("  by %s\n", ways[i].name);
        print_line("the new process has answered", &figures->first[i]);
        print_line(ways[i].told, &figures->told[i]);
        if (samples_median(&figures->first[i]) > worst)
            worst = samples_median(&figures->first[i]);
        if (samples_median(&figures->told[i]) > worst)
            worst = samples_median(&figures->told[i]);
    }
    printf("  requests on new connections meanwhile: %lu answered, %lu failed%s%s\n", figures->answers,
           figures->failures, figures->failures ? ", the last one by: " : "",
           figures->failures ? strerror((int)-figures->failure) : "");
    printf("requirement: %s, restarted within %d ms: the slowest of the medians is %.1f ms, %s\n", heap, WANTED_MS,
           worst, worst < WANTED_MS ? "met" : "NOT MET");
    fflush(stdout);
}

/* ---- all ------------------------------------------------------------------------------------------------------- */

static int run(int heap_mib, int times)
{
    struct server s = {.heap_mib = heap_mib};
    struct figures *figures = calloc(1, sizeof(*figures));
    int result = figures ? start(&s) : -ENOMEM;

    if (!result)
        result = restart_all(&s, times, figures);
    if (!result)
        print_figures(&s, times, figures);
    else
        fprintf(stderr, "restart_latency: %s\n", strerror(-result));
    process_free(s.process);
    free(figures);
    return result;
}

int main(int count, char **arguments)
{
    int times = 50, heap_times = 25, heap_mib = 1024, letter, result;

    while ((letter = getopt(count, arguments, "n:m:g:")) != -1) {
        if (letter == '?') {
            fprintf(stderr, "usage: %s [-n restarts] [-m restarts with the heap] [-g MiB]\n", arguments[0]);
            return 2;
        }
        *(letter == 'n' ? &times : letter == 'm' ? &heap_times : &heap_mib) = atoi(optarg);
    }
    machine_print(stdout);
    result = times > 0 ? run(0, times) : 0;
    if (!result && heap_times > 0 && heap_mib > 0)
        result = run(heap_mib, heap_times);
    return result ? 1 : 0;
}
