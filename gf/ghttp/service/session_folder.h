/*
 * The folder of the files of sessions: made where there is none, and not used where anybody else could be in it.
 *
 * Owns: nothing. Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_FOLDER_H
#define GF_GHTTP_SERVICE_SESSION_FOLDER_H

#include <stddef.h>

/*
 * Opens the folder, making it (mode 0700) if there is none; its parents must exist. path NULL or "": gsessions-<uid> in
 * $TMPDIR, else in /tmp. Its descriptor, the caller's; -EPERM: it belongs to somebody else, or others may enter it;
 * another negative errno; always with a sentence.
 */
int gf_session_folder_open(const char *path, char *error, size_t size);

#endif
