/*
 * A store of sessions: where the texts of session_record.h are kept by the ids of session_id.h, each until its time.
 * What a text says is not a store's business; that it is there whole or not at all, for one user, until its time, is.
 *
 * There is one file for each kind: session_files.c, session_memory.c, session_redis.c. A struct of a kind begins with
 * its gf_session_store. Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_STORE_H
#define GF_GHTTP_SERVICE_SESSION_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The text of one; 64 KiB of a session in JSON, where a byte can take six. */
#define GF_SESSION_TEXT_MAX ((size_t)512 << 10)

/* Where a lock is held, it is for microseconds. Who does not get it for so long shares the sessions with a process that
 * was stopped in the middle, and shall not stand still with it: -ETIMEDOUT. */
#define GF_SESSION_LOCK_TIMEOUT_S 5

struct gf_session_store;

/*
 * Makes a session's next text (*ret_text: malloc'ed; NULL: it ends) and its end from the text that it has (NULL: it is
 * new). 0, or a negative errno, with which nothing changes. Called again when somebody else was faster.
 */
typedef int gf_session_edit(void *arg, const char *text, char **ret_text, int64_t *ret_ends_ms);

struct gf_session_store_kind {
    const char *full; /* why there is no room when it says -ENOSPC */
    bool logs;        /* the store logs itself that it does not work, so nobody has to for each request */

    /* The text, 0-terminated, the caller's (free), and when it ends. -ENOENT: there is none, or its time is over. */
    int (*read)(struct gf_session_store *store, const char *id, char **ret_text, int64_t *ret_ends_ms);
    /*
     * In one step, whoever else changes it at that moment: asks edit for the next text of the session, and puts it in
     * the place of the one that edit was given. id NULL: it is new; new_id NULL: it keeps its id. -ENOENT: there is no
     * session of this id (any more); -ENOSPC.
     */
    int (*update)(struct gf_session_store *store, const char *id, const char *new_id, gf_session_edit *edit, void *arg);
    /* Lets it end later. */
    int (*touch)(struct gf_session_store *store, const char *id, int64_t ends_ms);
    /* Removes some of what has ended, once a second at most. How many. */
    unsigned (*sweep)(struct gf_session_store *store);
    /* 0; negative: a new session could not be kept at this moment. */
    int (*check)(struct gf_session_store *store);
    void (*close)(struct gf_session_store *store);
};

struct gf_session_store {
    const struct gf_session_store_kind *kind;
    int64_t (*now_ms)(void); /* milliseconds since 1970, by which the ends are meant */
};

/* Begins a store of this kind. now_ms NULL: the real time. */
void gf_session_store_init(struct gf_session_store *store, const struct gf_session_store_kind *kind,
                           int64_t (*now_ms)(void));

int64_t gf_session_store_now(void);

/* NULL is fine. */
void gf_session_store_close(struct gf_session_store *store);

#endif
