/*
 * Listeners over a restart: which the new program adopts, opens and closes, the certificate, and the files of Unix
 * sockets.
 */
#include "tests/support/certificate.h"
#include "tests/support/client.h"
#include "tests/support/port.h"
#include "tests/support/rig.h"
#include "tests/support/rig_load.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct rig rig;
static struct rig_load load;

static void finish(void)
{
    rig_finish(&rig);
}

static struct transport_target port_target(int port)
{
    return (struct transport_target){.port = port};
}

/* Restarts into a program with these settings. */
static void restart_into(const char *settings)
{
    cr_assert(zero(int, rig_settings(&rig, settings)));
    process_mark(rig.process);
    cr_assert(gt(int, rig_restart_by_api(&rig), 0), "%s", settings);
}

/* "<words> [127.0.0.1:<port>]" */
static void expect_line(const char *words, int port)
{
    char line[256];

    snprintf(line, sizeof(line), "%s [127.0.0.1:%d]", words, port);
    cr_expect(zero(int, process_wait_line(rig.process, line, 2000)), "%s", line);
}

static void expect_pid(int port, pid_t pid)
{
    struct transport_target target = port_target(port);

    cr_expect(eq(long, rig_fetch_number(&target, "/pid"), pid), "port %d", port);
}

static void expect_refused(int port)
{
    struct transport_target target = port_target(port);

    cr_expect(eq(int, rig_fetch(&target, "/pid", NULL), -ECONNREFUSED), "port %d", port);
}

static void expect_name(int port, char *name)
{
    struct transport_target target = port_target(port);
    char *body = NULL;

    cr_expect(eq(int, rig_fetch(&target, "/name", &body), 200));
    cr_expect(eq(str, body, name));
    free(body);
}

/* ---- ports ------------------------------------------------------------------------------------------------------- */

Test(restart_listeners, all_of_all_servers_move, .fini = finish, .timeout = 60)
{
    cr_assert(zero(int, rig_begin(&rig, NULL)));
    restart_into(NULL);
    expect_line("http server restarted listening on", rig.port);
    expect_line("http server restarted listening on", rig.second_port);
    expect_line("https server restarted listening on", rig.https_port);
    cr_assert(zero(int, process_wait_pid_gone(rig.first, 10000)));
    expect_pid(rig.port, rig.pid);
    expect_pid(rig.second_port, rig.pid);
    cr_expect(eq(long, rig_fetch_number(&rig.https, "/pid"), rig.pid));
}

/* The manual's method, on one of the servers: the process restarts whole. */
Test(restart_listeners, all_of_all_servers_move_by_one_servers_restart, .fini = finish, .timeout = 60)
{
    struct transport_target second;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    expect_line("http server started listening on", rig.second_port);
    second = port_target(rig.second_port);
    cr_expect(zero(long, rig_fetch_number(&second, "/restart?server=true")));
    expect_line("http server restarted listening on", rig.port);
    expect_line("http server restarted listening on", rig.second_port);
    cr_assert(zero(int, process_wait_pid_gone(rig.first, 10000)));
    rig.pid = rig_ask_pid(&rig);
    cr_expect(gt(int, rig.pid, 0));
    cr_expect(ne(int, rig.pid, rig.first));
    expect_pid(rig.second_port, rig.pid);
}

Test(restart_listeners, an_added_port_is_opened, .fini = finish, .timeout = 60)
{
    char settings[128];
    int added = free_port();

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    expect_refused(added);
    snprintf(settings, sizeof(settings), "address_1=127.0.0.1:%d,127.0.0.1:%d", rig.port, added);
    restart_into(settings);
    expect_line("http server restarted listening on", rig.port);
    expect_line("http server started listening on", added);
    expect_pid(added, rig.pid);
    expect_pid(rig.port, rig.pid);
    restart_into(settings);
    expect_line("http server restarted listening on", added);
    expect_pid(added, rig.pid);
}

