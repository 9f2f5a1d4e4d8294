/**
 * @file gcfg.h
 * Configuration files: YAML or JSON, read into a tree that is not changed afterwards.
 *
 * A tree is at most 1 MiB of text, 32 levels and 10,000 values. Keys are looked up as they are written; where there is
 * none such, case, `-`, `_` and blanks in them do not matter: `readTimeout`, `read-timeout` and `READ_TIMEOUT` are one
 * key. A key that occurs twice in one map, an alias (`*name`), a merge key (`<<`) or a tag that is not YAML's own is an
 * error.
 *
 * Texts and nodes belong to the tree and live as long as it does.
 */
#ifndef GF_GCFG_H
#define GF_GCFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gf/export.h>

GF_BEGIN_DECLS

/** What a file says. */
typedef struct gcfg gcfg;

/** One value of it. */
typedef struct gcfg_node gcfg_node;

/** What a value is. */
enum gcfg_kind {
    GCFG_NULL, /**< nothing, `~` or `null` */
    GCFG_TEXT, /**< a text, number or truth value: what is written, without its quotes */
    GCFG_LIST, /**< values in order */
    GCFG_MAP,  /**< values by key, in the order of the file */
};

/**
 * The file that a program's configuration is in, looked for as GoFrame does: `config.yaml`, and where that is nowhere
 * `config.yml`, then `config.json`; each in the working folder, in `config/` and `manifest/config/` below it, and in
 * the same three places of the executable's folder.
 *
 * The option `--gf.gcfg.file` of the program's command line, or else the environment variable GF_GCFG_FILE, names
 * another file, with its ending or without, which is looked for in the same places: `prod`, `prod/config.yaml`.
 * `--gf.gcfg.path` or GF_GCFG_PATH names one folder to search in the place of the two.
 *
 * @param path gets the path, at most size bytes with the end.
 * @return 0; -ENOENT: there is none (and none is named); -ENOTDIR: what GF_GCFG_PATH names is no folder; -EINVAL: one
 * of the options has no value; -ENAMETOOLONG.
 * Whether it can be read is not checked. Thread: any thread.
 */
GF_API int gcfg_find(char *path, size_t size);

/**
 * Reads a file: JSON if its name ends in `.json`, else YAML. Symbolic links are followed; what is no regular file is
 * refused.
 *
 * @param ret_cfg gets the tree, which the caller gives to gcfg_free().
 * @param error gets a sentence with file, line and column on failure, cut at size; or NULL and 0.
 * @return 0; -EINVAL for a text that is wrong, -EFBIG for one beyond the limits, -ENOMEM, or what open(2) or read(2)
 * say. Thread: any thread.
 */
GF_API int gcfg_load(const char *path, gcfg **ret_cfg, char *error, size_t size);

/**
 * gcfg_find(), then gcfg_load(): the file that the program's servers read too.
 * @param ret_cfg gets the tree; NULL where there is no file: gcfg_get() and its like find nothing in that.
 * @return 0 in both cases; else as gcfg_load(), or as gcfg_find(). Thread: any thread.
 */
GF_API int gcfg_load_found(gcfg **ret_cfg, char *error, size_t size);

/** The same as gcfg_load() for a text of this length in memory; the name stands for the file's. Thread: any thread. */
GF_API int gcfg_parse(const char *name, const char *text, size_t length, gcfg **ret_cfg, char *error, size_t size);

/** Frees the tree; NULL is fine. Thread: any thread. */
GF_API void gcfg_free(gcfg *cfg);

/** The name that it was read by. Thread: any thread. */
GF_API const char *gcfg_path(const gcfg *cfg);

/** Its top, a map. Thread: any thread. */
GF_API const gcfg_node *gcfg_root(const gcfg *cfg);

/**
 * A value by its way from the top: `server.s1.address`; in a list by number, the first is 0: `redis.0.host`. Keys that
 * contain a dot are to be had by gcfg_node_member(). In no tree (NULL, where there is no file) there is none.
 * @return the value; NULL: there is none. Thread: any thread.
 */
GF_API const gcfg_node *gcfg_get(const gcfg *cfg, const char *path);

/** gcfg_get() as text; the fallback when it is absent, null, a list or a map. Thread: any thread. */
GF_API const char *gcfg_text(const gcfg *cfg, const char *path, const char *fallback);
/** gcfg_get() as a whole number; the fallback when it is absent or is not one. Thread: any thread. */
GF_API int64_t gcfg_int(const gcfg *cfg, const char *path, int64_t fallback);
/** gcfg_get() as a number; the fallback when it is absent or is not one. Thread: any thread. */
GF_API double gcfg_double(const gcfg *cfg, const char *path, double fallback);
/** gcfg_get() as true (1, true, on, yes) or false (0, false, off, no); else the fallback. Thread: any thread. */
GF_API bool gcfg_bool(const gcfg *cfg, const char *path, bool fallback);

/** What a value is. Thread: any thread. */
GF_API enum gcfg_kind gcfg_node_kind(const gcfg_node *node);
/** The key under which it is in its map; "" in a list and for the top. Thread: any thread. */
GF_API const char *gcfg_node_key(const gcfg_node *node);
/** What is written, if it is a GCFG_TEXT; else NULL. Thread: any thread. */
GF_API const char *gcfg_node_text(const gcfg_node *node);
/** The value under this key, if the node is a map that has it; else NULL. Thread: any thread. */
GF_API const gcfg_node *gcfg_node_member(const gcfg_node *node, const char *key);
/** How many values it has; 0 for a text. Thread: any thread. */
GF_API size_t gcfg_node_count(const gcfg_node *node);
/** Its first value, and the one after a value: a loop over a map or list. NULL: no more. Thread: any thread. */
GF_API const gcfg_node *gcfg_node_first(const gcfg_node *node);
/** See gcfg_node_first(). Thread: any thread. */
GF_API const gcfg_node *gcfg_node_next(const gcfg_node *node);
/** Where it begins in the file, counted from 1. Thread: any thread. */
GF_API int gcfg_node_line(const gcfg_node *node);
/** The column of that, in characters. Thread: any thread. */
GF_API int gcfg_node_column(const gcfg_node *node);

/** Whether two keys are one: case, `-`, `_` and blanks do not matter. Thread: any thread. */
GF_API bool gcfg_is_same_key(const char *a, const char *b);

GF_END_DECLS

#endif
