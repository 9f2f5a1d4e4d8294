/*
 * Throughput: gf beside bare libmicrohttpd. Both servers answer "/" with the same bytes from one thread; wrk loads them
 * in turns, a short run each, so that what else the machine does meets both.
 *
 *   throughput [-r rounds] [-d seconds of a run] [-c connections] [-s rounds over TLS, 0: none]
 *
 * Of each run two numbers are taken: requests per second, which depend on the load's share of the machine too, and the
 * processor time of the server per request, which does so less. Measures and prints; judges one ratio, fails nothing.
 */
#include "bench/support/machine.h"
#include "bench/support/samples.h"
#include "tests/support/certificate.h"
#include "tests/support/client.h"
#include "tests/support/port.h"
#include "tests/support/process.h"

#include <gf/gproc/gproc.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WANTED_RATIO 0.9

enum {
    BARE,
    GF,
    SERVERS,
    START_MS = 10000,
    OUTPUT_MAX = 64 << 10, /* wrk prints a dozen lines */
};

struct options {
    int rounds, seconds, connections, tls_rounds;
};

struct server {
    const char *name, *program;
    int port;
    struct process *process;
    struct samples rate, cpu; /* requests per second; nanoseconds of processor time per request */
};

struct bench {
    struct options options;
    bool tls;
    char folder[64], certificate[128], key[128];
    struct server servers[SERVERS];
    struct samples rate_ratio, cpu_ratio; /* of the rounds, above 1 where gf is better */
};

/* ---- servers --------------------------------------------------------------------------------------------------- */

static struct transport_target target_of(const struct bench *b, const struct server *s)
{
    return (struct transport_target){.port = s->port, .tls = b->tls};
}

/* The head of the answer without its date, and the body; allocated, NULL with errno. */
static char *ask(const struct bench *b, const struct server *s)
{
    struct transport_target target = target_of(b, s);
    struct client *c = client_connect(&target, START_MS);
    const struct answer *a = c ? client_get(c, "/", NULL) : NULL;
    char *whole = NULL, *date;

    if (a && asprintf(&whole, "%s\n%s", a->head, a->body) < 0)
        whole = NULL;
    date = whole ? strstr(whole, "Date: ") : NULL;
    if (date)
        memmove(date, date + strcspn(date, "\n") + 1, strlen(date + strcspn(date, "\n")));
    client_close(c);
    return whole;
}

static int start_server(const struct bench *b, struct server *s)
{
    char port[16], *first = NULL;
    const char *plain[] = {port, NULL}, *tls[] = {port, b->certificate, b->key, NULL};
    struct process_options options = {.program = s->program, .arguments = b->tls ? tls : plain};

    s->port = free_port();
    snprintf(port, sizeof(port), "%d", s->port);
    s->process = s->port > 0 ? process_start(&options) : NULL;
    if (!s->process)
        return -errno;
    for (int waited = 0; waited < START_MS && !first; waited += 10) {
        first = ask(b, s);
        if (!first)
            usleep(10000);
    }
    free(first);
    return first ? 0 : -ETIMEDOUT;
}

/* The comparison is worth nothing when the servers do not do the same. */
static void compare_answers(const struct bench *b)
{
    char *bare = ask(b, &b->servers[BARE]), *gf = ask(b, &b->servers[GF]);

    if (!bare || !gf || strcmp(bare, gf))
        printf("ATTENTION: the answers differ beyond their dates:\n%s\n%s\n", bare ? bare : "none", gf ? gf : "none");
    free(bare);
    free(gf);
}

/* ---- one run --------------------------------------------------------------------------------------------------- */

struct run {
    double requests, rate, cpu;
};

static int load_server(const struct bench *b, const struct server *s, struct run *run)
{
    char command[256], *output = NULL, *line;
    uint64_t before = machine_cpu_ns(process_pid(s->process));
    int status = 0, result;

    snprintf(command, sizeof(command), "wrk -t1 -c%d -d%ds %s://127.0.0.1:%d/", b->options.connections,
             b->options.seconds, b->tls ? "https" : "http", s->port);
    result = gproc_shell_exec(command, &output, OUTPUT_MAX, (b->options.seconds + 20) * 1000, &status);
    if (result < 0)
        return result;
    run->cpu = (double)(machine_cpu_ns(process_pid(s->process)) - before);
    line = strstr(output, " requests in ");
    while (line && line > output && line[-1] != '\n')
        line--;
    run->requests = line ? atof(line) : 0;
    line = strstr(output, "Requests/sec:");
    run->rate = line ? atof(line + strlen("Requests/sec:")) : 0;
    if (status || run->requests < 1 || strstr(output, "Non-2xx") || strstr(output, "Socket errors")) {
        printf("ATTENTION: %s: %s\n%s\n", s->name, command, output);
        result = run->requests < 1 ? -EPROTO : 0;
    }
    free(output);
    return result;
}

static int do_round(struct bench *b, int number)
{
    struct run runs[SERVERS];

    for (int i = 0; i < SERVERS; i++) {
        int result = load_server(b, &b->servers[i], &runs[i]);
        if (result < 0)
            return result;
        runs[i].cpu /= runs[i].requests;
        samples_add(&b->servers[i].rate, runs[i].rate);
        samples_add(&b->servers[i].cpu, runs[i].cpu);
    }
    samples_add(&b->rate_ratio, runs[GF].rate / runs[BARE].rate);
    samples_add(&b->cpu_ratio, runs[BARE].cpu / runs[GF].cpu);
    printf("%5d %12.0f %10.0f %8.2f %14.0f %10.0f %8.2f\n", number, runs[BARE].rate, runs[GF].rate,
           runs[GF].rate / runs[BARE].rate, runs[BARE].cpu, runs[GF].cpu, runs[BARE].cpu / runs[GF].cpu);
    fflush(stdout);
    return 0;
}

