/*
 * The set-up of the static service: folders, bundles, prefixes, rewrites; checked at the start, when all of them are
 * known.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gf/gres/gres.h>

#include "../../gproc/start.h"
#include "../server/server.h"
#include "static_files.h"

/* Longer than any path that a kernel takes. */
#define PATH_SIZE 4096

static struct gf_static_files *files_of(ghttp_server *s)
{
    struct gf_static_files *files = (struct gf_static_files *)s->chain.files;

    if (files)
        return files;
    files = calloc(1, sizeof(*files));
    if (!files)
        return NULL;
    files->hook.rewrite = gf_static_files_rewrite;
    files->hook.serve = gf_static_files_serve;
    files->hook.has = gf_static_files_has;
    s->chain.files = &files->hook;
    return files;
}

/* What each call begins with. 0, or a negative errno with a sentence on the server. */
static int begin(ghttp_server *s, const char *call, const char *text, struct gf_static_files **ret_files)
{
    int result = gf_server_check_new(s, call);

    if (result < 0)
        return result;
    if (!text || !*text)
        return gf_server_fail(s, -EINVAL, "%s: a name is missing", call);
    *ret_files = files_of(s);
    return *ret_files ? 0 : gf_server_fail(s, -ENOMEM, "%s: no memory", call);
}

/* ---- the calls ---- */

int ghttp_server_set_root(ghttp_server *s, const char *folder)
{
    return ghttp_server_set(s, "serverRoot", folder);
}

int ghttp_server_set_index_files(ghttp_server *s, const char *list)
{
    return ghttp_server_set(s, "indexFiles", list);
}

int ghttp_server_set_index_folder(ghttp_server *s, bool on)
{
    return ghttp_server_set(s, "indexFolder", on ? "true" : "false");
}

int ghttp_server_add_search_path(ghttp_server *s, const char *folder)
{
    static const char call[] = "ghttp_server_add_search_path()";
    struct gf_static_files *files;
    char *copy;
    int result = begin(s, call, folder, &files);

    if (result < 0)
        return result;
    if (files->search_count == GF_STATIC_SEARCH_MAX)
        return gf_server_fail(s, -ENOSPC, "%s: more than %d folders", call, GF_STATIC_SEARCH_MAX);
    copy = strdup(folder);
    if (!copy)
        return gf_server_fail(s, -ENOMEM, "%s: no memory", call);
    files->search[files->search_count++] = copy;
    return 0;
}

/* Both texts are compared with decoded paths, and one becomes a raw path. */
static bool is_plain_path(const char *text)
{
    if (!text || *text != '/')
        return false;
    for (; *text; text++)
        if ((unsigned char)*text <= ' ' || *text == 0x7f || strchr("%?#\\", *text))
            return false;
    return true;
}

/* Two copies, or none. */
static int copy_both(const char *one, const char *other, char **ret_one, char **ret_other)
{
    char *first = strdup(one), *second = strdup(other);

    if (!first || !second) {
        free(first);
        free(second);
        return -ENOMEM;
    }
    *ret_one = first;
    *ret_other = second;
    return 0;
}

/* The longest prefix first; of the same, bundles before folders; else as they were added. */
static bool goes_before(const struct gf_static_mapping *a, const struct gf_static_mapping *b)
{
    size_t a_size = strlen(a->prefix), b_size = strlen(b->prefix);

    return a_size != b_size ? a_size > b_size : a->bundle && !b->bundle;
}

/* Puts a mapping into its place, its prefix without slashes at the end. */
static void insert_path(struct gf_static_files *files, struct gf_static_mapping *path)
{
    size_t at = files->path_count++;

    for (size_t size = strlen(path->prefix); size && path->prefix[size - 1] == '/'; size--)
        path->prefix[size - 1] = '\0';
    for (; at > 0 && goes_before(path, &files->paths[at - 1]); at--)
        files->paths[at] = files->paths[at - 1];
    files->paths[at] = *path;
}

/* For the call. 0, or a negative errno with a sentence on the server. */
static int check_path(ghttp_server *s, const struct gf_static_files *files, const char *call, const char *prefix)
{
    if (!is_plain_path(prefix))
        return gf_server_fail(s, -EINVAL, "%s: \"%s\" is no prefix of paths", call, prefix ? prefix : "");
    if (files->path_count == GF_STATIC_PATHS_MAX)
        return gf_server_fail(s, -ENOSPC, "%s: more than %d prefixes", call, GF_STATIC_PATHS_MAX);
    return 0;
}

