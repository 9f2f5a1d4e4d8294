/*
 * What a restart does to connections: plain ones move between two requests and their clients notice nothing, what is
 * under way stays where it is and is answered there, and what cannot move is told so in its next answer.
 */
#include "tests/support/client.h"
#include "tests/support/load.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    RESTARTS = 30,
    GENERATIONS_MAX = 3,
    MOVE_MS = 5000,  /* within this an idle connection has moved, on a busy machine and with a sanitizer too */
    MOST_US = 50000, /* p99 of other requests while thousands of connections move */
    END_MS = 15000,  /* and the old process, which nothing holds, has ended */
};

static struct rig rig;

static void finish(void)
{
    rig_finish(&rig);
}

static void begin(const char *lines)
{
    cr_assert(zero(int, rig_begin(&rig, lines)));
}

static long now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct client *connect_to(const struct transport_target *target)
{
    struct client *c = client_connect(target, 30000);

    cr_assert(not(zero(ptr, c)), "%s", strerror(errno));
    return c;
}

static void restart(void)
{
    pid_t old = rig.pid;

    cr_assert(gt(int, rig_restart_by_api(&rig), 0), "%d", rig.pid);
    cr_assert(ne(int, rig.pid, old));
}

static const struct answer *receive(struct client *c)
{
    int error = 0;
    const struct answer *answer = client_receive(c, &error);

    cr_assert(not(zero(ptr, (void *)answer)), "%s", strerror(-error));
    cr_assert(eq(int, answer->status, 200));
    return answer;
}

