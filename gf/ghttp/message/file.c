#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <gf/gres/gres.h>

#include "arena.h"
#include "body_headers.h"
#include "byte_ranges.h"
#include "conditions.h"
#include "http_date.h"
#include "media_type.h"
#include "request.h"
#include "vary.h"

/* Parts are put together in memory; who asks for more in several parts gets the whole file, which costs none. */
#define PARTS_MAX ((off_t)1 << 20)
#define BOUNDARY_SIZE 33
/* "bytes first-last/size" of three numbers, with the 0. */
#define CONTENT_RANGE_SIZE 80
/* Digits of a hash that are sent: 128 bits, of which no two files share all. */
#define HASH_SIZE 32

/* ---- opening ---- */

int gf_file_check(struct gf_file *file)
{
    if (fstat(file->fd, &file->status) < 0)
        return -errno;
    return S_ISREG(file->status.st_mode) ? 0 : -ENOENT;
}

void gf_file_set_bytes(struct gf_file *file, const void *bytes, size_t size, time_t modified, const char *hash)
{
    file->fd = -1;
    file->bytes = bytes;
    file->hash = hash;
    file->status = (struct stat){.st_mode = S_IFREG, .st_size = (off_t)size, .st_mtim.tv_sec = modified};
}

static int status_of(int error)
{
    switch (error) {
    case -ENOENT:
    case -ENOTDIR:
    case -ENAMETOOLONG:
    case -ENXIO: /* a socket, or a device without a driver */
    case -ELOOP:
    case -EXDEV: /* it would lead out of its folder */
        return 404;
    case -EACCES:
    case -EPERM:
        return 403;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
    case -EAGAIN:
        return 503;
    default:
        return 500;
    }
}

int gf_file_refuse(struct ghttp_request *r, int error)
{
    ghttp_response_write_status(r, status_of(error));
    return error;
}

/* ---- the version ---- */

static const char *make_etag(struct ghttp_request *r, const struct gf_file *file)
{
    const struct stat *status = &file->status;

    if (file->hash)
        return gf_arena_printf(r->arena, "\"%.*s\"", HASH_SIZE, file->hash);
    return gf_arena_printf(r->arena, "\"%jx-%jx%08lx-%jx\"", (uintmax_t)status->st_size,
                           (uintmax_t)status->st_mtim.tv_sec, status->st_mtim.tv_nsec, (uintmax_t)status->st_ino);
}

static int set_version(struct ghttp_request *r, const struct gf_file *file, struct gf_version *ret_version)
{
    const struct stat *status = &file->status;
    const char *etag = file->unversioned ? gf_fields_find(&r->response.headers, "ETag") : make_etag(r, file);
    bool undated = file->unversioned && status->st_mtim.tv_sec == 0;
    char date[GF_HTTP_DATE_SIZE];

    if (!etag && !file->unversioned)
        return -ENOMEM;
    *ret_version = (struct gf_version){.etag = etag, .modified = status->st_mtim.tv_sec, .undated = undated};
    if (!undated && status->st_mtim.tv_sec <= time(NULL) && gf_http_date_format(status->st_mtim.tv_sec, date) == 0) {
        int error = ghttp_response_set_header(r, "Last-Modified", date);
        if (error)
            return error;
    }
    return etag ? ghttp_response_set_header(r, "ETag", etag) : 0;
}

/* ---- the bytes ---- */

static void send_bytes(struct ghttp_request *r, struct gf_file *file, off_t offset, off_t size)
{
    if (file->bytes) {
        gf_response_set_file_bytes(r, (const char *)file->bytes + offset, size);
        return;
    }
    gf_response_set_file(r, file->fd, offset, size);
    file->fd = -1;
}

static int send_whole(struct ghttp_request *r, struct gf_file *file)
{
    if (file->status.st_size > 0) {
        send_bytes(r, file, 0, file->status.st_size);
        return 0;
    }
    ghttp_response_clear(r);
    ghttp_response_write(r, ""); /* which is an answer */
    return 0;
}

