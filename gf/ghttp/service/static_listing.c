#include "static_listing.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gf/gres/gres.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "../message/request.h"
#include "static_bundle.h"
#include "static_folder.h"

/* A page with more is of no use to anybody. */
#define ENTRIES_MAX 10000
/* The longest that the kernel takes. */
#define PATH_SIZE 4096

struct entry {
    const char *name; /* in the request's arena */
    bool folder;
    off_t size;
};

struct entries {
    struct entry *items;
    size_t count;
    size_t capacity;
    bool cut; /* there are more */
};

/* ---- reading ---- */

/* What a link leads to, if a request for it would be served: nothing outside of the root is told, not even that it is
 * there. 0 or a negative errno. */
static int follow(const struct gf_listed_folder *folder, const char *name, struct stat *ret_status)
{
    size_t size = strlen(folder->name);
    const char *slash = size == 0 || folder->name[size - 1] == '/' ? "" : "/";
    char path[PATH_SIZE];
    int fd, error = 0;

    if ((size_t)snprintf(path, sizeof(path), "%s%s%s", folder->name, slash, name) >= sizeof(path))
        return -ENAMETOOLONG;
    fd = gf_folder_open(folder->root, path, true);
    if (fd < 0)
        return fd;
    if (fstat(fd, ret_status) < 0)
        error = -errno;
    close(fd);
    return error;
}

