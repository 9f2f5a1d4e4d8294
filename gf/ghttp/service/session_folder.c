#include "session_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gf/gproc/start.h>

/* What a file system takes, and more than its 255 bytes only to be told by it that they are too many. */
#define NAME_SIZE 1024

GF_START_NEEDED;

static int fail(const char *path, char *error, size_t size)
{
    int result = -errno;

    snprintf(error, size, "%.200s: %s", path, strerror(-result));
    return result;
}

bool gf_session_folder_is_usable(int fd)
{
    struct stat folder;

    return fstat(fd, &folder) == 0 && S_ISDIR(folder.st_mode) && folder.st_nlink > 0 && folder.st_uid == geteuid() &&
           !(folder.st_mode & 077);
}

/* Beside those at from (AT_FDCWD: the working folder); path is for the sentence. */
static int open_one(int from, const char *name, const char *path, char *error, size_t size)
{
    int fd;

    if (mkdirat(from, name, 0700) < 0 && errno != EEXIST)
        return fail(path, error, size);
    fd = openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return fail(path, error, size);
    if (gf_session_folder_is_usable(fd))
        return fd;
    close(fd);
    snprintf(error, size,
             "%.200s must belong to the server's user, and be of mode 0700: others could take sessions over", path);
    return -EPERM;
}

/* ---- the names in it ---- */

/* As a file's name, of which each stands for one name: %2F is a slash. */
static void escape(const char *name, char *ret_name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.";
    size_t size = 0;

    for (const char *at = name; *at && size + 4 <= NAME_SIZE; at++)
        if (strchr(plain, *at) && (*at != '.' || at > name))
            ret_name[size++] = *at;
        else
            size += (size_t)snprintf(ret_name + size, NAME_SIZE - size, "%%%02X", (unsigned char)*at);
    ret_name[size] = '\0';
}

/* Takes the folder's descriptor and gives that of one in it, whose name is added to path. */
static int go_down(int folder, const char *name, char **path, char *error, size_t size)
{
    char escaped[NAME_SIZE], *longer;
    int fd = -ENOMEM;

    escape(name, escaped);
    if (asprintf(&longer, "%s/%s", *path, escaped) < 0) {
        snprintf(error, size, "no memory");
    } else {
        fd = open_one(folder, escaped, longer, error, size);
        free(*path);
        *path = longer;
    }
    close(folder);
    return fd;
}

/* ---- the folder that the settings name ---- */

/* Those above it, for the server's user alone too. path is changed on the way. */
static int make_folders(char *path)
{
    char *slash;
    int result;

    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    result = -errno;
    slash = strrchr(path, '/');
    if (result != -ENOENT || !slash || slash == path)
        return result;
    *slash = '\0';
    result = make_folders(path);
    *slash = '/';
    if (!result && mkdir(path, 0700) < 0 && errno != EEXIST)
        result = -errno;
    return result;
}

static int open_named(char *path, char *error, size_t size)
{
    int result = make_folders(path);

    if (result < 0) {
        errno = -result;
        return fail(path, error, size);
    }
    return open_one(AT_FDCWD, path, path, error, size);
}

/* ---- the folder where they name none ---- */

/* One for each user, since others may not enter it, and in that one for each program. */
static int open_default(char **path, char *error, size_t size)
{
    const char *exe = gf_start_get()->exe_path, *slash = exe ? strrchr(exe, '/') : NULL;
    int fd = open_one(AT_FDCWD, *path, *path, error, size);

    return fd < 0 ? fd : go_down(fd, slash ? slash + 1 : "unknown", path, error, size);
}

static int make_path(const char *path, char **ret_path)
{
    const char *parent = getenv("TMPDIR");

    if (*path)
        return (*ret_path = strdup(path)) ? 0 : -ENOMEM;
    return asprintf(ret_path, "%s/gsessions-%u", parent && *parent ? parent : "/tmp", (unsigned)geteuid()) < 0 ? -ENOMEM
                                                                                                               : 0;
}

int gf_session_folder_open(const char *path, const char *server, char *error, size_t size)
{
    char *whole, why[320] = "no memory";
    int fd = make_path(path, &whole);

    if (!fd) {
        fd = *path ? open_named(whole, why, sizeof(why)) : open_default(&whole, why, sizeof(why));
        if (fd >= 0)
            fd = go_down(fd, server, &whole, why, sizeof(why));
        free(whole);
    }
    if (fd < 0)
        snprintf(error, size, "\"sessionPath\"%s: %s", *path ? "" : " (empty)", why);
    return fd;
}
