#include "listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tcp_facts.h"

static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* A file that a dead process left behind refuses connections; one of a living process does not. */
static int remove_stale_socket(const struct gf_address *address)
{
    const struct sockaddr_un *un = (const struct sockaddr_un *)&address->socket_address;
    struct stat status;
    int fd, result;

    if (lstat(un->sun_path, &status) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(status.st_mode))
        return -EEXIST;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    result = connect(fd, (const struct sockaddr *)un, address->size) < 0 ? -errno : -EADDRINUSE;
    close(fd);
    if (result != -ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(un->sun_path) < 0 && errno != ENOENT ? -errno : 0;
}

static int bind_and_listen(int fd, const struct gf_address *address, const struct sockaddr *bind_to, socklen_t size)
{
    if (bind_to->sa_family == AF_UNIX) {
        int result = remove_stale_socket(address);

        if (result < 0)
            return result;
    }
    if (bind(fd, bind_to, size) < 0 || listen(fd, GF_LISTENER_BACKLOG) < 0)
        return -errno;
    return 0;
}

static int open_socket(const struct gf_address *address, const struct sockaddr *bind_to, socklen_t size)
{
    int fd = socket(bind_to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int result = 0;

    if (fd < 0)
        return -errno;
    if (bind_to->sa_family != AF_UNIX)
        result = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (!result && bind_to->sa_family == AF_INET6)
        result = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, !address->any_family);
    if (!result)
        result = bind_and_listen(fd, address, bind_to, size);
    if (!result)
        return fd;
    close(fd);
    return result;
}

static int open_any(const struct gf_address *address)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    int fd = open_socket(address, (const struct sockaddr *)&address->socket_address, address->size);

    if (!address->any_family || (fd != -EAFNOSUPPORT && fd != -EADDRNOTAVAIL))
        return fd;
    /* a kernel without IPv6, as containers often have it */
    ipv4.sin_port = ((const struct sockaddr_in6 *)&address->socket_address)->sin6_port;
    return open_socket(address, (const struct sockaddr *)&ipv4, sizeof(ipv4));
}

static int bound_port(int fd)
{
    struct sockaddr_storage bound;
    socklen_t size = sizeof(bound);

    return getsockname(fd, (struct sockaddr *)&bound, &size) < 0 ? 0 : gf_address_port(&bound);
}

int gf_listener_open(struct gf_listener *listener, const struct gf_address *address, bool tls, char *error,
                     size_t error_size)
{
    int fd = open_any(address);

    if (fd < 0) {
        snprintf(error, error_size, "cannot listen on \"%s\": %s", address->text, strerror(-fd));
        return fd;
    }
    *listener = (struct gf_listener){.address = *address, .fd = fd, .port = bound_port(fd), .tls = tls};
    return 0;
}

static bool has_option(int fd, int level, int option, int wanted)
{
    int value = 0;
    socklen_t size = sizeof(value);

    return !getsockopt(fd, level, option, &value, &size) && value == wanted;
}

static bool is_listening_for(int fd, const struct gf_address *address, const struct sockaddr_storage *bound)
{
    return has_option(fd, SOL_SOCKET, SO_TYPE, SOCK_STREAM) && has_option(fd, SOL_SOCKET, SO_ACCEPTCONN, 1) &&
           gf_address_matches(address, bound);
}

int gf_listener_adopt(struct gf_listener *listener, const struct gf_address *address, bool tls, int fd, char *error,
                      size_t error_size)
{
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(bound);
    int flags;

    if (getsockname(fd, (struct sockaddr *)&bound, &size) < 0 || !is_listening_for(fd, address, &bound)) {
        snprintf(error, error_size, "descriptor %d is no listening socket for \"%s\"", fd, address->text);
        return -EINVAL;
    }
    if (address->any_family && has_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) { /* its IPv4 clients would be refused */
        snprintf(error, error_size, "descriptor %d for \"%s\" takes IPv6 alone", fd, address->text);
        return -EINVAL;
    }
    flags = fcntl(fd, F_GETFL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) < 0) {
        snprintf(error, error_size, "descriptor %d for \"%s\": %s", fd, address->text, strerror(errno));
        return -EINVAL;
    }
    *listener = (struct gf_listener){.address = *address,
                                     .fd = fd,
                                     .port = gf_address_port(&bound),
                                     .tls = tls,
                                     .adopted = true,
                                     .handed_over = true};
    return 0;
}

int gf_listener_waiting(const struct gf_listener *listener)
{
    struct gf_tcp_facts facts;

    /* of a listening socket, Linux gives the length of its queue as the unacknowledged segments */
    return gf_tcp_facts(listener->fd, &facts) ? (int)facts.unacknowledged : -1;
}

void gf_listener_close(struct gf_listener *listener)
{
    if (listener->fd < 0)
        return;
    if (listener->address.socket_address.ss_family == AF_UNIX && !listener->handed_over)
        unlink(((const struct sockaddr_un *)&listener->address.socket_address)->sun_path);
    close(listener->fd);
    listener->fd = -1;
}

void gf_listener_text(const struct gf_listener *listener, char *text, size_t size)
{
    const char *colon = strrchr(listener->address.text, ':');
    int host = colon ? (int)(colon - listener->address.text) : 0;

    if (listener->address.socket_address.ss_family == AF_UNIX)
        snprintf(text, size, "%s", listener->address.text);
    else
        snprintf(text, size, "%.*s:%d", host, listener->address.text, listener->port);
}
