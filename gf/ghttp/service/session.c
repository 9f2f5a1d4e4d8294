/*
 * Sessions as handlers see them: read when a request first asks, saved before its response goes out (session_save.c).
 *
 * An id is used only if it has the shape of one and there is a session of it; for a new session a new id is made,
 * whatever the client has sent, so that nobody can plant one. Thread: the request's own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gf/glog/glog.h>

#include "../message/arena.h"
#include "../message/convert.h"
#include "../message/request.h"
#include "../server/server.h"
#include "session_id.h"
#include "session_record.h"
#include "session_stores.h"
#include "session_view.h"

#define MAX_AGE_SECONDS (400L * 24 * 60 * 60)

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
        result = gf_session_put(r, session, key, value, false);
    session->max_age_ms = record->max_age_ms;
    session->cookie_ends_ms = record->cookie_ends_ms;
    return result;
}

/* A session lives on by being used, and so does its cookie, whose age may be another: that is seen to at the end of the
 * request. */
static void refresh(ghttp_request *r, struct gf_session *session, struct gf_session_store *store, int64_t ends_ms)
{
    int64_t max_age = gf_session_max_age(r, session), now = store->now_ms();

    if (gf_session_cookie_is_due(r, session, now))
        gf_session_queue(r, session); /* without memory the next request sends it */
    if (ends_ms - now > max_age - max_age / GF_SESSION_REFRESH_PART)
        return;
    store->kind->touch(store, session->id, now + max_age);
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
    session->max_age_ms = session->cookie_ends_ms = 0;
    if (result != -ENOENT && !gf_session_is_said(store, result))
        glog_error("a session was not read: %s", gf_session_stores_reason(result));
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

    if (!session || gf_session_is_empty(session))
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
    const struct gf_session_entry *entry = session && key ? gf_session_find(session, key) : NULL;

    return entry ? entry->value : NULL;
}

long ghttp_session_get_int(ghttp_request *r, const char *key, long fallback)
{
    const char *text = ghttp_session_get(r, key);
    long number;

    return text && gf_convert_long(text, &number) ? number : fallback;
}

double ghttp_session_get_double(ghttp_request *r, const char *key, double fallback)
{
    const char *text = ghttp_session_get(r, key);
    double number;

    return text && gf_convert_double(text, &number) ? number : fallback;
}

bool ghttp_session_get_bool(ghttp_request *r, const char *key, bool fallback)
{
    const char *text = ghttp_session_get(r, key);
    bool value;

    return text && gf_convert_bool(text, &value) ? value : fallback;
}

bool ghttp_session_contains(ghttp_request *r, const char *key)
{
    return ghttp_session_get(r, key) != NULL;
}

static bool go_on(const char *key, const char *value, void *arg)
{
    (void)key;
    (void)value;
    (void)arg;
    return true;
}

size_t ghttp_session_size(ghttp_request *r)
{
    return ghttp_session_each(r, go_on, NULL);
}

/* New entries come before the first, and none ever goes. */
size_t ghttp_session_each(ghttp_request *r, ghttp_pair *fn, void *arg)
{
    const struct gf_session *session = find_session(r);
    size_t count = 0;
    bool goes_on = fn != NULL;

    for (struct gf_session_entry *entry = session ? session->entries : NULL; entry && goes_on; entry = entry->next) {
        if (!entry->value)
            continue;
        count++;
        goes_on = fn(entry->key, entry->value, arg);
    }
    return count;
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
    if (result == -ENOSPC)
        gf_session_stores_complain(store->kind->full);
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
    if (!value && !gf_session_find(session, key))
        return 0;
    if (value && !gf_session_has_room(session, key, value))
        return -E2BIG;
    result = value ? begin(r, session) : 0;
    if (!result)
        result = gf_session_mark_changed(r, session);
    return result ? result : gf_session_put(r, session, key, value, true);
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
    result = gf_session_mark_changed(r, session);
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
    int result = gf_session_mark_changed(r, session);
    return result ? result : make_new_id(r, session);
}

int ghttp_session_set_max_age(ghttp_request *r, long seconds)
{
    struct gf_session *session = find_session(r);

    if (!session)
        return -ENOMEM;
    if (seconds < 0 || seconds > MAX_AGE_SECONDS)
        return -EINVAL;
    if (gf_session_is_empty(session))
        return -ENOENT;
    int result = gf_session_mark_changed(r, session);
    if (result)
        return result;
    session->max_age_ms = (int64_t)seconds * 1000;
    session->max_age_changed = true;
    return 0;
}
