#include "health.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* What a healthy process needs far less than. */
#define TIMEOUT_MS 1000

static struct sockaddr_storage loopback(int port)
{
    struct sockaddr_storage target = {.ss_family = AF_UNSPEC};
    struct sockaddr_in *address = (struct sockaddr_in *)&target;

    *address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return target;
}

static bool takes_ipv6_only(int listener)
{
    int only = 1;
    socklen_t size = sizeof(only);

    return getsockopt(listener, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) < 0 || only;
}

/* A server that is bound to one address answers nowhere else. */
static int find_target(int listener, int port, struct sockaddr_storage *ret_target)
{
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&bound;
    socklen_t size = sizeof(bound);
    bool any_ipv4, any_ipv6;

    if (getsockname(listener, (struct sockaddr *)&bound, &size) < 0)
        return -errno;
    any_ipv4 = bound.ss_family == AF_INET && ((const struct sockaddr_in *)&bound)->sin_addr.s_addr == INADDR_ANY;
    any_ipv6 = bound.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&ipv6->sin6_addr);
    if (any_ipv4 || (any_ipv6 && !takes_ipv6_only(listener)))
        bound = loopback(port);
    else if (any_ipv6)
        ipv6->sin6_addr = in6addr_loopback;
    *ret_target = bound;
    return 0;
}

static int open_connection(const struct sockaddr_storage *target)
{
    struct timeval limit = {.tv_sec = TIMEOUT_MS / 1000, .tv_usec = TIMEOUT_MS % 1000 * 1000};
    socklen_t size = target->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(target->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    if (connect(fd, (const struct sockaddr *)target, size) < 0) {
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

int gf_health_check(int listener, int port, const char *path, char *error, size_t error_size)
{
    struct sockaddr_storage target;
    int result = find_target(listener, port, &target);
    int fd = result < 0 ? result : open_connection(&target);

    result = fd;

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
