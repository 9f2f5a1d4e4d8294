/*
 * A model of restarts, walked at random: requests, restarts by each way, processes that die, hang for a while or are
 * told to end, whichever part they have, new ones that cannot start, half requests, kept connections. After each step
 * somebody serves, it is one process alone, and nothing piles up. After each stretch of the walk all comes to rest:
 * exactly one process accepts, by the kernel's word, and a restart succeeds.
 *
 * GF_TEST_SEED chooses another walk, GF_TEST_SECONDS its length.
 */
#include "tests/support/accepting.h"
#include "tests/support/client.h"
#include "tests/support/rig.h"

#include <gf/gf.h>

#include <cjson/cJSON.h>
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
    KEPT = 8,
    STRETCH = 8,       /* steps until all comes to rest */
    REST_MS = 30000,   /* within this it has: more than a process that hangs may take */
    YOUNG_MS = 2500,   /* a process of at most this age is still watched, if it ever was */
    SILENCE_MS = 3500, /* more than a process may be silent that is watched */
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

/* Idle connections: each is to be answered, unless a process has come to harm since its last answer. */
static struct {
    struct client *client;
    int harm; /* then */
} kept[KEPT];

static int harm; /* done to processes so far */

static void close_all(void)
{
    for (int i = 0; i < HALVES; i++) {
        client_close(halves[i].client);
        halves[i].client = NULL;
    }
    for (int i = 0; i < KEPT; i++) {
        client_close(kept[i].client);
        kept[i].client = NULL;
    }
}

static void finish(void)
{
    close_all();
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

static double number(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static bool is_text(const cJSON *object, const char *key, const char *wanted)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

    return text && !strcmp(text, wanted);
}

/* NULL: nobody answers. */
static cJSON *ask_status(void)
{
    char *body = NULL;
    cJSON *status = rig_page(&rig, "/status", &body) == 200 ? cJSON_Parse(body) : NULL;

    free(body);
    return status;
}

/* One that drains, as the one that serves knows it; 0: none. */
static pid_t find_draining(void)
{
    cJSON *status = ask_status();
    const cJSON *predecessor = cJSON_GetObjectItemCaseSensitive(status, "predecessor");
    const cJSON *older = cJSON_GetObjectItemCaseSensitive(predecessor, "older");
    bool gone = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(predecessor, "gone"));
    pid_t pid = gone ? 0 : (pid_t)number(predecessor, "pid");

    if (number(older, "pid") > 0 && chance(2))
        pid = (pid_t)number(older, "pid");
    cJSON_Delete(status);
    return pid > 0 && getpgid(pid) == rig.first ? pid : 0;
}

/* All processes of the service have ended, or are to: it is started anew, as a supervisor would. */
static void begin_anew(void)
{
    killpg(rig.first, SIGKILL);
    process_free(rig.process);
    rig.process = NULL;
    close_all();
    cr_assert(zero(int, rig_start(&rig)), "step %d, after %s: the service does not start anew", steps, last_step);
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
    harm++;
    if (young)
        kill(young, SIGKILL);
}

/* Where another one watches over it, that one comes back; else it is the end of the service. */
static void kill_serving(void)
{
    cJSON *status = ask_status();
    const cJSON *predecessor = cJSON_GetObjectItemCaseSensitive(status, "predecessor");
    bool is_watched = is_text(predecessor, "state", "watching") && number(status, "uptime_ms") < YOUNG_MS &&
                      !cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(predecessor, "gone"));
    pid_t pid = (pid_t)number(status, "pid");

    cJSON_Delete(status);
    harm++;
    if (pid > 0)
        kill(pid, SIGKILL);
    if (serving() > 0)
        return;
    cr_assert(not(is_watched), "step %d: %d was killed while it was watched, and nobody comes back", steps, (int)pid);
    begin_anew();
}

static void kill_draining(void)
{
    pid_t pid = find_draining();

    harm++;
    if (pid)
        kill(pid, SIGKILL);
}

/* It ends its own requests; whoever serves is another one. */
static void end_draining(void)
{
    pid_t pid = find_draining();

    harm++;
    if (pid)
        kill(pid, chance(2) ? SIGTERM : SIGINT);
}

/* The orderly end is the end of all, whoever watches. */
static void end_serving(void)
{
    pid_t pid = serving();

    harm++;
    cr_assert(gt(int, pid, 0));
    kill(pid, chance(2) ? SIGTERM : SIGINT);
    for (long until = now_ms() + SERVES_MS; now_ms() < until && rig_ask_pid(&rig) > 0;)
        usleep(10000); /* it may just have been replaced: then the other one serves on */
    if (serving() <= 0)
        begin_anew();
}

