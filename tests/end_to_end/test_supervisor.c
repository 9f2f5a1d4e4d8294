/*
 * A process under a service manager: what systemd would hear at each turn, and the sockets that it gives.
 */
#include "tests/support/client.h"
#include "tests/support/manager.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
    SOON_MS = 20000, /* for what comes at once, on a busy machine */
};

static struct rig rig;
static struct manager *manager;
static const char *environment[5];

static void finish(void)
{
    rig_finish(&rig);
    manager_free(manager);
    manager = NULL;
}

/* abstract: the manager's socket has no file. more: another variable, or NULL. */
static void prepare(const char *settings, bool abstract, const char *more)
{
    cr_assert(zero(int, rig_init(&rig)));
    cr_assert(zero(int, rig_settings(&rig, settings)));
    manager = manager_new(abstract ? NULL : rig.folder);
    cr_assert(not(zero(ptr, manager)));
    environment[0] = manager_variable(manager);
    environment[1] = more;
    environment[2] = NULL;
    rig.environment = environment;
}

static void begin(const char *settings, bool abstract)
{
    prepare(settings, abstract, NULL);
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(zero(int, manager_wait(manager, rig.first, "READY=1", SOON_MS, NULL)));
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

static void expect_variable_unset(const char *name)
{
    char target[128], *body = NULL;

    snprintf(target, sizeof(target), "/variable?name=%s", name);
    cr_expect(eq(int, rig_fetch(&rig.http, target, &body), 200));
    cr_expect(eq(str, body, "unset\n"), "%s", name);
    free(body);
}

/* ---- news -------------------------------------------------------------------------------------------------------- */

/* The number behind "name=" in a message. */
static long number_in(const char *message, const char *name)
{
    const char *at = strstr(message, name);

    return at ? atol(at + strlen(name)) : -1;
}

static void restart_and_shut_down(bool abstract)
{
    const char *message;
    pid_t old;

    begin("set_gracefulProbation=100ms", abstract);
    old = rig.first;
    cr_expect(eq(int, manager_count(manager, 0, "STATUS=process"), 1));
    cr_expect(zero(int, manager_count(manager, 0, "MAINPID=")));
    expect_variable_unset("NOTIFY_SOCKET");

    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, manager_wait(manager, old, "RELOADING=1", SOON_MS, &message)));
    cr_expect(le(long, labs(number_in(message, "MONOTONIC_USEC=") / 1000 - now_ms()), 10000));
    cr_assert(zero(int, manager_wait(manager, rig.pid, "READY=1", SOON_MS, &message)));
    cr_expect(eq(long, number_in(message, "MAINPID="), rig.pid));
    cr_assert(zero(int, manager_wait(manager, old, "BARRIER=1", SOON_MS, NULL)));
    cr_expect(zero(int, process_wait_pid_gone(old, SOON_MS)));
    cr_expect(zero(int, manager_count(manager, 0, "STOPPING=1")), "the old process has only been replaced");

    cr_expect(zero(int, process_stop(rig.process)));
    cr_expect(zero(int, manager_wait(manager, rig.pid, "STOPPING=1", SOON_MS, NULL)));
    cr_expect(eq(int, manager_count(manager, 0, "BARRIER=1"), 1));
}

Test(supervisor, hears_of_restart_and_shutdown, .fini = finish, .timeout = 60)
{
    restart_and_shut_down(false);
}

Test(supervisor, hears_over_an_abstract_socket, .fini = finish, .timeout = 60)
{
    restart_and_shut_down(true);
}

/* Else it would see the end of its main process before it has heard of the new one. */
Test(supervisor, has_heard_all_before_the_old_process_leaves, .fini = finish, .timeout = 60)
{
    int64_t asked;
    pid_t old;

    begin("set_gracefulProbation=0", false);
    old = rig.first;
    manager_hold_barriers(manager, true);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, manager_wait(manager, old, "BARRIER=1", SOON_MS, NULL)));
    cr_expect(ne(int, process_wait_pid_gone(old, 500), 0));
    manager_hold_barriers(manager, false);
    cr_expect(zero(int, process_wait_pid_gone(old, SOON_MS)));

    old = rig.pid; /* and a manager that hangs does not hold it for ever */
    manager_hold_barriers(manager, true);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, manager_wait(manager, old, "BARRIER=1", SOON_MS, NULL)));
    asked = now_ms();
    cr_expect(zero(int, process_wait_pid_gone(old, SOON_MS)));
    cr_expect(lt(i64, now_ms() - asked, 8000));
}

