/*
 * New processes that die while the old one still watches over them: it serves again, with the connections that the dead
 * one had not touched, and says so. An orderly end is no death.
 */
#include "tests/support/client.h"
#include "tests/support/port.h"
#include "tests/support/rig.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    CLIENTS = 20,
    TOUCHED = 5,    /* of these: the new process answers them once */
    BACK_MS = 5000, /* the old process serves again */
    MOVED_MS = 5000,
};

static struct rig rig;

static void finish(void)
{
    rig_finish(&rig);
}

static void begin(void)
{
    cr_assert(zero(int, rig_begin(&rig, "set_gracefulProbation=10s")));
}

static pid_t ask(struct client *c)
{
    int error = 0;
    const struct answer *answer = client_get(c, "/pid", &error);

    cr_assert(not(zero(ptr, (void *)answer)), "%s", strerror(-error));
    cr_assert(eq(int, answer->status, 200));
    cr_assert(answer->keep_alive);
    return atoi(answer->body);
}

/* Descriptors of the process that serves. */
static int count_descriptors(void)
{
    char *body = NULL;
    int fds = -1;

    cr_assert(eq(int, rig_fetch(&rig.http, "/counts", &body), 200));
    cr_assert(eq(int, sscanf(body, "fds=%d", &fds), 1), "%s", body);
    free(body);
    return fds;
}

static void connect_all(struct client *clients[CLIENTS])
{
    for (int i = 0; i < CLIENTS; i++) {
        clients[i] = client_connect(&rig.http, 30000);
        cr_assert(not(zero(ptr, clients[i])));
        if (i % 2)
            cr_assert(eq(int, ask(clients[i]), rig.pid));
    }
}

/* Restarts, and waits until the new process has the clients' connections. */
static void restart_and_move(struct client *clients[CLIENTS])
{
    int none = count_descriptors() - CLIENTS;

    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    for (int waited = 0; count_descriptors() < none + CLIENTS && waited < MOVED_MS; waited += 10)
        usleep(10000);
    for (int i = 0; i < TOUCHED; i++)
        cr_assert(eq(int, ask(clients[i]), rig.pid), "client %d has not moved", i);
}

static void wait_until_serves(pid_t pid)
{
    pid_t found = 0;

    for (int waited = 0; found != pid && waited < BACK_MS; waited += 10) {
        found = rig_ask_pid(&rig);
        usleep(10000);
    }
    cr_assert(eq(int, found, pid), "the old process does not serve again");
    rig.pid = pid;
}

static void expect_status(const char *signal)
{
    char *body = NULL;
    cJSON *status;
    const cJSON *last;

    cr_assert(eq(int, rig_page(&rig, "?format=json", &body), 200));
    status = cJSON_Parse(body);
    last = cJSON_GetObjectItemCaseSensitive(status, "last_restart");
    cr_assert(not(zero(ptr, (void *)last)), "%s", body);
    cr_expect(cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(last, "ok")), "%s", body);
    cr_expect(not(zero(ptr, strstr(body, "rolled back"))), "%s", body);
    cr_expect(not(zero(ptr, strstr(body, signal))), "%s", body);
    cJSON_Delete(status);
    free(body);
}

/* The dead process has read from these: nobody can tell what it would have answered. */
static void expect_ended(struct client *c)
{
    int error = client_send_text(c, "GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n");

    if (!error)
        cr_expect(zero(ptr, (void *)client_receive(c, &error)));
    cr_expect(error == -EPIPE || error == -ECONNRESET, "%d", error);
    client_close(c);
}

static void die_by(int signo, const char *words)
{
    struct client *clients[CLIENTS];
    pid_t old;

    connect_all(clients);
    old = rig.pid;
    restart_and_move(clients);
    process_mark(rig.process);
    cr_assert(zero(int, kill(rig.pid, signo)));
    wait_until_serves(old);
    cr_expect(zero(int, process_wait_line(rig.process, "rolled back", 10000))); /* when the other has surely ended */
    cr_expect(zero(int, process_wait_line(rig.process, words, 1000)));
    for (int i = TOUCHED; i < CLIENTS; i++)
        cr_expect(eq(int, ask(clients[i]), old), "client %d", i);
    for (int i = 0; i < TOUCHED; i++)
        expect_ended(clients[i]);
    expect_status(words);
    cr_expect(zero(int, rig_wait_processes(&rig, 1, 15000)), "%d are left", rig_count_processes(&rig));
    cr_expect(zero(int, rig_count_zombies(old)));

    /* and the next one works at once, for what has come back too */
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    for (int i = TOUCHED; i < CLIENTS; i++) {
        pid_t pid = ask(clients[i]);

        for (int k = 0; k < 500 && pid != rig.pid; k++) {
            usleep(2000);
            pid = ask(clients[i]);
        }
        cr_expect(eq(int, pid, rig.pid), "client %d has not moved after the rollback", i);
        client_close(clients[i]);
    }
}

Test(rollback, killed, .fini = finish, .timeout = 60)
{
    begin();
    die_by(SIGKILL, "ended by signal 9");
}

