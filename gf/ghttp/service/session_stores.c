/*
 * The stores of the servers. Owns: the lock under which they are opened; a store is its server's.
 */
#include "session_stores.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "../restart/state.h"
#include "../server/session_settings.h"
#include "../server/server.h"
#include "session_files.h"
#include "session_folder.h"
#include "session_memory.h"
#ifdef GF_HAVE_REDIS
#include "session_redis.h"
#endif

#define STATE_KIND "sessions"
/* A store that cannot be used is said so often. */
#define COMPLAINT_INTERVAL_MS 60000

int64_t gf_session_store_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void gf_session_store_init(struct gf_session_store *store, const struct gf_session_store_kind *kind,
                           int64_t (*now_ms)(void))
{
    store->kind = kind;
    store->now_ms = now_ms ? now_ms : gf_session_store_now;
}

void gf_session_store_close(struct gf_session_store *store)
{
    if (store)
        store->kind->close(store);
}

void gf_session_stores_complain(const char *reason)
{
    static _Atomic int64_t complained_ms;
    int64_t now = gf_session_store_now(), last = atomic_load(&complained_ms);

    if ((!last || now - last >= COMPLAINT_INTERVAL_MS) && atomic_compare_exchange_strong(&complained_ms, &last, now))
        glog_error("sessions cannot be kept: %s", reason);
}

const char *gf_session_stores_reason(int result)
{
    return result == -ETIMEDOUT ? "another process holds its lock; is one of them stopped?" : strerror(-result);
}

/* That of the process before this one, if there is one. */
static int open_memory(const ghttp_server *s, struct gf_session_store **ret_store, char *error, size_t size)
{
    const struct gf_settings *set = &s->settings;
    int fd = gf_state_take(STATE_KIND, s->name);
    int result = fd < 0 ? -ENOENT : gf_session_memory_adopt(fd, NULL, ret_store, error, size);

    if (result == -EPROTO)
        glog_warning("server \"%s\": the process before this one kept its sessions in another way; beginning without "
                     "them",
                     s->name);
    if (result != -ENOENT && result != -EPROTO)
        return result;
    return gf_session_memory_new((size_t)set->session_memory_size, (uint64_t)set->session_max_count, NULL, ret_store,
                                 error, size);
}

#ifdef GF_HAVE_REDIS
static int open_redis(const ghttp_server *s, struct gf_session_store **ret_store, char *error, size_t size)
{
    const struct gf_settings *set = &s->settings;
    struct gf_redis_options options = {.user = set->session_redis_user,
                                       .password = set->session_redis_pass,
                                       .database = set->session_redis_db,
                                       .timeout_ms = set->session_redis_timeout,
                                       .max_links = (unsigned)set->session_redis_max_active};
    int result = gf_redis_address_parse(set->session_redis_address, &options.address);

    if (!result)
        result = gf_session_redis_new(&options, set->session_redis_prefix, s->name, ret_store);
    if (result < 0)
        snprintf(error, size, "sessions in Redis: %s", strerror(-result));
    return result;
}
#endif

/* Where the settings name no folder, that of the process before this one is used further, whatever this program's name
 * and its $TMPDIR are. */
static int open_folder(const ghttp_server *s, char *error, size_t size)
{
    const char *path = s->settings.session_path;
    int fd = *path ? -ENOENT : gf_state_take(STATE_KIND, s->name);

    if (fd >= 0 && gf_session_folder_is_usable(fd))
        return fd;
    if (fd >= 0)
        close(fd);
    return gf_session_folder_open(path, s->name, error, size);
}

static int open_files(const ghttp_server *s, struct gf_session_store **ret_store, char *error, size_t size)
{
    int folder = open_folder(s, error, size);

    if (folder < 0)
        return folder;
    return gf_session_files_new(folder, s->settings.session_max_count, NULL, ret_store, error, size);
}

static int open_store(ghttp_server *s, struct gf_session_store **ret_store, char *error, size_t size)
{
    switch (gf_session_storage(&s->settings)) {
    case GF_SESSION_STORAGE_MEMORY:
        return open_memory(s, ret_store, error, size);
#ifdef GF_HAVE_REDIS
    case GF_SESSION_STORAGE_REDIS:
        return open_redis(s, ret_store, error, size);
#endif
    default:
        break; /* the server would not have started with another */
    }
    return open_files(s, ret_store, error, size);
}

static int open_once(ghttp_server *s, struct gf_session_store **ret_store, char *error, size_t error_size)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct gf_session_store *store;
    int result = 0;

    pthread_mutex_lock(&lock);
    store = atomic_load(&s->session_store);
    if (!store) {
        result = open_store(s, &store, error, error_size);
        if (!result)
            atomic_store(&s->session_store, store);
    }
    pthread_mutex_unlock(&lock);
    if (!result)
        *ret_store = store;
    return result;
}

int gf_session_stores_find(ghttp_server *s, struct gf_session_store **ret_store)
{
    struct gf_session_store *store = atomic_load(&s->session_store);
    char error[512] = "";
    int result;

    if (store) {
        *ret_store = store;
        return 0;
    }
    result = open_once(s, ret_store, error, sizeof(error));
    if (result < 0)
        gf_session_stores_complain(error);
    return result;
}

/* ---- the start ---- */

/*
 * A folder that is named and cannot be used is to be heard of now: a new process that found out with its first request
 * would have taken over by then, and logged everybody out. Where none is named, who knows whether the program has
 * sessions at all. A Redis may come later than we do.
 */
static int open_at_start(ghttp_server *s, char *error, size_t size)
{
    enum gf_session_storage storage = gf_session_storage(&s->settings);
    bool is_named = storage == GF_SESSION_STORAGE_FILE && s->settings.session_path[0];
    struct gf_session_store *store;
    int result = is_named || storage == GF_SESSION_STORAGE_REDIS ? open_once(s, &store, error, size) : 0;

#ifdef GF_HAVE_REDIS
    if (!result && storage == GF_SESSION_STORAGE_REDIS)
        gf_session_redis_try(store);
#endif
    return result;
}

/* ---- restarts ---- */

/*
 * The folder goes to the next process for it to know that there are sessions: if it cannot use one, it does not take
 * over. Before the first of them there is nothing to know.
 */
static int find_folder(ghttp_server *s, char *error, size_t size)
{
    struct gf_session_store *store = atomic_load(&s->session_store);
    int result = 0;

    if (!store && !gf_state_waits(STATE_KIND, s->name))
        return -ENOENT;
    if (!store)
        result = open_once(s, &store, error, size);
    return result < 0 ? result : gf_session_files_folder(store);
}

static int find_memory(ghttp_server *s, char *error, size_t size)
{
    struct gf_session_store *store;
    int result = open_once(s, &store, error, size);

    return result < 0 ? result : gf_session_memory_fd(store);
}

/* What is in memory goes to the next process, and where the files are; a Redis is there for it anyway. */
static int find_state(ghttp_server *s, char *error, size_t size)
{
    switch (gf_session_storage(&s->settings)) {
    case GF_SESSION_STORAGE_FILE:
        return find_folder(s, error, size);
    case GF_SESSION_STORAGE_MEMORY:
        return find_memory(s, error, size);
    default:
        return -ENOENT;
    }
}

/* Here, since whoever uses sessions links this file: a program without them opens nothing and hands nothing over. */
__attribute__((constructor)) static void register_sessions(void)
{
    static struct gf_state_kind state = {.name = STATE_KIND, .find = find_state};
    static struct gf_server_step step = {.run = open_at_start};

    gf_state_register(&state);
    gf_server_add_step(&step);
}