Test(supervisor, hears_the_truth_about_a_failed_restart, .fini = finish, .timeout = 60)
{
    const char *message;

    begin("", false);
    cr_assert(zero(int, rig_settings(&rig, "fault=late_exit1")));
    cr_expect(lt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, manager_wait(manager, rig.first, "RELOADING=1", SOON_MS, NULL)));
    cr_assert(zero(int, manager_wait(manager, rig.first, "READY=1", SOON_MS, &message)));
    cr_expect(not(zero(ptr, (void *)strstr(message, "STATUS=restart failed: "))));
    cr_expect(not(zero(ptr, (void *)strstr(message, "exit status 1"))));
    cr_expect(zero(int, manager_count(manager, 0, "STOPPING=1")));
    cr_assert(zero(int, rig_settings(&rig, "")));
    cr_expect(gt(int, rig_restart_by_api(&rig), 0));
}

/* One that cannot take over has nothing to say. */
Test(supervisor, hears_nothing_from_a_process_that_does_not_become_ready, .fini = finish, .timeout = 60)
{
    char settings[256];

    begin("", false);
    snprintf(settings, sizeof(settings), "fault=goes_on\naddress_2=203.0.113.1:%d", rig.second_port);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_expect(lt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, manager_wait(manager, rig.first, "RELOADING=1", SOON_MS, NULL)));
    cr_assert(zero(int, manager_wait(manager, rig.first, "READY=1", SOON_MS, NULL)));
    cr_expect(zero(int, manager_count(manager, 0, "STOPPING=1")));
    cr_expect(eq(int, manager_count(manager, 0, "READY=1"), 2));
    cr_expect(eq(int, manager_count(manager, rig.first, "READY=1"), 2));
}

Test(supervisor, hears_of_a_rollback, .fini = finish, .timeout = 60)
{
    const char *message;

    begin("set_gracefulProbation=30s", false);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, manager_wait(manager, rig.pid, "MAINPID=", SOON_MS, NULL)));
    cr_assert(zero(int, kill(rig.pid, SIGKILL)));
    cr_assert(zero(int, manager_wait(manager, rig.first, "MAINPID=", SOON_MS, &message)));
    cr_expect(eq(long, number_in(message, "MAINPID="), rig.first));
    cr_expect(not(zero(ptr, (void *)strstr(message, "READY=1"))));
    cr_expect(not(zero(ptr, (void *)strstr(message, "STATUS=restart failed: rolled back"))));
}

/* It executes anew in its place, and has to find its way to the manager again. */
Test(supervisor, hears_of_a_full_restart, .fini = finish, .timeout = 60)
{
    begin("graceful=false", false);
    cr_assert(zero(int, kill(rig.first, SIGUSR1)));
    cr_assert(zero(int, manager_wait(manager, rig.first, "RELOADING=1", SOON_MS, NULL)));
    cr_assert(zero(int, manager_wait(manager, rig.first, "READY=1", SOON_MS, NULL)));
    cr_expect(zero(int, manager_count(manager, 0, "BARRIER=1")));
}

/* Nobody at the other end: everything works as ever, and nothing waits. */
Test(supervisor, that_is_not_there_is_not_needed, .fini = finish, .timeout = 60)
{
    pid_t old;

    prepare("set_gracefulProbation=100ms", false, NULL);
    manager_free(manager);
    manager = NULL;
    environment[0] = "NOTIFY_SOCKET=/nowhere/notify";
    cr_assert(zero(int, rig_start(&rig)));
    old = rig.first;
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(int, process_wait_pid_gone(old, 4000)));
    cr_expect(zero(int, process_stop(rig.process)));
}

