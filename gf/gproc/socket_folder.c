/*
 * The folder of the sockets for messages: one socket for each process that listens, named by its pid.
 *
 * Owns nothing but the names; any thread may enter. In a folder as /tmp anybody may have put anything under our name
 * before us. So the folder is opened without following a link, what was opened is checked, and every later step goes
 * through that descriptor (/proc/self/fd/<n>/<pid>), never by the path again.
 */
#include <gf/gproc/socket_folder.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

/* Connections that wait to be accepted; what comes on top waits in connect(2) for its time-out. */
#define BACKLOG 64
/* Entries that one cleaning looks at, so that a folder full of rubbish does not hold up the start. */
#define CLEANED_MAX 4096
#define NAME_MAX_BYTES 32

/* ---- the folder ---- */

/* Where others could rename or replace our folder, it is no place for it. */
static int open_runtime_folder(void)
{
    const char *path = getenv("XDG_RUNTIME_DIR");
    struct stat status;

    if (path == NULL || path[0] != '/')
        return -ENOENT;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -ENOENT;
    if (fstat(fd, &status) < 0 || status.st_uid != geteuid() || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        close(fd);
        return -ENOENT;
    }
    return fd;
}

static int open_parent(enum gf_socket_place place, char *name, size_t size)
{
    if (place == GF_SOCKET_RUNTIME) {
        snprintf(name, size, "gf");
        return open_runtime_folder();
    }
    snprintf(name, size, "gf-%ld", (long)geteuid());
    int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static int check_folder(int fd)
{
    struct stat status;

    if (fstat(fd, &status) < 0)
        return -errno;
    return status.st_uid == geteuid() && (status.st_mode & 07777) == 0700 ? 0 : -EPERM;
}

static int open_in(int parent, const char *name)
{
    int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0) /* a link, a file, or a folder of somebody else */
        return errno == ENOTDIR || errno == ELOOP || errno == EACCES ? -EPERM : -errno;
    int result = check_folder(fd);
    if (result < 0) {
        close(fd);
        return result;
    }
    return fd;
}

int gf_socket_folder_open(enum gf_socket_place place, bool create)
{
    char name[NAME_MAX_BYTES];

    int parent = open_parent(place, name, sizeof(name));
    if (parent < 0)
        return parent;
    int fd = open_in(parent, name);
    if (fd == -ENOENT && create) {
        /* Somebody may be quicker; what is there then is checked like everything. */
        if (mkdirat(parent, name, 0700) < 0 && errno != EEXIST)
            fd = -errno;
        else
            fd = open_in(parent, name);
    }
    close(parent);
    return fd;
}

/* ---- sockets in it ---- */

static struct sockaddr_un address_of(int folder, pid_t pid)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/%ld", folder, (long)pid);
    return address;
}

static void name_of(pid_t pid, char name[NAME_MAX_BYTES])
{
    snprintf(name, NAME_MAX_BYTES, "%ld", (long)pid);
}

void gf_socket_unlink(int folder, pid_t pid)
{
    char name[NAME_MAX_BYTES];

    name_of(pid, name);
    unlinkat(folder, name, 0);
}

int gf_socket_connect(int folder, pid_t pid, int timeout_ms)
{
    struct sockaddr_un address = address_of(folder, pid);
    struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};

    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* A full backlog is waited for; poll(2) cannot do that for a Unix socket. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        int result = errno == EAGAIN ? -ETIMEDOUT : -errno;
        close(fd);
        return result;
    }
    return fd;
}

static int bind_once(int fd, const struct sockaddr_un *address)
{
    return bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ? -errno : 0;
}

/* A process of our number that lives can only be one of another pid namespace: its socket answers, and stays. */
static int replace_own(int folder, pid_t pid, int fd, const struct sockaddr_un *address)
{
    int probe = gf_socket_connect(folder, pid, 1);

    if (probe >= 0)
        close(probe);
    if (probe != -ECONNREFUSED)
        return -EADDRINUSE;
    gf_socket_unlink(folder, pid);
    return bind_once(fd, address);
}

int gf_socket_listen(int folder, pid_t pid)
{
    struct sockaddr_un address = address_of(folder, pid);

    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int result = bind_once(fd, &address);
    if (result == -EADDRINUSE)
        result = replace_own(folder, pid, fd, &address);
    if (result < 0)
        goto fail_bind;
    if (listen(fd, BACKLOG) < 0) {
        result = -errno;
        goto fail_listen;
    }
    return fd;

fail_listen:
    gf_socket_unlink(folder, pid);
fail_bind:
    close(fd);
    return result;
}

/* ---- cleaning ---- */

/* Both must hold: no process of this number that we can see, and nobody behind the socket. */
static void clean_one(int folder, const char *name)
{
    char *end;
    long pid = strtol(name, &end, 10);

    if (*end != '\0' || pid <= 0 || pid != (pid_t)pid)
        return;
    if (kill((pid_t)pid, 0) == 0 || errno != ESRCH)
        return;
    int probe = gf_socket_connect(folder, (pid_t)pid, 1);
    if (probe >= 0)
        close(probe);
    if (probe == -ECONNREFUSED)
        unlinkat(folder, name, 0);
}

void gf_socket_folder_clean(int folder)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* closedir() closes it */
    DIR *entries = fd < 0 ? NULL : fdopendir(fd);

    if (entries == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    struct dirent *entry = readdir(entries);
    for (int i = 0; entry != NULL && i < CLEANED_MAX; i++) {
        clean_one(folder, entry->d_name);
        entry = readdir(entries);
    }
    closedir(entries);
}