Test(restart_listeners, a_dropped_port_is_closed, .fini = finish, .timeout = 60)
{
    char settings[128];
    int dropped = free_port();

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(settings, sizeof(settings), "address_1=127.0.0.1:%d,127.0.0.1:%d", rig.port, dropped);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_assert(zero(int, rig_start(&rig)));
    expect_pid(dropped, rig.pid);
    restart_into(NULL);
    expect_line("no longer listens on", dropped);
    cr_assert(zero(int, process_wait_pid_gone(rig.first, 10000)));
    expect_refused(dropped);
    expect_pid(rig.port, rig.pid);
    restart_into(settings);
    expect_pid(dropped, rig.pid);
}

Test(restart_listeners, a_dropped_server_is_closed, .fini = finish, .timeout = 60)
{
    cr_assert(zero(int, rig_begin(&rig, NULL)));
    restart_into("address_2=");
    expect_line("no longer listens on", rig.second_port);
    cr_assert(zero(int, process_wait_pid_gone(rig.first, 10000)));
    expect_refused(rig.second_port);
    restart_into(NULL);
    expect_line("http server started listening on", rig.second_port);
    expect_pid(rig.second_port, rig.pid);
}

/*
 * A connection of plain HTTP cannot go on in a process that speaks TLS there: it is answered where it is, and told of
 * its end as soon as the drain has begun, which is some moment after the asker of the restart has been told.
 */
static void expect_last_answers(struct client *c, pid_t pid)
{
    bool goes_on = true;

    for (int i = 0; goes_on && i < 1000; i++) {
        int error = 0;
        const struct answer *answer = client_get(c, "/pid", &error);

        cr_assert(not(zero(ptr, (void *)answer)), "%d", error);
        cr_expect(eq(int, atoi(answer->body), pid));
        goes_on = answer->keep_alive;
    }
    cr_expect(not(goes_on));
    client_close(c);
}

Test(restart_listeners, a_port_turns_from_http_to_https_and_back, .fini = finish, .timeout = 60)
{
    struct transport_target plain, secure;
    struct client *kept;
    char settings[128];

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    plain = port_target(rig.second_port);
    secure = (struct transport_target){.port = rig.second_port, .tls = true};
    expect_line("http server started listening on", rig.second_port);
    kept = client_connect(&plain, 20000);
    cr_assert(not(zero(ptr, kept)));
    cr_assert(zero(int, rig_load_start(&load, &rig)));
    cr_assert(zero(int, rig_load_wait(&load, 5)));

    snprintf(settings, sizeof(settings), "address_2=\nhttps_1=127.0.0.1:%d,127.0.0.1:%d", rig.https_port,
             rig.second_port);
    restart_into(settings);
    expect_last_answers(kept, rig.first);
    expect_line("https server restarted listening on", rig.second_port);
    cr_expect(eq(long, rig_fetch_number(&secure, "/pid"), rig.pid));

    restart_into(NULL);
    expect_line("http server restarted listening on", rig.second_port);
    expect_pid(rig.second_port, rig.pid);
    cr_expect(zero(u64, rig_load_end(&load)));
}

/* As /debug/admin/status has it. */
static void expect_workers(const char *count)
{
    char wanted[64], *body = NULL;

    snprintf(wanted, sizeof(wanted), "\"workers\":%s,", count);
    cr_expect(eq(int, rig_page(&rig, "/status", &body), 200));
    cr_expect(not(zero(ptr, body ? strstr(body, wanted) : NULL)), "%s", body);
    free(body);
}

Test(restart_listeners, the_number_of_workers_changes, .fini = finish, .timeout = 60)
{
    static const char *const counts[] = {"1", "5", "2"};
    char settings[64];

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(zero(int, rig_load_start(&load, &rig)));
    for (int i = 0; i < 3; i++) {
        snprintf(settings, sizeof(settings), "set_workers=%s", counts[i]);
        restart_into(settings);
        expect_workers(counts[i]);
        cr_assert(zero(int, rig_load_wait(&load, 20)));
    }
    cr_expect(zero(u64, rig_load_end(&load)));
}

