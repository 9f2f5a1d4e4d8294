#include "static_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../message/ascii.h"
#include "../message/file.h"
#include "../message/request.h"

/* A folder that is being renamed while a link in it is followed makes the kernel ask for another try. */
#define TRIES 8
/* Longer names than the kernel takes are none of a file's. */
#define NAME_SIZE 4096

/* ---- names ---- */

static bool has_encoded_slash(const char *raw)
{
    while ((raw = strchr(raw, '%'))) {
        if ((raw[1] == '2' && gf_ascii_lower(raw[2]) == 'f') || (raw[1] == '5' && gf_ascii_lower(raw[2]) == 'c'))
            return true;
        raw++;
    }
    return false;
}

/* The rest of a name that begins with a dot: ".well-known" is made for the public (RFC 8615). */
static bool is_hidden(const char *name)
{
    static const char well_known[] = ".well-known";
    size_t size = strcspn(name, "/");

    return *name == '.' && !(size == sizeof(well_known) - 1 && !memcmp(name, well_known, size));
}

bool gf_folder_may_hold(const struct ghttp_request *r)
{
    const char *path = r->path;

    if (*path != '/' || strchr(path, '\\') || has_encoded_slash(r->raw_path))
        return false;
    for (; path; path = strchr(path + 1, '/'))
        if (is_hidden(path + 1))
            return false;
    return true;
}

/* ---- opening ---- */

static int open_folder(const char *folder)
{
    int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int open_in(int folder_fd, const char *name, bool links)
{
    struct open_how how = {
        .flags = GF_FILE_FLAGS,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | (links ? 0 : RESOLVE_NO_SYMLINKS),
    };
    long fd = -1;

    for (int i = 0; i < TRIES; i++) {
        fd = syscall(SYS_openat2, folder_fd, name, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    return fd < 0 ? -errno : (int)fd;
}

/* Old kernels do not have openat2(), and filters of system calls that do not know it may say anything of it. */
static bool is_unknown(int error)
{
    return error == -ENOSYS || error == -EPERM;
}

int gf_folder_open(const char *folder, const char *name, bool links)
{
    int folder_fd = open_folder(folder), fd;

    if (folder_fd < 0)
        return folder_fd;
    fd = open_in(folder_fd, *name ? name : ".", links);
    close(folder_fd);
    return is_unknown(fd) ? gf_folder_open_stepwise(folder, name) : fd;
}

/* The first step of *at, which is moved behind it and its slashes. 0 or -ENAMETOOLONG. */
static int take_step(const char **at, char step[NAME_SIZE])
{
    size_t size = strcspn(*at, "/");

    if (size >= NAME_SIZE)
        return -ENAMETOOLONG;
    memcpy(step, *at, size);
    step[size] = '\0';
    *at += size + strspn(*at + size, "/");
    return 0;
}

int gf_folder_open_stepwise(const char *folder, const char *name)
{
    int fd = open_folder(folder), next;
    char step[NAME_SIZE];

    while (fd >= 0 && *name) {
        int error = take_step(&name, step);
        bool folder_wanted = *name || name[-1] == '/';

        if (!error && strcmp(step, "..") == 0)
            error = -EXDEV;
        next = error
                   ? -1
                   : openat(fd, step,
                            folder_wanted ? O_PATH | O_NOFOLLOW | O_CLOEXEC | O_DIRECTORY : GF_FILE_FLAGS | O_NOFOLLOW);
        if (!error && next < 0)
            error = -errno;
        close(fd);
        if (error)
            return error;
        fd = next;
        if (!*name && !folder_wanted)
            return fd;
    }
    if (fd < 0)
        return fd;
    next = openat(fd, ".", GF_FILE_FLAGS | O_DIRECTORY); /* O_PATH cannot be read */
    next = next < 0 ? -errno : next;
    close(fd);
    return next;
}
