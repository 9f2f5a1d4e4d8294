/*
 * Sessions as handlers see them: read when a request first asks, saved before its response goes out.
 *
 * A request works on its own view. At the end only what it has changed is put into what the file says by then, under
 * the session's lock: of two requests at once the later one wins for each key, not for the whole. A session that has
 * ended meanwhile, or got another id, is not brought back by a request that still knew it.
 *
 * An id is used only if it has the shape of one and there is a session of it; for a new session a new id is made,
 * whatever the client has sent, so that nobody can plant one. Thread: the request's own.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <gf/glog/glog.h>

#include "../message/arena.h"
#include "../message/request.h"
#include "../server/cookie_defaults.h"
#include "../server/server.h"
#include "session_files.h"
#include "session_id.h"
#include "session_record.h"

#define MAX_AGE_SECONDS (400L * 24 * 60 * 60)
/* A use moves the end of a session, and its cookie's, once this part of its age has gone by: not at each request. */
#define REFRESH_PART 16
/* A folder that cannot be used is said so often. */
#define COMPLAINT_INTERVAL_MS 60000

struct entry {
    struct entry *next;
    const char *key;
    const char *value; /* NULL: taken away */
    bool changed;
};

struct gf_session {
    const char *id;     /* there is a file of it; NULL: there is none */
    const char *new_id; /* under which it will be saved; NULL: id */
    struct entry *entries;
    int64_t max_age_ms; /* 0: as the settings say */
    bool cleared;       /* before the changes in entries */
    bool max_age_changed;
    bool changed;
    bool refreshed; /* the cookie is to be sent again */
    bool queued;    /* end_request() will be called */
};

/* ---- the folder ---- */

static void complain(const char *reason)
{
    static _Atomic int64_t complained_ms;
    int64_t now = gf_session_files_now(NULL), last = atomic_load(&complained_ms);

    if ((!last || now - last >= COMPLAINT_INTERVAL_MS) && atomic_compare_exchange_strong(&complained_ms, &last, now))
        glog_error("sessions cannot be kept: %s", reason);
}

static int open_files(ghttp_server *server, struct gf_session_files **ret_files)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct gf_session_files *files;
    char error[512];
    int result = 0;

    pthread_mutex_lock(&lock);
    files = atomic_load(&server->session_files);
    if (!files) {
        result = gf_session_files_open(server->settings.session_path, server->settings.session_max_count, NULL, &files,
                                       error, sizeof(error));
        if (!result)
            atomic_store(&server->session_files, files);
    }
    pthread_mutex_unlock(&lock);
    if (result < 0)
        complain(error);
    else
        *ret_files = files;
    return result;
}

/* Opened by the first request of the server that needs it, then kept. */
static int find_files(ghttp_request *r, struct gf_session_files **ret_files)
{
    struct gf_session_files *files = atomic_load(&r->server->session_files);

    if (!files)
        return open_files(r->server, ret_files);
    *ret_files = files;
    return 0;
}

/* ---- the view ---- */

static struct entry *find_entry(const struct gf_session *session, const char *key)
{
    struct entry *entry = session->entries;

    while (entry && strcmp(entry->key, key) != 0)
        entry = entry->next;
    return entry;
}

static bool is_empty(const struct gf_session *session)
{
    const struct entry *entry = session->entries;

    while (entry && !entry->value)
        entry = entry->next;
    return !entry;
}

static int put_entry(ghttp_request *r, struct gf_session *session, const char *key, const char *value, bool changed)
{
    struct entry *entry = find_entry(session, key);
    const char *copy = value ? gf_arena_strdup(r->arena, value) : NULL;

    if (value && !copy)
        return -ENOMEM;
    if (!entry) {
        entry = gf_arena_alloc(r->arena, sizeof(*entry));
        if (!entry || !(entry->key = gf_arena_strdup(r->arena, key)))
            return -ENOMEM;
        entry->next = session->entries;
        session->entries = entry;
    }
    entry->value = copy;
    entry->changed = changed;
    return 0;
}

