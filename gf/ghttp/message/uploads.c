/*
 * Files that came in a form: whose they are, what they are called, and how one gets onto the disk.
 *
 * Nothing that a client calls its file leads out of a folder: the name is cut down to its last part, and the file is
 * made new below the folder's own descriptor.
 * Thread: the request's own.
 */
#include "uploads.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "arena.h"
#include "ascii.h"
#include "multipart.h"
#include "parameter_names.h"
#include "request.h"

/* A file system takes 255 bytes; what makes a name unique needs some of them. */
#define FILENAME_MAX_BYTES ((size_t)200)
/* 64 random bits each time: more than one attempt is rare, more than a few mean that something is wrong. */
#define SAVE_ATTEMPTS 8
/* Letters and digits of an extension that goes on to a random name. */
#define EXTENSION_MAX 16

struct ghttp_upload {
    const char *name;
    const char *raw_filename;
    const char *filename;
    const char *type;
    const char *data;
    size_t size;
};

/* ---- found in the body -------------------------------------------------------------------------- */

/* The last FILENAME_MAX_BYTES, since an extension matters more than a beginning; no character is cut in two. */
static const char *shorten(const char *name)
{
    size_t size = strlen(name);
    if (size <= FILENAME_MAX_BYTES)
        return name;
    name += size - FILENAME_MAX_BYTES;
    while (((unsigned char)*name & 0xc0) == 0x80)
        name++;
    return name;
}

const char *gf_upload_base_name(struct gf_arena *arena, const char *raw)
{
    const char *base = raw;
    for (const char *at = raw; *at; at++)
        if (*at == '/' || *at == '\\')
            base = at + 1;
    base = shorten(base);
    char *name = gf_arena_strdup(arena, *base ? base : "upload");
    if (!name)
        return NULL;
    for (char *at = name; *at; at++)
        if (gf_ascii_is_control(*at))
            *at = '_';
    if (name[0] == '.')
        name[0] = '_';
    return name;
}

static int take_file(struct ghttp_request *r, struct ghttp_upload *upload, const struct gf_part *part)
{
    const char *filename = gf_upload_base_name(r->arena, part->filename);
    if (!filename)
        return -ENOMEM;
    *upload = (struct ghttp_upload){.name = part->name,
                                    .raw_filename = part->filename,
                                    .filename = filename,
                                    .type = part->type,
                                    .data = part->data,
                                    .size = part->size};
    return 0;
}

static int take_value(struct ghttp_request *r, const struct gf_part *part)
{
    if (memchr(part->data, '\0', part->size))
        return -EINVAL;
    const char *value = gf_arena_strndup(r->arena, part->data, part->size);
    return value ? gf_fields_add(&r->form_fields, r->arena, part->name, value) : -ENOMEM;
}

int gf_uploads_parse(struct ghttp_request *r, const char *content_type)
{
    struct gf_multipart multipart = {0};
    const char *body = r->body.data ? r->body.data : "";
    int error = gf_multipart_parse(r->arena, content_type, body, r->body.size, &multipart);
    if (error)
        return error;
    struct ghttp_upload *uploads = gf_arena_alloc(r->arena, multipart.count * sizeof(*uploads));
    if (!uploads)
        return -ENOMEM;
    size_t count = 0;
    for (size_t i = 0; i < multipart.count && !error; i++) {
        const struct gf_part *part = &multipart.parts[i];
        /* A browser sends an empty file name where no file was chosen. */
        if (part->filename && part->filename[0])
            error = take_file(r, &uploads[count++], part);
        else
            error = take_value(r, part);
    }
    r->uploads = uploads;
    r->upload_count = count;
    return error;
}

/* ---- given out ---------------------------------------------------------------------------------- */

const ghttp_upload *ghttp_request_file(ghttp_request *r, const char *name)
{
    gf_request_parse_body(r);
    for (size_t i = 0; name && i < r->upload_count; i++)
        if (gf_parameter_is_of(r->uploads[i].name, name))
            return &r->uploads[i];
    return NULL;
}

const ghttp_upload *const *ghttp_request_files(ghttp_request *r, const char *name, size_t *ret_count)
{
    gf_request_parse_body(r);
    *ret_count = 0;
    const ghttp_upload **found = gf_arena_alloc(r->arena, (r->upload_count + 1) * sizeof(const ghttp_upload *));
    if (!found)
        return NULL;
    size_t count = 0;
    for (size_t i = 0; i < r->upload_count; i++)
        if (!name || gf_parameter_is_of(r->uploads[i].name, name))
            found[count++] = &r->uploads[i];
    *ret_count = count;
    return count > 0 ? found : NULL;
}

const char *ghttp_upload_name(const ghttp_upload *upload)
{
    return upload->name;
}

