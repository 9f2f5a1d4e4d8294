/*
 * Messages between processes: real ones, and peers that say nothing, too much or nonsense.
 */
#include <gf/gproc/gproc.h>
#include <gf/gproc/message.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/gf-test-XXXXXX";

static void make_folder(void)
{
    cr_assert(not(zero(ptr, mkdtemp(folder))));
    setenv("XDG_RUNTIME_DIR", folder, 1);
    setenv("D", folder, 1);
}

static void remove_folder(void)
{
    gproc_shell_run("rm -rf \"$D\"", NULL);
}

TestSuite(gproc_message, .init = make_folder, .fini = remove_folder, .timeout = 30);

static void own_path(char *path, size_t size)
{
    snprintf(path, size, "%s/gf/%d", folder, (int)getpid());
}

static int connect_raw(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    own_path(address.sun_path, sizeof(address.sun_path));
    cr_assert(eq(int, connect(fd, (struct sockaddr *)&address, sizeof(address)), 0));
    return fd;
}

static int32_t raw_answer(const void *packet, size_t size)
{
    int32_t answer = 1;
    int fd = connect_raw();
    struct pollfd event = {.fd = fd, .events = POLLIN};

    cr_assert(eq(i64, send(fd, packet, size, MSG_NOSIGNAL), (ssize_t)size));
    cr_assert(eq(int, poll(&event, 1, 5000), 1));
    if (recv(fd, &answer, sizeof(answer), MSG_DONTWAIT) != (ssize_t)sizeof(answer))
        answer = 2;
    close(fd);
    return answer;
}

Test(gproc_message, comes_back_as_it_was_sent)
{
    size_t size = 99;

    cr_assert(eq(int, gproc_listen(), 0));
    cr_assert(eq(int, gproc_send(getpid(), "a", "one\0two", 7), 0));
    cr_assert(eq(int, gproc_send(getpid(), NULL, NULL, 0), 0));
    gproc_message *message = gproc_receive("a", 0);
    cr_assert(not(zero(ptr, message)));
    cr_expect(eq(int, memcmp(gproc_message_data(message, &size), "one\0two", 8), 0));
    cr_expect(eq(sz, size, 7));
    cr_expect(eq(int, gproc_message_sender(message), getpid()));
    cr_expect(eq(str, (char *)gproc_message_group(message), "a"));
    gproc_message_free(message);
    message = gproc_receive("", 0);
    cr_assert(not(zero(ptr, message)));
    cr_expect(eq(str, (char *)gproc_message_group(message), ""));
    gproc_message_free(message);
    gproc_message_free(NULL);
    cr_expect(zero(ptr, gproc_receive("a", 0)));
    cr_expect(eq(int, errno, ETIMEDOUT));
}

Test(gproc_message, sizes_are_bounded)
{
    static char data[GPROC_MESSAGE_MAX + 1];
    char group[GPROC_GROUP_MAX + 2] = "";
    size_t size;

    gproc_listen();
    memset(data, 'd', sizeof(data));
    memset(group, 'g', GPROC_GROUP_MAX);
    cr_assert(eq(int, gproc_send(getpid(), group, data, GPROC_MESSAGE_MAX), 0));
    gproc_message *message = gproc_receive(group, 0);
    cr_assert(not(zero(ptr, message)));
    cr_expect(eq(int, memcmp(gproc_message_data(message, &size), data, GPROC_MESSAGE_MAX), 0));
    cr_expect(eq(sz, size, GPROC_MESSAGE_MAX));
    gproc_message_free(message);
    cr_expect(eq(int, gproc_send(getpid(), group, data, GPROC_MESSAGE_MAX + 1), -EMSGSIZE));
    group[GPROC_GROUP_MAX] = 'g';
    cr_expect(eq(int, gproc_send(getpid(), group, "", 0), -EMSGSIZE));
    cr_expect(zero(ptr, gproc_receive(group, 0)));
    cr_expect(eq(int, errno, EMSGSIZE));
    cr_expect(eq(int, gproc_send(getpid(), "", NULL, 1), -EINVAL));
}

