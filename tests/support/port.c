/*
 * Ports for tests that must know the number before the server runs.
 *
 * A port cannot be held open for the server that is to listen on it. So it is tried out, and what keeps other tests
 * away is the name of an abstract Unix socket, which the kernel gives back when this process ends.
 */
#include "tests/support/port.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
    FIRST_PORT = 10240,
    LAST_PORT = 32767, /* the kernel gives clients those from 32768 on */
    PORTS = LAST_PORT - FIRST_PORT + 1,
};

/* The socket that says "mine", or a negative errno. */
static int claim(unsigned port)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "gf-test-port-%u", port);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (struct sockaddr *)&name, (socklen_t)(sizeof(sa_family_t) + 1 + (size_t)length)) == 0)
        return fd;
    int error = -errno;
    close(fd);
    return error;
}

static int try_bind(const struct sockaddr *address, socklen_t size)
{
    int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno == EAFNOSUPPORT ? 0 : -errno; /* no IPv6: nobody listens there */
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (address->sa_family == AF_INET6)
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
    int error = bind(fd, address, size) == 0 ? 0 : -errno;
    if (error == -EADDRNOTAVAIL)
        error = 0;
    close(fd);
    return error;
}

static int nobody_listens(unsigned port)
{
    struct sockaddr_in all4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 all6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    int error = try_bind((struct sockaddr *)&all4, sizeof(all4));
    return error ? error : try_bind((struct sockaddr *)&all6, sizeof(all6));
}

int free_port(void)
{
    unsigned start;
    if (getrandom(&start, sizeof(start), 0) != sizeof(start))
        return -EIO;
    for (unsigned i = 0; i < PORTS; i++) {
        unsigned port = FIRST_PORT + (start % PORTS + i) % PORTS;
        int mine = claim(port);
        if (mine < 0)
            continue;
        if (nobody_listens(port) == 0)
            return (int)port; /* the claim stays open until the process ends */
        close(mine);
    }
    return -EADDRINUSE;
}