/* ---- the watchdog -------------------------------------------------------------------------------------------------
 */

Test(supervisor, gets_signs_of_life_from_who_serves, .fini = finish, .timeout = 60)
{
    int64_t began;
    int count;

    prepare("set_gracefulProbation=30s", false, "WATCHDOG_USEC=400000");
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(zero(int, manager_wait(manager, rig.first, "WATCHDOG=1", SOON_MS, NULL)));
    began = now_ms();
    for (int i = 0; i < 5; i++)
        cr_assert(zero(int, manager_wait(manager, rig.first, "WATCHDOG=1", SOON_MS, NULL)));
    cr_expect(ge(i64, now_ms() - began, 800)); /* at half of the time, not more often */
    expect_variable_unset("WATCHDOG_USEC");

    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    count = manager_count(manager, rig.first, "WATCHDOG=1");
    for (int i = 0; i < 5; i++)
        cr_assert(zero(int, manager_wait(manager, rig.pid, "WATCHDOG=1", SOON_MS, NULL)));
    cr_expect(eq(int, manager_count(manager, rig.first, "WATCHDOG=1"), count));

    cr_assert(zero(int, kill(rig.pid, SIGKILL))); /* and again from who comes back */
    for (int i = 0; i < 2; i++)
        cr_assert(zero(int, manager_wait(manager, rig.first, "WATCHDOG=1", SOON_MS, NULL)));
}

Test(supervisor, gets_no_signs_of_life_that_are_not_wanted_of_this_process, .fini = finish, .timeout = 60)
{
    prepare("", false, "WATCHDOG_USEC=20000");
    environment[2] = "WATCHDOG_PID=1";
    environment[3] = NULL;
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(zero(int, manager_wait(manager, rig.first, "READY=1", SOON_MS, NULL)));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, manager_wait(manager, rig.pid, "READY=1", SOON_MS, NULL)));
    cr_expect(zero(int, manager_count(manager, 0, "WATCHDOG=1")));
}

/* ---- sockets that it has opened ------------------------------------------------------------------------------------
 */

/* The program is started by tests/programs/activate with these sockets. */
static void activate(const char *sockets, const char *names)
{
    static char preface[2048];
    char *program = process_program("activate");

    snprintf(preface, sizeof(preface), "exec %s '%s' '%s' \"$0\"", program, sockets, names);
    rig.preface = preface;
    free(program);
}

static void expect_listening(const char *what, int port)
{
    char line[128];

    snprintf(line, sizeof(line), "%s listening on [127.0.0.1:%d]", what, port);
    cr_expect(zero(int, process_wait_line(rig.process, line, SOON_MS)), "%s", line);
}

Test(supervisor, gives_sockets, .fini = finish, .timeout = 60)
{
    char sockets[700], settings[700], path[300];

    prepare("", false, NULL);
    snprintf(path, sizeof(path), "%s/socket", rig.folder);
    snprintf(sockets, sizeof(sockets), "127.0.0.1:%d,unix:%s,127.0.0.1:%d", rig.port, path, rig.https_port);
    snprintf(settings, sizeof(settings), "set_gracefulProbation=100ms\naddress_2=unix:%s\nhttps_1=127.0.0.1:%d", path,
             rig.https_port);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    activate(sockets, "web:local:tls");
    cr_assert(zero(int, rig_start(&rig)));
    expect_listening("http server restarted", rig.port);
    expect_listening("https server restarted", rig.https_port);
    cr_expect(zero(int, process_wait_line(rig.process, "http server restarted listening on [unix:", SOON_MS)));
    expect_variable_unset("LISTEN_FDS");
    expect_variable_unset("LISTEN_PID");
    expect_variable_unset("LISTEN_FDNAMES");

    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(eq(long, rig_fetch_number(&rig.https, "/pid"), rig.pid));
    cr_expect(zero(int, rig_wait_processes(&rig, 1, SOON_MS)));
    cr_expect(zero(int, process_stop(rig.process)));
    cr_expect(zero(int, access(path, F_OK)), "the manager's file is the manager's");
}