Test(gproc_message, groups_and_order_are_kept)
{
    char data[2] = "0";

    gproc_listen();
    for (; data[0] <= '9'; data[0]++)
        cr_assert(eq(int, gproc_send(getpid(), data[0] % 2 ? "odd" : "even", data, 1), 0));
    for (char wanted = '1'; wanted <= '9'; wanted += 2) {
        gproc_message *message = gproc_receive("odd", 0);
        cr_assert(not(zero(ptr, message)));
        cr_expect(eq(chr, *(const char *)gproc_message_data(message, NULL), wanted));
        gproc_message_free(message);
    }
    cr_expect(zero(ptr, gproc_receive("odd", 0)));
}

Test(gproc_message, full_queues_refuse)
{
    char group[16];

    gproc_listen();
    for (int i = 0; i < 1000; i++)
        cr_assert(eq(int, gproc_send(getpid(), "full", "x", 1), 0));
    cr_expect(eq(int, gproc_send(getpid(), "full", "x", 1), -ENOBUFS));
    gproc_message_free(gproc_receive("full", 0));
    cr_expect(eq(int, gproc_send(getpid(), "full", "x", 1), 0));
    for (int i = 1; i < 64; i++) {
        snprintf(group, sizeof(group), "%d", i);
        cr_assert(eq(int, gproc_send(getpid(), group, "x", 1), 0));
    }
    cr_expect(eq(int, gproc_send(getpid(), "one too many", "x", 1), -ENOBUFS));
    gproc_message_free(gproc_receive("7", 0));
    cr_expect(eq(int, gproc_send(getpid(), "one too many", "x", 1), 0));
}

Test(gproc_message, all_queues_together_are_bounded)
{
    static char data[GPROC_MESSAGE_MAX];
    int queued = 0;

    gproc_listen();
    while (queued < 400 && gproc_send(getpid(), "big", data, sizeof(data)) == 0)
        queued++;
    cr_expect(ge(int, queued, 250));
    cr_expect(le(int, queued, 256));
}

Test(gproc_message, nobody_there)
{
    cr_expect(eq(int, gproc_send(getpid(), "", "x", 1), -ESRCH), "does not listen");
    gproc_listen();
    cr_expect(eq(int, gproc_send(getppid(), "", "x", 1), -ESRCH));
    cr_expect(eq(int, gproc_send(0, "", "x", 1), -ESRCH));
    cr_expect(eq(int, gproc_send(-1, "", "x", 1), -ESRCH));
}