static int add_static_path(ghttp_server *s, struct gf_static_files *files, const char *call, const char *prefix,
                           const char *folder)
{
    struct gf_static_mapping path = {.folder = NULL};
    int result = check_path(s, files, call, prefix);

    if (result < 0)
        return result;
    if (copy_both(prefix, folder, &path.prefix, &path.folder) < 0)
        return gf_server_fail(s, -ENOMEM, "%s: no memory", call);
    insert_path(files, &path);
    return 0;
}

int ghttp_server_add_resources(ghttp_server *s, const char *prefix, const gres_bundle *bundle)
{
    static const char call[] = "ghttp_server_add_resources()";
    struct gf_static_files *files;
    struct gf_static_mapping path = {.bundle = bundle};
    const char *shown = prefix && !*prefix ? "/" : prefix; /* the one for all paths */
    int result = begin(s, call, "bundle", &files);

    if (!result)
        result = check_path(s, files, call, shown);
    if (result < 0)
        return result;
    if (gres_check(bundle) < 0)
        return gf_server_fail(s, -EINVAL, "%s: this is no bundle that gf_embed_files() of this gf has made", call);
    path.prefix = strdup(shown);
    if (!path.prefix)
        return gf_server_fail(s, -ENOMEM, "%s: no memory", call);
    insert_path(files, &path);
    return 0;
}

int ghttp_server_add_static_path(ghttp_server *s, const char *prefix, const char *folder)
{
    static const char call[] = "ghttp_server_add_static_path()";
    struct gf_static_files *files;
    int result = begin(s, call, folder, &files);

    return result < 0 ? result : add_static_path(s, files, call, prefix, folder);
}

static bool has_rewrite(const struct gf_static_files *files, const char *from)
{
    for (size_t i = 0; i < files->rewrite_count; i++)
        if (!strcmp(files->rewrites[i].from, from))
            return true;
    return false;
}

static int add_rewrite(ghttp_server *s, struct gf_static_files *files, const char *call, const char *from,
                       const char *to)
{
    struct gf_static_rewrite *rewrite = &files->rewrites[files->rewrite_count];

    if (!is_plain_path(from) || !is_plain_path(to))
        return gf_server_fail(s, -EINVAL, "%s: \"%s\" to \"%s\" are not two plain paths", call, from, to ? to : "");
    if (has_rewrite(files, from))
        return gf_server_fail(s, -EEXIST, "%s: \"%s\" has one already", call, from);
    if (files->rewrite_count == GF_STATIC_REWRITES_MAX)
        return gf_server_fail(s, -ENOSPC, "%s: more than %d", call, GF_STATIC_REWRITES_MAX);
    if (copy_both(from, to, &rewrite->from, &rewrite->to) < 0)
        return gf_server_fail(s, -ENOMEM, "%s: no memory", call);
    files->rewrite_count++;
    return 0;
}

int ghttp_server_set_rewrite(ghttp_server *s, const char *from, const char *to)
{
    static const char call[] = "ghttp_server_set_rewrite()";
    struct gf_static_files *files;
    int result = begin(s, call, from, &files);

    return result < 0 ? result : add_rewrite(s, files, call, from, to);
}

/* ---- the start ---- */

/* A relative folder is one of the folder that the process is in now. */
static char *make_absolute(const char *folder)
{
    char here[PATH_SIZE], *path;

    if (*folder == '/')
        return strdup(folder);
    if (!getcwd(here, sizeof(here)))
        return NULL;
    path = malloc(strlen(here) + strlen(folder) + 2);
    if (path)
        stpcpy(stpcpy(stpcpy(path, here), "/"), folder);
    return path;
}

static int add_mapping(ghttp_server *s, struct gf_static_files *files, const struct gf_static_mapping *mapping)
{
    if (files->mapping_count == sizeof(files->mappings) / sizeof(*files->mappings))
        return gf_server_fail(s, -ENOSPC, "ghttp_server_start(): there are too many folders to serve files from");
    files->mappings[files->mapping_count++] = *mapping;
    return 0;
}

static int add_folder(ghttp_server *s, struct gf_static_files *files, const char *prefix, const char *folder)
{
    struct gf_static_mapping mapping = {.prefix = (char *)prefix};
    char found[PATH_MAX];
    struct stat status;
    int result;

    folder = gf_start_find_file(folder, found, sizeof(found));
    if (stat(folder, &status) < 0 || !S_ISDIR(status.st_mode))
        return gf_server_fail(s, -ENOTDIR, "ghttp_server_start(): \"%s\", to serve files from, is no folder", folder);
    mapping.folder = make_absolute(folder);
    if (!mapping.folder)
        return gf_server_fail(s, -ENOMEM, "ghttp_server_start(): no memory for a folder of files");
    result = add_mapping(s, files, &mapping);
    if (result)
        free(mapping.folder);
    return result;
}

