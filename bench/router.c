/*
 * Router: what a lookup costs with 10, 1,000 and 100,000 routes, for paths of one length.
 *
 *   router [-r rounds] [-n lookups of a run]
 *
 * All tables have routes of one shape, `/api/v1/rNNNNNN/:id`, so that a lookup does the same work in each: four
 * segments and a parameter. Caches make it matter which routes are asked for, so three ways are measured: `random`, all
 * routes are equally likely, and nearly each lookup meets one that no cache has any more, which is the worst for a
 * large table; `skewed`, the n-th route is asked for with a likelihood of 1/n, as the pages of a site are; `hot`, it is
 * always the same route. The paths are made in small batches outside of the time, and are in the cache as those of
 * requests are that have just come in. The tables are measured in turns, so that what else the machine does meets all
 * of them, and of the batches of a run the median counts, since some are interrupted. Measures and prints; judges a
 * ratio for each way, fails nothing.
 */
#include "bench/support/machine.h"
#include "bench/support/samples.h"
#include "gf/ghttp/message/arena.h"
#include "gf/ghttp/message/request.h"
#include "gf/ghttp/route/router.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WANTED_RATIO 1.5

enum {
    TABLES = 3,
    RANDOM = 0,
    SKEWED,
    HOT,
    ACCESSES,
    BATCH = 64, /* paths that are made at once: two KiB */
    PATH_SIZE = 32,
    BODY_MAX = 4096,
    ARENA_MAX = 1 << 20,
};

static const unsigned sizes[TABLES] = {10, 1000, 100000};
static const char *const accesses[ACCESSES] = {"random", "skewed", "hot"};

struct table {
    struct gf_router *router;
    unsigned size;
    struct samples ns[ACCESSES]; /* of a lookup, a sample for each run */
};

struct bench {
    long rounds, lookups;
    uint64_t random;
    struct ghttp_request request;
    struct table tables[TABLES];
    struct samples batches;          /* of one run */
    struct samples ratios[ACCESSES]; /* of each round: the last table by the first */
};

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* xorshift: quick, and the same numbers in each run of the bench. */
static uint64_t next_random(struct bench *b)
{
    b->random ^= b->random << 13;
    b->random ^= b->random >> 7;
    b->random ^= b->random << 17;
    return b->random;
}

static void handler(ghttp_request *r)
{
    (void)r;
}

static int fill(struct table *table)
{
    char pattern[64], error[256];

    table->router = gf_router_new();
    for (unsigned i = 0; table->router && i < table->size; i++) {
        snprintf(pattern, sizeof(pattern), "GET:/api/v1/r%06u/:id", i);
        if (gf_router_bind(table->router, pattern, handler, (void *)(uintptr_t)i, error, sizeof(error)) < 0) {
            fprintf(stderr, "router: %s\n", error);
            return -1;
        }
    }
    return table->router ? 0 : -1;
}

/* The number of the route that is asked for. */
static uintptr_t choose(struct bench *b, unsigned size, int access)
{
    double part = (double)(next_random(b) >> 11) / (double)(1ULL << 53);

    if (access == RANDOM)
        return (uintptr_t)(part * size);
    /* Times a prime, so that those which are asked for often are not neighbours in memory. */
    return access == HOT ? size / 2 : ((uintptr_t)pow(size, part) - 1) * 7919 % size;
}

/* The time of a batch of lookups. 0: one has found none, or, if that is checked, a wrong route. Looking at a route that
 * was found takes room in the caches, so it is not done while the time is taken. */
static uint64_t look_up(struct bench *b, const struct table *table, int access, bool checks)
{
    char paths[BATCH][PATH_SIZE];
    uintptr_t wanted[BATCH];
    const struct gf_route *found[BATCH];
    struct ghttp_request *r = &b->request;
    uint64_t began;

    for (int i = 0; i < BATCH; i++) {
        wanted[i] = choose(b, table->size, access);
        snprintf(paths[i], PATH_SIZE, "/api/v1/r%06u/%08u", (unsigned)wanted[i], (unsigned)i);
    }
    began = now_ns();
    for (int i = 0; i < BATCH; i++) {
        gf_arena_reset(r->arena);
        r->router_fields = (struct gf_fields){.items = NULL};
        r->raw_path = paths[i];
        found[i] = gf_router_find(table->router, r) == 0 ? r->route : NULL;
    }
    began = now_ns() - began;
    for (int i = 0; i < BATCH; i++)
        if (!found[i] || (checks && (uintptr_t)found[i]->arg != wanted[i]))
            return 0;
    return began;
}

