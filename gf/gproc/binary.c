/*
 * Finds executables. Owns nothing; any thread may enter.
 */
#include <gf/gproc/binary.h>
#include <gf/gproc/gproc.h>
#include <gf/gproc/start.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

GF_START_NEEDED;

/* What execvp(3) takes where $PATH is not set. */
static const char default_folders[] = "/bin:/usr/bin";

int gf_binary_check(const char *path)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return errno == ENOTDIR ? -ENOENT : -errno;
    if (!S_ISREG(status.st_mode))
        return -EACCES;
    return faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? -errno : 0;
}

int gf_binary_make_absolute(const char *path, char *buffer, size_t size)
{
    char folder[PATH_MAX];

    if (path[0] == '/')
        return (size_t)snprintf(buffer, size, "%s", path) < size ? 0 : -ENAMETOOLONG;
    if (getcwd(folder, sizeof(folder)) == NULL)
        return errno == ERANGE ? -ENAMETOOLONG : -errno;
    while (strncmp(path, "./", 2) == 0)
        path += 2 + strspn(path + 2, "/");
    const char *slash = strcmp(folder, "/") == 0 ? "" : "/";
    return (size_t)snprintf(buffer, size, "%s%s%s", folder, slash, path) < size ? 0 : -ENAMETOOLONG;
}

/* One folder of the list; an empty one is the working directory. */
static int look_into(const char *folder, size_t length, const char *name, char *buffer, size_t size)
{
    char path[PATH_MAX];

    if (length > INT_MAX)
        return -ENAMETOOLONG;
    int written = snprintf(path, sizeof(path), "%.*s%s%s", (int)length, folder, length > 0 ? "/" : "./", name);
    if (written < 0 || (size_t)written >= sizeof(path))
        return -ENAMETOOLONG;
    int result = gf_binary_check(path);
    return result < 0 ? result : gf_binary_make_absolute(path, buffer, size);
}

int gf_binary_search_path(const char *name, const char *folders, char *buffer, size_t size)
{
    int refused = -ENOENT;
    const char *end;

    if (folders == NULL)
        folders = default_folders;
    do {
        end = strchrnul(folders, ':');
        int result = look_into(folders, (size_t)(end - folders), name, buffer, size);
        if (result == 0)
            return 0;
        if (result != -ENOENT)
            refused = result;
        folders = end + 1;
    } while (*end != '\0');
    return refused;
}

int gproc_search_binary(const char *name, char *buffer, size_t size)
{
    char path[PATH_MAX];

    if (name == NULL || name[0] == '\0' || buffer == NULL || size == 0)
        return -EINVAL;
    int result = gf_binary_check(name);
    if (result == 0)
        result = gf_binary_make_absolute(name, path, sizeof(path));
    else if (strchr(name, '/') == NULL)
        result = gf_binary_search_path(name, getenv("PATH"), path, sizeof(path));
    if (result < 0)
        return result;
    size_t length = strlen(path);
    if (length >= size)
        return -ENAMETOOLONG;
    memcpy(buffer, path, length + 1);
    return 0;
}
