/*
 * A bundle of embedded files seen as a folder: the same names find the same things in both.
 *
 * Thread: any; bundles are constants.
 */
#ifndef GF_GHTTP_SERVICE_STATIC_BUNDLE_H
#define GF_GHTTP_SERVICE_STATIC_BUNDLE_H

#include <stddef.h>

struct gf_arena;
struct gf_file;
struct gres_bundle;
struct gres_file;

/*
 * Finds a name (no slash at its begin; "": all of the bundle) as the kernel would: doubled slashes count as one, a
 * slash at the end asks for a folder. 0: *ret_file is the file; -EISDIR: it is a folder; -ENOENT, -ENOTDIR, -ENOMEM.
 */
int gf_bundle_open(const struct gres_bundle *bundle, struct gf_arena *arena, const char *name,
                   struct gf_file *ret_file);

/* An entry of a folder: a file, or, if file is NULL, a folder. */
struct gf_bundle_entry {
    const char *name; /* not ended by a 0, but by its size */
    size_t name_size;
    const struct gres_file *file;
};

/* A look through the entries of a folder. */
struct gf_bundle_walk {
    const struct gres_bundle *bundle;
    const char *folder; /* with a slash at its end; "": all of the bundle */
    size_t next;
};

/* Begins to look through the folder of this name. 0, or -ENOMEM. */
int gf_bundle_walk_init(struct gf_bundle_walk *walk, const struct gres_bundle *bundle, struct gf_arena *arena,
                        const char *name);
/* The next entry: 0, or -ENOENT at the end; -ENOMEM. The arena is for what is needed meanwhile. */
int gf_bundle_walk_next(struct gf_bundle_walk *walk, struct gf_arena *arena, struct gf_bundle_entry *ret_entry);

#endif
