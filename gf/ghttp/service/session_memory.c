#include "session_memory.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "session_id.h"
#include "session_table.h"

/* Each time but one that an update comes too late somebody else has come through, so this is not reached: a bound. */
#define TRIES_MAX 1000
#define SWEEP_INTERVAL_MS 1000
/* That sessions with time left had to go is said so often. */
#define EVICTION_LOG_INTERVAL_MS 60000

struct gf_session_memory {
    struct gf_session_store store;
    struct gf_session_table table;
    size_t size;
    int fd;
    _Atomic int64_t logged_ms;
    _Atomic uint64_t logged; /* evictions that have been logged */
};

static const struct gf_session_store_kind kind;

static struct gf_session_memory *memory_of(struct gf_session_store *store)
{
    return (struct gf_session_memory *)store;
}

/* ---- the lock ---- */

static int lock_table(struct gf_session_memory *memory)
{
    pthread_mutex_t *lock = &memory->table.head->lock;
    struct timespec until;
    int result;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += GF_SESSION_LOCK_TIMEOUT_S;
    result = pthread_mutex_timedlock(lock, &until);
    if (result == EOWNERDEAD) {
        gf_session_table_rebuild(&memory->table);
        result = pthread_mutex_consistent(lock);
    }
    return -result;
}

static void unlock_table(struct gf_session_memory *memory)
{
    pthread_mutex_unlock(&memory->table.head->lock);
}

static int make_lock(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;
    int result = pthread_mutexattr_init(&attributes);

    if (result)
        return -result;
    result = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    if (!result)
        result = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
    if (!result)
        result = pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
    return -result;
}

/* ---- the memory ---- */

/* Memory that is asked for here is there; a page that is only touched, and not to be had, would be a SIGBUS. */
static int reserve(void *arg, size_t offset, size_t size)
{
    const struct gf_session_memory *memory = arg;
    int result;

    do
        result = fallocate(memory->fd, 0, (off_t)offset, (off_t)size) < 0 ? -errno : 0;
    while (result == -EINTR);
    return result;
}

static int fail(char *error, size_t size, int result, const char *what)
{
    snprintf(error, size, "%s: %s", what, strerror(-result));
    return result;
}

static int map(struct gf_session_memory *memory)
{
    void *at = mmap(NULL, memory->size, PROT_READ | PROT_WRITE, MAP_SHARED, memory->fd, 0);

    if (at == MAP_FAILED)
        return -errno;
    memory->table = (struct gf_session_table){.head = at, .reserve = reserve, .arg = memory};
    return 0;
}

/* Nobody can make it smaller under the feet of those who use it. */
static int make_file(size_t size)
{
    int fd = memfd_create("gf-sessions", MFD_CLOEXEC | MFD_ALLOW_SEALING), result;

    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0 &&
        fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0)
        return fd;
    result = -errno;
    if (fd >= 0)
        close(fd);
    return result;
}

int gf_session_memory_new(size_t size, uint64_t max_count, int64_t (*now_ms)(void), struct gf_session_store **ret_store,
                          char *error, size_t error_size)
{
    struct gf_session_memory *memory = calloc(1, sizeof(*memory));
    int result = -ENOMEM;

    if (!memory)
        return fail(error, error_size, result, "the memory for sessions");
    memory->size = size;
    result = memory->fd = make_file(size);
    if (result < 0)
        goto fail;
    result = map(memory);
    if (result < 0)
        goto fail_fd;
    result = gf_session_table_format(&memory->table, memory->table.head, size, max_count);
    if (!result)
        result = make_lock(&memory->table.head->lock);
    if (result < 0)
        goto fail_map;
    gf_session_store_init(&memory->store, &kind, now_ms);
    *ret_store = &memory->store;
    return 0;
fail_map:
    munmap(memory->table.head, size);
fail_fd:
    close(memory->fd);
fail:
    free(memory);
    return fail(error, error_size, result, "the memory for sessions");
}

/* Of a size that cannot change any more. */
static int check_file(int fd, size_t *ret_size)
{
    struct stat file;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &file) < 0 ||
        (size_t)file.st_size < sizeof(struct gf_session_table_head))
        return -EPROTO;
    *ret_size = (size_t)file.st_size;
    return 0;
}

int gf_session_memory_adopt(int fd, int64_t (*now_ms)(void), struct gf_session_store **ret_store, char *error,
                            size_t error_size)
{
    struct gf_session_memory *memory = calloc(1, sizeof(*memory));
    int result = memory ? check_file(fd, &memory->size) : -ENOMEM;

    if (result < 0)
        goto fail;
    memory->fd = fd;
    result = map(memory);
    if (result < 0)
        goto fail;
    if (!gf_session_table_is(memory->table.head, memory->size)) {
        result = -EPROTO;
        goto fail_map;
    }
    gf_session_store_init(&memory->store, &kind, now_ms);
    atomic_store(&memory->logged, memory->table.head->evicted);
    *ret_store = &memory->store;
    return 0;
fail_map:
    munmap(memory->table.head, memory->size);
fail:
    free(memory);
    close(fd);
    return fail(error, error_size, result, "the memory for sessions of the process before this one");
}

