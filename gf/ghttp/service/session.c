/*
 * Sessions as handlers see them: read when a request first asks, saved before its response goes out.
 *
 * A request works on its own view. At the end only what it has changed is put into what the store has by then, in
 * one step: of two requests at once the later one wins for each key, not for the whole. A session that has
 * ended meanwhile, or got another id, is not brought back by a request that still knew it.
 *
 * An id is used only if it has the shape of one and there is a session of it; for a new session a new id is made,
 * whatever the client has sent, so that nobody can plant one. Thread: the request's own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gf/glog/glog.h>

#include "../message/arena.h"
#include "../message/request.h"
#include "../server/cookie_defaults.h"
#include "../server/server.h"
#include "session_id.h"
#include "session_record.h"
#include "session_stores.h"

#define MAX_AGE_SECONDS (400L * 24 * 60 * 60)
/* A use moves the end of a session, and its cookie's, once this part of its age has gone by: not at each request. */
#define REFRESH_PART 16

struct entry {
    struct entry *next;
    const char *key;
    const char *value; /* NULL: taken away */
    bool changed;
};

struct gf_session {
    int error;          /* why it could not be read; 0: it could, or there is none */
    const char *id;     /* there is a text of it in the store; NULL: there is none */
    const char *new_id; /* under which it will be saved; NULL: id */
    struct entry *entries;
    int64_t max_age_ms; /* 0: as the settings say */
    bool cleared;       /* before the changes in entries */
    bool max_age_changed;
    bool changed;
    bool refreshed; /* the cookie is to be sent again */
    bool queued;    /* end_request() will be called */
};

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
    cookie.secure |= ghttp_request_is_https(r);
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

/* What an update of the store is about. */
struct saving {
    const ghttp_request *r;
    const struct gf_session *session;
    struct gf_session_store *store;
    bool ends; /* no value is left */
};

/* Puts what this request has changed into what the session says by now. */
static int merge(void *arg, const char *text, char **ret_text, int64_t *ret_ends_ms)
{
    struct saving *saving = arg;
    struct gf_session_record record;
    int result = text ? gf_session_record_parse(&record, text) : gf_session_record_init(&record);

    if (result < 0)
        return result;
    result = apply(saving->session, &record);
    saving->ends = gf_session_record_is_empty(&record);
    int64_t max_age = record.max_age_ms ? record.max_age_ms : saving->r->server->settings.session_max_age;
    if (!result && !saving->ends) {
        *ret_text = gf_session_record_print(&record);
        *ret_ends_ms = saving->store->now_ms() + max_age;
        result = *ret_text ? 0 : -ENOMEM;
    }
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

/* Whether the store has said itself that it failed so. */
static bool is_said(const struct gf_session_store *store, int result)
{
    return store->kind->logs && result != -EBADMSG && result != -E2BIG && result != -ENOMEM;
}

/* -ENOENT: another request has ended the session, so there is nothing to complain of. */
static void report(const struct gf_session_store *store, int result)
{
    if (result == -ENOSPC)
        gf_session_stores_complain(store->kind->full);
    else if (result < 0 && result != -ENOENT && !is_said(store, result))
        glog_error("a session was not saved: %s", strerror(-result));
}

static void save(ghttp_request *r, struct gf_session *session)
{
    const char *id = session->new_id ? session->new_id : session->id;
    bool tells = session->new_id || session->max_age_changed || session->refreshed;
    struct saving saving = {.r = r, .session = session};
    int result = gf_session_stores_find(r->server, &saving.store);

    if (result < 0)
        return;
    result = saving.store->kind->update(saving.store, session->id, session->new_id, merge, &saving);
    saving.store->kind->sweep(saving.store);
    report(saving.store, result);
    if (result < 0)
        return;
    if (!saving.ends && tells)
        set_cookie(r, session, id);
    else if (saving.ends && session->id)
        set_cookie(r, session, NULL);
    session->id = saving.ends ? NULL : id;
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
static void refresh(ghttp_request *r, struct gf_session *session, struct gf_session_store *store, int64_t ends_ms)
{
    int64_t max_age = max_age_of(r, session), now = store->now_ms();

    if (ends_ms - now > max_age - max_age / REFRESH_PART)
        return;
    if (store->kind->touch(store, session->id, now + max_age) == 0 && queue(r, session) == 0)
        session->refreshed = true;
    store->kind->sweep(store);
}

static int read_values(ghttp_request *r, struct gf_session *session, struct gf_session_store *store, const char *id,
                       int64_t *ret_ends_ms)
{
    struct gf_session_record record;
    char *text;
    int result = store->kind->read(store, id, &text, ret_ends_ms);

    if (result < 0)
        return result;
    result = gf_session_record_parse(&record, text);
    free(text);
    if (result < 0)
        return result;
    result = take_values(r, session, &record);
    gf_session_record_finish(&record);
    return result;
}

static void load(ghttp_request *r, struct gf_session *session)
{
    const char *id = find_id(r);
    struct gf_session_store *store;
    int64_t ends_ms;
    int result = id ? gf_session_stores_find(r->server, &store) : 0;

    if (!id || result < 0) {
        session->error = result;
        return;
    }
    result = read_values(r, session, store, id, &ends_ms);
    if (!result) {
        session->id = id;
        refresh(r, session, store, ends_ms);
        return;
    }
    session->entries = NULL;
    session->max_age_ms = 0;
    if (result != -ENOENT && !is_said(store, result))
        glog_error("a session was not read: %s", strerror(-result));
    if (result != -ENOENT && result != -EBADMSG) /* what is damaged will not become readable again */
        session->error = result;
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

int ghttp_session_error(ghttp_request *r)
{
    const struct gf_session *session = find_session(r);

    return session ? session->error : -ENOMEM;
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
    struct gf_session_store *store;

    if (session->id || session->new_id)
        return 0;
    if (session->error) /* there may be one: it is not to be lost for a new one */
        return session->error;
    if (r->response.sent)
        return -EALREADY;
    int result = gf_session_stores_find(r->server, &store);
    if (!result)
        result = store->kind->check(store);
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
