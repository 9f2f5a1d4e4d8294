/*
 * A session as one request sees it: the values that it had when the request first asked for one, and what the request
 * has changed since. session.c reads it, session_save.c puts the changes into the store.
 *
 * Owns: nothing; the memory is the request's. Thread: the request's own.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_VIEW_H
#define GF_GHTTP_SERVICE_SESSION_VIEW_H

#include <stdbool.h>
#include <stdint.h>

#include <gf/ghttp/ghttp.h>

#include "session_store.h"

struct gf_session_entry {
    struct gf_session_entry *next;
    const char *key;
    const char *value; /* NULL: taken away */
    bool changed;
};

struct gf_session {
    int error;          /* why it could not be read; 0: it could, or there is none */
    const char *id;     /* there is a text of it in the store; NULL: there is none */
    const char *new_id; /* under which it will be saved; NULL: id */
    struct gf_session_entry *entries;
    int64_t max_age_ms;     /* 0: as the settings say */
    int64_t cookie_ends_ms; /* of the cookie that was sent last; 0: nobody knows, or with the browser */
    bool cleared;           /* before the changes in entries */
    bool max_age_changed;
    bool changed;
    bool queued; /* it will be looked at before the response goes out */
};

/* ---- its values ---- */

/* NULL: there is none. */
struct gf_session_entry *gf_session_find(const struct gf_session *session, const char *key);
bool gf_session_is_empty(const struct gf_session *session);
/* Copies both; value NULL: taken away. 0 or -ENOMEM. */
int gf_session_put(ghttp_request *r, struct gf_session *session, const char *key, const char *value, bool changed);
/* Whether it may have this value beside all others. */
bool gf_session_has_room(const struct gf_session *session, const char *key, const char *value);

/* ---- its end (session_save.c) ---- */

/* A use moves the end of a session, and its cookie's, once this part of its age has gone by: not at each request. */
#define GF_SESSION_REFRESH_PART 16

/* How long it lives after its last use. */
int64_t gf_session_max_age(const ghttp_request *r, const struct gf_session *session);
/* Whether the browser is to get its cookie again, since a part of its age has gone by, or it has another age now. */
bool gf_session_cookie_is_due(const ghttp_request *r, const struct gf_session *session, int64_t now_ms);
/* Has it looked at before the response goes out. 0 or -ENOMEM. */
int gf_session_queue(ghttp_request *r, struct gf_session *session);
/* Something of it is to be saved. 0; -EALREADY: the response is past all changes; -ENOMEM. */
int gf_session_mark_changed(ghttp_request *r, struct gf_session *session);
/* Whether the store has said itself that it failed so. */
bool gf_session_is_said(const struct gf_session_store *store, int result);

#endif