const char *ghttp_upload_filename(const ghttp_upload *upload)
{
    return upload->filename;
}

const char *ghttp_upload_raw_filename(const ghttp_upload *upload)
{
    return upload->raw_filename;
}

const char *ghttp_upload_type(const ghttp_upload *upload)
{
    return upload->type;
}

size_t ghttp_upload_size(const ghttp_upload *upload)
{
    return upload->size;
}

const void *ghttp_upload_data(const ghttp_upload *upload)
{
    return upload->data;
}

/* ---- onto the disk ------------------------------------------------------------------------------ */

static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = write(fd, data, size);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -errno;
        data += written;
        size -= (size_t)written;
    }
    return 0;
}

/* The name at the first attempt, later "name-<16 digits>.extension". */
static int make_name(const char *filename, int attempt, char *name, size_t size)
{
    uint64_t random = 0;
    const char *dot = strrchr(filename, '.');
    int stem = (int)(dot ? dot - filename : (ptrdiff_t)strlen(filename));
    if (attempt > 0 && getrandom(&random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    int length = attempt == 0 ? snprintf(name, size, "%s", filename)
                              : snprintf(name, size, "%.*s-%016llx%s", stem, filename, (unsigned long long)random,
                                         dot ? dot : "");
    return length >= 0 && (size_t)length < size ? 0 : -ENAMETOOLONG;
}

/* How the file is to be called at this attempt. 0 or a negative errno. */
typedef int make_name_fn(const char *wanted, int attempt, char *name, size_t size);

static int make_given(const char *wanted, int attempt, char *name, size_t size)
{
    if (attempt > 0)
        return -EEXIST;
    return (size_t)snprintf(name, size, "%s", wanted) < size ? 0 : -ENAMETOOLONG;
}

/* ".png", of what a client calls its file; "" for what is no extension of letters and digits. */
static const char *find_extension(const char *filename)
{
    const char *dot = strrchr(filename, '.'), *at = dot ? dot + 1 : "";
    while (gf_ascii_is_letter(*at) || gf_ascii_is_digit(*at))
        at++;
    return dot && *at == '\0' && at - dot > 1 && at - dot <= EXTENSION_MAX + 1 ? dot : "";
}

static int make_random(const char *filename, int attempt, char *name, size_t size)
{
    uint64_t random[2];
    (void)attempt;
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    snprintf(name, size, "%016llx%016llx%s", (unsigned long long)random[0], (unsigned long long)random[1],
             find_extension(filename));
    return 0;
}

/* Makes the file under a name of its own, left in name. The descriptor or a negative errno. */
static int create_file(int folder, make_name_fn *make, const char *wanted, char name[NAME_MAX + 1], size_t name_max)
{
    for (int attempt = 0; attempt < SAVE_ATTEMPTS; attempt++) {
        int error = make(wanted, attempt, name, NAME_MAX + 1);
        if (error)
            return error;
        if (strlen(name) > name_max)
            return -ENAMETOOLONG;
        int fd = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST)
            return -errno;
    }
    return -EEXIST;
}

static int save(const ghttp_upload *upload, const char *folder, make_name_fn *make, const char *wanted, char *ret_path,
                size_t size)
{
    char name[NAME_MAX + 1];
    size_t folder_size = strlen(folder);
    /* How long the name may be so that the path fits its room. */
    size_t name_max = !ret_path ? NAME_MAX : size > folder_size + 2 ? size - folder_size - 2 : 0;
    int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder_fd < 0)
        return -errno;
    int fd = create_file(folder_fd, make, wanted, name, name_max);
    int error = fd < 0 ? fd : write_all(fd, upload->data, upload->size);
    /* A full disk may be told at the end only. */
    if (fd >= 0 && close(fd) < 0 && !error)
        error = -errno;
    if (fd >= 0 && error)
        unlinkat(folder_fd, name, 0);
    close(folder_fd);
    if (!error && ret_path)
        snprintf(ret_path, size, "%s%s%s", folder, folder[folder_size - 1] == '/' ? "" : "/", name);
    return error;
}

int ghttp_upload_save(const ghttp_upload *upload, const char *folder, char *ret_path, size_t size)
{
    if (!upload || !folder || !*folder)
        return -EINVAL;
    return save(upload, folder, make_name, upload->filename, ret_path, size);
}

int ghttp_upload_save_as(const ghttp_upload *upload, const char *folder, const char *name, char *ret_path, size_t size)
{
    if (!upload || !folder || !*folder)
        return -EINVAL;
    if (!name)
        return save(upload, folder, make_random, upload->filename, ret_path, size);
    if (!*name || strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
        return -EINVAL;
    return save(upload, folder, make_given, name, ret_path, size);
}