static bool has_ipv6(void)
{
    struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool has = fd >= 0 && bind(fd, (struct sockaddr *)&loopback, sizeof(loopback)) == 0;

    if (fd >= 0)
        close(fd);
    return has;
}

/* The socket that is there takes IPv6 alone: adopted, it would leave IPv4 refused. And there cannot be two. */
Test(restart_listeners, from_ipv6_to_both_families_is_refused, .fini = finish, .timeout = 60)
{
    struct transport_target six;
    char settings[128], *body = NULL;

    if (!has_ipv6())
        cr_skip_test("no IPv6 here");
    cr_assert(zero(int, rig_init(&rig)));
    snprintf(settings, sizeof(settings), "address_1=127.0.0.1:%d\naddress_2=[::]:%d", rig.port, rig.second_port);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(zero(int, process_wait_lines(rig.process, "http server started listening on", 2, 10000)));
    six = (struct transport_target){.host = "::1", .port = rig.second_port};
    cr_expect(eq(long, rig_fetch_number(&six, "/pid"), rig.first));
    snprintf(settings, sizeof(settings), "address_1=127.0.0.1:%d\naddress_2=:%d", rig.port, rig.second_port);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_expect(eq(int, rig_page(&rig, "/restart", &body), 502));
    cr_expect(not(zero(ptr, strstr(body, "Address already in use"))), "%s", body);
    cr_expect(zero(int, process_wait_line(rig.process, "takes IPv6 alone", 2000)));
    cr_expect(eq(long, rig_fetch_number(&six, "/pid"), rig.first));
    free(body);
}

/* Without a moment in which the port is closed. */
Test(restart_listeners, a_renamed_server_keeps_its_ports, .fini = finish, .timeout = 60)
{
    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(zero(int, rig_load_start(&load, &rig)));
    restart_into("name_1=shop");
    expect_line("http server restarted listening on", rig.port);
    expect_line("https server restarted listening on", rig.https_port);
    expect_name(rig.port, "shop\n");
    cr_expect(zero(u64, rig_load_end(&load)));
}

Test(restart_listeners, two_servers_exchange_their_ports, .fini = finish, .timeout = 60)
{
    char settings[128];

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    snprintf(settings, sizeof(settings), "address_1=127.0.0.1:%d\naddress_2=127.0.0.1:%d", rig.second_port, rig.port);
    restart_into(settings);
    expect_line("http server restarted listening on", rig.port);
    expect_line("http server restarted listening on", rig.second_port);
    expect_name(rig.port, "s2\n");
    expect_name(rig.second_port, "s1\n");
}

/* The system chose the port; over restarts it stays. */
Test(restart_listeners, a_port_chosen_by_the_system_stays, .fini = finish, .timeout = 60)
{
    char settings[128], *line;
    int port;

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(settings, sizeof(settings), "address_1=127.0.0.1:%d,127.0.0.1:0", rig.port);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(zero(int, process_wait_lines(rig.process, "http server started listening on [", 3, 5000)));
    char *output = process_output(rig.process);
    line = strstr(output, "listening on [127.0.0.1:");
    line = line ? strstr(line + 1, "listening on [127.0.0.1:") : NULL; /* the second one */
    cr_assert(not(zero(ptr, line)));
    port = atoi(strrchr(strtok(line, "]"), ':') + 1);
    free(output);
    expect_pid(port, rig.pid);
    for (int i = 0; i < 2; i++) {
        restart_into(settings);
        expect_line("http server restarted listening on", port);
        expect_pid(port, rig.pid);
    }
}

/* ---- the certificate --------------------------------------------------------------------------------------------- */

