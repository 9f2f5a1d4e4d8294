#include "static_files.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "../message/arena.h"
#include "../message/coding.h"
#include "../message/file.h"
#include "../message/media_type.h"
#include "../message/request.h"
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

/* What a request has found in the folders so far. */
struct search {
    const struct gf_static_files *files;
    struct ghttp_request *r;
    const char *folder; /* in which it is */
    const char *name;   /* below the folder */
    struct gf_file file;
    bool index;    /* it stands for its folder */
    int folder_fd; /* of a folder without an index file; -1: none */
    int error;     /* why what is there cannot be sent */
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

static int open_regular(const struct search *search, const char *folder, const char *name, struct gf_file *file)
{
    int error;

    file->fd = gf_folder_open(folder, name, search->files->links);
    if (file->fd < 0)
        return file->fd;
    error = gf_file_check(file);
    if (error) {
        close(file->fd);
        file->fd = -1;
    }
    return error;
}

/* The file that stands for the folder of this name. 0, or -ENOENT. */
static int find_index(struct search *search, const char *folder, const char *name)
{
    size_t size = strlen(name);
    const char *slash = size == 0 || name[size - 1] == '/' ? "" : "/";

    for (size_t i = 0; i < search->files->index_count; i++) {
        const char *index = gf_arena_printf(search->r->arena, "%s%s%s", name, slash, search->files->index[i]);

        if (index && open_regular(search, folder, index, &search->file) == 0) {
            search->folder = folder;
            search->name = index;
            search->index = true;
            return 0;
        }
    }
    return -ENOENT;
}

/* Looks into one folder. true: the search has ended, with a file or an error. */
static bool look(struct search *search, const char *folder, const char *name)
{
    struct gf_file *file = &search->file;
    int fd = gf_folder_open(folder, name, search->files->links), error;

    if (fd < 0) {
        search->error = is_absent(fd) ? 0 : fd;
        return search->error != 0;
    }
    file->fd = fd;
    error = gf_file_check(file);
    search->folder = folder;
    search->name = name;
    if (error == 0)
        return true;
    file->fd = -1;
    if (!S_ISDIR(file->status.st_mode)) {
        close(fd);
        return false;
    }
    if (find_index(search, folder, name) == 0) {
        close(fd);
        return true;
    }
    if (search->folder_fd >= 0)
        close(fd);
    else
        search->folder_fd = fd;
    return false;
}

static void find(struct search *search)
{
    for (size_t i = 0; i < search->files->mapping_count; i++) {
        const struct gf_static_mapping *mapping = &search->files->mappings[i];
        const char *name = name_below(mapping, search->r->path);

        if (name && look(search, mapping->folder, name))
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
    const char *name = gf_arena_printf(search->r->arena, "%s%s", search->name, suffix);
    struct gf_file *file = &search->file, neighbour = {.name = file->name, .coding = coding};

    if (!name || open_regular(search, search->folder, name, &neighbour) < 0)
        return;
    if (neighbour.status.st_mtim.tv_sec < file->status.st_mtim.tv_sec) {
        close(neighbour.fd);
        return;
    }
    file->varies = true;
    if (file->coding || !gf_coding_is_accepted(accept, coding)) {
        close(neighbour.fd);
        return;
    }
    close(file->fd);
    neighbour.varies = true;
    *file = neighbour;
}

static void send_file(struct search *search)
{
    search->file.name = search->name;
    if (is_compressible(gf_media_type(search->name))) {
        try_coding(search, ".br", "br");
        try_coding(search, ".gz", "gzip");
    }
    if (ghttp_response_set_header(search->r, "X-Content-Type-Options", "nosniff") < 0)
        gf_file_refuse(search->r, -ENOMEM);
    else
        gf_file_answer(search->r, &search->file);
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

static void send_folder(struct search *search)
{
    struct ghttp_request *r = search->r;

    if (!search->files->lists)
        ghttp_response_write_status(r, 403);
    else if (lacks_slash(r))
        add_slash(r);
    else {
        if (gf_listing_write(r, search->folder_fd, search->files->links) < 0)
            ghttp_response_write_status(r, 500);
        search->folder_fd = -1;
    }
}

/* ---- the answer ---- */

/* A file comes before a route, a route before a folder. */
static bool answer(struct search *search)
{
    struct ghttp_request *r = search->r;

    if (search->error) {
        gf_file_refuse(r, search->error);
    } else if (search->file.fd >= 0 && search->index && lacks_slash(r)) {
        add_slash(r);
    } else if (search->file.fd >= 0) {
        send_file(search);
        search->file.fd = -1;
    } else if (search->folder_fd >= 0 && !r->route) {
        send_folder(search);
    } else {
        return false;
    }
    return true;
}

bool gf_static_files_serve(const struct gf_chain_files *hook, struct ghttp_request *r)
{
    struct search search = {.files = (const struct gf_static_files *)hook, .r = r, .file.fd = -1, .folder_fd = -1};
    bool answered;

    if (!gf_folder_may_hold(r))
        return false;
    find(&search);
    answered = answer(&search);
    if (search.file.fd >= 0)
        close(search.file.fd);
    if (search.folder_fd >= 0)
        close(search.folder_fd);
    return answered;
}