Test(rollback, aborted, .fini = finish, .timeout = 60)
{
    begin();
    die_by(SIGABRT, "ended by signal 6");
}

Test(rollback, again_and_again, .fini = finish, .timeout = 60)
{
    begin();
    for (int i = 0; i < 3; i++)
        die_by(SIGKILL, "ended by signal 9");
}

/* Silent connections that moved and came back move again without a request in between. */
Test(rollback, what_came_back_moves_again, .fini = finish, .timeout = 60)
{
    struct client *clients[CLIENTS];
    pid_t dead;

    begin();
    connect_all(clients);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    dead = rig.pid;
    usleep(100000);
    process_mark(rig.process);
    cr_assert(zero(int, kill(dead, SIGKILL)));
    cr_assert(
        zero(int, process_wait_line(rig.process, "rolled back: process ", 10000))); /* then it may be asked again */
    wait_until_serves(rig.first);
    cr_assert(zero(int, rig_settings(&rig, "set_gracefulProbation=200ms")));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    usleep(200000);
    for (int i = 0; i < CLIENTS; i++) {
        cr_expect(eq(int, ask(clients[i]), rig.pid), "client %d", i);
        client_close(clients[i]);
    }
}

/* A frozen process is no better than a dead one. */
Test(rollback, stopped, .fini = finish, .timeout = 60)
{
    begin();
    die_by(SIGSTOP, "did not answer any more");
}

Test(rollback, orderly_shutdown_is_no_death, .fini = finish, .timeout = 60)
{
    char *log;

    begin();
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(eq(int, rig_count_processes(&rig), 2));
    cr_assert(zero(int, kill(rig.pid, SIGTERM)));
    cr_expect(zero(int, process_wait_end(rig.process, 10000)), "%d processes are left", rig_count_processes(&rig));
    log = process_output(rig.process);
    cr_expect(zero(ptr, strstr(log, "rolled back")), "%s", log);
    free(log);
}

/* The old one is told to end while it watches: the new one serves on alone. */
Test(rollback, shutdown_of_the_old_one_is_its_own, .fini = finish, .timeout = 60)
{
    begin();
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_assert(zero(int, kill(rig.first, SIGTERM)));
    cr_expect(zero(int, process_wait_pid_gone(rig.first, 10000)));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
    cr_expect(gt(int, rig_restart_by_api(&rig), 0));
}

/* ---- health ------------------------------------------------------------------------------------------------------ */

#define HEALTH "set_gracefulProbation=3s\nset_gracefulHealthPath=/health\n"

/* The new process serves and answers what these settings say; the old one does not like it. */
static void expect_rejected(const char *settings, const char *reason)
{
    char lines[256];

    cr_assert(zero(int, rig_begin(&rig, HEALTH)));
    snprintf(lines, sizeof(lines), HEALTH "%s", settings);
    cr_assert(zero(int, rig_settings(&rig, lines)));
    process_mark(rig.process);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(int, process_wait_line(rig.process, "rolled back", 10000)));
    cr_expect(zero(int, process_wait_line(rig.process, reason, 1000)));
    wait_until_serves(rig.first);
    expect_status("Killed");
    cr_assert(zero(int, rig_settings(&rig, HEALTH)));
    cr_expect(gt(int, rig_restart_by_api(&rig), 0));
}

Test(rollback, an_unhealthy_process_is_rejected, .fini = finish, .timeout = 60)
{
    expect_rejected("health=500", "/health");
}

Test(rollback, a_process_whose_health_page_hangs_is_rejected, .fini = finish, .timeout = 60)
{
    expect_rejected("health_ms=20000", "does not answer: Connection timed out");
}

/* The new process stays: the old one goes at the end of the probation. Addresses may follow on HEALTH. */
static void expect_trusted(const char *before, const char *after)
{
    pid_t old;

    cr_assert(zero(int, rig_settings(&rig, before)));
    cr_assert(zero(int, rig_start(&rig)));
    old = rig.pid;
    cr_assert(zero(int, rig_settings(&rig, after)));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(int, process_wait_pid_gone(old, 20000)));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.pid));
}

Test(rollback, a_healthy_process_is_trusted, .fini = finish, .timeout = 60)
{
    cr_assert(zero(int, rig_init(&rig)));
    expect_trusted(HEALTH, HEALTH);
}

/* The first address is not 127.0.0.1. */
Test(rollback, health_is_asked_for_where_the_server_is_bound, .fini = finish, .timeout = 60)
{
    char lines[256];

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(lines, sizeof(lines), HEALTH "address_1=127.0.0.2:%d,127.0.0.1:%d", free_port(), rig.port);
    expect_trusted(lines, lines);
}

Test(rollback, health_is_asked_for_on_a_port_that_the_new_program_has, .fini = finish, .timeout = 60)
{
    char before[256], after[256];

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(before, sizeof(before), HEALTH "address_1=127.0.0.1:%d,127.0.0.1:%d", free_port(), rig.port);
    snprintf(after, sizeof(after), HEALTH "address_1=127.0.0.1:%d", rig.port);
    expect_trusted(before, after);
}
