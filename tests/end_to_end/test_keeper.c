/*
 * The number of the first process stays: after a restart it is the parent of the process that serves, passes signals on
 * to it, starts it anew when it crashes, and ends as it ends; above all as process 1 of a container.
 */
#include "tests/support/client.h"
#include "tests/support/load.h"
#include "tests/support/manager.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SOON_MS = 20000, /* for what comes at once, on a busy machine */
};

#define STABLE "set_stablePid=true\nset_gracefulProbation=100ms\n"
#define KEEPS "this one, the first, stays as its parent"

static struct rig rig;
static struct manager *manager;

static void finish(void)
{
    rig_finish(&rig);
    manager_free(manager);
    manager = NULL;
}

/* Serves in the second generation, the first is the keeper. */
static void begin(const char *more)
{
    char settings[1024];

    snprintf(settings, sizeof(settings), STABLE "%s", more);
    cr_assert(zero(int, rig_begin(&rig, settings)));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cr_assert(zero(int, process_wait_line(rig.process, KEEPS, SOON_MS)));
    cr_expect(ne(int, rig.pid, rig.first));
}

/* Until another process than before answers: its pid. */
static pid_t wait_for_other(pid_t before)
{
    for (int i = 0; i < SOON_MS / 20; i++) {
        pid_t pid = rig_ask_pid(&rig);

        if (pid > 0 && pid != before)
            return pid;
        usleep(20000);
    }
    return -ETIMEDOUT;
}

static void expect_exit(int status)
{
    int found = -1;

    cr_assert(zero(int, process_wait_exit(rig.process, SOON_MS, &found)));
    cr_expect(eq(int, found, status << 8)); /* ended by itself, with this */
}

/* ---- signals ------------------------------------------------------------------------------------------------------
 */

Test(keeper, passes_signals_on, .fini = finish, .timeout = 120)
{
    pid_t second, third;

    begin("");
    second = rig.pid;
    for (int i = 0; i < 3; i++) {
        process_mark(rig.process);
        cr_assert(zero(int, kill(rig.first, SIGUSR1)));
        third = wait_for_other(second);
        cr_assert(gt(int, third, 0));
        cr_expect(zero(int, process_wait_line(rig.process, KEEPS, SOON_MS)));
        cr_expect(zero(int, process_wait_pid_gone(second, SOON_MS)));
        cr_expect(zero(int, rig_wait_processes(&rig, 2, SOON_MS)));
        second = third;
    }
    cr_expect(zero(int, rig_wait_reaped(rig.first, SOON_MS)));
    cr_assert(zero(int, kill(rig.first, SIGTERM)));
    expect_exit(0);
    cr_expect(zero(int, process_wait_pid_gone(second, 0)), "it has ended before");
    cr_expect(zero(int, process_stop(rig.process)));
}

/* It drains, and is the one that everybody knows. */
Test(keeper, to_be_passes_signals_on_while_it_drains, .fini = finish, .timeout = 60)
{
    struct client *slow;
    const struct answer *answer;
    int error = 0;

    cr_assert(zero(int, rig_begin(&rig, STABLE)));
    slow = client_connect_port(rig.port);
    cr_assert(not(zero(ptr, slow)));
    cr_assert(zero(int, client_send_text(slow, "GET /sleep?ms=1500 HTTP/1.1\r\nHost: a\r\n\r\n")));
    cr_assert(zero(int, process_wait_line(rig.process, "sleeping in", SOON_MS)));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cr_assert(zero(int, kill(rig.first, SIGTERM)));
    cr_expect(zero(int, process_wait_pid_gone(rig.pid, 1000)));
    answer = client_receive(slow, &error);
    cr_expect(not(zero(ptr, (void *)answer)), "%d", error);
    expect_exit(0);
    client_close(slow);
}

/* Ctrl-C reaches both: twice would be the end at once, and what is in flight would be cut. */
static void end_group(pid_t serving)
{
    const struct answer *answer;
    struct client *slow = client_connect_port(rig.port);
    int error = 0;

    cr_assert(not(zero(ptr, slow)));
    process_mark(rig.process);
    cr_assert(zero(int, client_send_text(slow, "GET /sleep?ms=1500 HTTP/1.1\r\nHost: a\r\n\r\n")));
    cr_assert(zero(int, process_wait_line(rig.process, "sleeping in", SOON_MS)));
    cr_assert(zero(int, killpg(rig.first, SIGINT)));
    answer = client_receive(slow, &error);
    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    cr_expect(eq(int, atoi(answer->body), serving));
    client_close(slow);
    expect_exit(0);
}

Test(keeper, passes_no_signal_on_that_the_whole_group_got, .fini = finish, .timeout = 60)
{
    begin("");
    end_group(rig.pid);
}