/* 0; -ENOENT: it is not to be listed. */
static int look(int fd, const char *name, const struct gf_listed_folder *folder, struct entry *ret_entry)
{
    struct stat status;

    if (fstatat(fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0)
        return -ENOENT;
    if (S_ISLNK(status.st_mode) && (!folder->links || follow(folder, name, &status) < 0))
        return -ENOENT;
    if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        return -ENOENT;
    *ret_entry = (struct entry){.name = name, .folder = S_ISDIR(status.st_mode), .size = status.st_size};
    return 0;
}

static int add(struct entries *entries, struct ghttp_request *r, const struct entry *entry)
{
    struct entry *items = entries->items;

    if (!entry->name)
        return -ENOMEM;
    if (entries->count == entries->capacity) {
        size_t capacity = entries->capacity ? entries->capacity * 2 : 64;

        items = gf_arena_alloc(r->arena, capacity * sizeof(*items));
        if (!items)
            return -ENOMEM;
        if (entries->count)
            memcpy(items, entries->items, entries->count * sizeof(*items));
        entries->items = items;
        entries->capacity = capacity;
    }
    items[entries->count++] = *entry;
    return 0;
}

static int read_folder(struct ghttp_request *r, DIR *stream, const struct gf_listed_folder *folder,
                       struct entries *entries)
{
    struct dirent *found;
    struct entry entry;
    int error = 0;

    while (!error && (found = readdir(stream))) {
        if (found->d_name[0] == '.' || look(dirfd(stream), found->d_name, folder, &entry) < 0)
            continue;
        if (entries->count == ENTRIES_MAX) {
            entries->cut = true;
            break;
        }
        entry.name = gf_arena_strdup(r->arena, entry.name);
        error = add(entries, r, &entry);
    }
    return error;
}

static int read_bundle(struct ghttp_request *r, struct gf_bundle_walk *walk, struct entries *entries)
{
    struct gf_bundle_entry found;
    int error;

    while ((error = gf_bundle_walk_next(walk, r->arena, &found)) == 0) {
        struct entry entry = {.folder = !found.file, .size = found.file ? (off_t)found.file->size : 0};

        if (found.name[0] == '.')
            continue;
        if (entries->count == ENTRIES_MAX) {
            entries->cut = true;
            return 0;
        }
        entry.name = gf_arena_strndup(r->arena, found.name, found.name_size);
        error = add(entries, r, &entry);
        if (error)
            return error;
    }
    return error == -ENOENT ? 0 : error;
}

static int compare(const void *a, const void *b)
{
    const struct entry *left = a, *right = b;

    if (left->folder != right->folder)
        return left->folder ? -1 : 1;
    return strcmp(left->name, right->name);
}

/* ---- writing ---- */

/* The policy allows this style alone, by its hash: after a change `printf %s '<style>' | openssl dgst -sha256 -binary |
 * base64` tells the new one, and so does a browser's console. */
#define STYLE                                                                                                          \
    ":root{color-scheme:light dark}"                                                                                   \
    "body{margin:0 auto;padding:1.5rem 1rem 3rem;max-width:50rem;background:Canvas;color:CanvasText;font:1rem/1.5 "    \
    "system-ui,sans-serif;"                                                                                            \
    "overflow-wrap:anywhere}"                                                                                          \
    "h1{margin:0 0 1rem;font-size:1.4rem;line-height:1.3}"                                                             \
    "table{width:100%;border-collapse:collapse}"                                                                       \
    "td{padding:.4rem 0;border-top:1px solid color-mix(in srgb,currentColor 20%,transparent)}"                         \
    "td+td{padding-left:1rem;text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}"
#define STYLE_HASH "sha256-acgll/xVSRr7gM3MmoXExqytmd8fS0gGPRKferAsyK4="

static void write_html(struct ghttp_request *r, const char *text)
{
    for (; *text; text++) {
        switch (*text) {
        case '&':
            ghttp_response_write(r, "&amp;");
            break;
        case '<':
            ghttp_response_write(r, "&lt;");
            break;
        case '>':
            ghttp_response_write(r, "&gt;");
            break;
        case '"':
            ghttp_response_write(r, "&quot;");
            break;
        case '\'':
            ghttp_response_write(r, "&#39;");
            break;
        default:
            ghttp_response_write_bytes(r, text, 1);
        }
    }
}

static void write_url(struct ghttp_request *r, const char *name)
{
    for (; *name; name++) {
        if (gf_ascii_is_letter(*name) || gf_ascii_is_digit(*name) || strchr("-._~", *name))
            ghttp_response_write_bytes(r, name, 1);
        else
            ghttp_response_writef(r, "%%%02X", (unsigned)(unsigned char)*name);
    }
}

static void write_entry(struct ghttp_request *r, const struct entry *entry)
{
    const char *end = entry->folder ? "/" : "";

    ghttp_response_write(r, "<tr><td><a href=\"./"); /* so that no name is taken for a scheme or a host */
    write_url(r, entry->name);
    ghttp_response_writef(r, "%s\">", end);
    write_html(r, entry->name);
    ghttp_response_writef(r, "%s</a></td><td>", end);
    if (!entry->folder)
        ghttp_response_writef(r, "%jd", (intmax_t)entry->size);
    ghttp_response_write(r, "</td></tr>\n");
}

static void write_page(struct ghttp_request *r, const struct entries *entries)
{
    ghttp_response_clear(r);
    ghttp_response_write(r, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
                            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
                            "<style>" STYLE "</style><link rel=\"icon\" href=\"data:,\"><title>");
    write_html(r, r->path);
    ghttp_response_write(r, "</title></head><body>\n<h1>");
    write_html(r, r->path);
    ghttp_response_write(r, "</h1>\n<table>\n");
    if (strcmp(r->path, "/") != 0)
        ghttp_response_write(r, "<tr><td><a href=\"../\">../</a></td><td></td></tr>\n");
    for (size_t i = 0; i < entries->count; i++)
        write_entry(r, &entries->items[i]);
    ghttp_response_write(r, "</table>\n");
    if (entries->cut)
        ghttp_response_writef(r, "<p>There are more than these %zu.</p>\n", entries->count);
    ghttp_response_write(r, "</body></html>\n");
}

static int answer(struct ghttp_request *r, struct entries *entries)
{
    static const char *const headers[][2] = {
        {"Content-Type", "text/html; charset=utf-8"},
        {"Content-Security-Policy",
         "default-src 'none'; style-src '" STYLE_HASH "'; img-src data:; frame-ancestors 'self'"},
        {"X-Content-Type-Options", "nosniff"},
    };
    int error = 0;

    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers) && !error; i++)
        error = ghttp_response_set_header(r, headers[i][0], headers[i][1]);
    if (error)
        return error;
    if (entries->count)
        qsort(entries->items, entries->count, sizeof(*entries->items), compare);
    write_page(r, entries);
    return 0;
}

int gf_listing_write_folder(struct ghttp_request *r, int fd, const struct gf_listed_folder *folder)
{
    struct entries entries = {.items = NULL};
    DIR *stream = fdopendir(fd);
    int error = 0;

    if (!stream) {
        error = -errno;
        close(fd);
        return error;
    }
    error = read_folder(r, stream, folder, &entries);
    closedir(stream);
    return error ? error : answer(r, &entries);
}

int gf_listing_write_bundle(struct ghttp_request *r, const struct gres_bundle *bundle, const char *name)
{
    struct entries entries = {.items = NULL};
    struct gf_bundle_walk walk;
    int error = gf_bundle_walk_init(&walk, bundle, r->arena, name);

    if (!error)
        error = read_bundle(r, &walk, &entries);
    return error ? error : answer(r, &entries);
}
