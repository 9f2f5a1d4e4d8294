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

#include "session_store.h"

/*
 * Makes a store of a folder of gf_session_folder_open(), whose descriptor is the store's then, or closed. now_ms NULL:
 * the real time. 0, or a negative errno with a sentence.
 */
int gf_session_files_new(int folder, int64_t max_count, int64_t (*now_ms)(void), struct gf_session_store **ret_store,
                         char *error, size_t error_size);

/* The descriptor of its folder, which stays the store's; negative if this is no store of this kind. */
int gf_session_files_folder(const struct gf_session_store *store);

#endif
