/*
 * A folder from which nothing leads out: what is opened in it is in it, whatever the name and whoever changes the
 * folder meanwhile.
 *
 * Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_STATIC_FOLDER_H
#define GF_GHTTP_SERVICE_STATIC_FOLDER_H

#include <stdbool.h>

struct ghttp_request;

/*
 * Whether a request's path may name a file at all: no step up, no hidden name, and no slash or backslash that was
 * encoded, since what routes take for one name must not be two for a folder.
 */
bool gf_folder_may_hold(const struct ghttp_request *r);

/*
 * Opens a name (no slash at its begin; "": the folder itself) below the folder for reading, without blocking. Symbolic
 * links are refused, or, if links is set, followed as long as they stay below. The descriptor, or a negative errno:
 * -ENOENT, -ELOOP for a link, -EXDEV for a way out.
 */
int gf_folder_open(const char *folder, const char *name, bool links);

/* The same, step by step, never through a link: for kernels without openat2(). */
int gf_folder_open_stepwise(const char *folder, const char *name);

#endif
