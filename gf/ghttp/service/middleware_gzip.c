/*
 * Bodies compressed on their way out.
 *
 * Whatever goes wrong in compressing, the body stays as it is: it is a right answer too.
 */
#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "../message/request.h"
#include "vary.h"

/* Below this the client gains nothing: it is one packet in either case. */
#define SIZE_MIN ((size_t)1024)
/* zlib's 15 bits of window, with gzip's head and end. */
#define WINDOW_BITS (15 + 16)
#define MEMORY_LEVEL 8
#define PIECE_SIZE 16384

/* ---- whether ---- */

/* Whether ";q=0", "; q=0.000" … is what follows a coding. */
static bool is_refused(const char *parameters, size_t size)
{
    const char *end = parameters + size, *at = memchr(parameters, '=', size);

    if (!at)
        return false;
    for (at++; at < end; at++)
        if (*at != '0' && *at != '.' && *at != ' ')
            return false;
    return true;
}

/* Whether the client takes gzip: by name, else by "*". */
static bool accepts_gzip(const char *list)
{
    bool any = false;

    while (list && *list) {
        list += strspn(list, ", \t");
        size_t size = strcspn(list, ","), name_size = strcspn(list, ",; \t");
        bool refused = is_refused(list + name_size, size - name_size);
        if (gf_ascii_equal_n(list, name_size, "gzip") || gf_ascii_equal_n(list, name_size, "x-gzip"))
            return !refused;
        if (gf_ascii_equal_n(list, name_size, "*"))
            any = !refused;
        list += size;
    }
    return any;
}

static bool begins_with(const char *text, const char *beginning)
{
    size_t size = strlen(beginning);

    return strnlen(text, size) == size && gf_ascii_equal_n(text, size, beginning);
}

/* Types whose bytes are compressed already. */
static bool is_dense(const char *type)
{
    static const char *const types[] = {"audio/",           "video/",           "font/woff",
                                        "application/zip",  "application/gzip", "application/x-gzip",
                                        "application/zstd", "application/x-7z", "application/x-xz",
                                        "application/pdf"};

    if (!type || begins_with(type, "image/svg") || begins_with(type, "image/bmp"))
        return false;
    if (begins_with(type, "image/"))
        return true;
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++)
        if (begins_with(type, types[i]))
            return true;
    return false;
}

/* Parts are parts of the bytes that there were; the others have no body. */
static bool is_whole(int status)
{
    return status != 206 && status != 204 && status != 205 && status != 304;
}

static bool is_eligible(const ghttp_request *r)
{
    const struct gf_fields *headers = &r->response.headers;

    return !r->response.failed && !r->response.sent && r->response.body.size >= SIZE_MIN &&
           is_whole(r->response.status) && !gf_fields_find(headers, "Content-Encoding") &&
           !gf_fields_find(headers, "Content-Range") && !is_dense(gf_fields_find(headers, "Content-Type"));
}

/* ---- how ---- */

static int deflate_into(z_stream *stream, struct gf_buffer *compressed)
{
    unsigned char piece[PIECE_SIZE];
    int state = Z_OK;

    while (state != Z_STREAM_END) {
        stream->next_out = piece;
        stream->avail_out = sizeof(piece);
        state = deflate(stream, Z_FINISH);
        if (state != Z_OK && state != Z_STREAM_END)
            return -EIO;
        int error = gf_buffer_append(compressed, piece, sizeof(piece) - stream->avail_out);
        if (error)
            return error;
    }
    return 0;
}

/* 0; -EMSGSIZE when it would not become smaller. */
static int compress_body(const struct gf_buffer *body, struct gf_buffer *compressed)
{
    z_stream stream = {.next_in = (unsigned char *)body->data, .avail_in = (unsigned)body->size};

    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    gf_buffer_init(compressed, body->size - 1);
    int error = deflate_into(&stream, compressed);
    deflateEnd(&stream);
    if (error)
        gf_buffer_finish(compressed);
    return error;
}

/* The bytes are others, so a strong ETag would lie. 0 or a negative errno. */
static int weaken_etag(ghttp_request *r)
{
    const char *etag = gf_fields_find(&r->response.headers, "ETag");

    if (!etag || etag[0] != '"')
        return 0;
    const char *weak = gf_arena_printf(r->arena, "W/%s", etag);
    return weak ? ghttp_response_set_header(r, "ETag", weak) : -ENOMEM;
}

void ghttp_middleware_gzip(ghttp_request *r)
{
    struct gf_buffer compressed;

    ghttp_request_next(r);
    if (!is_eligible(r))
        return;
    gf_vary_add(r, "Accept-Encoding");
    if (!accepts_gzip(ghttp_request_header(r, "Accept-Encoding")) || compress_body(&r->response.body, &compressed) != 0)
        return;
    if (weaken_etag(r) != 0 || ghttp_response_set_header(r, "Content-Encoding", "gzip") != 0) {
        gf_buffer_finish(&compressed);
        return;
    }
    gf_buffer_finish(&r->response.body);
    r->response.body = compressed;
    r->response.body.max = GF_RESPONSE_BODY_MAX;
}
