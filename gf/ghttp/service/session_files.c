/*
 * The files of sessions. They are named by ids that gf_session_id_is_shaped(), relative to the folder's descriptor,
 * and no link is ever followed. A file is written beside its place and moved into it, so no reader sees half of one.
 * It is not synced: after a power failure a session may be the one of a few seconds before, or gone.
 */
#include "session_files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "session_id.h"
#include "session_lock.h"

/* What one sweep looks at: about a millisecond of somebody's request. */
#define SWEEP_ENTRIES 512
#define SWEEP_INTERVAL_MS 1000
/* A file that is being written, left by a process that was killed meanwhile. */
#define LEFTOVER_MS 3600000
#define TEMPORARY ".tmp"
#define NAME_SIZE (GF_SESSION_ID_SIZE + sizeof(TEMPORARY))

struct gf_session_files {
    struct gf_session_store store;
    int folder;
    struct gf_session_lock lock;
    int64_t max_count;
    _Atomic int64_t count;         /* as the begin and the last whole sweep have counted, and what has changed since */
    _Atomic int64_t made, removed; /* by this process in this round of the sweep */
    pthread_mutex_t sweep_lock;
    DIR *sweep; /* stands where the last one has stopped */
    int64_t swept_ms;
    int64_t seen; /* of this round through the folder */
};

static const struct gf_session_store_kind kind;

static struct gf_session_files *files_of(struct gf_session_store *store)
{
    return (struct gf_session_files *)store;
}

static int64_t ends_ms_of(const struct stat *file)
{
    return (int64_t)file->st_mtim.tv_sec * 1000 + file->st_mtim.tv_nsec / 1000000;
}

/* ---- the folder ---- */

/* With its own description of the folder, whose position nobody else moves. */
static DIR *open_list(const struct gf_session_files *files)
{
    int fd = openat(files->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *opened = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !opened)
        close(fd);
    return opened;
}

/* By their names alone, and no further than the bound: whether one has ended is for the sweep to find out. */
static int64_t count_files(const struct gf_session_files *files)
{
    DIR *list = open_list(files);
    int64_t count = 0;

    for (const struct dirent *entry; list && count < files->max_count && (entry = readdir(list));)
        count += gf_session_id_is_shaped(entry->d_name);
    if (list)
        closedir(list);
    return count;
}

int gf_session_files_new(int folder, int64_t max_count, int64_t (*now_ms)(void), struct gf_session_store **ret_store,
                         char *error, size_t error_size)
{
    struct gf_session_files *files = calloc(1, sizeof(*files));
    int result = -ENOMEM;

    if (!files)
        snprintf(error, error_size, "no memory");
    else
        result = gf_session_lock_init(&files->lock, folder, error, error_size);
    if (result < 0) {
        free(files);
        close(folder);
        return result;
    }
    files->folder = folder;
    files->max_count = max_count;
    gf_session_store_init(&files->store, &kind, now_ms);
    pthread_mutex_init(&files->sweep_lock, NULL);
    atomic_store(&files->count, count_files(files));
    *ret_store = &files->store;
    return 0;
}

int gf_session_files_folder(const struct gf_session_store *store)
{
    return store->kind == &kind ? ((const struct gf_session_files *)store)->folder : -EINVAL;
}

static void close_store(struct gf_session_store *store)
{
    struct gf_session_files *files = files_of(store);

    pthread_mutex_destroy(&files->sweep_lock);
    if (files->sweep)
        closedir(files->sweep);
    gf_session_lock_finish(&files->lock);
    close(files->folder);
    free(files);
}

/* ---- one file ---- */

static int read_all(int fd, char *text, size_t size)
{
    size_t done = 0;

    while (done < size) {
        ssize_t count = read(fd, text + done, size - done);

        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return count ? -errno : -EIO;
        done += (size_t)count;
    }
    text[size] = '\0';
    return 0;
}

static int read_open(const struct gf_session_files *files, int fd, char **ret_text, int64_t *ret_ends_ms)
{
    struct stat file;
    char *text;
    int result;

    if (fstat(fd, &file) < 0)
        return -errno;
    if (!S_ISREG(file.st_mode) || file.st_size < 0 || (size_t)file.st_size > GF_SESSION_TEXT_MAX)
        return -EBADMSG;
    if (ends_ms_of(&file) <= files->store.now_ms())
        return -ENOENT;
    text = malloc((size_t)file.st_size + 1);
    if (!text)
        return -ENOMEM;
    result = read_all(fd, text, (size_t)file.st_size);
    if (result < 0) {
        free(text);
        return result;
    }
    *ret_text = text;
    *ret_ends_ms = ends_ms_of(&file);
    return 0;
}

