/*
 * A drain that takes long says in the log what it waits for.
 */
#include "tests/support/client.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>

enum {
    REQUESTS = 2,
    REPORT_MS = 30000, /* the first comes after ten seconds */
};

static struct rig rig;
static struct client *clients[REQUESTS];

static void finish(void)
{
    for (int i = 0; i < REQUESTS; i++)
        client_close(clients[i]);
    if (rig.first)
        kill(-rig.first, SIGKILL); /* its handlers would sleep on */
    rig_finish(&rig);
}

Test(drain_report, names_the_routes_that_hold_it_up, .fini = finish, .timeout = 90)
{
    cr_assert(zero(int, rig_begin(&rig, NULL)));
    process_mark(rig.process);
    for (int i = 0; i < REQUESTS; i++) {
        clients[i] = client_connect(&rig.http, 60000);
        cr_assert(not(zero(ptr, clients[i])));
        cr_assert(zero(int, client_send_text(clients[i], "GET /sleep?ms=40000 HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    }
    cr_assert(zero(int, process_wait_lines(rig.process, "sleeping in ", REQUESTS, 10000)));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(int, process_wait_line(rig.process,
                                          "server \"s1\" drains: 2 requests still run: /sleep (2, the longest for 1",
                                          REPORT_MS)));
}
