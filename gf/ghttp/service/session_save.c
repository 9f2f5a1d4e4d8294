/*
 * How what a request has changed of a session gets into the store, and its id to the client: before the response goes
 * out.
 *
 * Only what the request has changed is put into what the store has by then, in one step: of two requests at once the
 * later one wins for each key, not for the whole. A session that has ended meanwhile, or got another id, is not brought
 * back by a request that still knew it. Thread: the request's own.
 */
#include <errno.h>
#include <string.h>

#include <gf/glog/glog.h>

#include "../message/request.h"
#include "../server/cookie_defaults.h"
#include "../server/server.h"
#include "session_record.h"
#include "session_stores.h"
#include "session_view.h"

/* ---- the cookie ---- */

int64_t gf_session_max_age(const ghttp_request *r, const struct gf_session *session)
{
    return session->max_age_ms ? session->max_age_ms : r->server->settings.session_max_age;
}

/* 0: until the browser ends. */
static int64_t cookie_age(const ghttp_request *r, const struct gf_session *session)
{
    const struct gf_settings *set = &r->server->settings;

    if (!set->session_cookie_max_age)
        return 0;
    return session->max_age_ms ? session->max_age_ms : set->session_cookie_max_age;
}

/* Whether a cookie can be set at all. */
static bool has_cookie(const ghttp_request *r)
{
    return r->server->settings.session_cookie_output && !r->response.sent;
}

/* The end of the session says nothing of it: whatever is saved moves that one, and its age may be another. */
bool gf_session_cookie_is_due(const ghttp_request *r, const struct gf_session *session, int64_t now_ms)
{
    int64_t age = cookie_age(r, session), part = age / GF_SESSION_REFRESH_PART;
    int64_t left = session->cookie_ends_ms - now_ms;

    if (!has_cookie(r))
        return false;
    return age ? left < age - part || left > age + part : session->cookie_ends_ms != 0;
}

/* value NULL: the client is to forget it. */
static void set_cookie(ghttp_request *r, const struct gf_session *session, const char *value)
{
    const struct gf_settings *set = &r->server->settings;
    struct ghttp_cookie cookie;

    if (!has_cookie(r))
        return;
    int result = gf_cookie_defaults(set, &cookie);
    cookie.name = set->session_id_name;
    cookie.value = value;
    cookie.max_age = value ? (long)(cookie_age(r, session) / 1000) : -1;
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
    for (const struct gf_session_entry *entry = session->entries; entry && !result; entry = entry->next)
        if (entry->changed && !entry->value)
            result = gf_session_record_set(record, entry->key, NULL);
    for (const struct gf_session_entry *entry = session->entries; entry && !result; entry = entry->next)
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
    bool tells;             /* a cookie will be sent */
    int64_t cookie_ends_ms; /* of that one */
    bool ends;              /* no value is left */
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
    if (saving->tells)
        record.cookie_ends_ms = saving->cookie_ends_ms;
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
    for (struct gf_session_entry *entry = session->entries; entry; entry = entry->next)
        entry->changed = false;
    session->new_id = NULL;
    session->cleared = session->max_age_changed = session->changed = false;
}

bool gf_session_is_said(const struct gf_session_store *store, int result)
{
    return store->kind->logs && result != -EBADMSG && result != -E2BIG && result != -ENOMEM;
}

/* -ENOENT: another request has ended the session, so there is nothing to complain of. */
static void report(const struct gf_session_store *store, int result)
{
    if (result == -ENOSPC)
        gf_session_stores_complain(store->kind->full);
    else if (result < 0 && result != -ENOENT && !gf_session_is_said(store, result))
        glog_error("a session was not saved: %s", gf_session_stores_reason(result));
}

static void tell_client(ghttp_request *r, struct gf_session *session, const struct saving *saving)
{
    if (saving->ends && session->id)
        set_cookie(r, session, NULL);
    if (saving->ends || !saving->tells)
        return;
    set_cookie(r, session, session->new_id ? session->new_id : session->id);
    session->cookie_ends_ms = saving->cookie_ends_ms;
}

static void save(ghttp_request *r, struct gf_session *session)
{
    struct saving saving = {.r = r, .session = session};
    int result = gf_session_stores_find(r->server, &saving.store);

    if (result < 0)
        return;
    int64_t now = saving.store->now_ms(), age = cookie_age(r, session);
    bool due = session->id && gf_session_cookie_is_due(r, session, now);
    if (!session->changed && !due)
        return;
    saving.tells = has_cookie(r) && (session->new_id || session->max_age_changed || due);
    saving.cookie_ends_ms = age ? now + age : 0;
    result = saving.store->kind->update(saving.store, session->id, session->new_id, merge, &saving);
    saving.store->kind->sweep(saving.store);
    report(saving.store, result);
    if (result < 0 && (session->changed || result == -ENOENT))
        return;
    tell_client(r, session, &saving); /* if nothing but the cookie was to be renewed, also where nothing can be saved */
    session->id = saving.ends ? NULL : session->new_id ? session->new_id : session->id;
}

static void end_request(ghttp_request *r, void *arg)
{
    struct gf_session *session = arg;

    session->queued = false;
    if (session->id || session->new_id)
        save(r, session);
    forget_changes(session);
}

int gf_session_queue(ghttp_request *r, struct gf_session *session)
{
    if (session->queued)
        return 0;
    int result = gf_request_before_output(r, end_request, session);
    session->queued = !result;
    return result;
}

int gf_session_mark_changed(ghttp_request *r, struct gf_session *session)
{
    int result = r->response.final ? -EALREADY : gf_session_queue(r, session); /* a hook after all is too late */

    if (!result)
        session->changed = true;
    return result;
}