/* For a moment, or for so long that a process that watches over it gives it up. */
static void stop_for_a_while(pid_t pid)
{
    bool is_long = !chance(4);

    harm += is_long;
    if (pid <= 0 || rig_stop(pid) < 0)
        return;
    usleep(is_long ? SILENCE_MS * 1000 : chance(300000));
    kill(pid, SIGCONT);
}

static void stop_serving(void)
{
    stop_for_a_while(rig.pid);
}

static void stop_draining(void)
{
    stop_for_a_while(find_draining());
}

static void restart_by_message(void)
{
    int result = gproc_send(rig.pid, "ghttp", "restart", strlen("restart"));

    cr_assert(result == 0 || result == -ESRCH || result == -ETIMEDOUT, "%d", result); /* it may have gone meanwhile */
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

static void keep_one(void)
{
    int i = (int)chance(KEPT), error = 0;
    const struct answer *answer;

    if (!kept[i].client)
        kept[i].client = client_connect(&rig.http, 20000);
    cr_assert(not(zero(ptr, kept[i].client)));
    answer = client_get(kept[i].client, "/pid", &error);
    cr_assert(answer || kept[i].harm != harm, "step %d: a kept connection has ended: %d", steps, error);
    if (answer)
        cr_expect(eq(int, answer->status, 200), "%s", answer->head);
    kept[i].harm = harm;
    if (answer && answer->keep_alive)
        return;
    client_close(kept[i].client);
    kept[i].client = NULL;
}

static void take_a_breath(void)
{
    usleep(chance(400000));
}

static const struct {
    const char *name;
    void (*take)(void);
} ways[] = {
    {"requests", ask_some},
    {"signal", restart_by_signal},
    {"page", restart_by_page},
    {"death of the new", kill_new},
    {"broken program", restart_broken},
    {"no program", restart_into_nothing},
    {"half a request", begin_half},
    {"its other half", end_half},
    {"a breath", take_a_breath},
    {"a kept connection", keep_one},
    {"a kept connection", keep_one},
    {"message", restart_by_message},
    {"death of who serves", kill_serving},
    {"death of who drains", kill_draining},
    {"end of who drains", end_draining},
    {"end of who serves", end_serving},
    {"stop of who serves", stop_serving},
    {"stop of who drains", stop_draining},
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

/* ---- what holds at rest ------------------------------------------------------------------------------------------ */

static bool is_at_rest(void)
{
    cJSON *status = ask_status();
    bool rests = is_text(status, "state", "serving") && (pid_t)number(status, "pid") == rig.pid;

    cJSON_Delete(status);
    return rests;
}

static void wait_for_rest(void)
{
    long until = now_ms() + REST_MS;

    while (!is_at_rest()) {
        cr_assert(lt(long, now_ms(), until), "step %d, after %s: no rest", steps, last_step);
        usleep(20000);
        rig.pid = serving();
    }
}

/* Nobody else may be about to accept either: a client would meet the one or the other. */
static void expect_one_accepts(void)
{
    pid_t pids[GENERATIONS_MAX] = {0};
    size_t count = accepting_find(rig.first, rig.port, pids, GENERATIONS_MAX);

    cr_assert(eq(sz, count, 1), "step %d: %zu processes accept, %d and %d among them", steps, count, (int)pids[0],
              (int)pids[1]);
    cr_assert(eq(int, pids[0], rig.pid), "step %d: %d accepts, but %d answers", steps, (int)pids[0], (int)rig.pid);
}

/* A walk that has led into a state which only looks well would end here. What came last may still start a process. */
static void come_to_rest(void)
{
    pid_t old, pid;

    usleep(300000);
    wait_for_rest();
    expect_one_accepts();
    old = rig.pid;
    pid = rig_restart_by_api(&rig);
    cr_assert(gt(int, pid, 0), "step %d: a restart at rest fails: %d", steps, (int)pid);
    cr_assert(ne(int, pid, old), "step %d: a restart at rest changes nothing", steps);
    wait_for_rest();
    expect_one_accepts();
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
        if (steps % STRETCH == STRETCH - 1)
            come_to_rest();
    }
    fprintf(stderr, "%d steps, harm %d\n", steps, harm);
    cr_expect(gt(int, steps, 20));
    come_to_rest();
    close_all();
    cr_expect(zero(int, end_whoever_serves()), "%d processes are left", rig_count_processes(&rig));
}