static void expect_common_name(char *expected)
{
    struct client *c = client_connect(&rig.https, 10000);
    char name[128] = "";

    cr_assert(not(zero(ptr, c)));
    cr_expect(zero(int, transport_common_name(client_transport(c), name, sizeof(name))));
    cr_expect(eq(str, name, expected));
    client_close(c);
}

Test(restart_listeners, the_certificate_is_read_anew, .fini = finish, .timeout = 60)
{
    cr_assert(zero(int, rig_begin(&rig, NULL)));
    cr_assert(zero(int, rig_load_start(&load, &rig)));
    expect_common_name("localhost");
    cr_assert(zero(int, certificate_make(rig.folder, "server", "renewed")));
    expect_common_name("localhost");
    restart_into(NULL);
    expect_common_name("renewed");
    cr_expect(zero(u64, rig_load_end(&load)));
}

Test(restart_listeners, a_broken_certificate_fails_the_restart_only, .fini = finish, .timeout = 60)
{
    pid_t old;

    cr_assert(zero(int, rig_begin(&rig, NULL)));
    old = rig.pid;
    cr_assert(zero(int, rig_settings(&rig, "certificate=settings")));
    cr_expect(eq(int, rig_restart_by_api(&rig), -ECHILD));
    cr_expect(eq(int, rig_ask_pid(&rig), old));
    cr_expect(zero(int, process_wait_line(rig.process, "server restart failed: ", 5000)));
    expect_common_name("localhost");
    restart_into(NULL);
    cr_expect(ne(int, rig.pid, old));
}

/* ---- Unix sockets ------------------------------------------------------------------------------------------------ */

struct watched {
    char path[300];
    atomic_bool stop;
    atomic_uint looks, missing, changed;
};

static void *watch_file(void *arg)
{
    struct watched *w = arg;
    struct stat first, now;

    if (stat(w->path, &first) < 0)
        atomic_fetch_add(&w->missing, 1);
    while (!atomic_load(&w->stop)) {
        if (stat(w->path, &now) < 0)
            atomic_fetch_add(&w->missing, 1);
        else if (now.st_ino != first.st_ino)
            atomic_fetch_add(&w->changed, 1);
        atomic_fetch_add(&w->looks, 1);
        usleep(50);
    }
    return NULL;
}

Test(restart_listeners, a_unix_socket_is_there_all_the_while, .fini = finish, .timeout = 60)
{
    struct watched watched = {.stop = false};
    struct transport_target target = {.unix_path = watched.path};
    char settings[512];
    struct stat status;
    pthread_t watcher;

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(watched.path, sizeof(watched.path), "%s/server.sock", rig.folder);
    snprintf(settings, sizeof(settings), "address_1=127.0.0.1:%d,unix:%s", rig.port, watched.path);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(zero(int, pthread_create(&watcher, NULL, watch_file, &watched)));
    for (int i = 0; i < 5; i++) {
        pid_t old = rig.pid;

        restart_into(settings);
        cr_expect(eq(long, rig_fetch_number(&target, "/pid"), rig.pid));
        cr_expect(zero(int, process_wait_pid_gone(old, 10000)));
        cr_expect(eq(long, rig_fetch_number(&target, "/pid"), rig.pid));
    }
    atomic_store(&watched.stop, true);
    pthread_join(watcher, NULL);
    cr_expect(gt(uint, atomic_load(&watched.looks), 10));
    cr_expect(zero(uint, atomic_load(&watched.missing)));
    cr_expect(zero(uint, atomic_load(&watched.changed)));

    cr_expect(zero(int, rig_fetch_number(&rig.http, "/shutdown")));
    cr_expect(zero(int, process_wait_end(rig.process, 10000)));
    cr_expect(lt(int, stat(watched.path, &status), 0), "the file is left behind");
}