static int add_path(ghttp_server *s, struct gf_static_files *files, const struct gf_static_mapping *path)
{
    return path->bundle ? add_mapping(s, files, path) : add_folder(s, files, path->prefix, path->folder);
}

/* Calls fn for each part of a comma list that is not empty. */
static int each_part(ghttp_server *s, const char *list,
                     int (*fn)(ghttp_server *s, struct gf_static_files *files, char *part))
{
    char *copy = strdup(list), *rest = copy, *part;
    int result = copy ? 0 : gf_server_fail(s, -ENOMEM, "ghttp_server_start(): no memory for a list");

    while (result == 0 && (part = strsep(&rest, ","))) {
        part += strspn(part, " ");
        if (*part)
            result = fn(s, (struct gf_static_files *)s->chain.files, part);
    }
    free(copy);
    return result;
}

static int add_search(ghttp_server *s, struct gf_static_files *files, char *folder)
{
    return add_folder(s, files, "", folder);
}

/* "/assets=/srv/assets": the right side; the text ends before it. NULL, with a sentence on the server. */
static char *split_pair(ghttp_server *s, const char *key, char *pair)
{
    char *right = strchr(pair, '=');

    if (!right || right == pair || !right[1]) {
        gf_server_fail(s, -EINVAL, "ghttp_server_start(): %s: \"%s\" is not two texts with \"=\" between them", key,
                       pair);
        return NULL;
    }
    *right = '\0';
    return right + 1;
}

/* What the program has said of this prefix counts more. */
static int add_static_pair(ghttp_server *s, struct gf_static_files *files, char *prefix)
{
    char *folder = split_pair(s, "staticPaths", prefix);
    size_t size = strlen(prefix);

    if (!folder)
        return -EINVAL;
    while (size && prefix[size - 1] == '/')
        size--;
    for (size_t i = 0; i < files->path_count; i++)
        if (files->paths[i].folder && strlen(files->paths[i].prefix) == size &&
            !memcmp(files->paths[i].prefix, prefix, size))
            return 0;
    return add_static_path(s, files, "ghttp_server_start(): staticPaths", prefix, folder);
}

static int add_rewrite_pair(ghttp_server *s, struct gf_static_files *files, char *from)
{
    char *to = split_pair(s, "rewrites", from);

    if (!to)
        return -EINVAL;
    return has_rewrite(files, from) ? 0 : add_rewrite(s, files, "ghttp_server_start(): rewrites", from, to);
}

static int add_index(ghttp_server *s, struct gf_static_files *files, char *name)
{
    size_t size = strcspn(name, " ");

    if (strchr(name, '/') || *name == '.' || files->index_count == GF_STATIC_INDEX_MAX)
        return gf_server_fail(s, -EINVAL, "ghttp_server_start(): indexFiles: \"%s\" is no name, or one too many", name);
    files->index[files->index_count] = strndup(name, size);
    if (!files->index[files->index_count])
        return gf_server_fail(s, -ENOMEM, "ghttp_server_start(): no memory for indexFiles");
    files->index_count++;
    return 0;
}

static int prepare(ghttp_server *s, struct gf_static_files *files)
{
    const struct gf_settings *set = &s->settings;
    int result = 0;

    files->lists = set->index_folder;
    files->links = set->follow_links;
    result = each_part(s, set->static_paths, add_static_pair);
    if (!result)
        result = each_part(s, set->rewrites, add_rewrite_pair);
    for (size_t i = 0; i < files->path_count && !result; i++)
        result = add_path(s, files, &files->paths[i]);
    if (!result && *set->server_root)
        result = add_folder(s, files, "", set->server_root);
    if (!result)
        result = each_part(s, set->search_paths, add_search);
    for (size_t i = 0; i < files->search_count && !result; i++)
        result = add_folder(s, files, "", files->search[i]);
    return result ? result : each_part(s, set->index_files, add_index);
}

static int prepare_if_wanted(ghttp_server *s)
{
    const struct gf_settings *set = &s->settings;
    struct gf_static_files *files;

    if (!s->chain.files && !*set->server_root && !*set->search_paths && !*set->static_paths && !*set->rewrites) {
        return set->file_server_enabled
                   ? gf_server_fail(
                         s, -EINVAL,
                         "ghttp_server_start(): fileServerEnabled: no folder of files is named; set serverRoot, "
                         "searchPaths or staticPaths")
                   : 0;
    }
    files = files_of(s);
    return files ? prepare(s, files) : -ENOMEM;
}

void gf_static_files_attach(ghttp_server *s)
{
    if (gf_server_state(s) == GF_SERVER_NEW)
        s->prepare = prepare_if_wanted;
}
