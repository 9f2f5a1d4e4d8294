/*
 * Starts a program as a service manager does that has opened its sockets for it:
 *   activate <sockets> <names> <program> [arguments]
 * sockets is a comma list: 127.0.0.1:<port> and unix:<path> are opened, from:<path> is a descriptor that somebody gives
 * who listens there. names is what LISTEN_FDNAMES becomes; "": it is not set.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what)
{
    perror(what);
    exit(127);
}

static struct sockaddr_un unix_address(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    return address;
}

static int open_port(const char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    const char *colon = strchr(text, ':');
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;

    address.sin_port = htons((uint16_t)(colon ? atoi(colon + 1) : 0));
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0)
        fail(text);
    return fd;
}

static int open_path(const char *path)
{
    struct sockaddr_un address = unix_address(path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 128) < 0)
        fail(path);
    return fd;
}

static int ask_for(const char *path)
{
    struct sockaddr_un address = unix_address(path);
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec piece = {.iov_base = &byte, .iov_len = 1};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
    int giver = socket(AF_UNIX, SOCK_STREAM, 0), fd = -1;

    if (connect(giver, (const struct sockaddr *)&address, sizeof(address)) < 0 || recvmsg(giver, &message, 0) != 1)
        fail(path);
    if (CMSG_FIRSTHDR(&message))
        memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
    close(giver);
    return fd;
}

static int open_socket(const char *text)
{
    if (!strncmp(text, "unix:", 5))
        return open_path(text + 5);
    return strncmp(text, "from:", 5) ? open_port(text) : ask_for(text + 5);
}

static void set_number(const char *name, int value)
{
    char text[32];

    snprintf(text, sizeof(text), "%d", value);
    setenv(name, text, 1);
}

int main(int argc, char **argv)
{
    int count = 0, fds[64];

    if (argc < 4)
        return 127;
    for (char *at = strtok(argv[1], ","); at && count < 64; at = strtok(NULL, ","))
        fds[count++] = fcntl(open_socket(at), F_DUPFD, 100); /* clear of the numbers that they get */
    for (int i = 0; i < count; i++)
        if (dup2(fds[i], 3 + i) < 0)
            fail("dup2");
    closefrom(3 + count);
    set_number("LISTEN_PID", getpid());
    set_number("LISTEN_FDS", count);
    if (argv[2][0])
        setenv("LISTEN_FDNAMES", argv[2], 1);
    execv(argv[3], argv + 3);
    fail(argv[3]);
}