static bool has_room(const struct gf_session *session, const char *key, const char *value)
{
    size_t bytes = strlen(key) + strlen(value), count = 1;

    for (const struct entry *entry = session->entries; entry; entry = entry->next) {
        if (!entry->value || strcmp(entry->key, key) == 0)
            continue;
        bytes += strlen(entry->key) + strlen(entry->value);
        count++;
    }
    return bytes <= GF_SESSION_BYTES_MAX && count <= GF_SESSION_VALUES_MAX;
}

/* ---- the cookie ---- */

static int64_t max_age_of(const ghttp_request *r, const struct gf_session *session)
{
    return session->max_age_ms ? session->max_age_ms : r->server->settings.session_max_age;
}

/* value NULL: the client is to forget it. */
static void set_cookie(ghttp_request *r, const struct gf_session *session, const char *value)
{
    const struct gf_settings *set = &r->server->settings;
    int64_t max_age = session->max_age_ms ? session->max_age_ms : set->session_cookie_max_age;
    struct ghttp_cookie cookie;

    if (!set->session_cookie_output || r->response.sent)
        return;
    int result = gf_cookie_defaults(set, &cookie);
    cookie.name = set->session_id_name;
    cookie.value = value;
    cookie.max_age = value ? (set->session_cookie_max_age ? (long)(max_age / 1000) : 0) : -1;
    cookie.expires = value ? 0 : 1; /* 1970 */
    cookie.http_only = true;
    cookie.secure |= r->secure;
    if (cookie.same_site == GHTTP_SAME_SITE_UNSET)
        cookie.same_site = GHTTP_SAME_SITE_LAX;
    if (!result)
        result = ghttp_response_set_cookie_with(r, &cookie);
    if (result < 0)
        glog_error("the cookie of a session cannot be set: %s", strerror(-result));
}

/* ---- the end of the request ---- */

static int apply(const struct gf_session *session, struct gf_session_record *record)
{
    int result = 0;

    if (session->cleared)
        gf_session_record_clear(record);
    for (const struct entry *entry = session->entries; entry && !result; entry = entry->next)
        if (entry->changed && !entry->value)
            result = gf_session_record_set(record, entry->key, NULL);
    for (const struct entry *entry = session->entries; entry && !result; entry = entry->next)
        if (entry->changed && entry->value)
            result = gf_session_record_set(record, entry->key, entry->value);
    if (session->max_age_changed)
        record->max_age_ms = session->max_age_ms;
    return result;
}

static int read_record(struct gf_session_files *files, const char *id, struct gf_session_record *record,
                       int64_t *ret_ends_ms)
{
    char *text;
    int result = gf_session_files_read(files, id, &text, ret_ends_ms);

    if (result < 0)
        return result;
    result = gf_session_record_parse(record, text);
    free(text);
    return result;
}

static int write_record(ghttp_request *r, const struct gf_session *session, struct gf_session_files *files,
                        const struct gf_session_record *record)
{
    int64_t max_age = record->max_age_ms ? record->max_age_ms : r->server->settings.session_max_age;
    char *text = gf_session_record_print(record);
    int result = -ENOMEM;

    if (text)
        result = gf_session_files_write(files, session->new_id ? session->new_id : session->id, text,
                                        gf_session_files_now(files) + max_age);
    free(text);
    return result;
}

