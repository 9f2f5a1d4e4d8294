#include "channel.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union control {
    struct cmsghdr header; /* for the alignment */
    char space[CMSG_SPACE(sizeof(int) * GF_CHANNEL_FDS_MAX)];
};

int gf_channel_new(int ret_ends[2])
{
    int ends[2];

    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) < 0)
        return -errno;
    ret_ends[0] = ends[0];
    ret_ends[1] = ends[1];
    return 0;
}

static void attach(struct msghdr *message, union control *control, const int *fds, size_t count)
{
    struct cmsghdr *header;

    message->msg_control = control->space;
    message->msg_controllen = CMSG_SPACE(sizeof(int) * count);
    memset(control, 0, sizeof(*control));
    header = CMSG_FIRSTHDR(message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * count);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * count);
}

static int send_text(int fd, char *text, const int *fds, size_t count)
{
    struct iovec piece = {.iov_base = text, .iov_len = strlen(text)};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};
    union control control;

    if (piece.iov_len > GF_CHANNEL_MESSAGE_MAX || count > GF_CHANNEL_FDS_MAX)
        return -EMSGSIZE;
    if (count)
        attach(&message, &control, fds, count);
    while (sendmsg(fd, &message, MSG_NOSIGNAL) < 0) {
        if (errno == ECONNRESET || errno == ENOTCONN)
            return -EPIPE;
        if (errno != EINTR)
            return -errno;
    }
    return 0;
}

int gf_channel_send(int fd, const struct cJSON *message, const int *fds, size_t count)
{
    char *text = message ? cJSON_PrintUnformatted(message) : NULL;
    int result = text ? send_text(fd, text, fds, count) : -ENOMEM;

    cJSON_free(text);
    return result;
}

bool gf_channel_is(const struct cJSON *message, const char *type)
{
    const char *found = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "type"));

    return found && !strcmp(found, type);
}

int gf_channel_say(int fd, const char *type)
{
    struct cJSON *message = cJSON_CreateObject();
    int result = -ENOMEM;

    if (cJSON_AddStringToObject(message, "type", type))
        result = gf_channel_send(fd, message, NULL, 0);
    cJSON_Delete(message);
    return result;
}

static void close_all(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++)
        close(fds[i]);
}

static size_t detach(struct msghdr *message, int fds[GF_CHANNEL_FDS_MAX])
{
    size_t count = 0;

    for (struct cmsghdr *header = CMSG_FIRSTHDR(message); header; header = CMSG_NXTHDR(message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS)
            continue;
        count = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        memcpy(fds, CMSG_DATA(header), count * sizeof(int));
    }
    return count;
}

static ssize_t receive_text(int fd, int how, char *text, int *fds, size_t *ret_fd_count, int *ret_flags)
{
    struct iovec piece = {.iov_base = text, .iov_len = GF_CHANNEL_MESSAGE_MAX};
    union control control;
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = control.space, .msg_controllen = sizeof(control.space)};
    ssize_t size;

    /* ECONNRESET, told once: the peer has closed the channel with something of ours unread. What it had said before is
     * still there to be read, its reason for going perhaps; the end of the channel comes behind that. */
    do
        size = recvmsg(fd, &message, how | MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (size < 0 && (errno == EINTR || errno == ECONNRESET));
    if (size < 0)
        return -errno;
    *ret_fd_count = detach(&message, fds);
    *ret_flags = message.msg_flags;
    return size;
}

static int receive(int fd, int how, struct cJSON **ret_message, int *ret_fds, size_t *count)
{
    char *text = malloc(GF_CHANNEL_MESSAGE_MAX + 1);
    int fds[GF_CHANNEL_FDS_MAX];
    size_t fd_count = 0, room = ret_fds ? *count : 0;
    struct cJSON *message = NULL;
    int flags = 0;
    ssize_t size = text ? receive_text(fd, how, text, fds, &fd_count, &flags) : -ENOMEM;

    if (size > 0 && !(flags & MSG_TRUNC) && fd_count <= room)
        message = cJSON_ParseWithLength(text, (size_t)size);
    free(text);
    if (!cJSON_IsObject(message)) {
        cJSON_Delete(message);
        close_all(fds, fd_count);
        return size > 0 ? -EBADMSG : size < 0 ? (int)size : -EPIPE;
    }
    if (ret_fds) {
        memcpy(ret_fds, fds, fd_count * sizeof(*fds));
        *count = fd_count;
    }
    *ret_message = message;
    return 0;
}

int gf_channel_receive(int fd, struct cJSON **ret_message, int *ret_fds, size_t *count)
{
    return receive(fd, 0, ret_message, ret_fds, count);
}

int gf_channel_peek(int fd, struct cJSON **ret_message)
{
    return receive(fd, MSG_PEEK, ret_message, NULL, NULL);
}
