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
    for (struct gf_session_entry *entry = session->entries; entry; entry = entry->next)
        entry->changed = false;
    session->new_id = NULL;
    session->cleared = session->max_age_changed = session->changed = session->refreshed = false;
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