Test(gproc_message, receive_listens_and_has_a_limit)
{
    struct timespec begin, end;
    struct stat status;
    char path[PATH_MAX];

    clock_gettime(CLOCK_MONOTONIC, &begin);
    cr_expect(zero(ptr, gproc_receive("x", 50)));
    cr_expect(eq(int, errno, ETIMEDOUT));
    clock_gettime(CLOCK_MONOTONIC, &end);
    cr_expect(ge(i64, (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000, 49));
    own_path(path, sizeof(path));
    cr_assert(eq(int, lstat(path, &status), 0));
    cr_expect(eq(int, S_ISSOCK(status.st_mode), 1));
    cr_assert(eq(int, lstat(dirname(path), &status), 0));
    cr_expect(eq(int, (int)(status.st_mode & 07777), 0700));
}

/* ---- bad peers ---- */

Test(gproc_message, a_silent_peer_stalls_nobody)
{
    gproc_listen();
    for (int i = 0; i < 100; i++) /* more than the receiver keeps */
        connect_raw();
    cr_expect(eq(int, gproc_send(getpid(), "", "x", 1), 0));
}

Test(gproc_message, nonsense_is_refused)
{
    static char packet[GF_PACKET_MAX + 100];
    struct gf_packet_header header = {GF_PACKET_MAGIC, 1, 2};

    gproc_listen();
    cr_expect(eq(int, raw_answer("x", 1), -EBADMSG));
    memcpy(packet, &header, sizeof(header));
    memcpy(packet + sizeof(header), "gdd", 3);
    cr_expect(eq(int, raw_answer(packet, sizeof(header) + 2), -EBADMSG), "cut");
    cr_expect(eq(int, raw_answer(packet, sizeof(header) + 4), -EBADMSG), "longer than it says");
    cr_expect(eq(int, raw_answer(packet, sizeof(header) + 3), 0));
    cr_expect(eq(int, raw_answer(packet, sizeof(packet)), -EMSGSIZE));
    packet[sizeof(header)] = '\0';
    cr_expect(eq(int, raw_answer(packet, sizeof(header) + 3), -EBADMSG), "0 in the group's name");
    header.group_size = UINT32_MAX;
    header.data_size = 4;
    memcpy(packet, &header, sizeof(header));
    cr_expect(eq(int, raw_answer(packet, sizeof(header) + 3), -EBADMSG), "sizes that wrap around");
    header = (struct gf_packet_header){GF_PACKET_MAGIC, GPROC_GROUP_MAX + 1, 0};
    memset(packet, 'g', 200);
    memcpy(packet, &header, sizeof(header));
    cr_expect(eq(int, raw_answer(packet, sizeof(header) + GPROC_GROUP_MAX + 1), -EBADMSG), "a name that is too long");
    header = (struct gf_packet_header){"none", 1, 2};
    memcpy(packet, &header, sizeof(header));
    cr_expect(eq(int, raw_answer(packet, sizeof(header) + 3), -EBADMSG), "another magic");
}

Test(gproc_message, only_this_user_and_root_are_let_in)
{
    if (getuid() != 0)
        cr_skip("needs root to become somebody else");
    char path[PATH_MAX];
    int status = -1;

    /* The receiver is nobody; its folder is opened to another user, who must be refused all the same. */
    cr_assert(eq(int, chown(folder, 65534, 65534), 0));
    cr_assert(eq(int, seteuid(65534), 0));
    cr_assert(eq(int, gproc_listen(), 0));
    own_path(path, sizeof(path));
    cr_assert(eq(int, seteuid(0), 0));
    chmod(folder, 0755);
    chmod(path, 0777);
    chmod(dirname(path), 0755);
    cr_assert(eq(int, seteuid(65534), 0));
    for (uid_t uid = 0; uid < 2; uid++) {
        pid_t child = fork();
        if (child == 0) {
            char byte[sizeof(int32_t)];
            struct gf_packet_header header = {GF_PACKET_MAGIC, 0, 0};
            if (seteuid(0) < 0 || setresuid(uid, uid, uid) < 0)
                _exit(9);
            struct sockaddr_un address = {.sun_family = AF_UNIX};
            int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
            snprintf(address.sun_path, sizeof(address.sun_path), "%s/gf/%d", folder, (int)getppid());
            if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
                _exit(8);
            if (send(fd, &header, sizeof(header), MSG_NOSIGNAL) < 0)
                _exit(1);
            _exit(recv(fd, byte, sizeof(byte), 0) <= 0);
        }
        cr_assert(eq(int, waitpid(child, &status, 0), child));
        cr_expect(eq(int, WEXITSTATUS(status), uid == 0 ? 0 : 1), "uid %d", (int)uid);
    }
    cr_assert(eq(int, seteuid(0), 0));
}

/* ---- the folder ---- */

static void make_in_folder(const char *command)
{
    int status = -1;

    cr_assert(eq(int, gproc_shell_run(command, &status), 0));
    cr_assert(eq(int, status, 0));
}

Test(gproc_message, a_folder_with_another_mode_is_refused)
{
    make_in_folder("mkdir -m 0755 \"$D/gf\"");
    cr_expect(eq(int, gproc_listen(), -EPERM));
    cr_expect(eq(int, gproc_send(getpid(), "", "x", 1), -EPERM));
    cr_expect(zero(ptr, gproc_receive("", 0)));
    cr_expect(eq(int, errno, EPERM));
}

Test(gproc_message, a_link_is_not_followed)
{
    make_in_folder("mkdir -m 0700 \"$D/real\"; ln -s real \"$D/gf\"");
    cr_expect(eq(int, gproc_listen(), -EPERM));
}

Test(gproc_message, a_file_in_its_place_is_refused)
{
    make_in_folder("touch \"$D/gf\"");
    cr_expect(eq(int, gproc_listen(), -EPERM));
}

Test(gproc_message, a_folder_of_somebody_else_is_refused)
{
    if (getuid() != 0)
        cr_skip("needs root to give a folder away");
    make_in_folder("mkdir -m 0700 \"$D/gf\"; chown 65534 \"$D/gf\"");
    cr_expect(eq(int, gproc_listen(), -EPERM));
}

Test(gproc_message, an_unsafe_runtime_folder_is_not_used)
{
    struct stat status;
    char path[PATH_MAX];

    chmod(folder, 0777);
    cr_assert(eq(int, gproc_listen(), 0));
    snprintf(path, sizeof(path), "/tmp/gf-%d/%d", (int)getuid(), (int)getpid());
    cr_expect(eq(int, lstat(path, &status), 0));
    cr_expect(eq(int, gproc_send(getpid(), "", "x", 1), 0));
    unlink(path); /* Criterion ends a test without exit handlers */
}

/* A socket that nobody listens on any more. */
static void leave_socket(long pid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/gf/%ld", folder, pid);
    cr_assert(eq(int, bind(fd, (struct sockaddr *)&address, sizeof(address)), 0));
    close(fd);
}

Test(gproc_message, dead_sockets_are_removed_and_living_ones_kept)
{
    make_in_folder("mkdir -m 0700 \"$D/gf\"; touch \"$D/gf/notes\"");
    pid_t dead = fork();
    if (dead == 0)
        _exit(0);
    waitpid(dead, NULL, 0);
    leave_socket(dead);
    leave_socket(getppid());
    leave_socket(getpid());
    cr_assert(eq(int, gproc_send(getpid(), "", "x", 1), -ESRCH));
    cr_assert(eq(int, gproc_listen(), 0));
    cr_expect(eq(int, gproc_send(getpid(), "", "x", 1), 0));
    char command[128];
    snprintf(command, sizeof(command), "cd \"$D/gf\" && test ! -e %d && test -e %d && test -e notes", (int)dead,
             (int)getppid());
    make_in_folder(command);
}

/* ---- another process ---- */

Test(gproc_message, two_processes_talk_and_the_socket_goes_with_its_process)
{
    char self[PATH_MAX] = "", probe[PATH_MAX], line[32] = "", path[PATH_MAX];
    int output[2], status = -1;

    cr_assert(gt(i64, readlink("/proc/self/exe", self, sizeof(self) - 1), 0));
    snprintf(probe, sizeof(probe), "%.3000s/../programs/gproc_probe", dirname(self));
    cr_assert(eq(int, pipe(output), 0));
    pid_t child = fork();
    if (child == 0) {
        dup2(output[1], STDOUT_FILENO);
        execl(probe, probe, "listen", NULL);
        _exit(9);
    }
    close(output[1]);
    cr_assert(gt(i64, read(output[0], line, sizeof(line) - 1), 0));
    cr_assert(eq(str, line, "listening\n"));
    cr_assert(eq(int, gproc_listen(), 0));
    cr_assert(eq(int, gproc_send(child, "echo", "hello", 5), 0));
    gproc_message *message = gproc_receive("echoed", 5000);
    cr_assert(not(zero(ptr, message)));
    cr_expect(eq(str, (char *)gproc_message_data(message, NULL), "hello"));
    cr_expect(eq(int, gproc_message_sender(message), child));
    gproc_message_free(message);
    snprintf(path, sizeof(path), "%s/gf/%d", folder, (int)child);
    cr_expect(eq(int, access(path, F_OK), 0));
    cr_assert(eq(int, gproc_send(child, "echo", "end", 3), 0));
    cr_assert(eq(int, waitpid(child, &status, 0), child));
    cr_expect(eq(int, status, 0));
    cr_expect(eq(int, access(path, F_OK), -1));
}
