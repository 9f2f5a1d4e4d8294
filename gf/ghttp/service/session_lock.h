/*
 * The lock of sessions that are files: one for each of them, as good as, which holds between threads and between the
 * processes of a restart. Each is a mutex, and a byte of a file beside the sessions.
 *
 * Owns: the file's descriptor. Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_LOCK_H
#define GF_GHTTP_SERVICE_SESSION_LOCK_H

#include <pthread.h>
#include <stddef.h>

/* Requests of so many sessions can be at their files at once. */
#define GF_SESSION_LOCK_STRIPES 64

struct gf_session_lock {
    int fd;
    pthread_mutex_t stripes[GF_SESSION_LOCK_STRIPES];
};

/* In this folder. 0, or a negative errno with a sentence. */
int gf_session_lock_init(struct gf_session_lock *lock, int folder, char *error, size_t size);
void gf_session_lock_finish(struct gf_session_lock *lock);

/* Between these two nobody else who locks reads or changes the session of this id. May block for a moment, and for
 * GF_SESSION_LOCK_TIMEOUT_S at most: -ETIMEDOUT. */
int gf_session_lock_take(struct gf_session_lock *lock, const char *id);
void gf_session_lock_give_back(struct gf_session_lock *lock, const char *id);

#endif
