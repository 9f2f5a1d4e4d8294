#include "notify.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../../gproc/start.h"

/* The manager's queue is read within microseconds; one that is full for this long belongs to one that hangs. */
#define SEND_TIMEOUT_MS 100

bool gf_notify_is_wanted(void)
{
    return gf_start_get()->activation.notify_socket != NULL;
}

/* ---- one message ---- */

static int make_address(const char *name, struct sockaddr_un *ret_address, socklen_t *ret_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t length = strlen(name);

    if ((name[0] != '/' && name[0] != '@') || length < 2)
        return -EAFNOSUPPORT;
    if (length >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, name, length);
    if (name[0] == '@')
        address.sun_path[0] = 0;
    *ret_address = address;
    /* an abstract name has no end but its size */
    *ret_size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (name[0] == '/'));
    return 0;
}

static int connect_to_manager(void)
{
    struct sockaddr_un address;
    socklen_t size;
    int result = make_address(gf_start_get()->activation.notify_socket, &address, &size);
    int fd;

    if (result < 0)
        return result;
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (!connect(fd, (const struct sockaddr *)&address, size))
        return fd;
    result = -errno;
    close(fd);
    return result;
}

union control {
    struct cmsghdr header; /* for the alignment */
    char space[CMSG_SPACE(sizeof(int))];
};

static void attach(struct msghdr *message, union control *control, int fd)
{
    struct cmsghdr *header;

    memset(control, 0, sizeof(*control));
    message->msg_control = control->space;
    message->msg_controllen = sizeof(control->space);
    header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(header), &fd, sizeof(int));
}

static int send_text(int fd, const char *text, size_t size)
{
    struct iovec piece = {.iov_base = (char *)text, .iov_len = size};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    struct pollfd room = {.events = POLLOUT};
    union control control;
    int result = 0;

    room.fd = connect_to_manager();
    if (room.fd < 0)
        return room.fd;
    if (fd >= 0)
        attach(&message, &control, fd);
    if (sendmsg(room.fd, &message, MSG_NOSIGNAL) < 0) {
        result = -errno;
        if ((errno == EAGAIN || errno == EINTR) && poll(&room, 1, SEND_TIMEOUT_MS) > 0)
            result = sendmsg(room.fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
    }
    close(room.fd);
    return result;
}

static int send_format(int fd, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

static int send_format(int fd, const char *format, va_list arguments)
{
    char text[GF_NOTIFY_MAX];
    int size;

    if (!gf_notify_is_wanted())
        return 0;
    size = vsnprintf(text, sizeof(text), format, arguments);
    if (size < 0 || (size_t)size >= sizeof(text))
        return -EMSGSIZE;
    return send_text(fd, text, (size_t)size);
}

int gf_notify_send(const char *format, ...)
{
    va_list arguments;
    int result;

    va_start(arguments, format);
    result = send_format(-1, format, arguments);
    va_end(arguments);
    return result;
}

int gf_notify_send_fd(int fd, const char *format, ...)
{
    va_list arguments;
    int result;

    va_start(arguments, format);
    result = send_format(fd, format, arguments);
    va_end(arguments);
    return result;
}

void gf_notify_line(const char *text, char *line, size_t size)
{
    size_t length = strlen(text);

    if (length >= size) {
        length = size - 1;
        while (length && ((unsigned char)text[length] & 0xc0) == 0x80) /* not within a character */
            length--;
    }
    for (size_t i = 0; i < length; i++)
        line[i] = (unsigned char)text[i] < ' ' || text[i] == 127 ? ' ' : text[i];
    line[length] = 0;
}

/* ---- the barrier ---- */

/* The other end is closed as soon as the manager has come to the message. */
static int wait_for_close(int fd, int timeout_ms)
{
    struct pollfd end = {.fd = fd, .events = 0};
    struct timespec begin, now;
    int left = timeout_ms, ready;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    while ((ready = poll(&end, 1, left)) < 0 && errno == EINTR) {
        clock_gettime(CLOCK_MONOTONIC, &now);
        left = timeout_ms - (int)((now.tv_sec - begin.tv_sec) * 1000 + (now.tv_nsec - begin.tv_nsec) / 1000000);
        left = left > 0 ? left : 0;
    }
    return ready > 0 ? 0 : ready == 0 ? -ETIMEDOUT : -errno;
}

int gf_notify_barrier(int timeout_ms)
{
    int ends[2], result;

    if (!gf_notify_is_wanted())
        return 0;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return -errno;
    result = gf_notify_send_fd(ends[1], "BARRIER=1");
    close(ends[1]);
    if (!result)
        result = wait_for_close(ends[0], timeout_ms);
    close(ends[0]);
    return result;
}
