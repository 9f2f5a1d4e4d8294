/*
 * Which file a program's configuration is in: the names and the folders are GoFrame's, in its order. Owns nothing.
 * Thread: any.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../gproc/start.h"
#include "tree.h"

static const char *const endings[] = {".yaml", ".yml", ".json"};
static const char *const folders[] = {"", "config/", "manifest/config/"};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* ---- what was asked for ---- */

/* The value of --name=value or --name value, one dash or two, of the last one that there is; NULL: there is none. */
static const char *find_option(const char *name)
{
    const struct gf_start *start = gf_start_get();
    size_t length = strlen(name);
    const char *value = NULL;

    for (int i = 1; start->argv && i < start->argc; i++) {
        const char *text = start->argv[i], *next = i + 1 < start->argc ? start->argv[i + 1] : "";

        if (*text != '-')
            continue;
        text += text[1] == '-' ? 2 : 1;
        if (strncmp(text, name, length) != 0)
            continue;
        if (text[length] == '=')
            value = text + length + 1;
        else if (!text[length])
            value = *next == '-' ? "" : next;
    }
    return value;
}

/* Taken for "not said" it would have the default in its place. */
static bool lacks_value(const char *option)
{
    const char *value = find_option(option);

    return value && !*value;
}

/* The command line counts more than the environment; "": neither says anything. */
static const char *ask_for(const char *option, const char *variable)
{
    const char *value = find_option(option);

    if (!value)
        value = getenv(variable);
    return value ? value : "";
}

/* ---- the search ---- */

struct search {
    char roots[2][PATH_MAX]; /* folders, with a slash at the end; "" is the working folder */
    size_t count;
    char *path; /* what was found */
    size_t size;
};

/* Also a link to nothing is there, and what is in a folder that may not be searched: that it cannot be read is to be
 * said, not passed over. */
static bool is_there(const char *path)
{
    struct stat status;

    if (lstat(path, &status) < 0)
        return errno != ENOENT && errno != ENOTDIR;
    return stat(path, &status) < 0 || !S_ISDIR(status.st_mode);
}

static int try_path(const struct search *search, const char *root, const char *folder, const char *name,
                    const char *ending)
{
    char tried[PATH_MAX];
    int length = snprintf(tried, sizeof(tried), "%s%s%s%s", root, folder, name, ending);

    if (length < 0 || (size_t)length >= sizeof(tried) || !is_there(tried))
        return -ENOENT;
    if ((size_t)length >= search->size)
        return -ENAMETOOLONG;
    memcpy(search->path, tried, (size_t)length + 1);
    return 0;
}

/* One name in all places. */
static int try_places(const struct search *search, const char *name, const char *ending)
{
    int result = -ENOENT;

    for (size_t i = 0; *name != '/' && i < search->count; i++)
        for (size_t j = 0; j < COUNT(folders) && result == -ENOENT; j++)
            result = try_path(search, search->roots[i], folders[j], name, ending);
    return result;
}

/* Each ending in all places before the next one. */
static int try_endings(const struct search *search, const char *name, bool by_itself)
{
    int result = -ENOENT;

    for (size_t i = 0; i < COUNT(endings) && result == -ENOENT; i++) {
        result = try_places(search, name, endings[i]);
        if (by_itself && result == -ENOENT)
            result = try_path(search, "", "", name, endings[i]);
    }
    return result;
}

static bool has_ending(const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < COUNT(endings); i++) {
        size_t ending = strlen(endings[i]);

        if (length > ending && !strcasecmp(name + length - ending, endings[i]))
            return true;
    }
    return false;
}

/* It is there, or whoever reads it will say that it is not. */
static int find_named(const struct search *search, const char *name)
{
    int result = try_places(search, name, "");

    if (result == -ENOENT)
        result = try_path(search, "", "", name, "");
    if (result == -ENOENT && !has_ending(name))
        result = try_endings(search, name, true);
    if (result != -ENOENT)
        return result;
    if (strlen(name) >= search->size)
        return -ENAMETOOLONG;
    memcpy(search->path, name, strlen(name) + 1);
    return 0;
}

/* ---- where ---- */

static int add_root(struct search *search, const char *folder, size_t length)
{
    char *root = search->roots[search->count];

    if (length + 1 >= sizeof(search->roots[0]))
        return -ENAMETOOLONG;
    memcpy(root, folder, length);
    if (length && root[length - 1] != '/')
        root[length++] = '/';
    root[length] = 0;
    search->count++;
    return 0;
}

/* Nobody asked for this one: where it may not be searched, as another user's home is, it has no file for this program.
 */
static void add_unnamed(struct search *search, const char *folder, size_t length)
{
    if (add_root(search, folder, length) < 0)
        return;
    search->count--;
    if (!faccessat(AT_FDCWD, length ? search->roots[search->count] : ".", X_OK, AT_EACCESS) || errno != EACCES)
        search->count++;
}

/* The folder that is named, alone; else the working folder and the executable's. */
static int add_roots(struct search *search, const char *named)
{
    const char *exe = gf_start_get()->exe_path, *slash = exe ? strrchr(exe, '/') : NULL;
    struct stat status;

    if (*named) {
        if (stat(named, &status) < 0 || !S_ISDIR(status.st_mode))
            return -ENOTDIR;
        return add_root(search, named, strlen(named));
    }
    add_unnamed(search, "", 0);
    if (slash)
        add_unnamed(search, exe, (size_t)(slash - exe) + 1);
    return 0;
}

int gcfg_find(char *path, size_t size)
{
    const char *name = ask_for("gf.gcfg.file", "GF_GCFG_FILE");
    struct search search = {.path = path, .size = size};
    int result;

    if (lacks_value("gf.gcfg.file") || lacks_value("gf.gcfg.path"))
        return -EINVAL;
    result = add_roots(&search, ask_for("gf.gcfg.path", "GF_GCFG_PATH"));
    if (result < 0)
        return result;
    return *name ? find_named(&search, name) : try_endings(&search, "config", false);
}
