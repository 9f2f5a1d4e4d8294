/*
 * The spool's file: made when the body outgrows its memory, written piece by piece as these come, mapped at the end.
 *
 * Thread: one at a time, whoever has the request.
 */
#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

void gf_spool_init(struct gf_spool *spool)
{
    *spool = (struct gf_spool){.fd = -1};
}

void gf_spool_finish(struct gf_spool *spool, struct gf_buffer *body)
{
    if (spool->map) {
        munmap(spool->map, spool->map_size);
        body->data = NULL;
        body->size = 0;
    }
    if (spool->fd >= 0)
        close(spool->fd);
    gf_spool_init(spool);
}

const char *gf_spool_folder(void)
{
    const char *folder = secure_getenv("TMPDIR");
    return folder && *folder ? folder : "/tmp";
}

/* O_TMPFILE is unknown to some file systems (overlayfs before Linux 6.1, NFS): there the name lives for a moment. */
static int open_unnamed(void)
{
    char path[PATH_MAX];
    int fd = open(gf_spool_folder(), O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    if (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL)
        return -errno;
    int length = snprintf(path, sizeof(path), "%s/gf-body-XXXXXX", gf_spool_folder());
    if (length < 0 || (size_t)length >= sizeof(path))
        return -ENAMETOOLONG;
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        return -errno;
    unlink(path);
    return fd;
}

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        data += written;
        size -= (size_t)written;
    }
    return 0;
}

/* Whether a file may grow to this size: to write past RLIMIT_FSIZE would end the process with SIGXFSZ. */
static bool may_have(size_t size)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) || limit.rlim_cur == RLIM_INFINITY || size < limit.rlim_cur;
}

/* The body's first bytes move into the file, their memory goes back. */
static int begin_file(struct gf_spool *spool, struct gf_buffer *body)
{
    int fd = open_unnamed();
    if (fd < 0)
        return fd;
    int error = may_have(body->size) ? write_all(fd, body->data, body->size) : -EFBIG;
    if (error) {
        close(fd);
        return error;
    }
    spool->fd = fd;
    size_t size = body->size;
    gf_buffer_finish(body);
    body->size = size;
    return 0;
}

int gf_spool_append(struct gf_spool *spool, struct gf_buffer *body, size_t memory_max, const void *data, size_t size)
{
    if (size > body->max - body->size)
        return -EMSGSIZE;
    if (spool->fd < 0 && (body->size >= memory_max || size > memory_max - body->size)) {
        int error = begin_file(spool, body);
        if (error)
            return error;
    }
    if (spool->fd < 0)
        return gf_buffer_append(body, data, size);
    int error = may_have(body->size + size) ? write_all(spool->fd, data, size) : -EFBIG;
    if (!error)
        body->size += size;
    return error;
}

int gf_spool_complete(struct gf_spool *spool, struct gf_buffer *body)
{
    if (spool->fd < 0 || spool->map)
        return 0;
    /* Written, not left to be a hole: to read a hole of a tmpfs takes room too, and a fault that finds none kills. */
    int error = write_all(spool->fd, "", 1);
    if (error)
        return error;
    size_t size = body->size + 1;
    void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, spool->fd, 0);
    if (map == MAP_FAILED)
        return -errno;
    close(spool->fd);
    spool->fd = -1;
    spool->map = map;
    spool->map_size = size;
    body->data = map;
    return 0;
}