Test(keeper, to_be_passes_no_signal_on_that_the_whole_group_got, .fini = finish, .timeout = 60)
{
    cr_assert(zero(int, rig_begin(&rig, "set_stablePid=true\nset_gracefulProbation=20s")));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    end_group(rig.pid);
}

/* Nobody else would start it anew: the first process serves itself again, long after the probation. */
Test(keeper, to_be_comes_back_while_it_drains, .fini = finish, .timeout = 60)
{
    struct client *slow;
    const struct answer *answer;
    int error = 0;

    cr_assert(zero(int, rig_begin(&rig, STABLE)));
    slow = client_connect_port(rig.port);
    cr_assert(not(zero(ptr, slow)));
    cr_assert(zero(int, client_send_text(slow, "GET /sleep?ms=2500 HTTP/1.1\r\nHost: a\r\n\r\n")));
    cr_assert(zero(int, process_wait_line(rig.process, "sleeping in", SOON_MS)));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    usleep(1000000); /* ten times the probation */
    cr_assert(zero(int, kill(rig.pid, SIGKILL)));
    cr_expect(eq(int, wait_for_other(rig.pid), rig.first));
    answer = client_receive(slow, &error);
    cr_expect(not(zero(ptr, (void *)answer)), "%d", error);
    client_close(slow);
    process_mark(rig.process);
    rig.pid = rig.first;
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cr_expect(zero(int, process_wait_line(rig.process, KEEPS, SOON_MS)));
}

/* ---- ends ---------------------------------------------------------------------------------------------------------
 */

Test(keeper, ends_as_the_process_that_serves_does, .fini = finish, .timeout = 60)
{
    begin("");
    cr_assert(zero(int, kill(rig.pid, SIGTERM)));
    expect_exit(0);
}

/* Its program ends in order, and returns something else than what g_wait() says. */
Test(keeper, takes_the_status_of_an_orderly_end, .fini = finish, .timeout = 60)
{
    begin("exit_status=5");
    cr_assert(zero(int, kill(rig.pid, SIGTERM)));
    expect_exit(5);
}

Test(keeper, takes_the_status_of_an_end_that_it_was_asked_for, .fini = finish, .timeout = 60)
{
    begin("exit_status=6");
    cr_assert(zero(int, kill(rig.first, SIGTERM)));
    expect_exit(6);
}

Test(keeper, ends_when_the_process_that_serves_has_nothing_to_complain_of, .fini = finish, .timeout = 60)
{
    begin("");
    rig_fetch(&rig.http, "/exit?status=0", NULL);
    expect_exit(0);
}

Test(keeper, starts_a_process_anew_that_ends_with_a_status, .fini = finish, .timeout = 60)
{
    pid_t second;

    begin("");
    second = rig.pid;
    rig_fetch(&rig.http, "/exit?status=7", NULL);
    cr_expect(zero(int, process_wait_line(rig.process, "ended with exit status 7; it is started anew", SOON_MS)));
    rig.pid = wait_for_other(second);
    cr_expect(gt(int, rig.pid, 0));
    cr_assert(zero(int, kill(rig.first, SIGTERM)));
    expect_exit(0);
}

Test(keeper, gives_up_when_nothing_helps, .fini = finish, .timeout = 60)
{
    begin("");
    cr_assert(zero(int, rig_settings(&rig, STABLE "fault=exit1")));
    cr_assert(zero(int, kill(rig.pid, SIGKILL)));
    cr_expect(zero(int, process_wait_lines(rig.process, "starting anew failed: ", 5, SOON_MS)));
    cr_expect(zero(int, process_wait_line(rig.process, "cannot open the database", SOON_MS)));
    cr_expect(zero(int, process_wait_line(rig.process, "giving up: ", SOON_MS)));
    expect_exit(1);
}

/* Serves by a copy of the program in the rig's folder, which nobody watches over but the keeper: its pid. */
static pid_t restart_into_copy(char path[300])
{
    char command[1024];
    char *program = process_program("restart_server");
    pid_t pid;

    snprintf(path, 300, "%s/program", rig.folder);
    snprintf(command, sizeof(command), "cp '%s' '%s'", program, path);
    free(program);
    cr_assert(zero(int, system(command)));
    snprintf(command, sizeof(command), "/restart?path=%s", path);
    cr_assert(zero(long, rig_fetch_number(&rig.http, command)));
    pid = wait_for_other(rig.pid);
    cr_assert(gt(int, pid, 0));
    cr_assert(zero(int, process_wait_pid_gone(rig.pid, SOON_MS)));
    return pid;
}

