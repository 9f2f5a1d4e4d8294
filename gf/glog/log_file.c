#include "log_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log_name.h"

/* Readable for the group, so that those who may look at logs need not be the server's user. */
#define FILE_MODE 0640
#define FOLDER_MODE 0750

/* ---- life ---- */

static int make_folders(const char *folder)
{
    char path[PATH_MAX];
    size_t size = strlen(folder);

    if (size >= sizeof(path))
        return -ENAMETOOLONG;
    memcpy(path, folder, size + 1);
    for (char *end = path + 1;; end++) {
        char before = *end;

        if (before != '/' && before)
            continue;
        *end = 0;
        if (mkdir(path, FOLDER_MODE) < 0 && errno != EEXIST)
            return -errno;
        *end = before;
        if (!before)
            return 0;
    }
}

int gf_log_file_init(struct gf_log_file *file, const char *folder, const char *pattern, int64_t rotate_size,
                     int64_t backups)
{
    char name[NAME_MAX + 1];
    int result = 0;

    *file = (struct gf_log_file){.fd = -1, .rotate_size = rotate_size, .backups = backups};
    if (!folder)
        return 0;
    if (!*folder)
        return -EINVAL;
    result = gf_log_name_format(pattern, time(NULL), name, sizeof(name));
    if (!result)
        result = make_folders(folder);
    if (result)
        return result;
    file->folder = realpath(folder, NULL); /* the program may change its working folder */
    file->pattern = strdup(pattern);
    if (file->folder && file->pattern)
        return 0;
    result = -errno;
    gf_log_file_finish(file);
    return result;
}

void gf_log_file_finish(struct gf_log_file *file)
{
    gf_log_file_close(file);
    free(file->folder);
    free(file->pattern);
    file->folder = file->pattern = NULL;
}

/* ---- open ---- */

static int make_path(const struct gf_log_file *file, const char *name, char *path, size_t size)
{
    int length = snprintf(path, size, "%s/%s", file->folder, name);

    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

/* No link at the file's place is followed: it would let whoever may write into the folder choose a file elsewhere.
 * Not blocking, for the case that there is a pipe. */
static int open_named(struct gf_log_file *file)
{
    char path[PATH_MAX];
    struct stat status;
    int result = make_path(file, file->name, path, sizeof(path));

    if (result)
        return result;
    file->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, FILE_MODE);
    if (file->fd < 0)
        return -errno;
    file->regular = !fstat(file->fd, &status) && S_ISREG(status.st_mode);
    file->torn &= file->regular && status.st_size > 0;
    return 0;
}

/* A copy, so that closing it closes nothing that is the program's. */
static int open_standard_output(struct gf_log_file *file)
{
    file->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    file->regular = false;
    return file->fd < 0 ? -errno : 0;
}

struct old {
    struct timespec modified;
    char name[NAME_MAX + 1];
};

static int compare_old(const void *one, const void *other)
{
    const struct old *a = one, *b = other;

    if (a->modified.tv_sec != b->modified.tv_sec)
        return a->modified.tv_sec < b->modified.tv_sec ? 1 : -1;
    if (a->modified.tv_nsec != b->modified.tv_nsec)
        return a->modified.tv_nsec < b->modified.tv_nsec ? 1 : -1;
    return -strcmp(a->name, b->name);
}

/* The old files in the folder, an array to be freed; what no memory is there for is left alone. */
static struct old *find_old(const struct gf_log_file *file, DIR *folder, size_t *ret_count)
{
    struct old *found = NULL;
    struct dirent *entry;

