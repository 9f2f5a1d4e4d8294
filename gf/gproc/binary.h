/*
 * Executables: whether a file is one, and where one of a name is.
 */
#ifndef GF_GPROC_BINARY_H
#define GF_GPROC_BINARY_H

#include <stddef.h>

/* 0: a regular file that this process may execute; -ENOENT, -EACCES or what the system says. */
int gf_binary_check(const char *path);

/* An absolute path for one that has a slash or is a file of the working directory. 0, -ENAMETOOLONG, -ENOENT … */
int gf_binary_make_absolute(const char *path, char *buffer, size_t size);

/* Looks for a name without a slash in the folders of a list as $PATH is one. Results as gproc_search_binary(). */
int gf_binary_search_path(const char *name, const char *folders, char *buffer, size_t size);

#endif
