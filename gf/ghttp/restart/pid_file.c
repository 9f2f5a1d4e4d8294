#include "pid_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../../gproc/start.h"

static int start_folder(void)
{
    int fd = gf_start_get()->cwd_fd;

    return fd >= 0 ? fd : AT_FDCWD;
}

/* "/run/x.pid" → "/run/.x.pid.4711": in the same folder, for a rename is atomic within one file system only. */
static char *temporary_path(const char *path, pid_t pid)
{
    const char *slash = strrchr(path, '/');
    int folder = slash ? (int)(slash - path) + 1 : 0;
    char *temporary;

    return asprintf(&temporary, "%.*s.%s.%d", folder, path, path + folder, (int)pid) < 0 ? NULL : temporary;
}

/* Never an existing file, and no link: the folder may be anybody's. What a crash has left under our number goes. */
static int open_temporary(const char *path)
{
    int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = openat(start_folder(), path, flags, 0644);

    if (fd < 0 && errno == EEXIST && !unlinkat(start_folder(), path, 0))
        fd = openat(start_folder(), path, flags, 0644);
    return fd < 0 ? -errno : fd;
}

static int fill(int fd, pid_t pid)
{
    char text[16];
    int size = snprintf(text, sizeof(text), "%d\n", (int)pid);
    ssize_t written = write(fd, text, (size_t)size);

    if (written != size)
        return written < 0 ? -errno : -ENOSPC;
    return fchmod(fd, 0644) < 0 ? -errno : 0; /* whatever the umask: others are to read it */
}

int gf_pid_file_write(const char *path, pid_t pid)
{
    char *temporary = temporary_path(path, getpid());
    int fd, result;

    if (!temporary)
        return -ENOMEM;
    fd = result = open_temporary(temporary);
    if (fd < 0)
        goto end;
    result = fill(fd, pid);
    close(fd);
    if (!result && renameat(start_folder(), temporary, start_folder(), path) < 0)
        result = -errno;
    if (result < 0)
        unlinkat(start_folder(), temporary, 0);
end:
    free(temporary);
    return result;
}

pid_t gf_pid_file_read(const char *path)
{
    int fd = openat(start_folder(), path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    char text[16] = "", *end;
    long pid;

    if (fd < 0)
        return 0;
    if (read(fd, text, sizeof(text) - 1) <= 0)
        text[0] = 0;
    close(fd);
    pid = strtol(text, &end, 10);
    return end != text && *end == '\n' && pid > 0 && pid < INT32_MAX ? (pid_t)pid : 0;
}

int gf_pid_file_remove(const char *path, pid_t pid)
{
    if (gf_pid_file_read(path) != pid)
        return -ESRCH;
    return unlinkat(start_folder(), path, 0) < 0 ? -errno : 0;
}