/* Nanoseconds of a lookup, the median of the batches; 0: one was wrong. What the caches can hold of the table is in
 * them when the time begins. */
static double measure(struct bench *b, const struct table *table, int access)
{
    b->batches.count = 0;
    for (long i = 0; i < 2 * b->lookups; i += BATCH) {
        uint64_t time = look_up(b, table, access, i < b->lookups);

        if (!time)
            return 0;
        if (i >= b->lookups)
            samples_add(&b->batches, (double)time / BATCH);
    }
    return samples_median(&b->batches);
}

static int do_round(struct bench *b, long number)
{
    double ns[TABLES];

    printf("%5ld", number);
    for (int access = 0; access < ACCESSES; access++) {
        for (int i = 0; i < TABLES; i++) {
            ns[i] = measure(b, &b->tables[i], access);
            if (!(ns[i] > 0))
                return -1;
            samples_add(&b->tables[i].ns[access], ns[i]);
            printf(" %9.0f", ns[i]);
        }
        samples_add(&b->ratios[access], ns[TABLES - 1] / ns[0]);
        printf(" %7.2f  ", ns[TABLES - 1] / ns[0]);
    }
    printf("\n");
    fflush(stdout);
    return 0;
}

static void print_summary(struct bench *b)
{
    printf("%5s", "");
    for (int access = 0; access < ACCESSES; access++) {
        for (int i = 0; i < TABLES; i++)
            printf(" %9.0f", samples_median(&b->tables[i].ns[access]));
        printf(" %7.2f  ", samples_median(&b->ratios[access]));
    }
    printf("  (medians)\n");
    for (int access = 0; access < ACCESSES; access++) {
        double ratio = samples_median(&b->ratios[access]);

        printf("lookups per second, %-6s:", accesses[access]);
        for (int i = 0; i < TABLES; i++)
            printf(" %.0f of %u routes%s", 1e9 / samples_median(&b->tables[i].ns[access]), sizes[i],
                   i < TABLES - 1 ? "," : "\n");
        printf("requirement: a lookup among %u routes, %s, at most %.1f times the time of one among %u: %.2f, %s\n",
               sizes[TABLES - 1], accesses[access], WANTED_RATIO, sizes[0], ratio,
               ratio <= WANTED_RATIO ? "met" : "NOT MET");
    }
}

static int run(struct bench *b)
{
    machine_print(stdout);
    for (int i = 0; i < TABLES; i++) {
        b->tables[i].size = sizes[i];
        if (fill(&b->tables[i]) < 0)
            return -1;
    }
    printf("nanoseconds of a lookup, of %ld for each figure\n", b->lookups);
    printf("%5s", "round");
    for (int access = 0; access < ACCESSES; access++)
        printf(" %2s%-7s%10u%10u %7s  ", "", accesses[access], sizes[1], sizes[2], "ratio");
    printf("\n");
    for (long i = 1; i <= b->rounds; i++)
        if (do_round(b, i) < 0) {
            fprintf(stderr, "router: a lookup has found a wrong route\n");
            return -1;
        }
    print_summary(b);
    return 0;
}

static bool parse(int count, char **arguments, struct bench *b)
{
    int letter;

    while ((letter = getopt(count, arguments, "r:n:")) != -1) {
        if (letter == 'r')
            b->rounds = atol(optarg);
        else if (letter == 'n')
            b->lookups = atol(optarg);
        else
            return false;
    }
    return b->rounds > 0 && b->rounds <= SAMPLES_MAX && b->lookups > 0 && b->lookups <= (long)SAMPLES_MAX * BATCH;
}

int main(int count, char **arguments)
{
    struct bench *b = calloc(1, sizeof(*b));
    struct gf_arena *arena = gf_arena_new(ARENA_MAX);
    int result = 1;

    if (b && arena) {
        b->rounds = 15;
        b->lookups = 200000;
        b->random = 88172645463325252;
        gf_request_init(&b->request, arena, BODY_MAX);
        b->request.method = "GET";
        b->request.host = "localhost";
        if (parse(count, arguments, b))
            result = run(b) < 0;
        else
            fprintf(stderr, "usage: %s [-r rounds] [-n lookups of a run]\n", arguments[0]);
        for (int i = 0; i < TABLES; i++)
            gf_router_free(b->tables[i].router);
        gf_request_finish(&b->request);
    }
    gf_arena_free(arena);
    free(b);
    return result;
}
