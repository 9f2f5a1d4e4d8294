/*
 * Two versions of the library meet at a restart: the new process is refused with a reason, and nothing is lost.
 */
#include "tests/support/client.h"
#include "tests/support/load.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdlib.h>

static struct rig rig;
static struct load *load;

static void finish(void)
{
    load_free(load);
    rig_finish(&rig);
}

Test(restart_versions, another_version_is_refused_with_a_reason, .fini = finish, .timeout = 60)
{
    static const char *const expected[] = {"hello\n", NULL};
    const char *environment[] = {"GF_FAULT_VERSION=2", NULL};
    struct load_options options = {.connections = 2, .pause_us = 2000, .timeout_ms = 10000, .expected = expected};

    cr_assert(zero(int, rig_init(&rig)));
    rig.program = "fault_server";
    rig.environment = environment;
    cr_assert(zero(int, rig_settings(&rig, "")));
    cr_assert(zero(int, rig_start(&rig)));
    options.target = rig.http;
    load = load_start(&options);
    cr_assert(not(zero(ptr, load)));
    cr_assert(zero(int, load_wait_requests(load, 20, 10000)));
    for (int i = 0; i < 2; i++) {
        process_mark(rig.process);
        cr_assert(zero(int, kill(rig.first, SIGUSR1)));
        cr_expect(zero(int, process_wait_line(rig.process, "speaks another version of the restart protocol", 10000)));
        cr_expect(zero(int, process_wait_line(rig.process, "server restart failed: it reports: ", 10000)));
        cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
    }
    load_stop(load);
    cr_expect(zero(u64, load_result(load)->failures));
    cr_expect(zero(u64, load_result(load)->closed_idle));
}
