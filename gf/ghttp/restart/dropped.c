#include "dropped.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "socket_activation.h"

struct dropped {
    struct dropped *next;
    struct gf_handed_listener listener;
    struct sockaddr_un bound; /* no path: it has no file, or not one that is ours to remove */
    dev_t device;             /* of the file: another listener may have taken its place until we remove it */
    ino_t number;
};

static struct dropped *all; /* as many as were handed over at most */

/* false: the descriptor is no socket. */
static bool look_at(struct dropped *dropped)
{
    socklen_t size = sizeof(dropped->bound);
    struct stat status;

    if (getsockname(dropped->listener.fd, (struct sockaddr *)&dropped->bound, &size) < 0)
        return false;
    if (dropped->bound.sun_family != AF_UNIX || lstat(dropped->bound.sun_path, &status) < 0) {
        dropped->bound.sun_path[0] = 0;
        return true;
    }
    dropped->device = status.st_dev;
    dropped->number = status.st_ino;
    return true;
}

void gf_dropped_add(struct gf_handed_listener *listener)
{
    struct dropped *dropped;

    if (listener->fd < 0)
        return;
    dropped = calloc(1, sizeof(*dropped));
    if (dropped) /* else its file stays, which refuses connections once nobody listens */
        dropped->listener = *listener;
    if (dropped && look_at(dropped)) {
        glog_info("%s server of \"%s\" no longer listens on [%s]", listener->tls ? "https" : "http", listener->server,
                  listener->address);
        dropped->next = all;
        all = dropped;
        dropped = NULL;
    }
    free(dropped);
    close(listener->fd);
    listener->fd = -1;
}

static void remove_file(const struct dropped *dropped)
{
    const char *path = dropped->bound.sun_path;
    struct stat status;

    if (path[0] && !lstat(path, &status) && S_ISSOCK(status.st_mode) && status.st_dev == dropped->device &&
        status.st_ino == dropped->number)
        unlink(path);
}

void gf_dropped_settle(void)
{
    struct dropped *dropped, *next;

    for (dropped = all; dropped; dropped = next) {
        const struct gf_handed_listener *listener = &dropped->listener;

        next = dropped->next;
        if (!gf_socket_activation_owns(listener->address)) { /* what the manager has made is the manager's */
            gf_socket_activation_forget(listener->server, listener->address, listener->tls);
            remove_file(dropped);
        }
        free(dropped);
    }
    all = NULL;
}
