#include "static_bundle.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <gf/gres/gres.h>

#include "../message/arena.h"
#include "../message/file.h"

/* ---- names ---- */

/* The name with each row of slashes as one; NULL: no memory. */
static char *clean(struct gf_arena *arena, const char *name)
{
    char *copy = gf_arena_strdup(arena, name), *to = copy;

    for (const char *from = copy; from && *from; from++)
        if (*from != '/' || from[1] != '/')
            *to++ = *from;
    if (copy)
        *to = '\0';
    return copy;
}

static bool is_below(const struct gres_bundle *bundle, size_t at, const char *folder)
{
    return at < bundle->count && !strncmp(bundle->files[at].path, folder, strlen(folder));
}

/* folder has a slash at its end, or is "". */
static bool has_folder(const struct gres_bundle *bundle, const char *folder)
{
    return !*folder || is_below(bundle, gres_seek(bundle, folder), folder);
}

/* ---- opening ---- */

static bool ends_with_slash(const char *name)
{
    size_t size = strlen(name);

    return size && name[size - 1] == '/';
}

/* What a name stands for that has a slash at its end, or that is "". */
static int open_folder(const struct gres_bundle *bundle, char *name)
{
    if (has_folder(bundle, name))
        return -EISDIR;
    name[strlen(name) - 1] = '\0'; /* not "": that is a folder */
    return gres_find(bundle, name) ? -ENOTDIR : -ENOENT;
}

int gf_bundle_open(const struct gres_bundle *bundle, struct gf_arena *arena, const char *name, struct gf_file *ret_file)
{
    char *wanted = clean(arena, name);
    const char *folder;
    const gres_file *found;

    if (!wanted)
        return -ENOMEM;
    if (!*wanted || ends_with_slash(wanted))
        return open_folder(bundle, wanted);
    found = gres_find(bundle, wanted);
    if (found) {
        gf_file_set_bytes(ret_file, found->bytes, found->size, (time_t)found->modified, found->hash);
        return 0;
    }
    folder = gf_arena_printf(arena, "%s/", wanted);
    if (!folder)
        return -ENOMEM;
    return has_folder(bundle, folder) ? -EISDIR : -ENOENT;
}

/* ---- listing ---- */

int gf_bundle_walk_init(struct gf_bundle_walk *walk, const struct gres_bundle *bundle, struct gf_arena *arena,
                        const char *name)
{
    const char *folder = clean(arena, name);

    if (folder && *folder && !ends_with_slash(folder))
        folder = gf_arena_printf(arena, "%s/", folder);
    if (!folder)
        return -ENOMEM;
    *walk = (struct gf_bundle_walk){.bundle = bundle, .folder = folder, .next = gres_seek(bundle, folder)};
    return 0;
}

int gf_bundle_walk_next(struct gf_bundle_walk *walk, struct gf_arena *arena, struct gf_bundle_entry *ret_entry)
{
    const char *name, *slash, *behind;

    if (!is_below(walk->bundle, walk->next, walk->folder))
        return -ENOENT;
    name = walk->bundle->files[walk->next].path + strlen(walk->folder);
    slash = strchr(name, '/');
    if (!slash) {
        *ret_entry = (struct gf_bundle_entry){name, strlen(name), &walk->bundle->files[walk->next++]};
        return 0;
    }
    /* A folder: what comes next is behind all that is in it, that is behind the byte that follows the slash. */
    behind = gf_arena_printf(arena, "%s%.*s%c", walk->folder, (int)(slash - name), name, '/' + 1);
    if (!behind)
        return -ENOMEM;
    *ret_entry = (struct gf_bundle_entry){name, (size_t)(slash - name), NULL};
    walk->next = gres_seek(walk->bundle, behind);
    return 0;
}
