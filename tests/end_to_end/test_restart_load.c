/*
 * Restarts under load: whoever asks for them and however often, no request fails, each answer is right to the byte,
 * and of all generations one is left.
 */
#include "tests/support/load.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct rig rig;

static void finish(void)
{
    rig_finish(&rig);
}

/* ---- four loads: plain and TLS, each over kept and over fresh connections ---------------------------------------- */

enum {
    LOADS = 4,
};

static struct load *loads[LOADS];

static size_t make_request(uint64_t n, char *buffer, void *arg)
{
    const char *close = *(const bool *)arg ? "Connection: close\r\n" : "";

    return (size_t)snprintf(buffer, LOAD_REQUEST_MAX, "GET /echo?n=%llu HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                            (unsigned long long)n, close);
}

static bool check_answer(uint64_t n, const struct answer *answer, char *why, size_t size, void *arg)
{
    char expected[2048];
    size_t length = 0;

    (void)arg;
    for (uint64_t i = 0; i <= n % 40; i++)
        length += (size_t)snprintf(expected + length, sizeof(expected) - length, "%llu:%llu\n", (unsigned long long)n,
                                   (unsigned long long)i);
    if (answer->status == 200 && answer->body_size == length && !memcmp(answer->body, expected, length))
        return true;
    snprintf(why, size, "status %d, body of %zu bytes: %.100s", answer->status, answer->body_size, answer->body);
    return false;
}

static void start_loads(void)
{
    static const bool yes = true, no = false;

    for (int i = 0; i < LOADS; i++) {
        bool tls = i & 1, fresh = i & 2;
        struct load_options options = {.target = tls ? rig.https : rig.http,
                                       .connections = fresh ? 2 : 6,
                                       .fresh = fresh,
                                       .timeout_ms = 30000,
                                       .pause_us = tls ? 3000 : 1000,
                                       .make = make_request,
                                       .check = check_answer,
                                       .arg = (void *)(fresh ? &yes : &no)};

        loads[i] = load_start(&options);
        cr_assert(not(zero(ptr, loads[i])));
    }
}

/* Each load has been answered this often since. */
static void wait_for_answers(uint64_t count)
{
    for (int i = 0; i < LOADS; i++)
        cr_assert(zero(int, load_wait_requests(loads[i], load_requests(loads[i]) + count, 30000)),
                  "load %d stands still", i);
}

static void check_loads(void)
{
    for (int i = 0; i < LOADS; i++) {
        const struct load_result *result;

        load_stop(loads[i]);
        result = load_result(loads[i]);
        if (result->failures || getenv("GF_TEST_VERBOSE"))
            load_print(loads[i], stderr);
        cr_expect(zero(u64, result->failures), "load %d", i);
        cr_expect(zero(u64, result->raced), "load %d", i);
        cr_expect(gt(u64, result->requests, 0));
        load_free(loads[i]);
    }
}

/* ---- the tests --------------------------------------------------------------------------------------------------- */

static void restart_under_load(pid_t (*const how[])(struct rig *rig), int ways, int times)
{
    pid_t seen[64];

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    start_loads();
    seen[0] = rig.pid;
    for (int i = 1; i <= times; i++) {
        pid_t pid = how[i % ways](&rig);

        cr_assert(gt(int, pid, 0), "restart %d: %d", i, pid);
        cr_assert(eq(int, rig_ask_pid(&rig), pid), "restart %d", i);
        for (int k = 0; k < i; k++)
            cr_assert(ne(int, pid, seen[k]), "restart %d gave the process of restart %d", i, k);
        seen[i] = pid;
        wait_for_answers(20);
    }
    check_loads();
    cr_expect(zero(int, rig_wait_processes(&rig, 1, 20000)), "%d processes are left", rig_count_processes(&rig));
    cr_expect(eq(int, rig_ask_pid(&rig), seen[times]));
    cr_expect(zero(int, rig_count_zombies(seen[times])));
    for (int k = 0; k < times; k++)
        cr_expect(zero(int, process_wait_pid_gone(seen[k], 1000)), "generation %d goes on", k + 1);
    cr_expect(zero(int, process_stop(rig.process)));
}

Test(restart_load, by_signal, .fini = finish, .timeout = 120)
{
    static pid_t (*const how[])(struct rig *) = {rig_restart_by_signal};

    restart_under_load(how, 1, 8);
}

Test(restart_load, by_signal_and_api_in_turn, .fini = finish, .timeout = 120)
{
    static pid_t (*const how[])(struct rig *) = {rig_restart_by_signal, rig_restart_by_api};

    restart_under_load(how, 2, 12);
}

/* Not all listeners are there to be handed over: the restart waits until they are. */
Test(restart_load, asked_for_before_all_servers_are_up, .fini = finish, .timeout = 60)
{
    cr_assert(zero(int, rig_begin(&rig, "between_delay_ms=500")));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
    cr_expect(eq(long, rig_fetch_number(&(struct transport_target){.port = rig.second_port}, "/pid"), rig.pid));
}