/* A new process that fails takes no file with it. */
Test(restart_listeners, a_failed_restart_leaves_the_unix_socket, .fini = finish, .timeout = 60)
{
    static const char *const faults[] = {"fault=late_exit1", "fault=late_hang", "address_2=unix:/nowhere/a.sock",
                                         "address_2=unix:/nowhere/a.sock\nfault=goes_on"};
    char path[300], settings[512];
    struct transport_target target = {.unix_path = path};

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(path, sizeof(path), "%s/server.sock", rig.folder);
    snprintf(settings, sizeof(settings), "set_gracefulReadyTimeout=500ms\naddress_1=127.0.0.1:%d,unix:%s", rig.port,
             path);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_assert(zero(int, rig_start(&rig)));
    for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++) {
        char faulty[1024];

        snprintf(faulty, sizeof(faulty), "%s\n%s", settings, faults[i]);
        cr_assert(zero(int, rig_settings(&rig, faulty)));
        cr_expect(lt(long, rig_fetch_number(&target, "/restart"), 0), "%s", faults[i]);
        cr_expect(eq(long, rig_fetch_number(&target, "/pid"), rig.first), "%s", faults[i]);
    }
    restart_into(settings);
    cr_expect(eq(long, rig_fetch_number(&target, "/pid"), rig.pid));
}

/* A Unix socket beside the first server's port. */
static void begin_with_socket(char path[300], const char *lines)
{
    char settings[512];

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(path, 300, "%s/server.sock", rig.folder);
    snprintf(settings, sizeof(settings), "%s\naddress_1=127.0.0.1:%d,unix:%s", lines, rig.port, path);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_assert(zero(int, rig_start(&rig)));
}

static int wait_for_no_file(const char *path)
{
    for (int waited = 0; !access(path, F_OK); waited += 10) {
        if (waited >= 10000)
            return -ETIMEDOUT;
        usleep(10000);
    }
    return 0;
}

/* The new program no longer has it: nobody finds a dead file. */
Test(restart_listeners, a_dropped_unix_socket_is_removed, .fini = finish, .timeout = 60)
{
    char path[300];

    begin_with_socket(path, "");
    cr_expect(zero(int, access(path, F_OK)));
    restart_into(NULL);
    cr_expect(zero(int, wait_for_no_file(path)), "the file is left behind");
}

/* Or it ends before anybody has trusted it: the old process does not come back then. */
Test(restart_listeners, a_dropped_unix_socket_is_removed_at_an_early_end, .fini = finish, .timeout = 60)
{
    char path[300];

    begin_with_socket(path, "set_gracefulProbation=30s");
    restart_into(NULL);
    cr_expect(zero(int, access(path, F_OK)));
    cr_assert(zero(int, kill(rig.pid, SIGTERM)));
    cr_expect(zero(int, process_wait_end(rig.process, 10000)));
    cr_expect(zero(int, wait_for_no_file(path)), "the file is left behind");
}

/* The process that had it comes back: its clients find it where it was. */
Test(restart_listeners, a_dropped_unix_socket_outlives_a_rollback, .fini = finish, .timeout = 60)
{
    char path[300];
    struct transport_target target = {.unix_path = path};

    begin_with_socket(path, "set_gracefulProbation=30s");
    restart_into(NULL);
    cr_assert(zero(int, kill(rig.pid, SIGKILL)));
    cr_assert(zero(int, process_wait_line(rig.process, "rolled back", 10000)));
    cr_expect(eq(long, rig_fetch_number(&target, "/pid"), rig.first));
}

/* Another program has taken the path meanwhile: its file is not ours to remove. */
Test(restart_listeners, a_dropped_unix_socket_is_removed_only_if_it_is_the_same, .fini = finish, .timeout = 60)
{
    char path[300];
    FILE *file;

    begin_with_socket(path, "set_gracefulProbation=1s");
    restart_into(NULL);
    cr_assert(zero(int, unlink(path)));
    file = fopen(path, "we");
    cr_assert(not(zero(ptr, file)));
    fclose(file);
    cr_assert(zero(int, process_wait_pid_gone(rig.first, 10000)));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0)); /* what the old one has said last has been heard before that */
    cr_expect(zero(int, access(path, F_OK)));
}
