/*
 * Bodies compressed on their way out, in a coding that the client takes.
 *
 * Whatever goes wrong in compressing, the body stays as it is: it is a right answer too.
 */
#include <errno.h>
#include <string.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "../message/coding.h"
#include "../message/request.h"
#include "../message/vary.h"
#include "compression.h"

/* Below this the client gains nothing: it is one packet in either case. */
#define SIZE_MIN ((size_t)1024)

/* ---- whether ---- */

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

/* What the client likes best, of those that are liked as well the first; NULL: none. */
static const struct gf_compression *choose(const char *accept, const struct gf_compression *from, size_t count)
{
    const struct gf_compression *best = NULL;
    int most = 0;

    for (size_t i = 0; i < count; i++) {
        int quality = gf_coding_quality(accept, from[i].coding);

        if (quality > most) {
            best = &from[i];
            most = quality;
        }
    }
    return best;
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

static void compress_by(ghttp_request *r, const struct gf_compression *compression)
{
    struct gf_buffer compressed;

    if (compression->compress(&r->response.body, &compressed) != 0)
        return;
    if (weaken_etag(r) != 0 || ghttp_response_set_header(r, "Content-Encoding", compression->coding) != 0) {
        gf_buffer_finish(&compressed);
        return;
    }
    gf_buffer_finish(&r->response.body);
    r->response.body = compressed;
    r->response.body.max = GF_RESPONSE_BODY_MAX;
}

static void serve(ghttp_request *r, const struct gf_compression *from, size_t count)
{
    const struct gf_compression *chosen;

    ghttp_request_next(r);
    if (!is_eligible(r) || gf_vary_add(r, "Accept-Encoding") != 0) /* as it is, all clients can read it */
        return;
    chosen = choose(ghttp_request_header(r, "Accept-Encoding"), from, count);
    if (chosen)
        compress_by(r, chosen);
}

void ghttp_middleware_compress(ghttp_request *r)
{
    serve(r, gf_compressions, gf_compression_count);
}

void ghttp_middleware_gzip(ghttp_request *r)
{
    serve(r, &gf_compressions[gf_compression_count - 1], 1);
}