/* ---- all runs -------------------------------------------------------------------------------------------------- */

static void print_summary(struct bench *b)
{
    struct server *bare = &b->servers[BARE], *gf = &b->servers[GF];
    double rate = samples_median(&b->rate_ratio), cpu = samples_median(&b->cpu_ratio);

    printf("%5s %12.0f %10.0f %8.2f %14.0f %10.0f %8.2f   (medians; of the ratios, not the ratios of medians)\n", "",
           samples_median(&bare->rate), samples_median(&gf->rate), rate, samples_median(&bare->cpu),
           samples_median(&gf->cpu), cpu);
    printf("%5s %12.0f %10.0f %8.2f %14.0f %10.0f %8.2f   (the best run of each)\n", "", samples_max(&bare->rate),
           samples_max(&gf->rate), samples_max(&gf->rate) / samples_max(&bare->rate), samples_min(&bare->cpu),
           samples_min(&gf->cpu), samples_min(&bare->cpu) / samples_min(&gf->cpu));
    printf("requirement: %s, gf at %.1f of bare libmicrohttpd or more: requests per second %.2f, %s; "
           "processor time per request %.2f, %s\n",
           b->tls ? "HTTPS" : "HTTP", WANTED_RATIO, rate, rate >= WANTED_RATIO ? "met" : "NOT MET", cpu,
           cpu >= WANTED_RATIO ? "met" : "NOT MET");
}

static int make_certificate(struct bench *b)
{
    snprintf(b->folder, sizeof(b->folder), "/tmp/gf-bench-XXXXXX");
    if (!mkdtemp(b->folder))
        return -errno;
    snprintf(b->certificate, sizeof(b->certificate), "%s/bench.crt", b->folder);
    snprintf(b->key, sizeof(b->key), "%s/bench.key", b->folder);
    return certificate_make(b->folder, "bench", "localhost");
}

static int measure(struct bench *b, int rounds)
{
    int result = b->tls ? make_certificate(b) : 0;

    for (int i = 0; i < SERVERS && !result; i++)
        result = start_server(b, &b->servers[i]);
    if (!result) {
        compare_answers(b);
        printf("\n%s, %d connections, kept open, %d rounds of %d s each\n", b->tls ? "HTTPS" : "HTTP",
               b->options.connections, rounds, b->options.seconds);
        printf("%5s %32s %34s\n", "", "requests per second", "processor ns per request");
        printf("%5s %12s %10s %8s %14s %10s %8s\n", "round", "bare", "gf", "ratio", "bare", "gf", "ratio");
    }
    for (int i = 1; i <= rounds && !result; i++)
        result = do_round(b, i);
    if (!result)
        print_summary(b);
    else
        fprintf(stderr, "throughput: %s\n", strerror(-result));
    for (int i = 0; i < SERVERS; i++)
        process_free(b->servers[i].process);
    if (b->folder[0]) {
        unlink(b->certificate);
        unlink(b->key);
        rmdir(b->folder);
    }
    return result;
}

static int run(const struct options *options, bool tls, int rounds)
{
    struct bench *b = calloc(1, sizeof(*b));
    int result;

    if (!b)
        return -ENOMEM;
    b->options = *options;
    b->tls = tls;
    b->servers[BARE] = (struct server){.name = "bare libmicrohttpd", .program = "bare_microhttpd"};
    b->servers[GF] = (struct server){.name = "gf", .program = "gf_hello"};
    result = measure(b, rounds);
    free(b);
    return result;
}

static bool parse(int count, char **arguments, struct options *options)
{
    int letter;

    while ((letter = getopt(count, arguments, "r:d:c:s:")) != -1) {
        int *value = letter == 'r'   ? &options->rounds
                     : letter == 'd' ? &options->seconds
                     : letter == 'c' ? &options->connections
                     : letter == 's' ? &options->tls_rounds
                                     : NULL;
        if (!value)
            return false;
        *value = atoi(optarg);
    }
    return options->rounds > 0 && options->seconds > 0 && options->connections > 0 && options->tls_rounds >= 0;
}

static void print_wrk(void)
{
    char *output = NULL;

    if (gproc_shell_exec("wrk -v 2>&1 | head -n 1", &output, OUTPUT_MAX, 10000, NULL) == 0)
        printf("%s", output);
    free(output);
}

int main(int count, char **arguments)
{
    struct options options = {.rounds = 9, .seconds = 1, .connections = 64, .tls_rounds = 3};
    int result;

    if (!parse(count, arguments, &options)) {
        fprintf(stderr, "usage: %s [-r rounds] [-d seconds] [-c connections] [-s rounds over TLS]\n", arguments[0]);
        return 2;
    }
    machine_print(stdout);
    print_wrk();
    result = run(&options, false, options.rounds);
    if (!result && options.tls_rounds > 0)
        result = run(&options, true, options.tls_rounds);
    return result ? 1 : 0;
}
