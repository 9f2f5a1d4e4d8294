/*
 * Full restarts, where graceful is off: who connects meanwhile waits and is served, by whoever serves next; what is in
 * flight is finished, or cut at the deadline and counted.
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
#include <sys/stat.h>
#include <unistd.h>

#define FULL "graceful=false\n"

static struct rig rig;

static void finish(void)
{
    rig_finish(&rig);
}

static void begin(const char *lines)
{
    cr_assert(zero(int, rig_begin(&rig, lines)));
    cr_assert(zero(int, process_wait_lines(rig.process, "http server started listening on", 2, 10000)));
}

static struct client *ask(const struct transport_target *target, const char *path)
{
    char request[256];
    struct client *c = client_connect(target, 30000);

    cr_assert(not(zero(ptr, c)), "%s", strerror(errno));
    snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path);
    cr_assert(zero(int, client_send_text(c, request)));
    return c;
}

static void expect_body(struct client *c, char *body)
{
    int error = 0;
    const struct answer *answer = client_receive(c, &error);

    cr_assert(not(zero(ptr, (void *)answer)), "%s", strerror(-error));
    cr_expect(eq(int, answer->status, 200));
    if (body)
        cr_expect(eq(str, answer->body, body));
    client_close(c);
}

static void expect_line(const char *text)
{
    cr_expect(zero(int, process_wait_line(rig.process, text, 20000)), "%s", text);
}

/* A request is in flight, and the restart has begun: nobody is let in any more. */
static struct client *begin_restart(const char *path)
{
    struct client *slow;

    process_mark(rig.process);
    slow = ask(&rig.http, path);
    expect_line("sleeping in ");
    cr_assert(zero(long, rig_fetch_number(&rig.http, "/restart")));
    return slow;
}

Test(full_restart, who_connects_meanwhile_is_served_by_the_new_program, .fini = finish, .timeout = 60)
{
    struct client *slow, *plain, *tls, *local;
    char path[300], settings[600], more[640];
    struct transport_target target = {.unix_path = path};

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(path, sizeof(path), "%s/server.sock", rig.folder);
    snprintf(settings, sizeof(settings), FULL "address_1=127.0.0.1:%d,unix:%s", rig.port, path);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_assert(zero(int, rig_start(&rig)));
    snprintf(more, sizeof(more), "%s\nhello=second\ndelay_ms=200", settings);
    cr_assert(zero(int, rig_settings(&rig, more)));
    slow = begin_restart("/sleep?ms=1000");
    plain = ask(&rig.http, "/");
    local = ask(&target, "/");
    tls = client_connect(&rig.https, 0); /* the handshake has to wait too */
    cr_expect(zero(ptr, tls));
    expect_body(slow, NULL);
    expect_body(plain, "second\n");
    expect_body(local, "second\n");
    expect_body(ask(&rig.https, "/"), "second\n");
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
}

/* Kept connections end, with notice or while they are idle, where a request may cross the close: that is no failure.
 * But nobody is refused, and no connection that was let in is left without an answer. */
Test(full_restart, refuses_nobody_of_a_load, .fini = finish, .timeout = 120)
{
    enum { LOADS = 4, RESTARTS = 5 };
    static const char *const expected[] = {"hello\n", NULL};
    struct load *loads[LOADS];

    begin(FULL);
    for (int i = 0; i < LOADS; i++) {
        struct load_options options = {.target = i & 1 ? rig.https : rig.http,
                                       .connections = i & 2 ? 2 : 6,
                                       .fresh = i & 2,
                                       .pause_us = 1000,
                                       .timeout_ms = 30000,
                                       .raced_is_fine = true,
                                       .expected = expected};

        loads[i] = load_start(&options);
        cr_assert(not(zero(ptr, loads[i])));
    }
    for (int i = 0; i < RESTARTS; i++) {
        for (int k = 0; k < LOADS; k++)
            cr_assert(zero(int, load_wait_requests(loads[k], load_requests(loads[k]) + 20, 30000)));
        process_mark(rig.process);
        cr_assert(zero(int, kill(rig.pid, SIGUSR1)));
        cr_assert(zero(int, process_wait_lines(rig.process, "http server restarted listening on", 2, 20000)));
    }
    for (int i = 0; i < LOADS; i++) {
        cr_assert(zero(int, load_wait_requests(loads[i], load_requests(loads[i]) + 20, 30000)));
        load_stop(loads[i]);
        if (load_result(loads[i])->failures)
            load_print(loads[i], stderr);
        cr_expect(zero(u64, load_result(loads[i])->failures));
        load_free(loads[i]);
    }
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
}