/* What is in the way may be there for a moment only, as while a file is being replaced. */
Test(keeper, tries_again_when_there_is_no_program, .fini = finish, .timeout = 60)
{
    char path[300], away[320];
    pid_t crashed;

    begin("");
    crashed = restart_into_copy(path);
    snprintf(away, sizeof(away), "%s.away", path);
    cr_assert(zero(int, rename(path, away)));
    process_mark(rig.process);
    cr_assert(zero(int, kill(crashed, SIGKILL)));
    cr_expect(zero(int, process_wait_line(rig.process, "starting anew failed: cannot start", SOON_MS)));
    cr_assert(zero(int, rename(away, path)));
    cr_expect(gt(int, wait_for_other(crashed), 0));
    cr_assert(zero(int, kill(rig.first, SIGTERM)));
    expect_exit(0);
}

Test(keeper, gives_up_when_there_is_no_program_for_good, .fini = finish, .timeout = 60)
{
    char path[300];
    pid_t crashed;

    begin("");
    crashed = restart_into_copy(path);
    cr_assert(zero(int, unlink(path)));
    cr_assert(zero(int, kill(crashed, SIGKILL)));
    cr_expect(zero(int, process_wait_lines(rig.process, "starting anew failed: cannot start", 5, SOON_MS)));
    expect_exit(1);
}

/* A restart that fails, and one that is rolled back, leave everything as it was. */
Test(keeper, leaves_failed_restarts_to_who_serves, .fini = finish, .timeout = 120)
{
    pid_t second, third;

    begin("");
    second = rig.pid;
    cr_assert(zero(int, rig_settings(&rig, STABLE "fault=late_abort")));
    cr_expect(lt(int, rig_restart_by_api(&rig), 0));
    rig.pid = second;
    cr_assert(zero(int, rig_settings(&rig, "set_stablePid=true\nset_gracefulProbation=30s")));
    process_mark(rig.process);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0)); /* by one that still has the short probation */
    third = rig.pid;
    cr_assert(zero(int, process_wait_pid_gone(second, SOON_MS)));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, kill(rig.pid, SIGKILL))); /* while the third watches over it */
    cr_expect(eq(int, wait_for_other(rig.pid), third));
    cr_expect(zero(int, process_wait_line(rig.process, "rolled back", SOON_MS)));
    cr_expect(zero(int, rig_wait_processes(&rig, 2, SOON_MS)));
    cr_assert(zero(int, kill(third, SIGKILL))); /* and now nobody else does */
    cr_expect(gt(int, wait_for_other(third), 0));
    cr_assert(zero(int, kill(rig.first, SIGTERM)));
    expect_exit(0);
}

/* ---- a crash -------------------------------------------------------------------------------------------------------
 */

static int count_failures(const struct load_result *result, const char *text)
{
    int count = 0;

    for (uint64_t i = 0; i < result->failures && i < LOAD_FAILURES_KEPT; i++)
        count += strstr(result->failure[i], text) != NULL;
    return count;
}

/* The sockets are open all the while: who connects waits, and is served. What was in flight is lost. */
Test(keeper, keeps_the_sockets_over_a_crash, .fini = finish, .timeout = 120)
{
    const struct load_result *result;
    struct load *load;
    pid_t crashed;

    begin("delay_ms=300");
    load = load_start(&(struct load_options){
        .target = rig.http, .connections = 4, .fresh = true, .path = "/", .timeout_ms = SOON_MS});
    cr_assert(not(zero(ptr, load)));
    for (int i = 0; i < 3; i++) {
        cr_assert(zero(int, load_wait_requests(load, load_requests(load) + 50, SOON_MS)));
        crashed = rig.pid;
        cr_assert(zero(int, kill(crashed, SIGKILL)));
        rig.pid = wait_for_other(crashed);
        cr_assert(gt(int, rig.pid, 0));
    }
    cr_assert(zero(int, load_wait_requests(load, load_requests(load) + 50, SOON_MS)));
    load_stop(load);
    result = load_result(load);
    cr_expect(le(u64, result->failures, 12), "each of 4 connections once a crash at most");
    cr_expect(zero(int, count_failures(result, "refused")));
    if (result->failures > 12)
        load_print(load, stderr);
    load_free(load);
    cr_expect(eq(long, rig_fetch_number(&rig.https, "/pid"), rig.pid));
    cr_expect(gt(int, rig_restart_by_api(&rig), 0)); /* it is one like all others */
    cr_expect(zero(int, process_stop(rig.process)));
}

/* ---- who looks after it from outside
 * --------------------------------------------------------------------------------- */