static int set_content_range(struct ghttp_request *r, const struct gf_range *range, off_t size)
{
    char text[CONTENT_RANGE_SIZE];

    if (range)
        snprintf(text, sizeof(text), "bytes %jd-%jd/%jd", (intmax_t)range->offset,
                 (intmax_t)(range->offset + range->size - 1), (intmax_t)size);
    else
        snprintf(text, sizeof(text), "bytes */%jd", (intmax_t)size);
    return ghttp_response_set_header(r, "Content-Range", text);
}

static int send_part(struct ghttp_request *r, struct gf_file *file, const struct gf_range *range)
{
    int error = set_content_range(r, range, file->status.st_size);

    if (error)
        return error;
    ghttp_response_set_status(r, 206);
    send_bytes(r, file, range->offset, range->size);
    return 0;
}

static int make_boundary(char boundary[BOUNDARY_SIZE])
{
    unsigned char bytes[BOUNDARY_SIZE / 2];

    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return -EIO;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(boundary + 2 * i, 3, "%02x", bytes[i]);
    return 0;
}

static int write_part(struct ghttp_request *r, const struct gf_file *file, const struct gf_range *range)
{
    char *bytes = file->bytes ? NULL : gf_arena_alloc(r->arena, (size_t)range->size);
    off_t done = 0;

    if (file->bytes) {
        ghttp_response_write_bytes(r, (const char *)file->bytes + range->offset, (size_t)range->size);
        return 0;
    }
    if (!bytes)
        return -ENOMEM;
    while (done < range->size) {
        ssize_t n = pread(file->fd, bytes + done, (size_t)(range->size - done), range->offset + done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) /* 0: it has been cut meanwhile */
            return n < 0 ? -errno : -EIO;
        done += n;
    }
    ghttp_response_write_bytes(r, bytes, (size_t)range->size);
    return 0;
}

static int send_parts(struct ghttp_request *r, struct gf_file *file, const struct gf_ranges *ranges)
{
    const char *type = gf_fields_find(&r->response.headers, "Content-Type"), *outer;
    char boundary[BOUNDARY_SIZE];
    int error = make_boundary(boundary);

    ghttp_response_clear(r);
    for (size_t i = 0; i < ranges->count && !error; i++) {
        const struct gf_range *range = &ranges->items[i];

        ghttp_response_writef(r, "%s--%s\r\nContent-Type: %s\r\nContent-Range: bytes %jd-%jd/%jd\r\n\r\n",
                              i ? "\r\n" : "", boundary, type, (intmax_t)range->offset,
                              (intmax_t)(range->offset + range->size - 1), (intmax_t)file->status.st_size);
        error = write_part(r, file, range);
    }
    ghttp_response_writef(r, "\r\n--%s--\r\n", boundary);
    outer = gf_arena_printf(r->arena, "multipart/byteranges; boundary=%s", boundary);
    if (!error)
        error = outer ? ghttp_response_set_header(r, "Content-Type", outer) : -ENOMEM;
    ghttp_response_set_status(r, 206);
    return error;
}

static off_t total(const struct gf_ranges *ranges)
{
    off_t sum = 0;

    for (size_t i = 0; i < ranges->count; i++)
        sum += ranges->items[i].size;
    return sum;
}

/* The status's text goes out in the file's place, and what was said of the file would be untrue of it. */
static void refuse(struct ghttp_request *r, int status)
{
    struct gf_body_headers of_file;

    gf_body_headers_take(r, &of_file);
    ghttp_response_write_status(r, status);
}

static int send_ranges(struct ghttp_request *r, struct gf_file *file, const char *header)
{
    struct gf_ranges ranges;

    switch (gf_ranges_parse(header, file->status.st_size, &ranges)) {
    case 206:
        if (ranges.count == 1)
            return send_part(r, file, &ranges.items[0]);
        return total(&ranges) > PARTS_MAX ? send_whole(r, file) : send_parts(r, file, &ranges);
    case 416:
        refuse(r, 416);
        return set_content_range(r, NULL, file->status.st_size);
    default:
        return send_whole(r, file);
    }
}

