/*
 * Restarts under load: whoever asks for them and however often, no request fails, each answer is right to the byte,
 * and of all generations one is left.
 */
#include "tests/support/rig.h"
#include "tests/support/rig_load.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

enum {
    RESTARTS_MAX = 64,
};

static struct rig rig;
static struct rig_load load;

static void finish(void)
{
    rig_finish(&rig);
}

static void check_is_new(pid_t pid, const pid_t *seen, int count)
{
    for (int i = 0; i < count; i++)
        cr_assert(ne(int, pid, seen[i]), "restart %d gave the process of restart %d", count, i);
}

static void restart_under_load(pid_t (*const how[])(struct rig *rig), int ways, int times)
{
    pid_t seen[RESTARTS_MAX];

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(zero(int, rig_load_start(&load, &rig)));
    seen[0] = rig.pid;
    for (int i = 1; i <= times; i++) {
        pid_t pid = how[i % ways](&rig);

        cr_assert(gt(int, pid, 0), "restart %d: %d", i, pid);
        cr_assert(eq(int, rig_ask_pid(&rig), pid), "restart %d", i);
        check_is_new(pid, seen, i);
        seen[i] = pid;
        cr_assert(zero(int, rig_load_wait(&load, 20)), "a load stands still after restart %d", i);
    }
    cr_expect(zero(u64, rig_load_end(&load)));

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

    restart_under_load(how, 1, 20);
}

Test(restart_load, by_api, .fini = finish, .timeout = 120)
{
    static pid_t (*const how[])(struct rig *) = {rig_restart_by_api};

    restart_under_load(how, 1, 20);
}

Test(restart_load, by_page, .fini = finish, .timeout = 120)
{
    static pid_t (*const how[])(struct rig *) = {rig_restart_by_page};

    restart_under_load(how, 1, 20);
}

Test(restart_load, by_all_in_turn, .fini = finish, .timeout = 120)
{
    static pid_t (*const how[])(struct rig *) = {rig_restart_by_page, rig_restart_by_signal, rig_restart_by_api};

    restart_under_load(how, 3, 12);
}

/* Not all listeners are there to be handed over: the restart waits until they are. */
Test(restart_load, asked_for_before_all_servers_are_up, .fini = finish, .timeout = 60)
{
    cr_assert(zero(int, rig_begin(&rig, "between_delay_ms=500")));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
    cr_expect(eq(long, rig_fetch_number(&(struct transport_target){.port = rig.second_port}, "/pid"), rig.pid));
}

/* Who asks after the answer to a restart meets the new process, on a new connection at once. */
Test(restart_load, answer_comes_when_the_new_process_serves, .fini = finish, .timeout = 120)
{
    cr_assert(zero(int, rig_begin(&rig, "address_2=")));
    for (int i = 0; i < 10; i++) {
        pid_t old = rig.pid;

        cr_assert(eq(int, rig_page(&rig, "/restart", NULL), 200));
        rig.pid = rig_ask_pid(&rig);
        cr_assert(ne(int, rig.pid, old));
        for (int k = 0; k < 50; k++)
            cr_assert(eq(int, rig_ask_pid(&rig), rig.pid), "restart %d, connection %d", i, k);
    }
}