/* The new program does not want it any more: that says nothing about what the manager wants. */
Test(supervisor, gives_a_socket_that_is_dropped, .fini = finish, .timeout = 60)
{
    char sockets[400], settings[400], path[300];

    prepare("", false, NULL);
    snprintf(path, sizeof(path), "%s/socket", rig.folder);
    snprintf(sockets, sizeof(sockets), "127.0.0.1:%d,unix:%s", rig.port, path);
    snprintf(settings, sizeof(settings), "set_gracefulProbation=100ms\naddress_2=unix:%s", path);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    activate(sockets, "web:local");
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(zero(int, rig_settings(&rig, "set_gracefulProbation=100ms\naddress_2=")));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(int, process_wait_line(rig.process, "no longer listens on [unix:", SOON_MS)));
    cr_expect(zero(int, rig_wait_processes(&rig, 1, SOON_MS)));
    cr_expect(zero(int, process_stop(rig.process)));
    cr_expect(zero(int, access(path, F_OK)), "the manager's file is the manager's");
}

/* What it gives and nobody wants is only said. */
Test(supervisor, gives_a_socket_too_many, .fini = finish, .timeout = 60)
{
    char sockets[256];

    prepare("", false, NULL);
    snprintf(sockets, sizeof(sockets), "127.0.0.1:0,127.0.0.1:%d", rig.port);
    activate(sockets, "odd:web");
    cr_assert(zero(int, rig_start(&rig)));
    expect_listening("http server restarted", rig.port);
    cr_expect(zero(int, process_wait_line(rig.process, "no server listens on descriptor 3 (odd)", SOON_MS)));
}

Test(supervisor, gives_sockets_to_another_process, .fini = finish, .timeout = 60)
{
    static const char *const others[] = {"LISTEN_PID=1", "LISTEN_FDS=1", NULL};

    cr_assert(zero(int, rig_begin(&rig, "")));
    rig_finish(&rig);
    cr_assert(zero(int, rig_init(&rig)));
    cr_assert(zero(int, rig_settings(&rig, "")));
    rig.environment = others;
    cr_assert(zero(int, rig_start(&rig)));
    expect_listening("http server started", rig.port);
    expect_variable_unset("LISTEN_FDS");
}

/* They pass over the exec: the port is open all the while. */
Test(supervisor, gives_sockets_that_last_over_a_full_restart, .fini = finish, .timeout = 60)
{
    char sockets[256], *body = NULL;
    struct client *c;

    prepare("graceful=false", false, NULL);
    snprintf(sockets, sizeof(sockets), "127.0.0.1:%d", rig.port);
    activate(sockets, "");
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(zero(int, manager_wait(manager, rig.first, "READY=1", SOON_MS, NULL)));
    cr_assert(zero(int, rig_settings(&rig, "graceful=false\ndelay_ms=500")));
    process_mark(rig.process);
    cr_assert(zero(int, kill(rig.first, SIGUSR1)));
    cr_assert(zero(int, process_wait_line(rig.process, "all servers shutdown", SOON_MS)));
    c = client_connect(&rig.http, SOON_MS); /* not refused, though nobody serves */
    cr_assert(not(zero(ptr, c)));
    expect_listening("http server restarted", rig.port);
    cr_expect(eq(int, client_fetch(rig.port, "/", &body), 200));
    free(body);
    client_close(c);
}

/* ---- sockets that it keeps ------------------------------------------------------------------------------------------
 */

/* Gives one descriptor to whoever connects to the path. */
static void give(int listener, int fd)
{
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {.space = {0}};
    char byte = 0;
    struct iovec piece = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    int taker = accept(listener, NULL, NULL);

    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
    cr_assert(ge(int, taker, 0));
    cr_assert(eq(long, sendmsg(taker, &message, 0), 1));
    close(taker);
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", path);
    cr_assert(zero(int, bind(fd, (const struct sockaddr *)&address, sizeof(address))));
    cr_assert(zero(int, listen(fd, 8)));
    return fd;
}

