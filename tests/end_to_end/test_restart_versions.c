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
#include <string.h>

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
        cr_expect(zero(int, process_wait_line(rig.process, "speaks version 2 of the restart protocol", 10000)));
        cr_expect(zero(int, process_wait_line(rig.process, "server restart failed: it reports: ", 10000)));
        cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
    }
    load_stop(load);
    cr_expect(zero(u64, load_result(load)->failures));
    cr_expect(zero(u64, load_result(load)->closed_idle));
}

/* The new one does not mind, and says that it is ready: the old one minds. */
Test(restart_versions, a_ready_of_another_version_is_refused_with_a_reason, .fini = finish, .timeout = 60)
{
    char *body = NULL;

    cr_assert(zero(int, rig_begin(&rig, "")));
    cr_assert(zero(int, rig_settings(&rig, "fault=late_version")));
    cr_expect(eq(int, rig_page(&rig, "/restart", &body), 502));
    cr_assert(not(zero(ptr, body)));
    cr_expect(not(zero(ptr, strstr(body, "speaks version 7 of the restart protocol, this process is of one that speaks "
                                         "version 1"))),
              "%s", body);
    free(body);
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
    cr_assert(zero(int, rig_settings(&rig, "")));
    cr_expect(gt(int, rig_restart_by_api(&rig), 0));
}