/* With the lock. *ret_id: where it is now; NULL: it has ended. -ENOENT: it has ended before, by another request. */
static int merge(ghttp_request *r, const struct gf_session *session, struct gf_session_files *files,
                 const char **ret_id)
{
    struct gf_session_record record;
    int64_t ends_ms;
    int result = session->id ? read_record(files, session->id, &record, &ends_ms) : gf_session_record_init(&record);

    if (result < 0)
        return result;
    result = apply(session, &record);
    bool empty = gf_session_record_is_empty(&record);
    if (!result && !empty)
        result = write_record(r, session, files, &record);
    if (!result && session->id && (empty || session->new_id))
        result = gf_session_files_remove(files, session->id);
    if (!result)
        *ret_id = empty ? NULL : session->new_id ? session->new_id : session->id;
    gf_session_record_finish(&record);
    return result;
}

static void forget_changes(struct gf_session *session)
{
    for (struct entry *entry = session->entries; entry; entry = entry->next)
        entry->changed = false;
    session->new_id = NULL;
    session->cleared = session->max_age_changed = session->changed = session->refreshed = false;
}

static void save(ghttp_request *r, struct gf_session *session)
{
    const char *locked = session->id ? session->id : session->new_id, *id = NULL;
    bool tells = session->new_id || session->max_age_changed || session->refreshed;
    struct gf_session_files *files;
    int result = find_files(r, &files);

    if (result < 0)
        return;
    gf_session_files_lock(files, locked);
    result = merge(r, session, files, &id);
    gf_session_files_unlock(files, locked);
    gf_session_files_sweep(files);
    if (result == -ENOSPC)
        complain("their folder is full (sessionMaxCount, or the disk)");
    else if (result < 0 && result != -ENOENT)
        glog_error("a session was not saved: %s", strerror(-result));
    if (result < 0)
        return;
    if (id && tells)
        set_cookie(r, session, id);
    else if (!id && session->id)
        set_cookie(r, session, NULL);
    session->id = id;
}

static void end_request(ghttp_request *r, void *arg)
{
    struct gf_session *session = arg;

    session->queued = false;
    if (session->changed && (session->id || session->new_id))
        save(r, session);
    else if (session->refreshed)
        set_cookie(r, session, session->id);
    forget_changes(session);
}

static int queue(ghttp_request *r, struct gf_session *session)
{
    if (session->queued)
        return 0;
    int result = gf_request_before_output(r, end_request, session);
    session->queued = !result;
    return result;
}

static int mark_changed(ghttp_request *r, struct gf_session *session)
{
    int result = r->response.final ? -EALREADY : queue(r, session); /* a hook after all is too late */

    if (!result)
        session->changed = true;
    return result;
}

/* ---- the begin of it ---- */

static const char *find_id(ghttp_request *r)
{
    const struct gf_settings *set = &r->server->settings;
    const char *id = ghttp_request_cookie(r, set->session_id_name);

    if (!id && set->session_header)
        id = ghttp_request_header(r, set->session_id_name);
    return id && gf_session_id_is_shaped(id) ? gf_arena_strdup(r->arena, id) : NULL;
}

static int take_values(ghttp_request *r, struct gf_session *session, const struct gf_session_record *record)
{
    const char *key, *value;
    int result = 0;

    for (void *at = gf_session_record_next(record, NULL, &key, &value); at && !result;
         at = gf_session_record_next(record, at, &key, &value))
        result = put_entry(r, session, key, value, false);
    session->max_age_ms = record->max_age_ms;
    return result;
}

/* A session lives on by being used. */
static void refresh(ghttp_request *r, struct gf_session *session, struct gf_session_files *files, int64_t ends_ms)
{
    int64_t max_age = max_age_of(r, session), now = gf_session_files_now(files);

    if (ends_ms - now > max_age - max_age / REFRESH_PART)
        return;
    if (gf_session_files_touch(files, session->id, now + max_age) == 0 && queue(r, session) == 0)
        session->refreshed = true;
    gf_session_files_sweep(files);
}

