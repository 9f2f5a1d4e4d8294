#include "session_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int check_folder(int fd, const char *path, char *error, size_t size)
{
    struct stat folder;

    if (fstat(fd, &folder) < 0) {
        int result = -errno;

        snprintf(error, size, "%.200s: %s", path, strerror(-result));
        return result;
    }
    if (folder.st_uid == geteuid() && !(folder.st_mode & 077))
        return 0;
    snprintf(error, size,
             "%.200s must belong to the server's user, and be of mode 0700: others could take sessions over", path);
    return -EPERM;
}

static int open_folder(const char *path, char *error, size_t size)
{
    int fd, result;

    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        goto fail;
    fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        goto fail;
    result = check_folder(fd, path, error, size);
    if (result < 0)
        close(fd);
    return result < 0 ? result : fd;
fail:
    result = -errno;
    snprintf(error, size, "%.200s: %s", path, strerror(-result));
    return result;
}

static int open_default_folder(char *error, size_t size)
{
    const char *parent = getenv("TMPDIR");
    char *path;
    int result;

    if (asprintf(&path, "%s/gsessions-%u", parent && *parent ? parent : "/tmp", (unsigned)geteuid()) < 0) {
        snprintf(error, size, "no memory");
        return -ENOMEM;
    }
    result = open_folder(path, error, size);
    free(path);
    return result;
}

int gf_session_folder_open(const char *path, char *error, size_t size)
{
    return path && *path ? open_folder(path, error, size) : open_default_folder(error, size);
}