    *ret_count = 0;
    while ((entry = readdir(folder))) {
        struct old *more;
        struct stat status;

        if (!gf_log_name_matches(file->pattern, entry->d_name) || !strcmp(entry->d_name, file->name) ||
            fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
            continue;
        more = reallocarray(found, *ret_count + 1, sizeof(*found));
        if (!more)
            break;
        found = more;
        found[*ret_count].modified = status.st_mtim;
        snprintf(found[*ret_count].name, sizeof(found->name), "%s", entry->d_name);
        ++*ret_count;
    }
    return found;
}

static void remove_old(const struct gf_log_file *file)
{
    DIR *folder = file->backups ? opendir(file->folder) : NULL;
    struct old *found;
    size_t count;

    if (!folder)
        return;
    found = find_old(file, folder, &count);
    if (count > (size_t)file->backups)
        qsort(found, count, sizeof(*found), compare_old);
    for (size_t i = (size_t)file->backups; i < count; i++)
        unlinkat(dirfd(folder), found[i].name, 0);
    free(found);
    closedir(folder);
}

int gf_log_file_open(struct gf_log_file *file, const struct timespec *now)
{
    char name[NAME_MAX + 1];
    int result;

    if (!file->folder)
        return file->fd >= 0 ? 0 : open_standard_output(file);
    result = gf_log_name_format(file->pattern, now->tv_sec, name, sizeof(name));
    if (result || (file->fd >= 0 && !strcmp(name, file->name)))
        return result;
    gf_log_file_close(file);
    memcpy(file->name, name, sizeof(name));
    result = open_named(file);
    if (!result)
        remove_old(file);
    return result;
}

void gf_log_file_close(struct gf_log_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* ---- rotation by size ---- */

/* Whether what is open is still what the name means; another process may have rotated it. */
static bool is_current(const struct gf_log_file *file, const char *path)
{
    struct stat open_one, named;

    return !fstat(file->fd, &open_one) && !lstat(path, &named) && open_one.st_ino == named.st_ino &&
           open_one.st_dev == named.st_dev;
}

/* NFS and others know no rename that replaces nothing. There the lock must do. */
static int rename_aside(const char *path, const char *backup)
{
    struct stat status;

    if (!renameat2(AT_FDCWD, path, AT_FDCWD, backup, RENAME_NOREPLACE))
        return 0;
    if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
        return -errno;
    if (!lstat(backup, &status))
        return -EEXIST;
    return rename(path, backup) < 0 ? -errno : 0;
}

static int lock(const struct gf_log_file *file)
{
    while (flock(file->fd, LOCK_EX) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

/* The lock goes with the descriptor. Whoever gets it second finds that the name means another file by now. On failure
 * the file is open as it was, unless it cannot be opened. */
static int rotate(struct gf_log_file *file, const struct timespec *now)
{
    char path[PATH_MAX], backup_path[PATH_MAX], backup[NAME_MAX + 1];
    int result = make_path(file, file->name, path, sizeof(path));

    if (!result)
        result = gf_log_name_backup(file->name, now, backup, sizeof(backup));
    if (!result)
        result = make_path(file, backup, backup_path, sizeof(backup_path));
    if (result)
        return result;
    result = lock(file);
    if (!result && is_current(file, path))
        result = rename_aside(path, backup_path);
    if (result < 0) {
        flock(file->fd, LOCK_UN);
        return result == -EEXIST ? 0 : result; /* two in one microsecond: the file grows on until the next look */
    }
    gf_log_file_close(file);
    result = open_named(file);
    if (!result)
        remove_old(file);
    return result;
}

/* Bytes that still fit in; the rotation is what makes room. Where it fails the file grows on: its lines count more. */
static int make_room(struct gf_log_file *file, const struct timespec *now, size_t *ret_room)
{
    struct stat status;

    *ret_room = SIZE_MAX;
    if (!file->rotate_size || !file->regular)
        return 0;
    if (fstat(file->fd, &status) < 0)
        return -errno;
    if (status.st_size < file->rotate_size)
        file->rotate_error = 0;
    else {
        int result = rotate(file, now);

        if (file->fd < 0)
            return result;
        file->rotate_error = result;
        if (result)
            return 0;
        if (fstat(file->fd, &status) < 0)
            return -errno;
    }
    *ret_room = status.st_size < file->rotate_size ? (size_t)(file->rotate_size - status.st_size) : 1;
    return 0;
}

/* ---- lines ---- */

/* Whole lines within room; one at least. */
static size_t count_bytes(const char *text, size_t size, size_t room)
{
    const char *end = room < size ? memrchr(text, '\n', room) : text + size - 1;

    if (!end)
        end = memchr(text, '\n', size);
    return end ? (size_t)(end - text) + 1 : size;
}

/* A disk that is full takes half a line: the next one must not go on in it. */
static int mend(struct gf_log_file *file)
{
    ssize_t written = 1;

    while (file->torn && (written = write(file->fd, "\n", 1)) < 0 && errno == EINTR)
        continue;
    if (written < 0)
        return -errno;
    file->torn = false;
    return 0;
}

/* The bytes of whole lines that are written, or a negative errno if there are none. */
static ssize_t write_all(struct gf_log_file *file, const char *text, size_t size)
{
    const char *end;
    size_t done = 0;
    int result = mend(file);

    while (!result && done < size) {
        ssize_t written = write(file->fd, text + done, size - done);

        if (written >= 0)
            done += (size_t)written;
        else if (errno != EINTR)
            result = -errno;
    }
    if (!result)
        return (ssize_t)size;
    end = memrchr(text, '\n', done);
    file->torn |= done > 0 && text[done - 1] != '\n';
    return end ? end - text + 1 : result;
}

/* A pipe or a terminal takes a line at a time, which it takes in one piece. */
static ssize_t write_one_line(const struct gf_log_file *file, const char *text, size_t size, int wait_ms)
{
    struct pollfd fd = {.fd = file->fd, .events = POLLOUT};
    ssize_t written;

    if (poll(&fd, 1, wait_ms) <= 0)
        return 0;
    written = write(file->fd, text, count_bytes(text, size, 1));
    if (written < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    return written;
}

ssize_t gf_log_file_write(struct gf_log_file *file, const char *text, size_t size, const struct timespec *now,
                          int wait_ms)
{
    size_t room;
    int result = gf_log_file_open(file, now);

    if (!result)
        result = make_room(file, now, &room);
    if (result)
        return result;
    if (!file->regular)
        return write_one_line(file, text, size, wait_ms);
    return write_all(file, text, count_bytes(text, size, room));
}
