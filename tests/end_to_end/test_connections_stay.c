/*
 * What a restart does to connections that cannot move, or not yet: they are told so in their next answer, closed in
 * order when they stay silent, and left their time where something has come. And what becomes of those that move late.
 */
#include "tests/support/client.h"
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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    MOVE_MS = 5000, /* within this an idle connection has moved, on a busy machine and with a sanitizer too */
    END_MS = 15000, /* and the old process, which nothing holds, has ended */
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

/* ---- in the middle of a request ------------------------------------------------------------------------------------
 */

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
Test(connections_stay, what_has_begun_may_pause, .fini = finish, .timeout = 60)
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
Test(connections_stay, chunked_requests_end_a_connection_with_notice, .fini = finish, .timeout = 60)
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

Test(connections_stay, unix_and_https_connections_end_with_notice, .fini = finish, .timeout = 60)
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
Test(connections_stay, who_is_never_found_idle_is_told, .fini = finish, .timeout = 60)
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

Test(connections_stay, the_others_of_a_server_that_drops_a_port, .fini = finish, .timeout = 60)
{
    drop_one_port(false);
}

Test(connections_stay, the_others_of_a_server_that_turns_a_port_to_https, .fini = finish, .timeout = 60)
{
    drop_one_port(true);
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
Test(connections_stay, what_moves_late_ends_with_its_owner, .fini = finish, .timeout = 60)
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