/* A crash of the whole service: who connects meanwhile waits, and the next start serves them. */
Test(supervisor, keeps_sockets_over_a_crash, .fini = finish, .timeout = 60)
{
    char names[3][64], all_names[256], path[300], sockets[1024], *body = NULL;
    char *program = process_program("restart_server");
    const struct answer *answer;
    struct client *waiting;
    int giver, error;

    begin("set_systemdFdStore=on\nset_gracefulProbation=0", false);
    snprintf(names[0], sizeof(names[0]), "gf,s1,http,127.0.0.1;%d", rig.port);
    snprintf(names[1], sizeof(names[1]), "gf,s2,http,127.0.0.1;%d", rig.second_port);
    snprintf(names[2], sizeof(names[2]), "gf,s1,https,127.0.0.1;%d", rig.https_port);
    snprintf(all_names, sizeof(all_names), "%s:%s:%s", names[0], names[1], names[2]);
    cr_expect(eq(int, manager_count(manager, rig.first, "FDPOLL=0"), 3)); /* of both servers, and TLS */
    cr_assert(zero(int, kill(rig.first, SIGKILL)));
    cr_assert(zero(int, process_wait_exit(rig.process, SOON_MS, NULL)));
    waiting = client_connect_port(rig.port);
    cr_assert(not(zero(ptr, waiting)));
    cr_assert(zero(int, client_send_text(waiting, "GET /pid HTTP/1.1\r\nHost: a\r\n\r\n")));

    snprintf(path, sizeof(path), "%s/give", rig.folder);
    snprintf(sockets, sizeof(sockets), "from:%s,from:%s,from:%s", path, path, path);
    giver = listen_at(path);
    activate(sockets, all_names);
    process_free(rig.process);
    rig.process =
        process_start(&(struct process_options){.program = "/bin/sh",
                                                .arguments = (const char *const[]){"-c", rig.preface, program, NULL},
                                                .environment = environment,
                                                .folder = rig.folder});
    free(program);
    cr_assert(not(zero(ptr, rig.process)));
    for (int i = 0; i < 3; i++)
        give(giver, manager_kept(manager, names[i]));
    close(giver);
    expect_listening("http server restarted", rig.port);
    answer = client_receive(waiting, &error);
    cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
    cr_expect(eq(int, atoi(answer->body), process_pid(rig.process)));
    cr_expect(eq(int, client_fetch(rig.port, "/", &body), 200));
    free(body);
    client_close(waiting);
}

/* One that the program has dropped need not be kept any longer. */
Test(supervisor, keeps_no_sockets_that_were_dropped, .fini = finish, .timeout = 60)
{
    char line[128], settings[256];

    begin("set_systemdFdStore=on", false);
    snprintf(settings, sizeof(settings), "set_systemdFdStore=on\naddress_2=");
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, manager_wait(manager, rig.pid, "FDSTOREREMOVE=1", SOON_MS, NULL)));
    snprintf(line, sizeof(line), "FDNAME=gf,s2,http,127.0.0.1;%d", rig.second_port);
    cr_expect(eq(int, manager_count(manager, rig.pid, line), 1));
}

/* As long as the process that has it may come back, it is to be found again after a crash. */
Test(supervisor, keeps_sockets_until_their_drop_is_final, .fini = finish, .timeout = 60)
{
    begin("set_systemdFdStore=on\nset_gracefulProbation=30s", false);
    cr_assert(zero(int, rig_settings(&rig, "set_systemdFdStore=on\nset_gracefulProbation=100ms\naddress_2=")));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, manager_wait(manager, rig.pid, "READY=1", SOON_MS, NULL)));
    cr_assert(zero(int, kill(rig.pid, SIGKILL)));
    cr_assert(zero(int, manager_wait(manager, rig.first, "MAINPID=", SOON_MS, NULL)));
    cr_expect(zero(int, manager_count(manager, 0, "FDSTOREREMOVE=1")));
}