static void load(ghttp_request *r, struct gf_session *session)
{
    const char *id = find_id(r);
    struct gf_session_record record;
    struct gf_session_files *files;
    int64_t ends_ms;

    if (!id || find_files(r, &files) < 0)
        return;
    int result = read_record(files, id, &record, &ends_ms);
    if (!result) {
        result = take_values(r, session, &record);
        gf_session_record_finish(&record);
    }
    if (!result) {
        session->id = id;
        refresh(r, session, files, ends_ms);
        return;
    }
    session->entries = NULL;
    session->max_age_ms = 0;
    if (result != -ENOENT)
        glog_error("a session was not read: %s", strerror(-result));
}

static struct gf_session *find_session(ghttp_request *r)
{
    if (!r->session) {
        struct gf_session *session = gf_arena_alloc(r->arena, sizeof(*session));
        if (!session)
            return NULL;
        load(r, session);
        r->session = session;
    }
    return r->session;
}

/* ---- the interface ---- */

const char *ghttp_session_id(ghttp_request *r)
{
    const struct gf_session *session = find_session(r);

    if (!session || is_empty(session))
        return NULL;
    return session->new_id ? session->new_id : session->id;
}

const char *ghttp_session_get(ghttp_request *r, const char *key)
{
    const struct gf_session *session = find_session(r);
    const struct entry *entry = session && key ? find_entry(session, key) : NULL;

    return entry ? entry->value : NULL;
}

static int make_new_id(ghttp_request *r, struct gf_session *session)
{
    char id[GF_SESSION_ID_SIZE + 1];
    int result = gf_session_id_make(id);
    const char *copy = result ? NULL : gf_arena_strdup(r->arena, id);

    if (result)
        return result;
    if (!copy)
        return -ENOMEM;
    session->new_id = copy;
    return 0;
}

/* Makes sure that there is a session that a value can be set in. */
static int begin(ghttp_request *r, struct gf_session *session)
{
    struct gf_session_files *files;

    if (session->id || session->new_id)
        return 0;
    if (r->response.sent)
        return -EALREADY;
    int result = find_files(r, &files);
    return result < 0 ? result : make_new_id(r, session);
}

static int set(ghttp_request *r, const char *key, const char *value)
{
    struct gf_session *session;
    int result;

    if (!key || !*key || strlen(key) > GF_SESSION_KEY_MAX)
        return -EINVAL;
    session = find_session(r);
    if (!session)
        return -ENOMEM;
    if (!value && !find_entry(session, key))
        return 0;
    if (value && !has_room(session, key, value))
        return -E2BIG;
    result = value ? begin(r, session) : 0;
    if (!result)
        result = mark_changed(r, session);
    return result ? result : put_entry(r, session, key, value, true);
}

int ghttp_session_set(ghttp_request *r, const char *key, const char *value)
{
    return set(r, key, value);
}

int ghttp_session_remove(ghttp_request *r, const char *key)
{
    return set(r, key, NULL);
}

int ghttp_session_clear(ghttp_request *r)
{
    struct gf_session *session = find_session(r);
    int result = session ? 0 : -ENOMEM;

    if (result || (!session->id && !session->new_id))
        return result;
    result = mark_changed(r, session);
    if (result)
        return result;
    session->cleared = true;
    session->entries = NULL;
    return 0;
}

int ghttp_session_regenerate(ghttp_request *r)
{
    struct gf_session *session = find_session(r);

    if (!session)
        return -ENOMEM;
    if (!session->id)
        return 0;
    if (r->response.sent)
        return -EALREADY;
    int result = mark_changed(r, session);
    return result ? result : make_new_id(r, session);
}

int ghttp_session_set_max_age(ghttp_request *r, long seconds)
{
    struct gf_session *session = find_session(r);

    if (!session)
        return -ENOMEM;
    if (seconds < 0 || seconds > MAX_AGE_SECONDS)
        return -EINVAL;
    if (is_empty(session))
        return -ENOENT;
    int result = mark_changed(r, session);
    if (result)
        return result;
    session->max_age_ms = (int64_t)seconds * 1000;
    session->max_age_changed = true;
    return 0;
}
