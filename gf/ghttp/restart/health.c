#include "health.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* What a healthy process needs far less than. */
#define TIMEOUT_MS 1000

static int open_connection(int port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval limit = {.tv_sec = TIMEOUT_MS / 1000, .tv_usec = TIMEOUT_MS % 1000 * 1000};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int result = -errno;

        close(fd);
        return result == -EINPROGRESS ? -ETIMEDOUT : result;
    }
    return fd;
}

static int send_request(int fd, const char *path)
{
    char request[1200];
    int size =
        snprintf(request, sizeof(request),
                 "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: gf-health\r\nConnection: close\r\n\r\n", path);

    if (size < 0 || (size_t)size >= sizeof(request))
        return -ENAMETOOLONG;
    return send(fd, request, (size_t)size, MSG_NOSIGNAL) == size ? 0 : -EPIPE;
}

/* "HTTP/1.1 200 …" comes in one piece from any server on this machine; if not, it is not well. */
static int read_status(int fd)
{
    char line[64] = "";
    ssize_t size = recv(fd, line, sizeof(line) - 1, 0);

    if (size < 0)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    if (size < 12 || strncmp(line, "HTTP/1.", 7))
        return -EBADMSG;
    return atoi(line + 9);
}

int gf_health_check(int port, const char *path, char *error, size_t error_size)
{
    int fd = open_connection(port), result = fd;

    if (fd >= 0) {
        result = send_request(fd, path);
        if (!result)
            result = read_status(fd);
        close(fd);
    }
    if (result >= 200 && result <= 299)
        return 0;
    if (result >= 0)
        snprintf(error, error_size, "%s on port %d answers %d", path, port, result);
    else
        snprintf(error, error_size, "%s on port %d does not answer: %s", path, port, strerror(-result));
    return result < 0 ? result : -EBADMSG;
}
