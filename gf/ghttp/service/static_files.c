#include "static_files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../message/arena.h"
#include "../message/coding.h"
#include "../message/file.h"
#include "../message/media_type.h"
#include "../message/request.h"
#include "static_bundle.h"
#include "static_folder.h"
#include "static_listing.h"

/* ---- rewrites ---- */

void gf_static_files_rewrite(const struct gf_chain_files *hook, struct ghttp_request *r)
{
    const struct gf_static_files *files = (const struct gf_static_files *)hook;

    for (size_t i = 0; i < files->rewrite_count; i++) {
        if (strcmp(files->rewrites[i].from, r->path) != 0)
            continue;
        r->path = r->raw_path = files->rewrites[i].to;
        return;
    }
}

/* ---- looking ---- */

/* A file or folder that a request has found. */
struct found {
    const struct gf_static_mapping *mapping; /* in which it is; NULL: nothing was found */
    const char *name;                        /* below the mapping */
    struct gf_file file;                     /* of a folder only the descriptor, -1 in a bundle */
};

/* What a request has found so far. */
struct search {
    const struct gf_static_files *files;
    struct ghttp_request *r;
    struct found file;
    struct found folder; /* without an index file */
    bool index;          /* the file stands for its folder */
    int error;           /* why what is there cannot be sent */
};

/* Errors that say "not here", where another folder may have it. */
static bool is_absent(int error)
{
    return error == -ENOENT || error == -ENOTDIR || error == -ELOOP || error == -EXDEV || error == -ENAMETOOLONG ||
           error == -ENXIO;
}

/* What is left of the path below the mapping's prefix; NULL: it is not below it. */
static const char *name_below(const struct gf_static_mapping *mapping, const char *path)
{
    size_t size = strlen(mapping->prefix);

    if (strncmp(path, mapping->prefix, size) != 0 || (path[size] && path[size] != '/'))
        return NULL;
    return path + size + strspn(path + size, "/");
}

static void release(struct found *found)
{
    if (found->mapping && found->file.fd >= 0)
        close(found->file.fd);
    found->mapping = NULL;
}

/* 0: a regular file; -EISDIR: a folder, which is open too; else nothing is. */
static int open_in(const struct search *search, const struct gf_static_mapping *mapping, const char *name,
                   struct gf_file *file)
{
    int error;

    file->fd = -1;
    if (mapping->bundle)
        return gf_bundle_open(mapping->bundle, search->r->arena, name, file);
    file->fd = gf_folder_open(mapping->folder, name, search->files->links);
    if (file->fd < 0)
        return file->fd;
    error = gf_file_check(file);
    if (error == -ENOENT && S_ISDIR(file->status.st_mode))
        return -EISDIR;
    if (error)
        close(file->fd);
    return error;
}

/* A regular file, and nothing else. */
static int open_regular(const struct search *search, const struct gf_static_mapping *mapping, const char *name,
                        struct gf_file *file)
{
    int error = open_in(search, mapping, name, file);

    if (error == -EISDIR && file->fd >= 0)
        close(file->fd);
    return error;
}

/* The file that stands for the folder of this name. 0, or -ENOENT. */
static int find_index(struct search *search, const struct gf_static_mapping *mapping, const char *name)
{
    size_t size = strlen(name);
    const char *slash = size == 0 || name[size - 1] == '/' ? "" : "/";

    for (size_t i = 0; i < search->files->index_count; i++) {
        const char *index = gf_arena_printf(search->r->arena, "%s%s%s", name, slash, search->files->index[i]);
        struct found found = {.mapping = mapping, .name = index};

        if (index && open_regular(search, mapping, index, &found.file) == 0) {
            search->file = found;
            search->index = true;
            return 0;
        }
    }
    return -ENOENT;
}

/* Looks into one folder or bundle. true: the search has ended, with a file or an error. */
static bool look(struct search *search, const struct gf_static_mapping *mapping, const char *name)
{
    struct found found = {.mapping = mapping, .name = name};
    int error = open_in(search, mapping, name, &found.file);

    if (!error) {
        search->file = found;
        return true;
    }
    if (error != -EISDIR) {
        search->error = is_absent(error) ? 0 : error;
        return search->error != 0;
    }
    if (find_index(search, mapping, name) == 0) {
        release(&found);
        return true;
    }
    if (search->folder.mapping)
        release(&found);
    else
        search->folder = found;
    return false;
}

static void find(struct search *search)
{
    for (size_t i = 0; i < search->files->mapping_count; i++) {
        const struct gf_static_mapping *mapping = &search->files->mappings[i];
        const char *name = name_below(mapping, search->r->path);

        if (name && look(search, mapping, name))
            return;
    }
}

/* ---- bytes that have been compressed before ---- */

static bool is_compressible(const char *type)
{
    return !strncmp(type, "text/", 5) || strstr(type, "json") || strstr(type, "xml") || strstr(type, "wasm");
}