Test(full_restart, the_deadline_cuts_and_counts, .fini = finish, .timeout = 60)
{
    struct client *slow[2], *waits;
    int error = 0;

    begin(FULL "set_gracefulShutdownTimeout=800ms");
    slow[0] = ask(&rig.https, "/sleep?ms=30000");
    expect_line("sleeping in ");
    slow[1] = begin_restart("/sleep?ms=30000");
    waits = ask(&rig.http, "/");
    for (int i = 0; i < 2; i++) {
        cr_expect(zero(ptr, (void *)client_receive(slow[i], &error)));
        cr_expect(error == -EPIPE || error == -ECONNRESET || error == -ENODATA, "%d", error);
        client_close(slow[i]);
    }
    /* with notice: whoever asked for the restart */
    expect_line("server \"s1\" drained: 0 connections moved, 1 were closed with notice, 0 requests crossed a close, 2 "
                "were cut");
    expect_line("server \"s2\" drained: ");
    expect_body(waits, "hello\n");
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
}

/* The port of the server that the new program does not have is closed, with those who wait there. */
Test(full_restart, into_a_program_that_has_dropped_a_port, .fini = finish, .timeout = 60)
{
    struct transport_target second;
    struct client *slow, *waits;
    int error = 0;

    begin(FULL);
    second = (struct transport_target){.port = rig.second_port};
    cr_assert(zero(int, rig_settings(&rig, FULL "address_2=")));
    slow = begin_restart("/sleep?ms=300");
    waits = ask(&second, "/");
    expect_body(slow, NULL);
    expect_line("no longer listens on");
    cr_expect(zero(ptr, (void *)client_receive(waits, &error)));
    cr_expect(eq(int, error, -ECONNRESET));
    client_close(waits);
    cr_expect(eq(int, rig_fetch(&second, "/", NULL), -ECONNREFUSED));
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
}

Test(full_restart, that_cannot_execute_serves_who_has_waited, .fini = finish, .timeout = 60)
{
    struct client *slow, *waits;
    char path[512];
    FILE *file;

    begin(FULL);
    snprintf(path, sizeof(path), "%s/text", rig.folder);
    file = fopen(path, "we");
    cr_assert(not(zero(ptr, file)));
    fputs("this is no program\n", file);
    fchmod(fileno(file), 0755);
    fclose(file);
    slow = ask(&rig.http, "/sleep?ms=700");
    expect_line("sleeping in ");
    snprintf(path, sizeof(path), "/restart?path=%s/text", rig.folder);
    expect_body(ask(&rig.http, path), NULL);
    waits = ask(&rig.http, "/");
    expect_body(slow, NULL);
    expect_body(waits, "hello\n");
    expect_line("serving on");
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
}

/* Who waits has been let in by the kernel: it is answered before the end. */
Test(full_restart, that_is_overtaken_by_a_shutdown, .fini = finish, .timeout = 60)
{
    struct client *slow, *waits;
    int status = -1;

    begin(FULL);
    slow = begin_restart("/sleep?ms=1000");
    waits = ask(&rig.http, "/");
    cr_assert(zero(int, kill(rig.pid, SIGTERM)));
    expect_body(waits, "hello\n");
    expect_body(slow, NULL);
    cr_expect(zero(int, process_wait_exit(rig.process, 10000, &status)));
    cr_expect(eq(int, status, 0));
}