Test(keeper, is_the_process_that_others_know, .fini = finish, .timeout = 60)
{
    const char *environment[2] = {NULL, NULL};
    char settings[512], path[300], line[64] = "";
    FILE *file;

    cr_assert(zero(int, rig_init(&rig)));
    manager = manager_new(rig.folder);
    cr_assert(not(zero(ptr, manager)));
    environment[0] = manager_variable(manager);
    rig.environment = environment;
    snprintf(path, sizeof(path), "%s/server.pid", rig.folder);
    snprintf(settings, sizeof(settings), STABLE "set_pidFile=%s", path);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
    cr_assert(zero(int, process_wait_line(rig.process, KEEPS, SOON_MS)));
    cr_assert(zero(int, manager_wait(manager, rig.pid, "READY=1", SOON_MS, NULL)));
    cr_expect(zero(int, manager_count(manager, 0, "MAINPID=")));
    file = fopen(path, "re");
    cr_assert(not(zero(ptr, file)));
    cr_expect(not(zero(ptr, fgets(line, sizeof(line), file))));
    fclose(file);
    cr_expect(eq(int, atoi(line), rig.first));
    cr_expect(zero(int, process_stop(rig.process)));
    cr_expect(zero(int, manager_wait(manager, rig.pid, "STOPPING=1", SOON_MS, NULL)));
    cr_expect(ne(int, access(path, F_OK), 0));
}

/* ---- a container
 * ----------------------------------------------------------------------------------------------------- */

/* Its process 1 is known to us by another number: that of the one child of unshare. */
static pid_t child_of(pid_t parent)
{
    char path[64], text[64] = "";
    FILE *file;

    snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)parent, (int)parent);
    file = fopen(path, "re");
    if (!file)
        return 0;
    text[fread(text, 1, sizeof(text) - 1, file)] = 0;
    fclose(file);
    return (pid_t)atol(text);
}

static bool can_unshare(const char **arguments)
{
    static const char *const ways[][4] = {{"--pid", "--fork", NULL}, {"-Ur", "--pid", "--fork", NULL}};
    char command[128];

    for (size_t i = 0; i < 2; i++) {
        snprintf(command, sizeof(command), "unshare %s %s %s true 2>/dev/null", ways[i][0], ways[i][1],
                 ways[i][2] ? ways[i][2] : "");
        for (size_t k = 0; k < 4; k++)
            arguments[k] = ways[i][k];
        if (system(command) == 0)
            return true;
    }
    return false;
}

static void start_container(void)
{
    /* a sanitizer's search for leaks looks at the /proc of another pid namespace, and fails */
    static const char *const variables[] = {"ASAN_OPTIONS=detect_leaks=0", NULL};
    const char *arguments[6] = {NULL};
    char *program;
    size_t count = 0;

    if (!can_unshare(arguments))
        cr_skip("the kernel allows no pid namespace here");
    while (arguments[count])
        count++;
    program = process_program("restart_server");
    arguments[count] = program;
    cr_assert(zero(int, rig_init(&rig)));
    cr_assert(zero(int, rig_settings(&rig, "set_gracefulProbation=100ms")));
    rig.process = process_start(&(struct process_options){
        .program = "/usr/bin/unshare", .arguments = arguments, .environment = variables, .folder = rig.folder});
    free(program);
    cr_assert(not(zero(ptr, rig.process)));
    rig.first = process_pid(rig.process);
    cr_assert(zero(int, process_wait_lines(rig.process, "started listening", 3, SOON_MS)));
}

Test(keeper, is_process_1_of_a_container, .fini = finish, .timeout = 120)
{
    pid_t one, second, orphan;

    start_container();
    one = child_of(rig.first);
    cr_assert(gt(int, one, 0));
    cr_expect(eq(int, wait_for_other(0), 1));
    cr_assert(zero(int, kill(one, SIGUSR1)));
    cr_assert(zero(int, process_wait_line(rig.process, KEEPS, SOON_MS)));
    second = wait_for_other(1);
    cr_assert(gt(int, second, 1));
    orphan = (pid_t)rig_fetch_number(&rig.http, "/spawn");
    cr_assert(gt(int, orphan, 1));

    process_mark(rig.process);
    rig_fetch(&rig.http, "/exit?status=3", NULL);
    cr_assert(gt(int, wait_for_other(second), 1)); /* started anew */
    process_mark(rig.process);
    cr_assert(zero(int, kill(one, SIGUSR1)));
    cr_assert(zero(int, process_wait_line(rig.process, KEEPS, SOON_MS)));
    cr_expect(zero(int, rig_wait_processes(&rig, 4, SOON_MS))); /* unshare, 1, who serves, the orphan */
    cr_expect(zero(int, rig_wait_processes(&rig, 3, SOON_MS))); /* that sleeps five seconds, and leaves no zombie */
    cr_expect(zero(int, rig_wait_reaped(one, SOON_MS)));
    cr_assert(zero(int, kill(one, SIGTERM)));
    expect_exit(0); /* as unshare passes it on */
}