/* The file's compressed neighbour takes its place if the client accepts it, and it is not older. */
static void try_coding(struct search *search, const char *suffix, const char *coding)
{
    const char *accept = gf_fields_find(&search->r->headers, "Accept-Encoding");
    const char *name = gf_arena_printf(search->r->arena, "%s%s", search->file.name, suffix);
    struct gf_file *file = &search->file.file;
    struct found neighbour = {.mapping = search->file.mapping, .name = search->file.name};

    if (!name || open_regular(search, neighbour.mapping, name, &neighbour.file) < 0)
        return;
    if (neighbour.file.status.st_mtim.tv_sec < file->status.st_mtim.tv_sec) {
        release(&neighbour);
        return;
    }
    file->varies = true;
    if (file->coding || !gf_coding_is_accepted(accept, coding)) {
        release(&neighbour);
        return;
    }
    release(&search->file);
    neighbour.file.coding = coding;
    neighbour.file.varies = true;
    search->file = neighbour;
}

/* Those that the client likes better first; of those that it likes as well what is commonly smaller. */
static void try_codings(struct search *search)
{
    static const struct {
        const char *suffix, *coding;
    } codings[] = {{".br", "br"}, {".zst", "zstd"}, {".gz", "gzip"}};
    enum { COUNT = sizeof(codings) / sizeof(*codings) };
    const char *accept = gf_fields_find(&search->r->headers, "Accept-Encoding");
    bool tried[COUNT] = {false};

    for (size_t round = 0; round < COUNT; round++) {
        size_t best = COUNT;

        for (size_t i = 0; i < COUNT; i++)
            if (!tried[i] && (best == COUNT || gf_coding_quality(accept, codings[i].coding) >
                                                   gf_coding_quality(accept, codings[best].coding)))
                best = i;
        tried[best] = true;
        try_coding(search, codings[best].suffix, codings[best].coding);
    }
}

static void send_file(struct search *search)
{
    const char *name = search->file.name;

    if (is_compressible(gf_media_type(name)))
        try_codings(search);
    search->file.file.name = name;
    if (ghttp_response_set_header(search->r, "X-Content-Type-Options", "nosniff") < 0) {
        gf_file_refuse(search->r, -ENOMEM);
        return;
    }
    gf_file_answer(search->r, &search->file.file);
    search->file.mapping = NULL; /* it is the response's now */
}

/* ---- folders ---- */

/* Its links are right only behind a slash. Relative, so that it is right behind whatever prefix the browser sees. */
static void add_slash(struct ghttp_request *r)
{
    const char *last = strrchr(r->raw_path, '/');
    const char *url = gf_arena_printf(r->arena, ".%s/%s%s", last, *r->query ? "?" : "", r->query);

    if (url)
        ghttp_response_redirect(r, url, 301);
    else
        gf_file_refuse(r, -ENOMEM);
}

/* A path that was rewritten is not what the browser's links are relative to. */
static bool lacks_slash(const struct ghttp_request *r)
{
    size_t size = strlen(r->raw_path);

    return r->raw_path[size - 1] != '/' && !strncmp(r->target, r->raw_path, size);
}

static int list(struct search *search)
{
    struct found *folder = &search->folder;
    const struct gres_bundle *bundle = folder->mapping->bundle;

    if (bundle)
        return gf_listing_write_bundle(search->r, bundle, folder->name);
    struct gf_listed_folder listed = {
        .root = folder->mapping->folder, .name = folder->name, .links = search->files->links};
    folder->mapping = NULL; /* the list takes its descriptor */
    return gf_listing_write_folder(search->r, folder->file.fd, &listed);
}

static void send_folder(struct search *search)
{
    struct ghttp_request *r = search->r;

    if (!search->files->lists)
        ghttp_response_write_status(r, 403);
    else if (lacks_slash(r))
        add_slash(r);
    else if (list(search) < 0)
        ghttp_response_write_status(r, 500);
}

/* ---- the answer ---- */

/* A file comes before a route, a route before a folder. */
static bool answer(struct search *search)
{
    struct ghttp_request *r = search->r;

    if (search->error) {
        gf_file_refuse(r, search->error);
    } else if (search->file.mapping && search->index && lacks_slash(r)) {
        add_slash(r);
    } else if (search->file.mapping) {
        send_file(search);
    } else if (search->folder.mapping && !r->route) {
        send_folder(search);
    } else {
        return false;
    }
    return true;
}

bool gf_static_files_serve(const struct gf_chain_files *hook, struct ghttp_request *r)
{
    struct search search = {.files = (const struct gf_static_files *)hook, .r = r};
    bool answered;

    if (!gf_folder_may_hold(r))
        return false;
    find(&search);
    answered = answer(&search);
    release(&search.file);
    release(&search.folder);
    return answered;
}

bool gf_static_files_has(const struct gf_chain_files *hook, struct ghttp_request *r)
{
    struct search search = {.files = (const struct gf_static_files *)hook, .r = r};
    bool found;

    if (!gf_folder_may_hold(r))
        return false;
    find(&search);
    found = search.error || search.file.mapping || (search.folder.mapping && !r->route);
    release(&search.file);
    release(&search.folder);
    return found;
}
