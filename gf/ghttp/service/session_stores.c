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

static int open_files(const ghttp_server *s, struct gf_session_store **ret_store, char *error, size_t size)
{
    int folder = gf_session_folder_open(s->settings.session_path, s->name, error, size);

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

/* ---- restarts ---- */

/* What is in memory goes to the next process; all other stores are there for it anyway. */
static int find_memory(ghttp_server *s, char *error, size_t error_size)
{
    struct gf_session_store *store;
    int result;

    if (gf_session_storage(&s->settings) != GF_SESSION_STORAGE_MEMORY)
        return -ENOENT;
    result = open_once(s, &store, error, error_size);
    return result < 0 ? result : gf_session_memory_fd(store);
}

/* Here, since whoever uses sessions links this file: a program without them hands nothing over. */
__attribute__((constructor)) static void register_state(void)
{
    static struct gf_state_kind kind = {.name = STATE_KIND, .find = find_memory};

    gf_state_register(&kind);
}