int gf_session_memory_fd(const struct gf_session_store *store)
{
    return store->kind == &kind ? ((const struct gf_session_memory *)store)->fd : -EINVAL;
}

static void close_store(struct gf_session_store *store)
{
    struct gf_session_memory *memory = memory_of(store);

    munmap(memory->table.head, memory->size);
    close(memory->fd);
    free(memory);
}

/* ---- the store ---- */

static void log_evictions(struct gf_session_memory *memory, uint64_t evicted)
{
    int64_t now = gf_session_store_now(), last = atomic_load(&memory->logged_ms);

    if (evicted == atomic_load(&memory->logged) || (last && now - last < EVICTION_LOG_INTERVAL_MS) ||
        !atomic_compare_exchange_strong(&memory->logged_ms, &last, now))
        return;
    glog_warning("the memory for sessions is full (sessionMemorySize, sessionMaxCount): %llu that were used least "
                 "lately had to go",
                 (unsigned long long)(evicted - atomic_exchange(&memory->logged, evicted)));
}

static int read_with_change(struct gf_session_memory *memory, const char *id, char **ret_text, int64_t *ret_ends_ms,
                            uint64_t *ret_change)
{
    int result = gf_session_id_is_shaped(id) ? lock_table(memory) : -ENOENT;

    if (result < 0)
        return result;
    result = gf_session_table_read(&memory->table, id, memory->store.now_ms(), ret_text, ret_ends_ms, ret_change);
    unlock_table(memory);
    return result;
}

static int read_session(struct gf_session_store *store, const char *id, char **ret_text, int64_t *ret_ends_ms)
{
    uint64_t change;

    return read_with_change(memory_of(store), id, ret_text, ret_ends_ms, &change);
}

/* Puts text (NULL: nothing) in the place of what the session had at this change. -EAGAIN: it has another by now. */
static int replace(struct gf_session_memory *memory, const char *id, const char *new_id, uint64_t change,
                   const char *text, int64_t ends_ms)
{
    int64_t now = memory->store.now_ms();
    int result = lock_table(memory);

    if (result < 0)
        return result;
    if (id && gf_session_table_change(&memory->table, id, now) != change)
        result = -EAGAIN;
    if (!result && text)
        result = gf_session_table_write(&memory->table, new_id ? new_id : id, text, now, ends_ms);
    if (!result && id && (!text || new_id))
        gf_session_table_remove(&memory->table, id);
    uint64_t evicted = memory->table.head->evicted;
    unlock_table(memory);
    log_evictions(memory, evicted);
    return result;
}

/* The text is made without the lock, and made again when somebody else was faster. */
static int update_once(struct gf_session_memory *memory, const char *id, const char *new_id, gf_session_edit *edit,
                       void *arg)
{
    char *text = NULL, *next = NULL;
    int64_t ends_ms = 0;
    uint64_t change = 0;
    int result = id ? read_with_change(memory, id, &text, &ends_ms, &change) : 0;

    if (!result)
        result = edit(arg, text, &next, &ends_ms);
    if (!result)
        result = replace(memory, id, new_id, change, next, ends_ms);
    free(next);
    free(text);
    return result;
}

static int update_session(struct gf_session_store *store, const char *id, const char *new_id, gf_session_edit *edit,
                          void *arg)
{
    int result = -EAGAIN;

    if ((id && !gf_session_id_is_shaped(id)) || (new_id && !gf_session_id_is_shaped(new_id)))
        return -EINVAL;
    for (int i = 0; result == -EAGAIN && i < TRIES_MAX; i++)
        result = update_once(memory_of(store), id, new_id, edit, arg);
    return result;
}

static int touch_session(struct gf_session_store *store, const char *id, int64_t ends_ms)
{
    struct gf_session_memory *memory = memory_of(store);
    int result = gf_session_id_is_shaped(id) ? lock_table(memory) : -EINVAL;

    if (result < 0)
        return result;
    result = gf_session_table_touch(&memory->table, id, store->now_ms(), ends_ms);
    unlock_table(memory);
    return result;
}

static unsigned sweep_store(struct gf_session_store *store)
{
    struct gf_session_memory *memory = memory_of(store);
    struct gf_session_table_head *head = memory->table.head;
    int64_t now = store->now_ms();
    unsigned removed = 0;

    if (lock_table(memory) < 0)
        return 0;
    if (now - head->swept_ms >= SWEEP_INTERVAL_MS || now < head->swept_ms) {
        head->swept_ms = now;
        removed = gf_session_table_sweep(&memory->table, now);
    }
    unlock_table(memory);
    return removed;
}

static int check_store(struct gf_session_store *store)
{
    (void)store;
    return 0;
}

static const struct gf_session_store_kind kind = {.full = "their memory is too small (sessionMemorySize)",
                                                  .read = read_session,
                                                  .update = update_session,
                                                  .touch = touch_session,
                                                  .sweep = sweep_store,
                                                  .check = check_store,
                                                  .close = close_store};
