/*
 * The folder of the files of sessions: made where there is none, and not used where anybody else could be in it.
 *
 * Each server has one of its own, named as it is, so that a session which was begun with one server is worth nothing
 * with another. Where no folder is named in the settings, each program has one of its own too.
 *
 * Owns: nothing. Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_FOLDER_H
#define GF_GHTTP_SERVICE_SESSION_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Opens the folder of this server in path, making both, and those above path, with mode 0700 if there are none. path
 * "": gsessions-<uid>/<program> in $TMPDIR, else in /tmp. Its descriptor, the caller's; -EPERM: one of both belongs to
 * somebody else, or others may enter it; another negative errno; always with a sentence that names the setting.
 */
int gf_session_folder_open(const char *path, const char *server, char *error, size_t size);

/* Whether it is a folder that there is, and is this user's alone. */
bool gf_session_folder_is_usable(int fd);

#endif
