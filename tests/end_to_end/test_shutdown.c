/*
 * Shutdowns, alone and together with restarts: everything ends in order, or as soon as somebody insists.
 */
#include "tests/support/client.h"
#include "tests/support/load.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct rig rig;

static void finish(void)
{
    rig_finish(&rig);
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct client *begin_request(const struct transport_target *target, const char *path)
{
    char request[512];
    struct client *c = client_connect(target, 30000);

    cr_assert(not(zero(ptr, c)));
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    cr_assert(zero(int, client_send_text(c, request)));
    return c;
}

/* A request that sleeps in the generation that serves. */
static struct client *begin_sleep(const struct transport_target *target, int ms)
{
    char path[64];
    struct client *c;

    snprintf(path, sizeof(path), "/sleep?ms=%d", ms);
    process_mark(rig.process);
    c = begin_request(target, path);
    cr_assert(zero(int, process_wait_line(rig.process, "sleeping in ", 10000)));
    return c;
}

static void expect_answer(struct client *c)
{
    int error = 0;
    const struct answer *answer = client_receive(c, &error);

    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    cr_expect(eq(int, answer->status, 200));
    cr_expect(not(answer->keep_alive), "a connection that is about to be closed says so");
    cr_expect(zero(int, client_wait_close(c, 5000)));
    client_close(c);
}

static void expect_cut(struct client *c)
{
    int error = 0;

    cr_expect(zero(ptr, (void *)client_receive(c, &error)));
    cr_expect(error == -EPIPE || error == -ECONNRESET || error == -ENODATA, "%d", error);
    client_close(c);
}

static void expect_end(int timeout_ms)
{
    int status = -1;

    cr_expect(zero(int, process_wait_end(rig.process, timeout_ms)));
    cr_expect(zero(int, process_wait_exit(rig.process, 1000, &status)));
    cr_expect(eq(int, status, 0));
    cr_expect(zero(int, rig_count_processes(&rig)));
}

/* One that comes in the moment of the close is reset. */
static void expect_refused(int port)
{
    struct transport_target target = {.port = port};
    long result = rig_fetch_number(&target, "/pid");

    for (int i = 0; i < 100 && result == -ECONNRESET; i++) {
        usleep(10000);
        result = rig_fetch_number(&target, "/pid");
    }
    cr_expect(eq(long, result, -ECONNREFUSED));
}

static void expect_line(const char *text)
{
    cr_expect(zero(int, process_wait_line(rig.process, text, 5000)), "%s", text);
}

/* Both servers serve. */
static void begin_complete(void)
{
    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(zero(int, process_wait_lines(rig.process, "http server started listening on", 2, 10000)));
}

/* ---- in order ---------------------------------------------------------------------------------------------------- */

static void shut_down_by_signal(int signo)
{
    struct client *idle, *plain, *tls;
    int error = 0;

    begin_complete();
    idle = client_connect(&rig.http, 10000);
    cr_assert(not(zero(ptr, idle)));
    cr_assert(not(zero(ptr, (void *)client_get(idle, "/pid", &error))));
    plain = begin_sleep(&rig.http, 700);
    tls = begin_sleep(&rig.https, 700);
    cr_assert(zero(int, kill(rig.pid, signo)));
    expect_line("server shutting down");
    cr_expect(zero(int, client_wait_close(idle, 5000)));
    expect_refused(rig.port);
    expect_refused(rig.second_port);
    expect_answer(plain);
    expect_answer(tls);
    expect_end(10000);
    expect_line("all servers shutdown");
    client_close(idle);
}

Test(shutdown, by_sigterm, .fini = finish, .timeout = 60)
{
    shut_down_by_signal(SIGTERM);
}

Test(shutdown, by_sigint, .fini = finish, .timeout = 60)
{
    shut_down_by_signal(SIGINT);
}

Test(shutdown, by_sigquit, .fini = finish, .timeout = 60)
{
    shut_down_by_signal(SIGQUIT);
}

Test(shutdown, by_page, .fini = finish, .timeout = 60)
{
    begin_complete();
    cr_expect(eq(int, rig_page(&rig, "/shutdown", NULL), 200));
    expect_end(10000);
    expect_line("all servers shutdown");
}

Test(shutdown, by_api, .fini = finish, .timeout = 60)
{
    begin_complete();
    cr_expect(zero(long, rig_fetch_number(&rig.http, "/shutdown")));
    expect_end(10000);
    expect_line("all servers shutdown");
}

Test(shutdown, of_one_server_leaves_the_other, .fini = finish, .timeout = 60)
{
    struct transport_target second;
    struct client *slow;

    begin_complete();
    second = (struct transport_target){.port = rig.second_port};
    slow = begin_sleep(&second, 500);
    cr_expect(zero(long, rig_fetch_number(&rig.http, "/shutdown?server=s2")));
    expect_answer(slow);
    expect_refused(rig.second_port);
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
    cr_expect(eq(long, rig_fetch_number(&rig.http, "/shutdown?server=s2"), -EINVAL));
    /* the next generation starts it again */
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(eq(long, rig_fetch_number(&second, "/pid"), rig.pid));
    /* and when the last one stops, the process ends */
    cr_expect(zero(long, rig_fetch_number(&rig.http, "/shutdown?server=s2")));
    cr_expect(zero(long, rig_fetch_number(&rig.http, "/shutdown?server=s1")));
    expect_end(15000);
}

/* What has not started yet never serves. The program goes on to g_wait(), which waits for what did. */
Test(shutdown, while_the_program_starts, .fini = finish, .timeout = 60)
{
    struct client *slow;

    for (int busy = 0; busy < 2; busy++) {
        cr_assert(zero(int, rig_begin(&rig, "fault=goes_on\nbetween_delay_ms=400")));
        slow = busy ? begin_sleep(&rig.http, 1000) : NULL;
        cr_assert(zero(int, kill(rig.pid, SIGTERM)));
        expect_line("server shutting down");
        if (slow)
            expect_answer(slow);
        cr_expect(zero(int, process_wait_end(rig.process, 5000)), "busy: %d", busy);
        rig_finish(&rig);
    }
}

/* A request that has come is answered, whether the loop had read it when the end began or not. One that crosses the
 * close of its idle connection is lost, as with any server; but no connection is told that its request came late. */
Test(shutdown, answers_what_has_come_on_kept_connections, .fini = finish, .timeout = 120)
{
    enum { ROUNDS = 8 };
    static const char *const expected[] = {"hello\n", NULL};

    for (int i = 0; i < ROUNDS; i++) {
        struct load_options options = {
            .connections = 64, .once = true, .timeout_ms = 30000, .raced_is_fine = true, .expected = expected};
        struct load *load;

        cr_assert(zero(int, rig_begin(&rig, NULL)));
        options.target = rig.http;
        load = load_start(&options);
        cr_assert(not(zero(ptr, load)));
        cr_assert(zero(int, load_wait_requests(load, 300, 30000)));
        cr_assert(zero(int, kill(rig.pid, SIGTERM)));
        load_wait(load);
        if (load_result(load)->failures)
            load_print(load, stderr);
        cr_expect(zero(u64, load_result(load)->failures));
        cr_expect(eq(u64, load_result(load)->connections, 64));
        load_free(load);
        expect_end(10000);
        rig_finish(&rig);
    }
}

/* ---- not in order ------------------------------------------------------------------------------------------------ */

Test(shutdown, a_second_signal_does_not_wait, .fini = finish, .timeout = 60)
{
    struct client *slow;
    long began;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    slow = begin_sleep(&rig.http, 20000);
    cr_assert(zero(int, kill(rig.pid, SIGTERM)));
    expect_line("server shutting down");
    cr_expect(eq(int, rig_count_processes(&rig), 1));
    began = now_ms();
    cr_assert(zero(int, kill(rig.pid, SIGTERM)));
    expect_cut(slow);
    cr_expect(zero(int, process_wait_end(rig.process, 10000)));
    cr_expect(lt(long, now_ms() - began, 5000));
    expect_line("1 were cut");
}

Test(shutdown, the_timeout_cuts_and_counts, .fini = finish, .timeout = 60)
{
    struct client *slow[3], *fast;
    long began;

    cr_assert(zero(int, rig_begin(&rig, "set_gracefulShutdownTimeout=800ms")));
    for (int i = 0; i < 3; i++)
        slow[i] = begin_sleep(i ? &rig.http : &rig.https, 20000);
    fast = begin_sleep(&rig.http, 300);
    began = now_ms();
    cr_assert(zero(int, kill(rig.pid, SIGTERM)));
    expect_answer(fast);
    for (int i = 0; i < 3; i++)
        expect_cut(slow[i]);
    cr_expect(ge(long, now_ms() - began, 700));
    cr_expect(zero(int, process_wait_end(rig.process, 10000)));
    cr_expect(lt(long, now_ms() - began, 8000));
    expect_line("3 were cut");
    expect_line("all servers shutdown");
}

/* ---- together with a restart ------------------------------------------------------------------------------------- */

Test(shutdown, while_the_new_process_starts_ends_both, .fini = finish, .timeout = 60)
{
    struct client *asker, *slow;
    const struct answer *answer;
    int error = 0;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(zero(int, rig_settings(&rig, "delay_ms=20000")));
    slow = begin_sleep(&rig.http, 1000);
    asker = begin_request(&rig.http, "/restart");
    expect_line("server reloading");
    cr_assert(zero(int, rig_wait_processes(&rig, 2, 10000)));
    cr_assert(zero(int, kill(rig.pid, SIGTERM)));
    answer = client_receive(asker, &error);
    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    cr_expect(eq(int, atoi(answer->body), -ECANCELED));
    client_close(asker);
    expect_answer(slow);
    expect_end(10000);
    expect_line("all servers shutdown");
}

/* It goes to both, as a terminal's Ctrl-C does. */
Test(shutdown, of_the_whole_group_while_the_new_process_starts, .fini = finish, .timeout = 60)
{
    static const char *const settings[] = {"delay_ms=500", "late_delay_ms=500"};

    for (int i = 0; i < 2; i++) {
        cr_assert(zero(int, rig_begin(&rig, NULL)));
        cr_assert(zero(int, rig_settings(&rig, settings[i])));
        kill(rig.pid, SIGUSR1);
        expect_line("server reloading");
        cr_assert(zero(int, rig_wait_processes(&rig, 2, 10000)));
        cr_assert(zero(int, killpg(rig.first, SIGINT)));
        expect_end(10000);
        rig_finish(&rig);
    }
}

Test(shutdown, of_the_new_process_while_the_old_one_drains, .fini = finish, .timeout = 60)
{
    struct client *slow;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    slow = begin_sleep(&rig.http, 2000);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, kill(rig.pid, SIGTERM)));
    cr_expect(zero(int, process_wait_pid_gone(rig.pid, 5000)));
    expect_answer(slow);
    expect_end(10000);
}

