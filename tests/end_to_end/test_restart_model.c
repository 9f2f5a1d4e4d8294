/*
 * A model of restarts, walked at random: requests, restarts by each way, new processes that die in the middle or cannot
 * start, half requests. After each step somebody serves, it is one process alone, and nothing piles up.
 *
 * GF_TEST_SEED chooses another walk, GF_TEST_SECONDS its length.
 */
#include "tests/support/client.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    DEFAULT_SEED = 20180518,
    DEFAULT_SECONDS = 20,
    SERVES_MS = 2000,
    GENERATIONS_MAX = 4, /* three that live by the model's word, and one that starts or leaves */
    HALVES = 6,
};

/* A new process that is killed here has not been trusted for long enough to be the only one. */
#define BASE "set_gracefulReadyTimeout=1s\nset_gracefulProbation=5s"

static struct rig rig;
static uint64_t state; /* of the random numbers */
static int steps;
static const char *last_step = "nothing";

/* Half requests: whoever has read the first half is to answer the rest as long as it lives. */
static struct {
    struct client *client;
} halves[HALVES];

static void finish(void)
{
    for (int i = 0; i < HALVES; i++)
        client_close(halves[i].client);
    rig_finish(&rig);
}

/* ---- chance (splitmix64) ----------------------------------------------------------------------------------------- */