/* GET /pid; no answer on the way says that the connection ends. */
static pid_t ask_kept(struct client *c)
{
    const struct answer *answer;

    cr_assert(zero(int, client_send_text(c, "GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    answer = receive(c);
    cr_assert(answer->keep_alive, "a connection that can move is told that it ends");
    cr_assert(zero(int, answer_header_count(answer, "Connection")), "%s", answer->head);
    return atoi(answer->body);
}

/* Asks until the process that serves answers; the one before it may, as long as the connection was not idle. */
static void expect_moves(struct client *c, pid_t old)
{
    long until = now_ms() + MOVE_MS;
    pid_t pid = ask_kept(c);

    for (; pid == old && now_ms() < until; pid = ask_kept(c))
        usleep(500);
    cr_assert(eq(int, pid, rig.pid), "%d answers, before the restart it was %d", pid, old);
}

/* ---- one connection ---------------------------------------------------------------------------------------------- */

Test(connections_move, one_connection_through_30_restarts, .fini = finish, .timeout = 120)
{
    struct client *c;

    begin(NULL);
    c = connect_to(&rig.http);
    cr_assert(eq(int, ask_kept(c), rig.pid));
    for (int i = 0; i < RESTARTS; i++) {
        pid_t old = rig.pid;

        restart();
        expect_moves(c, old);
    }
    client_close(c);
    cr_expect(zero(int, rig_wait_processes(&rig, 1, END_MS)));
}

/* Nothing has ever been sent on it. */
Test(connections_move, a_silent_connection_moves, .fini = finish, .timeout = 60)
{
    struct client *c;

    begin(NULL);
    c = connect_to(&rig.http);
    cr_assert(eq(int, rig_ask_pid(&rig), rig.pid)); /* accepted, like the one before it */
    restart();
    cr_assert(zero(int, process_wait_pid_gone(rig.first, END_MS)), "the old process waits for a silent connection");
    cr_expect(eq(int, ask_kept(c), rig.pid));
    client_close(c);
}

/* What a client has been in the middle of when the restart came. */
struct begun {
    bool used; /* a request before it was answered */
    const char *first, *rest;
};

static const struct begun begun[] = {
    {false, "GET /p", "id HTTP/1.1\r\nHost: localhost\r\n\r\n"},
    {true, "GET /p", "id HTTP/1.1\r\nHost: localhost\r\n\r\n"},
    {false, "GET /pid HTTP/1.1\r\nHost: localhost\r\nX-Ha", "lf: header\r\n\r\n"},
    {true, "GET /pid HTTP/1.1\r\nHost: localhost\r\nX-Ha", "lf: header\r\n\r\n"},
    {false, "POST /pid HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345", "67890"},
    {true, "POST /pid HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n12345", "67890"},
};

enum { BEGUN = sizeof(begun) / sizeof(*begun) };

Test(connections_move, what_has_begun_stays_and_is_answered, .fini = finish, .timeout = 60)
{
    struct client *clients[BEGUN];
    pid_t old;

    begin(NULL);
    old = rig.pid;
    for (size_t i = 0; i < BEGUN; i++) {
        clients[i] = connect_to(&rig.http);
        if (begun[i].used)
            cr_assert(eq(int, ask_kept(clients[i]), old));
        cr_assert(zero(int, client_send_text(clients[i], begun[i].first)));
    }
    usleep(100000); /* the bytes are read, or they are not; neither may matter, and this tests the first */
    restart();
    usleep(300000); /* longer than the probation: the old process stays for these alone */
    cr_expect(eq(int, rig_count_processes(&rig), 2));
    for (size_t i = 0; i < BEGUN; i++) {
        const struct answer *answer;

        cr_assert(zero(int, client_send_text(clients[i], begun[i].rest)));
        answer = receive(clients[i]);
        cr_expect(eq(int, atoi(answer->body), old), "case %zu is answered by another process", i);
        cr_expect(answer->keep_alive, "case %zu", i);
        expect_moves(clients[i], old);
        client_close(clients[i]);
    }
    cr_expect(zero(int, process_wait_pid_gone(old, END_MS)));
}

/* The same, with a second restart meanwhile: three generations live, and each answers what it has. */
Test(connections_move, what_has_begun_survives_two_restarts, .fini = finish, .timeout = 60)
{
    struct client *clients[2][BEGUN];
    pid_t pids[2];

    begin(NULL);
    for (int g = 0; g < 2; g++) {
        pids[g] = rig.pid;
        for (size_t i = 0; i < BEGUN; i++) {
            clients[g][i] = connect_to(&rig.http);
            if (begun[i].used)
                cr_assert(eq(int, ask_kept(clients[g][i]), rig.pid));
            cr_assert(zero(int, client_send_text(clients[g][i], begun[i].first)));
        }
        usleep(50000);
        restart();
    }
    cr_expect(eq(int, rig_count_processes(&rig), 3));
    for (int g = 0; g < 2; g++)
        for (size_t i = 0; i < BEGUN; i++) {
            cr_assert(zero(int, client_send_text(clients[g][i], begun[i].rest)));
            cr_expect(eq(int, atoi(receive(clients[g][i])->body), pids[g]), "generation %d, case %zu", g + 1, i);
        }
    for (int g = 0; g < 2; g++)
        for (size_t i = 0; i < BEGUN; i++) {
            int error = 0; /* the first generation has nobody to move them to any more: it may end them, with notice */
            const struct answer *answer = client_get(clients[g][i], "/pid", &error);

            cr_expect(answer || (g == 0 && error == -EPIPE), "generation %d, case %zu: %d", g + 1, i, error);
            client_close(clients[g][i]);
        }
    cr_expect(zero(int, rig_wait_processes(&rig, 1, END_MS)));
}

static const char whole[] = "GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n";

static void use(struct client *c, const char *request)
{
    cr_assert(zero(int, client_send_text(c, request)));
    cr_assert(receive(c)->keep_alive);
}

/* Begins a request with so many bytes of it. */
static struct client *begin_on(const struct transport_target *target, const char *used_by, size_t size)
{
    struct client *c = connect_to(target);

    if (used_by)
        use(c, used_by);
    cr_assert(zero(int, client_send(c, whole, size)));
    return c;
}

/* Sends the rest of it; the old process answers. */
static void expect_end_of_pause(struct client *c, size_t sent, pid_t old, bool moves)
{
    const struct answer *answer;

    cr_assert(zero(int, client_send(c, whole + sent, sizeof(whole) - 1 - sent)));
    answer = receive(c);
    cr_expect(eq(int, atoi(answer->body), old));
    cr_expect(eq(int, answer->keep_alive, moves));
    if (moves)
        expect_moves(c, old);
    client_close(c);
}

/* A connection that cannot move and stays silent is closed when the time for that is over; what was begun is not. */
Test(connections_move, what_has_begun_may_pause, .fini = finish, .timeout = 60)
{
    static const char chunked[] = "POST /pid HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "5\r\n12345\r\n0\r\n\r\n";
    struct transport_target old_tls;
    struct client *silent[3], *plain[2], *others[5];
    pid_t old;

    begin(NULL);
    old = rig.pid;
    old_tls = rig.https;
    old_tls.priorities = "NORMAL:-VERS-TLS-ALL:+VERS-TLS1.2";
    silent[0] = connect_to(&rig.http);
    silent[1] = connect_to(&rig.https);
    silent[2] = connect_to(&old_tls);
    use(silent[0], chunked);
    use(silent[1], whole);
    plain[0] = begin_on(&rig.http, whole, 6);
    plain[1] = begin_on(&rig.http, whole, 30);
    others[0] = begin_on(&rig.http, chunked, 6);
    others[1] = begin_on(&rig.https, whole, 6);
    others[2] = begin_on(&old_tls, whole, 6);
    others[3] = begin_on(&rig.https, NULL, 6);
    others[4] = begin_on(&old_tls, NULL, 6);
    restart();
    for (int i = 0; i < 3; i++) {
        cr_expect(zero(int, client_wait_close(silent[i], 10000)), "%d", i);
        client_close(silent[i]);
    }
    for (int i = 0; i < 2; i++)
        expect_end_of_pause(plain[i], i ? 30 : 6, old, true);
    for (int i = 0; i < 5; i++)
        expect_end_of_pause(others[i], 6, old, false);
    cr_expect(zero(int, process_wait_pid_gone(old, END_MS)));
}

/* Requests that were sent before the answer to the one before them: answered in order, by whoever has them. */
Test(connections_move, pipelined_requests_are_answered_in_order, .fini = finish, .timeout = 60)
{
    enum { MORE = 20 };
    struct client *c;
    pid_t old;
    char expected[64];

    begin(NULL);
    c = connect_to(&rig.http);
    old = rig.pid;
    cr_assert(zero(int, client_send_text(c, "GET /sleep?ms=700 HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    cr_assert(zero(int, process_wait_line(rig.process, "sleeping in ", 10000)));
    for (int i = 0; i < MORE; i++) {
        char request[128];

        snprintf(request, sizeof(request), "GET /echo?n=%d HTTP/1.1\r\nHost: localhost\r\n\r\n", i * 40);
        cr_assert(zero(int, client_send_text(c, request)));
    }
    restart();
    snprintf(expected, sizeof(expected), "%d\n%d\n", (int)old, (int)old);
    cr_expect(eq(str, receive(c)->body, expected));
    for (int i = 0; i < MORE; i++) {
        const struct answer *answer = receive(c);

        snprintf(expected, sizeof(expected), "%d:0\n", i * 40);
        cr_expect(eq(str, answer->body, expected));
        cr_expect(answer->keep_alive);
    }
    expect_moves(c, old);
    client_close(c);
    cr_expect(zero(int, process_wait_pid_gone(old, END_MS)));
}

/* ---- connections that cannot move -------------------------------------------------------------------------------- */

/* Sends the same request again and again, never waiting long, until an answer says that the connection ends. */
static void expect_notice(struct client *c, const char *request, pid_t old)
{
    const struct answer *answer = NULL;
    long until = now_ms() + MOVE_MS;
    bool kept = true;
    char *value;

    while (kept && now_ms() < until) {
        cr_assert(zero(int, client_send_text(c, request)), "closed without notice");
        answer = receive(c);
        cr_assert(eq(int, atoi(answer->body), old), "a connection that cannot move has moved");
        kept = answer->keep_alive;
    }
    cr_assert(not(kept));
    value = answer_header(answer, "Connection");
    cr_assert(not(zero(ptr, value)));
    cr_expect(eq(str, value, "close"));
    free(value);
    cr_expect(zero(int, client_wait_close(c, 5000)));
    client_close(c);
}

/* Where its bytes belong cannot be told by counting. */
Test(connections_move, chunked_requests_end_a_connection_with_notice, .fini = finish, .timeout = 60)
{
    static const char request[] = "POST /pid HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "5\r\n12345\r\n0\r\n\r\n";
    struct client *busy, *halfway;

    begin(NULL);
    busy = connect_to(&rig.http);
    halfway = connect_to(&rig.http);
    cr_assert(zero(int, client_send_text(busy, request)));
    cr_assert(receive(busy)->keep_alive);
    cr_assert(zero(int, client_send(halfway, request, sizeof(request) - 6)));
    restart();
    expect_notice(busy, request, rig.first);
    usleep(300000);
    cr_assert(zero(int, client_send(halfway, request + sizeof(request) - 6, 5)));
    cr_expect(eq(int, atoi(receive(halfway)->body), rig.first));
    client_close(halfway);
    cr_expect(zero(int, process_wait_pid_gone(rig.first, END_MS)));
}

Test(connections_move, unix_and_https_connections_end_with_notice, .fini = finish, .timeout = 60)
{
    static const char request[] = "GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n";
    char path[300], settings[512];
    struct transport_target target = {.unix_path = path};
    struct client *local, *tls;

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(path, sizeof(path), "%s/server.sock", rig.folder);
    snprintf(settings, sizeof(settings), "address_1=127.0.0.1:%d,unix:%s", rig.port, path);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_assert(zero(int, rig_start(&rig)));
    local = connect_to(&target);
    tls = connect_to(&rig.https);
    for (int i = 0; i < 2; i++) {
        cr_assert(zero(int, client_send_text(i ? tls : local, request)));
        cr_assert(receive(i ? tls : local)->keep_alive);
    }
    restart();
    expect_notice(local, request, rig.first);
    expect_notice(tls, request, rig.first);
    cr_expect(zero(int, process_wait_pid_gone(rig.first, END_MS)));
}

/* What is sent from now on is the second half of one request and the first of the next: in between, none is idle. */
static bool ask_straddling(struct client *c)
{
    enum { HALF = 20 };
    char piece[sizeof(whole)];

    snprintf(piece, sizeof(piece), "%s%.*s", whole + HALF, HALF, whole);
    cr_assert(zero(int, client_send_text(c, piece)));
    return receive(c)->keep_alive;
}

/* The line break behind the body is none of the request's, as old clients send it. */
static bool ask_with_stray(struct client *c)
{
    cr_assert(
        zero(int, client_send_text(c, "POST /pid HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab\r\n")));
    return receive(c)->keep_alive;
}

/* Between two requests of such a client there is nothing that could be proven: after some chances it is told. */
Test(connections_move, who_is_never_found_idle_is_told, .fini = finish, .timeout = 60)
{
    enum { TOLD_MS = 15000 };
    struct client *straddling, *busy, *idle;
    bool straddling_kept = true, busy_kept = true;
    long until;

    begin(NULL);
    straddling = connect_to(&rig.http);
    busy = connect_to(&rig.http);
    idle = connect_to(&rig.http);
    for (int i = 0; i < 3; i++)
        cr_assert(ask_with_stray(idle));
    cr_assert(ask_with_stray(busy));
    cr_assert(zero(int, client_send(straddling, whole, 20)));
    cr_assert(ask_straddling(straddling));
    restart();
    until = now_ms() + TOLD_MS;
    while ((straddling_kept || busy_kept) && now_ms() < until) {
        if (straddling_kept)
            straddling_kept = ask_straddling(straddling);
        if (busy_kept)
            busy_kept = ask_with_stray(busy);
        usleep(20000);
    }
    cr_expect(not(straddling_kept));
    cr_expect(not(busy_kept));
    cr_expect(zero(int, client_wait_close(straddling, 5000)));
    cr_expect(zero(int, client_wait_close(busy, 5000)));
    cr_expect(zero(int, client_wait_close(idle, 10000)), "an idle one is told that its request came late");
    cr_expect(zero(int, process_wait_pid_gone(rig.first, END_MS)));
    client_close(straddling);
    client_close(busy);
    client_close(idle);
}

/* ---- the new process dies -----------------------------------------------------------------------------------------
 */

static int port_of(struct client *c)
{
    struct sockaddr_in local;
    socklen_t size = sizeof(local);

    cr_assert(zero(int, getsockname(transport_fd(client_transport(c)), (struct sockaddr *)&local, &size)));
    return ntohs(local.sin_port);
}

/* The server's end of a connection, as processes have it open: "socket:[4711]". */
static void find_socket(struct client *c, char *name, size_t size)
{
    unsigned long inode = 0;
    char line[256];
    FILE *file = fopen("/proc/net/tcp", "re");

    cr_assert(not(zero(ptr, file)));
    while (!inode && fgets(line, sizeof(line), file)) {
        unsigned near, far;
        unsigned long found;

        if (sscanf(line, " %*d: %*x:%x %*x:%x %*x %*x:%*x %*x:%*x %*x %*u %*u %lu", &near, &far, &found) == 3 &&
            near == (unsigned)rig.port && far == (unsigned)port_of(c))
            inode = found;
    }
    fclose(file);
    cr_assert(not(zero(ulong, inode)));
    snprintf(name, size, "socket:[%lu]", inode);
}

static bool has_open(pid_t pid, const char *name)
{
    char path[300], target[64];
    struct dirent *entry;
    bool found = false;
    DIR *folder;

    snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
    folder = opendir(path);
    while (folder && !found && (entry = readdir(folder))) {
        ssize_t size = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);

        target[size < 0 ? 0 : size] = 0;
        found = !strcmp(target, name);
    }
    if (folder)
        closedir(folder);
    return found;
}

/* Beyond the probation nobody comes back: what moves then is the new process's alone as soon as that has it, and its
 * client learns at once when it dies, though the process before lives on. */
Test(connections_move, what_moves_late_ends_with_its_owner, .fini = finish, .timeout = 60)
{
    struct client *late, *holds;
    char name[64];
    long until;
    int result;

    begin(NULL);
    late = connect_to(&rig.http);
    holds = connect_to(&rig.http);
    process_mark(rig.process);
    cr_assert(zero(int, client_send_text(holds, "GET /sleep?ms=20000 HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    cr_assert(zero(int, client_send_text(late, "GET /sleep?ms=1500 HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    cr_assert(zero(int, process_wait_lines(rig.process, "sleeping in ", 2, 10000)));
    restart();
    receive(late);
    expect_moves(late, rig.first);
    find_socket(late, name, sizeof(name));
    cr_expect(has_open(rig.pid, name));
    for (until = now_ms() + MOVE_MS; has_open(rig.first, name) && now_ms() < until;)
        usleep(10000);
    cr_expect(not(has_open(rig.first, name)), "the old process keeps a copy");
    cr_assert(zero(int, kill(rig.pid, SIGKILL)));
    result = client_wait_close(late, 5000);
    cr_expect(result == 0 || result == -ECONNRESET, "%d", result);
    cr_expect(zero(int, kill(rig.first, 0)));
    client_close(late);
    client_close(holds);
    kill(rig.first, SIGKILL); /* its handler would sleep on */
}

/* ---- several servers --------------------------------------------------------------------------------------------- */

static void expect_name(struct client *c, const char *name)
{
    const struct answer *answer;

    cr_assert(zero(int, client_send_text(c, "GET /name HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    answer = receive(c);
    cr_expect(eq(str, answer->body, (char *)name));
    cr_expect(answer->keep_alive);
}

Test(connections_move, to_the_server_that_has_the_port_now, .fini = finish, .timeout = 60)
{
    struct transport_target second;
    struct client *c[2];
    char swapped[256];

    begin(NULL);
    second = (struct transport_target){.port = rig.second_port};
    for (int i = 0; i < 500 && rig_fetch_number(&second, "/pid") != rig.pid; i++)
        usleep(10000);
    c[0] = connect_to(&rig.http);
    c[1] = connect_to(&second);
    snprintf(swapped, sizeof(swapped), "address_1=127.0.0.1:%d\naddress_2=127.0.0.1:%d", rig.second_port, rig.port);
    for (int i = 0; i < 4; i++) {
        bool swap = i % 2;

        expect_name(c[0], swap ? "s1\n" : i ? "s2\n" : "s1\n");
        expect_name(c[1], swap ? "s2\n" : i ? "s1\n" : "s2\n");
        pid_t old = rig.pid;
        cr_assert(zero(int, rig_settings(&rig, i % 2 ? swapped : NULL)));
        restart();
        for (int k = 0; k < 2; k++)
            expect_moves(c[k], old);
    }
    expect_name(c[0], "s2\n");
    expect_name(c[1], "s1\n");
    for (int k = 0; k < 2; k++)
        client_close(c[k]);
}

/* Both listen on one port, each on an address of its own: what has come to the one is nothing for the other. */
Test(connections_move, to_the_server_that_has_the_address, .fini = finish, .timeout = 60)
{
    struct transport_target second;
    struct client *c[2];
    char both[256], swapped[256];

    cr_assert(zero(int, rig_init(&rig)));
    snprintf(both, sizeof(both), "address_1=127.0.0.1:%d\naddress_2=127.0.0.2:%d", rig.port, rig.port);
    snprintf(swapped, sizeof(swapped), "address_1=127.0.0.2:%d\naddress_2=127.0.0.1:%d", rig.port, rig.port);
    cr_assert(zero(int, rig_settings(&rig, both)));
    cr_assert(zero(int, rig_start(&rig)));
    cr_assert(zero(int, process_wait_lines(rig.process, "http server started listening on", 2, 10000)));
    second = (struct transport_target){.host = "127.0.0.2", .port = rig.port};
    c[0] = connect_to(&rig.http);
    c[1] = connect_to(&second);
    for (int i = 0; i < 4; i++) {
        pid_t old = rig.pid;

        for (int k = 0; k < 2; k++)
            expect_name(c[k], (i == 2) == k ? "s1\n" : "s2\n");
        cr_assert(zero(int, rig_settings(&rig, i == 1 ? swapped : both)));
        restart();
        for (int k = 0; k < 2; k++)
            expect_moves(c[k], old);
    }
    for (int k = 0; k < 2; k++)
        client_close(c[k]);
}

/* A server that gives one of its ports up keeps the connections of the other. */
static void drop_one_port(bool to_https)
{
    struct transport_target dropped;
    struct client *stays, *goes;
    char settings[128];

    cr_assert(zero(int, rig_init(&rig)));
    dropped = (struct transport_target){.port = rig.second_port};
    snprintf(settings, sizeof(settings), "address_1=127.0.0.1:%d,127.0.0.1:%d\naddress_2=", rig.port, rig.second_port);
    cr_assert(zero(int, rig_settings(&rig, settings)));
    cr_assert(zero(int, rig_start(&rig)));
    stays = connect_to(&rig.http);
    goes = connect_to(&dropped);
    cr_assert(eq(int, ask_kept(stays), rig.first));
    cr_assert(eq(int, ask_kept(goes), rig.first));
    snprintf(settings, sizeof(settings), "address_2=\nhttps_1=127.0.0.1:%d,127.0.0.1:%d", rig.https_port,
             rig.second_port);
    cr_assert(zero(int, rig_settings(&rig, to_https ? settings : "address_2=")));
    restart();
    expect_moves(stays, rig.first);
    expect_notice(goes, "GET /pid HTTP/1.1\r\nHost: localhost\r\n\r\n", rig.first);
    client_close(stays);
    cr_expect(zero(int, process_wait_pid_gone(rig.first, END_MS)));
}

Test(connections_move, the_others_of_a_server_that_drops_a_port, .fini = finish, .timeout = 60)
{
    drop_one_port(false);
}

Test(connections_move, the_others_of_a_server_that_turns_a_port_to_https, .fini = finish, .timeout = 60)
{
    drop_one_port(true);
}

/* ---- many -------------------------------------------------------------------------------------------------------- */

/* Servers that were built with a sanitizer are several times slower, and take a second to end. */
static bool is_sanitized(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return getenv("GF_TEST_PROGRAMS") != NULL;
#endif
}

static struct load *start_load(int connections, int pause_us)
{
    static const char *const expected[] = {"hello\n", NULL};
    struct load_options options = {.target = rig.http,
                                   .connections = connections,
                                   .pause_us = pause_us,
                                   .timeout_ms = 30000,
                                   .path = "/",
                                   .expected = expected};
    struct load *load = load_start(&options);

    cr_assert(not(zero(ptr, load)));
    return load;
}

/* No failure, and not one connection more than at the start. */
static void expect_untouched(struct load *load, int connections)
{
    const struct load_result *result;

    load_stop(load);
    result = load_result(load);
    if (result->failures || result->connections != (uint64_t)connections)
        load_print(load, stderr);
    cr_expect(zero(u64, result->failures));
    cr_expect(eq(u64, result->connections, (uint64_t)connections));
    cr_expect(zero(u64, result->announced));
    cr_expect(zero(u64, result->closed_idle));
}

Test(connections_move, a_saturating_load_through_30_restarts, .fini = finish, .timeout = 240)
{
    enum { CONNECTIONS = 64 };
    struct load *load;

    begin(NULL);
    load = start_load(CONNECTIONS, 0);
    for (int i = 0; i < RESTARTS; i++) {
        pid_t old = rig.pid;

        restart();
        cr_assert(zero(int, load_wait_requests(load, load_requests(load) + 500, 30000)), "restart %d", i);
        cr_assert(zero(int, process_wait_pid_gone(old, END_MS)), "restart %d: the old process stays", i);
    }
    expect_untouched(load, CONNECTIONS);
    load_free(load);
    cr_expect(zero(int, rig_wait_processes(&rig, 1, END_MS)));
}

/* As fast as restarts can be asked for: old processes overlap, the oldest are told to leave. */
Test(connections_move, a_load_through_restarts_without_a_pause, .fini = finish, .timeout = 240)
{
    enum { CONNECTIONS = 16 };
    struct load *load;

    begin("set_gracefulProbation=5s");
    load = start_load(CONNECTIONS, 1000);
    for (int i = 0; i < RESTARTS; i++) {
        restart();
        cr_expect(is_sanitized() || rig_count_processes(&rig) <= GENERATIONS_MAX + 1, "restart %d", i);
    }
    cr_assert(zero(int, load_wait_requests(load, load_requests(load) + 500, 30000)));
    expect_untouched(load, CONNECTIONS);
    load_free(load);
    cr_expect(zero(int, rig_wait_processes(&rig, 1, END_MS)));
}

Test(connections_move, two_thousand_idle_connections, .fini = finish, .timeout = 120)
{
    enum { IDLE = 2000, LOADED = 4 };
    static struct client *idle[IDLE];
    struct rlimit files = {.rlim_cur = IDLE + 500, .rlim_max = IDLE + 500};
    struct latency latency;
    struct load *load;
    int window;
    long began;

    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        cr_skip("2,500 files are not to be had");
    begin("set_maxConnections=3000");
    for (int i = 0; i < IDLE; i++) {
        idle[i] = connect_to(&rig.http);
        if (i % 2)
            cr_assert(eq(int, ask_kept(idle[i]), rig.first));
    }
    load = start_load(LOADED, 1000);
    cr_assert(zero(int, load_wait_requests(load, 200, 30000)));
    began = now_ms();
    window = load_mark_begin(load);
    restart();
    cr_assert(zero(int, process_wait_pid_gone(rig.first, END_MS)), "connections stay behind");
    load_mark_end(load, window);
    cr_expect(lt(long, now_ms() - began, MOVE_MS));
    for (int i = 0; i < IDLE; i++) {
        cr_assert(eq(int, ask_kept(idle[i]), rig.pid), "connection %d", i);
        client_close(idle[i]);
    }
    expect_untouched(load, LOADED);
    load_window(load, window, &latency);
    cr_expect(is_sanitized() || latency_percentile(&latency, 0.99) < MOST_US, "%llu us",
              (unsigned long long)latency_percentile(&latency, 0.99));
    load_free(load);
}
