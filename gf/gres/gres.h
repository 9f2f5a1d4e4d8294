/**
 * @file gres.h
 * Files embedded into the program when it is built.
 *
 * `gf_embed_files(<target> NAME web FOLDER web)` in CMakeLists.txt makes a bundle, that is an object `web` of type
 * gres_bundle, and a header `web.h` that declares it. docs/files.md says more.
 *
 * Bundles and their files are constants: they live as long as the program and are nobody's to free. Threads: any.
 */
#ifndef GF_GRES_H
#define GF_GRES_H

#include <stddef.h>
#include <stdint.h>

#include <gf/export.h>

GF_BEGIN_DECLS

/** One embedded file. */
typedef struct gres_file {
    const char *path;           /**< below the embedded folder, behind the PREFIX: "css/site.css" */
    const unsigned char *bytes; /**< a 0 that is not the file's follows them, so that a text is a C string */
    size_t size;                /**< of the file, in bytes */
    int64_t modified; /**< when, in seconds since 1970; at the latest SOURCE_DATE_EPOCH, if the build had one */
    const char *hash; /**< SHA-256 of the bytes, 64 hexadecimal digits */
} gres_file;

/** The layout that this header describes; what gf_embed_files() generates says which one it was made for. */
#define GRES_LAYOUT 1

/** Files of one folder. Made by gf_embed_files(), never by hand. */
typedef struct gres_bundle {
    unsigned layout; /**< GRES_LAYOUT */
    size_t count;
    const gres_file *files; /**< sorted by the bytes of their paths */
} gres_bundle;

/**
 * The file with this path, in time of the logarithm of their number. Slashes at the path's begin do not count.
 * @return NULL: there is none, or an argument is NULL.
 */
GF_API const gres_file *gres_find(const gres_bundle *bundle, const char *path);

/**
 * The number of the first file whose path does not come before this text: where the files of a folder begin
 * ("css/"), which then follow one another. @return the count of files if all come before it; 0 if an argument is NULL.
 */
GF_API size_t gres_seek(const gres_bundle *bundle, const char *text);

/**
 * Whether the bundle is as gres_find() needs it: of this layout, each path there, without a slash at its begin, and
 * behind the one before it. The generated ones are. @return 0, -EINVAL.
 */
GF_API int gres_check(const gres_bundle *bundle);

GF_END_DECLS

#endif
