/*
 * Messages between processes of one user: sending, and the public face of receiving.
 *
 * Owns: whether this process listens, the folder and the name of its socket. Any thread may enter. One message is one
 * connection, one packet there and one answer back, so that a sender knows whether its message is in the queue.
 */
#include <gf/gproc/message.h>
#include <gf/gproc/deadline.h>
#include <gf/gproc/socket_folder.h>
#include <gf/gproc/start.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

GF_START_NEEDED;

/* A receiver answers within a millisecond; one that has been stopped does not answer at all. */
#define SEND_TIMEOUT_MS 5000

/* The listening socket of this process. */
static struct {
    pthread_mutex_t lock;
    pid_t owner; /* the process that listens: a fork of it does not; 0: none */
    int folder;
    bool at_exit; /* the removal is registered */
} own = {.lock = PTHREAD_MUTEX_INITIALIZER, .folder = -1};

/* ---- sending ---- */

/* The kernel says who listens there: a name in a folder is no proof. */
static int check_receiver(int fd, pid_t pid)
{
    struct ucred credentials;
    socklen_t size = sizeof(credentials);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return -errno;
    if (credentials.uid != geteuid() && credentials.uid != 0)
        return -EPERM;
    return credentials.pid == pid ? 0 : -ESRCH;
}

static int connect_in(enum gf_socket_place place, pid_t pid, int64_t deadline)
{
    int folder = gf_socket_folder_open(place, false);
    int fd;

    if (folder < 0)
        return folder;
    do {
        int left = gf_deadline_left(deadline);
        fd = left > 0 ? gf_socket_connect(folder, pid, left) : -ETIMEDOUT;
    } while (fd == -EINTR);
    close(folder);
    if (fd < 0)
        return fd;
    int result = check_receiver(fd, pid);
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

/* The receiver's environment may differ from ours, so every place is looked at. */
static int connect_to(pid_t pid, int64_t deadline)
{
    int failed = -ESRCH;

    for (enum gf_socket_place place = 0; place < GF_SOCKET_PLACES; place++) {
        int fd = connect_in(place, pid, deadline);
        if (fd >= 0)
            return fd;
        if (fd != -ENOENT && fd != -ECONNREFUSED && fd != -ESRCH)
            failed = fd;
    }
    return failed;
}

static int send_packet(int fd, const char *group, const void *data, size_t size)
{
    struct gf_packet_header header = {.group_size = (uint32_t)strlen(group), .data_size = (uint32_t)size};
    struct iovec parts[] = {{&header, sizeof(header)}, {(char *)group, header.group_size}, {(void *)data, size}};
    struct msghdr packet = {.msg_iov = parts, .msg_iovlen = sizeof(parts) / sizeof(parts[0])};
    ssize_t sent;

    memcpy(header.magic, GF_PACKET_MAGIC, sizeof(header.magic));
    do
        sent = sendmsg(fd, &packet, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    if (sent >= 0)
        return 0;
    return errno == EPIPE || errno == ECONNRESET ? -ESRCH : errno == EAGAIN ? -ETIMEDOUT : -errno;
}

static int wait_for_answer(int fd, int64_t deadline)
{
    struct pollfd event = {.fd = fd, .events = POLLIN};
    int32_t answer;

    for (;;) {
        int ready = poll(&event, 1, gf_deadline_left(deadline));
        if (ready == 0)
            return -ETIMEDOUT;
        ssize_t size = ready < 0 ? -1 : recv(fd, &answer, sizeof(answer), MSG_DONTWAIT);
        if (size == (ssize_t)sizeof(answer))
            return answer <= 0 && answer > -4096 ? answer : -EPROTO;
        if (size >= 0)
            return -ESRCH; /* it ended, or would not have us, before it queued anything */
        if (errno != EINTR && errno != EAGAIN)
            return errno == ECONNRESET ? -ESRCH : -errno;
    }
}

int gproc_send(pid_t pid, const char *group, const void *data, size_t size)
{
    int64_t deadline = gf_deadline_after(SEND_TIMEOUT_MS);

    if (group == NULL)
        group = "";
    if (data == NULL && size > 0)
        return -EINVAL;
    if (strnlen(group, GPROC_GROUP_MAX + 1) > GPROC_GROUP_MAX || size > GPROC_MESSAGE_MAX)
        return -EMSGSIZE;
    if (pid <= 0)
        return -ESRCH;
    int fd = connect_to(pid, deadline);
    if (fd < 0)
        return fd;
    int result = send_packet(fd, group, data, size);
    if (result == 0)
        result = wait_for_answer(fd, deadline);
    close(fd);
    return result;
}

/* ---- listening ---- */

static void remove_own_socket(void)
{
    if (own.owner == getpid())
        gf_socket_unlink(own.folder, own.owner);
}

static int open_folder(void)
{
    int folder = -ENOENT;

    for (enum gf_socket_place place = 0; place < GF_SOCKET_PLACES && folder == -ENOENT; place++)
        folder = gf_socket_folder_open(place, true);
    return folder;
}

static int listen_locked(void)
{
    pid_t pid = getpid();
    int result;

    if (own.owner == pid)
        return 0;
    int folder = open_folder();
    if (folder < 0)
        return folder;
    gf_socket_folder_clean(folder);
    int listener = gf_socket_listen(folder, pid);
    if (listener < 0) {
        result = listener;
        goto fail_listen;
    }
    result = gf_message_receiver_start(listener);
    if (result < 0)
        goto fail_start;
    own.owner = pid;
    own.folder = folder;
    if (!own.at_exit)
        own.at_exit = atexit(remove_own_socket) == 0;
    return 0;

fail_start:
    gf_socket_unlink(folder, pid);
    close(listener);
fail_listen:
    close(folder);
    return result;
}

int gproc_listen(void)
{
    pthread_mutex_lock(&own.lock);
    int result = listen_locked();
    pthread_mutex_unlock(&own.lock);
    return result;
}

gproc_message *gproc_receive(const char *group, int timeout_ms)
{
    int64_t deadline = gf_deadline_after(timeout_ms);
    gproc_message *message;

    if (group == NULL)
        group = "";
    int result = strnlen(group, GPROC_GROUP_MAX + 1) > GPROC_GROUP_MAX ? -EMSGSIZE : gproc_listen();
    if (result == 0)
        result = gf_message_queue_pop(group, deadline, &message);
    if (result < 0) {
        errno = -result;
        return NULL;
    }
    return message;
}

/* ---- the message ---- */

void gproc_message_free(gproc_message *message)
{
    free(message);
}

pid_t gproc_message_sender(const gproc_message *message)
{
    return message->sender;
}

const char *gproc_message_group(const gproc_message *message)
{
    return message->group;
}

const void *gproc_message_data(const gproc_message *message, size_t *ret_size)
{
    if (ret_size != NULL)
        *ret_size = message->size;
    return message->data;
}