/* ---- the answer ---- */

static int describe(struct ghttp_request *r, const struct gf_file *file)
{
    int error = 0;

    if (!gf_fields_find(&r->response.headers, "Content-Type"))
        error = ghttp_response_set_header(r, "Content-Type", gf_media_type(file->name));
    if (!error && file->coding)
        error = ghttp_response_set_header(r, "Content-Encoding", file->coding);
    if (!error && file->varies)
        error = gf_vary_add(r, "Accept-Encoding");
    if (!error)
        error = ghttp_response_set_header(r, "Accept-Ranges", "bytes");
    return error;
}

/* Conditions and ranges are about what a GET would give with 200, not about an error's page. */
static int send_as_asked(struct ghttp_request *r, struct gf_file *file, const struct gf_version *version)
{
    const struct gf_fields *asked = &r->headers;
    bool get = !strcmp(r->method, "GET");
    const char *range = get ? gf_fields_find(asked, "Range") : NULL;
    int status = get || !strcmp(r->method, "HEAD") ? gf_conditions_check(asked, version) : 200;

    if (r->response.status != 200)
        return send_whole(r, file);
    if (status == 412) {
        refuse(r, 412);
        return 0;
    }
    if (status == 304) {
        ghttp_response_set_status(r, 304);
        ghttp_response_clear(r);
        gf_fields_remove(&r->response.headers, "Content-Encoding");
        gf_fields_remove(&r->response.headers, "Content-Type");
        return 0;
    }
    return range && gf_conditions_allow_range(asked, version) ? send_ranges(r, file, range) : send_whole(r, file);
}

static int answer(struct ghttp_request *r, struct gf_file *file)
{
    struct gf_version version;
    int error = describe(r, file);

    if (!error)
        error = set_version(r, file, &version);
    if (!error)
        error = send_as_asked(r, file, &version);
    if (error) {
        gf_response_reset(r);
        ghttp_response_write_status(r, 500);
    }
    return error;
}

int gf_file_answer(struct ghttp_request *r, struct gf_file *file)
{
    int error = gf_response_is_settled(r) ? -EALREADY : answer(r, file);

    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
    return error;
}

/* ---- for handlers ---- */

int ghttp_response_serve_file(ghttp_request *r, const char *path)
{
    struct gf_file file = {.name = path};
    int error;

    if (gf_response_is_settled(r))
        return -EALREADY;
    if (!path)
        return gf_file_refuse(r, -EINVAL);
    file.fd = open(path, GF_FILE_FLAGS);
    if (file.fd < 0)
        return gf_file_refuse(r, -errno);
    error = gf_file_check(&file);
    if (!error)
        return gf_file_answer(r, &file);
    close(file.fd);
    return gf_file_refuse(r, error);
}

int ghttp_response_serve_resource(ghttp_request *r, const gres_file *resource)
{
    struct gf_file file = {.fd = -1};

    if (gf_response_is_settled(r))
        return -EALREADY;
    if (!resource)
        return gf_file_refuse(r, -ENOENT);
    file.name = resource->path;
    gf_file_set_bytes(&file, resource->bytes, resource->size, (time_t)resource->modified, resource->hash);
    return gf_file_answer(r, &file);
}

int ghttp_response_serve_content(ghttp_request *r, const void *data, size_t size, const char *name, time_t modified)
{
    struct gf_file file = {.fd = -1, .name = name ? name : "", .unversioned = true};

    if (gf_response_is_settled(r))
        return -EALREADY;
    if ((!data && size > 0) || size > PTRDIFF_MAX)
        return gf_file_refuse(r, -EINVAL);
    gf_file_set_bytes(&file, size > 0 ? data : "", size, modified, NULL);
    return gf_file_answer(r, &file);
}