/* It lets its requests finish all the same; the connection moves then. */
Test(shutdown, of_the_old_process_while_it_drains, .fini = finish, .timeout = 60)
{
    const struct answer *answer;
    struct client *plain, *tls;
    int error = 0;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    plain = begin_sleep(&rig.http, 1500);
    tls = begin_sleep(&rig.https, 1500);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, kill(rig.first, SIGTERM)));
    answer = client_receive(plain, &error);
    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    answer = client_get(plain, "/pid", &error);
    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    cr_expect(eq(int, atoi(answer->body), rig.pid));
    client_close(plain);
    expect_answer(tls);
    cr_expect(zero(int, process_wait_pid_gone(rig.first, 5000)));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
}

Test(shutdown, twice_of_the_old_process_while_it_drains, .fini = finish, .timeout = 60)
{
    struct client *slow;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    slow = begin_sleep(&rig.http, 20000);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, kill(rig.first, SIGTERM)));
    usleep(100000); /* two that come close together may be one */
    cr_assert(zero(int, kill(rig.first, SIGTERM)));
    expect_cut(slow);
    cr_expect(zero(int, process_wait_pid_gone(rig.first, 5000)));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
}

Test(shutdown, the_timeout_cuts_after_a_restart_too, .fini = finish, .timeout = 60)
{
    struct client *slow;

    cr_assert(zero(int, rig_begin(&rig, "set_gracefulShutdownTimeout=500ms")));
    slow = begin_sleep(&rig.http, 20000);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    expect_cut(slow);
    cr_expect(zero(int, process_wait_pid_gone(rig.first, 5000)));
    expect_line("1 were cut");
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
}

/* A restart that is asked for once the end has begun is refused. */
Test(shutdown, refuses_restarts, .fini = finish, .timeout = 60)
{
    struct client *slow, *late;
    const struct answer *answer;
    int error = 0;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    late = client_connect(&rig.http, 10000);
    cr_assert(not(zero(ptr, late)));
    cr_assert(zero(int, client_send_text(late, "GET /restart HTTP/1.1\r\nHost: local")));
    slow = begin_sleep(&rig.http, 1500);
    cr_assert(zero(int, kill(rig.pid, SIGTERM)));
    expect_line("server shutting down");
    cr_assert(zero(int, kill(rig.pid, SIGUSR1)));
    if (!client_send_text(late, "host\r\n\r\n") && (answer = client_receive(late, &error)))
        cr_expect(eq(int, atoi(answer->body), -EBUSY));
    client_close(late);
    expect_answer(slow);
    expect_end(10000);
}
