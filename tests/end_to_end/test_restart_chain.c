/*
 * Requests in flight through several restarts: the process that has them outlives its successors, and their connections
 * go from it to whoever serves by then.
 */
#include "tests/support/client.h"
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
static struct client *client;

static void finish(void)
{
    client_close(client);
    client = NULL;
    rig_finish(&rig);
}

static void begin_sleep(int ms)
{
    char request[128], line[64];

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    client = client_connect(&rig.http, 20000);
    cr_assert(not(zero(ptr, client)));
    snprintf(request, sizeof(request), "GET /sleep?ms=%d HTTP/1.1\r\nHost: localhost\r\n\r\n", ms);
    cr_assert(zero(int, client_send_text(client, request)));
    snprintf(line, sizeof(line), "sleeping in %d", (int)rig.first);
    cr_assert(zero(int, process_wait_line(rig.process, line, 20000)));
}

/* The first process answers, promises to go on, and the last one does. */
static void expect_end_of_sleep(void)
{
    const struct answer *answer;
    int error = 0;

    answer = client_receive(client, &error);
    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    cr_expect(eq(int, answer->status, 200));
    cr_expect(eq(int, atoi(answer->body), rig.first));
    cr_expect(answer->keep_alive);
    answer = client_get(client, "/pid", &error);
    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    cr_expect(eq(int, atoi(answer->body), rig.pid));
    cr_expect(zero(int, rig_wait_processes(&rig, 1, 20000)));
}

/* Each that was replaced leaves as soon as it has nothing to do itself: it is not kept by the oldest one. */
static void restart_and_see_leave(int times)
{
    for (int i = 0; i < times; i++) {
        pid_t before = rig.pid;

        cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
        if (before != rig.first)
            cr_assert(zero(int, process_wait_pid_gone(before, 4500)), "restart %d", i);
        cr_assert(not(zero(int, process_wait_pid_gone(rig.first, 0))));
    }
}

Test(restart_chain, connection_goes_on_after_two_restarts, .fini = finish, .timeout = 60)
{
    begin_sleep(3000);
    restart_and_see_leave(2);
    expect_end_of_sleep();
}

Test(restart_chain, connection_goes_on_after_many_restarts, .fini = finish, .timeout = 60)
{
    begin_sleep(5000);
    restart_and_see_leave(5);
    expect_end_of_sleep();
}

/* Those between have gone, and yet the last one knows of the first, which is to go before a fourth comes. */
Test(restart_chain, the_oldest_counts_after_those_between_have_gone, .fini = finish, .timeout = 60)
{
    begin_sleep(30000);
    restart_and_see_leave(1);
    cr_assert(zero(int, rig_settings(&rig, "set_gracefulProbation=20s"))); /* of the next one, when it is replaced */
    restart_and_see_leave(1);
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cr_expect(eq(int, rig_count_processes(&rig), 3));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cr_expect(zero(int, process_wait_pid_gone(rig.first, 2000)));
}

Test(restart_chain, connection_goes_on_after_restarts_in_a_row, .fini = finish, .timeout = 60)
{
    begin_sleep(2000);
    for (int i = 0; i < 2; i++)
        cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    expect_end_of_sleep();
}

/* ---- one that hangs ---------------------------------------------------------------------------------------------- */

/* It hears no word any more: it is cut, counted, and restarts go on. */
Test(restart_chain, the_oldest_hangs, .fini = finish, .timeout = 120)
{
    char *body = NULL;

    begin_sleep(60000);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    usleep(700000); /* its probation has ended, and it has said what it waits for */
    cr_assert(zero(int, rig_stop(rig.first)));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(not(zero(int, process_wait_pid_gone(rig.first, 0))));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(int, process_wait_pid_gone(rig.first, 1000)));
    cr_expect(zero(int, process_wait_line(rig.process, "too many processes: process ", 1000)));
    cr_assert(eq(int, rig_page(&rig, "/status", &body), 200));
    cr_expect(not(zero(ptr, strstr(body, "was killed, with 1 requests in flight"))), "%s", body);
    free(body);
    for (int i = 0; i < 3; i++)
        cr_expect(gt(int, rig_restart_by_api(&rig), 0), "restart %d", i);
    cr_expect(zero(int, rig_wait_processes(&rig, 1, 20000)), "%d", rig_count_processes(&rig));
}

/* Two of them, one behind the other. */
Test(restart_chain, all_before_the_last_hang, .fini = finish, .timeout = 120)
{
    cr_assert(zero(int, rig_begin(&rig, "set_gracefulProbation=30s")));
    for (int i = 0; i < 2; i++) {
        pid_t old = rig.pid;

        cr_assert(gt(int, rig_restart_by_api(&rig), 0));
        cr_assert(zero(int, rig_stop(old)));
    }
    cr_expect(eq(int, rig_count_processes(&rig), 3));
    for (int i = 0; i < 2; i++)
        cr_expect(gt(int, rig_restart_by_api(&rig), 0), "restart %d", i);
    cr_expect(le(int, rig_count_processes(&rig), 3));
}

/* The first process is to stay: it is never killed. */
Test(restart_chain, a_keeper_to_be_hangs, .fini = finish, .timeout = 120)
{
    cr_assert(zero(int, rig_begin(&rig, "set_stablePid=true\nset_gracefulProbation=30s")));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, rig_stop(rig.first)));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(eq(long, rig_restart_by_api(&rig), -EBUSY));
    cr_assert(zero(int, kill(rig.first, SIGCONT)));
    cr_expect(not(zero(int, process_wait_pid_gone(rig.first, 0))));
}
