#include "health.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
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
    socklen_t size = target->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    int fd = socket(target->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)target, size) < 0 && errno != EINPROGRESS) {
        int result = -errno;

        close(fd);
        return result;
    }
    return fd;
}

/* 0: it is on its way; -EINPROGRESS: the connection is not there yet. A new one has room for all of it. */
static int send_request(struct gf_health *health)
{
    size_t size = strlen(health->request);
    ssize_t sent = send(health->fd, health->request, size, MSG_NOSIGNAL);

    if (sent < 0)
        return errno == EAGAIN ? -EINPROGRESS : -errno;
    return (size_t)sent == size ? 0 : -EPIPE;
}

/* "HTTP/1.1 200 …" comes in one piece from any server on this machine; if not, it is not well. */
static int read_status(int fd)
{
    char line[64] = "";
    ssize_t size = recv(fd, line, sizeof(line) - 1, 0);

    if (size < 0)
        return errno == EAGAIN ? -EINPROGRESS : -errno;
    if (size < 12 || strncmp(line, "HTTP/1.", 7))
        return -EBADMSG;
    return atoi(line + 9);
}

/* The question is over: its result, with a sentence where it is a bad one. */
static int conclude(struct gf_health *health, int result, char *error, size_t error_size)
{
    gf_health_end(health);
    if (result >= 200 && result <= 299)
        return 0;
    if (result >= 0)
        snprintf(error, error_size, "%s on port %d answers %d", health->path, health->port, result);
    else
        snprintf(error, error_size, "%s on port %d does not answer: %s", health->path, health->port, strerror(-result));
    return result < 0 ? result : -EBADMSG;
}

int gf_health_begin(struct gf_health *health, int listener, int port, const char *path, int64_t now_ms, char *error,
                    size_t error_size)
{
    struct sockaddr_storage target;
    int size, result;

    *health = (struct gf_health){.fd = -1, .events = POLLOUT, .until_ms = now_ms + TIMEOUT_MS, .port = port};
    snprintf(health->path, sizeof(health->path), "%s", path);
    size = snprintf(health->request, sizeof(health->request),
                    "GET %s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: gf-health\r\nConnection: close\r\n\r\n", path);
    result = size < 0 || (size_t)size >= sizeof(health->request) ? -ENAMETOOLONG : find_target(listener, port, &target);
    if (!result)
        result = open_connection(&target);
    if (result < 0)
        return conclude(health, result, error, error_size);
    health->fd = result;
    return -EINPROGRESS;
}

int gf_health_go_on(struct gf_health *health, int64_t now_ms, char *error, size_t error_size)
{
    int result = 0;

    if (health->events == POLLOUT)
        result = send_request(health);
    if (!result) {
        health->events = POLLIN;
        result = read_status(health->fd);
    }
    if (result == -EINPROGRESS && now_ms >= health->until_ms)
        result = -ETIMEDOUT;
    return result == -EINPROGRESS ? result : conclude(health, result, error, error_size);
}

void gf_health_end(struct gf_health *health)
{
    if (health->fd >= 0)
        close(health->fd);
    health->fd = -1;
}