static unsigned chance(unsigned below)
{
    uint64_t z = (state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (unsigned)((z ^ (z >> 31)) % below);
}

static long number_from(const char *variable, long fallback)
{
    const char *text = getenv(variable);

    return text && *text ? atol(text) : fallback;
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

static pid_t serving(void)
{
    long until = now_ms() + SERVES_MS;
    pid_t pid;

    do
        pid = rig_ask_pid(&rig);
    while (pid <= 0 && now_ms() < until);
    return pid;
}

/* ---- steps ------------------------------------------------------------------------------------------------------- */

static void ask_some(void)
{
    for (unsigned i = chance(20); i > 0; i--)
        cr_assert(gt(int, rig_ask_pid(&rig), 0));
}

static void restart_by_signal(void)
{
    kill(rig.pid, SIGUSR1);
    if (chance(2))
        usleep(chance(30000));
}

static void restart_by_page(void)
{
    int status = rig_page(&rig, "/restart", NULL);

    cr_assert(status == 200 || status == 409, "%d", status); /* 409: one is under way */
}

/* Kills the new process at some moment of its start, of the hand-over or of its probation. */
static void kill_new(void)
{
    pid_t young;

    kill(rig.pid, SIGUSR1);
    usleep(chance(4) ? chance(40000) : chance(300000));
    /* A child only: others of the group drain, and a sanitizer's helper looks for leaks in one that ends. */
    young = rig_find_child(rig.pid);
    if (young)
        kill(young, SIGKILL);
}

static void restart_broken(void)
{
    static const char *const settings[] = {"fault=exit1", "fault=late_kill", "fault=abort", "fault=garbage",
                                           "certificate=settings"};
    char lines[128];
    long result;

    snprintf(lines, sizeof(lines), BASE "\n%s", settings[chance(sizeof(settings) / sizeof(*settings))]);
    cr_assert(zero(int, rig_settings(&rig, lines)));
    result = rig_fetch_number(&rig.http, "/restart");
    /* a slow machine may need more than the time for the fault to show; 0: the settings came too late */
    cr_assert(result == -ECHILD || result == -EBUSY || result == -ETIMEDOUT || !result, "%ld", result);
    cr_assert(zero(int, rig_settings(&rig, BASE)));
}

static void restart_into_nothing(void)
{
    long result = rig_fetch_number(&rig.http, "/restart?path=/nowhere/at/all");

    cr_assert(result == -ENOENT || result == -EBUSY, "%ld", result);
}

static void begin_half(void)
{
    int i = (int)chance(HALVES);

    if (halves[i].client)
        return;
    halves[i].client = client_connect(&rig.http, 20000);
    cr_assert(not(zero(ptr, halves[i].client)));
    cr_assert(zero(int, client_send_text(halves[i].client, "GET /pid HTTP/1.1\r\nHost: local")));
}

static void end_half(void)
{
    int i = (int)chance(HALVES), error = 0;
    const struct answer *answer;

    if (!halves[i].client)
        return;
    error = client_send_text(halves[i].client, "host\r\n\r\n");
    answer = error ? NULL : client_receive(halves[i].client, &error);
    /* whoever had it may have been killed, or have been the oldest of too many */
    cr_assert(answer || error == -EPIPE || error == -ECONNRESET, "%d", error);
    if (answer)
        cr_expect(eq(int, answer->status, 200), "%s", answer->head);
    client_close(halves[i].client);
    halves[i].client = NULL;
}

static void take_a_breath(void)
{
    usleep(chance(400000));
}

static const struct {
    const char *name;
    void (*take)(void);
} ways[] = {
    {"requests", ask_some},         {"signal", restart_by_signal},      {"page", restart_by_page},
    {"death of the new", kill_new}, {"broken program", restart_broken}, {"no program", restart_into_nothing},
    {"half a request", begin_half}, {"its other half", end_half},       {"a breath", take_a_breath},
};

/* ---- what always holds ------------------------------------------------------------------------------------------- */

/* Somebody answers within two seconds, it lives, and soon it is always the same one. */
static void check_service(void)
{
    long until = now_ms() + SERVES_MS;
    pid_t pid = serving();
    int same = 0;

    cr_assert(gt(int, pid, 0), "step %d, after %s: nobody serves", steps, last_step);
    while (same < 10 && now_ms() < until) {
        pid_t next = rig_ask_pid(&rig);

        cr_assert(next > 0 || now_ms() < until, "step %d, after %s: %d", steps, last_step, next);
        same = next == pid ? same + 1 : 0;
        if (next > 0)
            pid = next;
    }
    cr_assert(eq(int, same, 10), "step %d, after %s: two processes accept", steps, last_step);
    cr_assert(zero(int, kill(pid, 0)));
    cr_assert(eq(int, getpgid(pid), rig.first));
    rig.pid = pid;
}

/* At some moment soon: a restart may be under way all the while. */
static void check_processes(void)
{
    long until = now_ms() + SERVES_MS;
    int zombies, processes;

    do {
        zombies = rig_count_zombies(rig.pid);
        processes = rig_count_processes(&rig);
        if (!zombies && processes <= GENERATIONS_MAX)
            return;
        usleep(20000);
    } while (now_ms() < until);
    cr_fatal("step %d, after %s: %d zombies, %d processes", steps, last_step, zombies, processes);
}

/* Each that serves is told once: a restart of the last steps may still go on, and replace the one that was told. */
static int end_whoever_serves(void)
{
    long until = now_ms() + 20000;
    pid_t told = 0;

    while (now_ms() < until) {
        pid_t pid = rig_ask_pid(&rig);

        if (pid > 0 && pid != told && !kill(pid, SIGTERM))
            told = pid;
        if (!process_wait_end(rig.process, 100))
            return 0;
    }
    return -ETIMEDOUT;
}

Test(restart_model, a_random_walk, .fini = finish, .timeout = 200)
{
    long until;

    state = (uint64_t)number_from("GF_TEST_SEED", DEFAULT_SEED);
    fprintf(stderr, "GF_TEST_SEED=%llu\n", (unsigned long long)state);
    cr_assert(zero(int, rig_begin(&rig, BASE)));
    until = now_ms() + 1000 * number_from("GF_TEST_SECONDS", DEFAULT_SECONDS);
    for (steps = 0; now_ms() < until; steps++) {
        unsigned way = chance(sizeof(ways) / sizeof(*ways));

        last_step = ways[way].name;
        ways[way].take();
        check_service();
        check_processes();
    }
    cr_expect(gt(int, steps, 20));

    for (int i = 0; i < HALVES; i++) {
        client_close(halves[i].client);
        halves[i].client = NULL;
    }
    cr_expect(zero(int, end_whoever_serves()), "%d processes are left", rig_count_processes(&rig));
}