static int read_session(struct gf_session_store *store, const char *id, char **ret_text, int64_t *ret_ends_ms)
{
    const struct gf_session_files *files = files_of(store);
    int fd, result;

    if (!gf_session_id_is_shaped(id))
        return -ENOENT;
    fd = openat(files->folder, id, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    result = read_open(files, fd, ret_text, ret_ends_ms);
    close(fd);
    return result;
}

static int write_all(int fd, const char *text, size_t size)
{
    while (size > 0) {
        ssize_t count = write(fd, text, size);

        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return -errno;
        text += count;
        size -= (size_t)count;
    }
    return 0;
}

static void times_of(int64_t ends_ms, struct timespec times[2])
{
    times[0] = (struct timespec){.tv_nsec = UTIME_OMIT};
    times[1] = (struct timespec){.tv_sec = (time_t)(ends_ms / 1000), .tv_nsec = (long)(ends_ms % 1000) * 1000000};
}

static int write_temporary(const struct gf_session_files *files, const char *name, const char *text, int64_t ends_ms)
{
    struct timespec times[2];
    int fd = openat(files->folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    int result;

    if (fd < 0)
        return -errno;
    times_of(ends_ms, times);
    result = write_all(fd, text, strlen(text));
    if (!result && futimens(fd, times) < 0)
        result = -errno;
    if (close(fd) < 0 && !result)
        result = -errno;
    return result;
}

static void count_made(struct gf_session_files *files)
{
    atomic_fetch_add(&files->made, 1);
    atomic_fetch_add(&files->count, 1);
}

static void count_removed(struct gf_session_files *files)
{
    atomic_fetch_add(&files->removed, 1);
    atomic_fetch_sub(&files->count, 1);
}

/* Replaces the content or makes the file, locked. replaces: another session goes for it, so that it is none more. */
static int write_session(struct gf_session_files *files, const char *id, const char *text, int64_t ends_ms,
                         bool replaces)
{
    char name[NAME_SIZE];
    bool is_new;
    int result;

    if (!gf_session_id_is_shaped(id))
        return -EINVAL;
    if (strlen(text) > GF_SESSION_TEXT_MAX)
        return -E2BIG;
    is_new = faccessat(files->folder, id, F_OK, AT_SYMLINK_NOFOLLOW) < 0;
    if (is_new && !replaces && atomic_load(&files->count) >= files->max_count)
        return -ENOSPC;
    snprintf(name, sizeof(name), "%s" TEMPORARY, id);
    result = write_temporary(files, name, text, ends_ms);
    if (!result && renameat(files->folder, name, files->folder, id) < 0)
        result = -errno;
    if (result < 0)
        unlinkat(files->folder, name, 0);
    else if (is_new)
        count_made(files);
    return result;
}

static int touch_session(struct gf_session_store *store, const char *id, int64_t ends_ms)
{
    const struct gf_session_files *files = files_of(store);
    struct timespec times[2];

    if (!gf_session_id_is_shaped(id))
        return -EINVAL;
    times_of(ends_ms, times);
    return utimensat(files->folder, id, times, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
}

/* 0 also if there is none. */
static int remove_session(struct gf_session_files *files, const char *id)
{
    if (!gf_session_id_is_shaped(id))
        return -EINVAL;
    if (unlinkat(files->folder, id, 0) < 0)
        return errno == ENOENT ? 0 : -errno;
    count_removed(files);
    return 0;
}

static int change(struct gf_session_files *files, const char *id, const char *new_id, gf_session_edit *edit, void *arg)
{
    char *text = NULL, *next = NULL;
    int64_t ends_ms = 0;
    int result = id ? read_session(&files->store, id, &text, &ends_ms) : 0;

    if (!result)
        result = edit(arg, text, &next, &ends_ms);
    if (!result && next)
        result = write_session(files, new_id ? new_id : id, next, ends_ms, id != NULL);
    if (!result && id && (!next || new_id))
        result = remove_session(files, id);
    free(next);
    free(text);
    return result;
}

/* Nobody knows a new id yet, so one lock does for both. */
static int update_session(struct gf_session_store *store, const char *id, const char *new_id, gf_session_edit *edit,
                          void *arg)
{
    struct gf_session_files *files = files_of(store);
    const char *locked = id ? id : new_id;

    if (!gf_session_id_is_shaped(locked))
        return -EINVAL;
    int result = gf_session_lock_take(&files->lock, locked);
    if (result < 0)
        return result;
    result = change(files, id, new_id, edit, arg);
    gf_session_lock_give_back(&files->lock, locked);
    return result;
}

/* ---- what has ended ---- */

static bool is_temporary(const char *name)
{
    char id[GF_SESSION_ID_SIZE + 1];

    if (strnlen(name, NAME_SIZE) != NAME_SIZE - 1 || strcmp(name + GF_SESSION_ID_SIZE, TEMPORARY) != 0)
        return false;
    memcpy(id, name, GF_SESSION_ID_SIZE);
    id[GF_SESSION_ID_SIZE] = '\0';
    return gf_session_id_is_shaped(id);
}

/* Whether it has removed the file. Files that are not the store's are left alone. */
static bool sweep_entry(struct gf_session_files *files, const char *name)
{
    bool is_session = gf_session_id_is_shaped(name);
    struct stat file;
    int64_t ends_ms;

    if ((!is_session && !is_temporary(name)) || fstatat(files->folder, name, &file, AT_SYMLINK_NOFOLLOW) < 0)
        return false;
    ends_ms = is_session ? ends_ms_of(&file)
                         : (int64_t)file.st_ctim.tv_sec * 1000 + LEFTOVER_MS; /* its mtime may be set already */
    if (ends_ms > files->store.now_ms()) {
        files->seen += is_session;
        return false;
    }
    if (unlinkat(files->folder, name, 0) < 0)
        return false;
    if (is_session)
        count_removed(files);
    return true;
}

static void begin_round(struct gf_session_files *files)
{
    files->sweep = open_list(files);
    files->seen = 0;
    atomic_store(&files->made, 0);
    atomic_store(&files->removed, 0);
}

/*
 * What a whole round has seen corrects the count, which does not know what other processes make and remove. What this
 * one has made meanwhile may have been seen or not, and so may what it has removed: within that the count is right.
 */
static void end_round(struct gf_session_files *files)
{
    int64_t count = atomic_load(&files->count);
    int64_t least = files->seen - atomic_load(&files->removed), most = files->seen + atomic_load(&files->made);

    closedir(files->sweep);
    files->sweep = NULL;
    if (count < least)
        atomic_fetch_add(&files->count, least - count);
    else if (count > most)
        atomic_fetch_sub(&files->count, count - most);
}

static unsigned sweep_some(struct gf_session_files *files)
{
    unsigned removed = 0;

    for (int i = 0; i < SWEEP_ENTRIES; i++) {
        const struct dirent *entry = readdir(files->sweep);

        if (!entry) {
            end_round(files);
            break;
        }
        removed += sweep_entry(files, entry->d_name);
    }
    return removed;
}

static unsigned sweep_store(struct gf_session_store *store)
{
    struct gf_session_files *files = files_of(store);
    int64_t now = files->store.now_ms();
    unsigned removed = 0;

    if (pthread_mutex_trylock(&files->sweep_lock))
        return 0;
    if (now - files->swept_ms >= SWEEP_INTERVAL_MS || now < files->swept_ms) {
        files->swept_ms = now;
        if (!files->sweep)
            begin_round(files);
        if (files->sweep)
            removed = sweep_some(files);
    }
    pthread_mutex_unlock(&files->sweep_lock);
    return removed;
}

/* Where it is full, what has ended makes room. */
static int check_store(struct gf_session_store *store)
{
    const struct gf_session_files *files = files_of(store);

    if (atomic_load(&files->count) >= files->max_count)
        sweep_store(store);
    return atomic_load(&files->count) >= files->max_count ? -ENOSPC : 0;
}

static const struct gf_session_store_kind kind = {.full = "their folder is full (sessionMaxCount, or the disk)",
                                                  .read = read_session,
                                                  .update = update_session,
                                                  .touch = touch_session,
                                                  .sweep = sweep_store,
                                                  .check = check_store,
                                                  .close = close_store};
