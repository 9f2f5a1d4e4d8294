/*
 * Orders by message: what gproc_send() to the group "ghttp" of a server does, one at a time and in a storm.
 */
#include "tests/support/rig.h"

#include <gf/gf.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SOON_MS = 20000, /* for what comes at once, on a busy machine */
    STORM = 200,
};

static struct rig rig;

static void finish(void)
{
    rig_finish(&rig);
}

/* It listens from its g_wait() on, which comes after the first answer. */
static void begin(void)
{
    int result = -ESRCH;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    for (int waited = 0; result == -ESRCH && waited < SOON_MS; waited += 10) {
        result = gproc_send(rig.pid, "nobody", "", 0);
        usleep(result ? 10000 : 0);
    }
    cr_assert(zero(int, result));
}

static void order(const char *text)
{
    cr_assert(zero(int, gproc_send(rig.pid, "ghttp", text, strlen(text))), "%s", text);
}

static void expect_line(const char *text)
{
    cr_expect(zero(int, process_wait_line(rig.process, text, SOON_MS)), "%s", text);
}

/* The order has been obeyed: another process serves. */
static void expect_restart(void)
{
    pid_t old = rig.pid;

    cr_assert(zero(int, process_wait_line(rig.process, "server restarted: process ", SOON_MS)));
    rig.pid = rig_ask_pid(&rig);
    cr_expect(gt(int, rig.pid, 0));
    cr_expect(ne(int, rig.pid, old));
}

Test(orders, to_restart, .fini = finish, .timeout = 60)
{
    begin();
    for (int i = 0; i < 3; i++) {
        process_mark(rig.process);
        order("restart");
        expect_restart();
    }
}

Test(orders, to_restart_with_another_executable, .fini = finish, .timeout = 60)
{
    char path[300], command[1024], *body = NULL;
    char *program = process_program("restart_server");

    begin();
    snprintf(path, sizeof(path), "%s/program", rig.folder);
    snprintf(command, sizeof(command), "cp '%s' '%s'", program, path);
    free(program);
    cr_assert(zero(int, system(command)));
    snprintf(command, sizeof(command), "restart %s", path);
    order(command);
    expect_restart();
    cr_assert(eq(int, rig_page(&rig, "/status", &body), 200));
    cr_expect(not(zero(ptr, strstr(body, path))), "%s", body);
    free(body);
}

Test(orders, that_cannot_be_obeyed, .fini = finish, .timeout = 60)
{
    static char long_order[8192];

    begin();
    order("restart /nowhere/at/all");
    expect_line("server restart failed: the executable \"/nowhere/at/all\"");
    order("restarting");
    expect_line("asks for \"restarting\"");
    cr_assert(zero(int, gproc_send(rig.pid, "ghttp", "restart\0x", 9)));
    expect_line("sent an order that is none");
    process_mark(rig.process);
    memset(long_order, 'x', sizeof(long_order));
    memcpy(long_order, "restart /", 9);
    cr_assert(zero(int, gproc_send(rig.pid, "ghttp", long_order, sizeof(long_order))));
    expect_line("sent an order that is none");
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
    order("restart");
    expect_restart();
}

Test(orders, to_shut_down, .fini = finish, .timeout = 60)
{
    begin();
    order("shutdown");
    cr_expect(zero(int, process_wait_end(rig.process, SOON_MS)));
    expect_line("all servers shutdown");
}

/* As several signals: one restart, and the others are told what goes on. */
Test(orders, to_restart_in_a_storm, .fini = finish, .timeout = 60)
{
    pid_t second;

    begin();
    cr_assert(zero(int, rig_settings(&rig, "delay_ms=1000")));
    for (int i = 0; i < STORM; i++)
        order("restart");
    expect_line("this process is restarting already");
    expect_restart();
    second = rig.pid;
    cr_expect(zero(int, rig_wait_processes(&rig, 1, SOON_MS)));
    cr_expect(eq(int, rig_ask_pid(&rig), second));
}

/* It does not wait for those before it, each of which might take as long as gracefulReadyTimeout. */
Test(orders, to_shut_down_behind_a_storm, .fini = finish, .timeout = 60)
{
    begin();
    cr_assert(zero(int, rig_settings(&rig, "fault=hang")));
    for (int i = 0; i < STORM; i++)
        order("restart");
    order("shutdown");
    cr_expect(zero(int, process_wait_end(rig.process, SOON_MS)));
    expect_line("server restart failed: a shutdown was asked for meanwhile");
}

/* A new process is about to serve all servers, this one too: the wish would be lost. */
Test(orders, to_stop_one_server_during_a_restart, .fini = finish, .timeout = 60)
{
    struct transport_target second;

    begin();
    second = (struct transport_target){.port = rig.second_port};
    cr_assert(zero(int, rig_settings(&rig, "delay_ms=1500")));
    order("restart");
    expect_line("server reloading");
    cr_expect(eq(long, rig_fetch_number(&rig.http, "/shutdown?server=s2"), -EBUSY));
    expect_restart();
    cr_expect(eq(long, rig_fetch_number(&second, "/pid"), rig.pid));
    cr_expect(zero(long, rig_fetch_number(&rig.http, "/shutdown?server=s2")));
    expect_line("server \"s2\" shutting down");
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
}
