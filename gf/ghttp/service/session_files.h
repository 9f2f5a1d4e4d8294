/*
 * Where sessions are kept: one file for each in a folder that nobody else may enter. What is in a file is not this
 * room's business; that it is there whole or not at all, for one user, until its time, is.
 *
 * A file's modification time is when its session ends: a use moves it without writing the content, and what has ended
 * is found without reading it. Files outlive the process, so a restart loses no session; during one, the old and the
 * new process use the same folder, and the lock holds between processes as well as between threads.
 *
 * Owns: descriptors of the folder and of its lock. Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_FILES_H
#define GF_GHTTP_SERVICE_SESSION_FILES_H

#include <stddef.h>
#include <stdint.h>

/* The content of one; 64 KiB of a session in JSON, where a byte can take six. */
#define GF_SESSION_FILE_MAX ((size_t)512 << 10)

struct gf_session_files;

/*
 * Opens the folder, making it (mode 0700) if there is none; its parents must exist. path NULL or "": gsessions-<uid> in
 * $TMPDIR, else in /tmp. now_ms NULL: the real time. -EPERM: it belongs to somebody else, or others may enter it;
 * another negative errno; always with a sentence.
 */
int gf_session_files_open(const char *path, int64_t max_count, int64_t (*now_ms)(void),
                          struct gf_session_files **ret_files, char *error, size_t error_size);
/* NULL is fine. */
void gf_session_files_close(struct gf_session_files *files);

/* Between these two nobody else who locks reads or changes the session of this id. May block for a moment. */
void gf_session_files_lock(struct gf_session_files *files, const char *id);
void gf_session_files_unlock(struct gf_session_files *files, const char *id);

/* The content, 0-terminated, the caller's (free), and when it ends. -ENOENT: there is none, or its time is over. */
int gf_session_files_read(struct gf_session_files *files, const char *id, char **ret_text, int64_t *ret_ends_ms);
/* Replaces the content or makes the file, locked. -ENOSPC: the folder is full, or has max_count of them. */
int gf_session_files_write(struct gf_session_files *files, const char *id, const char *text, int64_t ends_ms);
/* Lets it end later. */
int gf_session_files_touch(struct gf_session_files *files, const char *id, int64_t ends_ms);
/* 0 also if there is none. */
int gf_session_files_remove(struct gf_session_files *files, const char *id);

/* Removes what has ended, looking at a few hundred files, once a second at most: where the last call has stopped. How
 * many it has removed. */
unsigned gf_session_files_sweep(struct gf_session_files *files);

/* Milliseconds since 1970; NULL: by the real clock. */
int64_t gf_session_files_now(const struct gf_session_files *files);

#endif
