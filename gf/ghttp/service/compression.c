/*
 * Each works in pieces that are appended to a buffer which may not become larger than the body was: what does not
 * shrink ends early, and no output is ever allocated for the worst case.
 */
#include "compression.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#ifdef GF_HAVE_BROTLI
#include <brotli/encode.h>
#endif
#ifdef GF_HAVE_ZSTD
#include <zstd.h>
#endif

#define PIECE_SIZE 16384

static void begin(const struct gf_buffer *body, struct gf_buffer *compressed)
{
    gf_buffer_init(compressed, body->size ? body->size - 1 : 0);
}

static int end(struct gf_buffer *compressed, int result)
{
    if (result)
        gf_buffer_finish(compressed);
    return result;
}

/* ---- gzip ---- */

/* zlib's 15 bits of window, with gzip's head and end. */
#define WINDOW_BITS (15 + 16)
#define MEMORY_LEVEL 8

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

static int compress_gzip(const struct gf_buffer *body, struct gf_buffer *compressed)
{
    z_stream stream = {.next_in = (unsigned char *)body->data, .avail_in = (unsigned)body->size};
    int result;

    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    begin(body, compressed);
    result = deflate_into(&stream, compressed);
    deflateEnd(&stream);
    return end(compressed, result);
}

/* ---- Brotli ---- */

#ifdef GF_HAVE_BROTLI

/* For answers that somebody waits for: some two times gzip's speed at the same size, or a tenth smaller; the levels
 * above take many times as long. */
#define BROTLI_LEVEL 4
/* 256 KiB: of larger bodies a little is lost, but a hundred requests at a time do not take a gigabyte. */
#define BROTLI_WINDOW_BITS 18

static int encode_brotli(BrotliEncoderState *state, const struct gf_buffer *body, struct gf_buffer *compressed)
{
    const uint8_t *next_in = (const uint8_t *)body->data;
    size_t left_in = body->size;

    while (!BrotliEncoderIsFinished(state)) {
        uint8_t piece[PIECE_SIZE], *next_out = piece;
        size_t left_out = sizeof(piece);

        if (!BrotliEncoderCompressStream(state, BROTLI_OPERATION_FINISH, &left_in, &next_in, &left_out, &next_out,
                                         NULL))
            return -EIO;
        int error = gf_buffer_append(compressed, piece, sizeof(piece) - left_out);
        if (error)
            return error;
    }
    return 0;
}

static int compress_brotli(const struct gf_buffer *body, struct gf_buffer *compressed)
{
    BrotliEncoderState *state = BrotliEncoderCreateInstance(NULL, NULL, NULL);
    int result;

    if (!state)
        return -ENOMEM;
    begin(body, compressed);
    BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, BROTLI_LEVEL);
    BrotliEncoderSetParameter(state, BROTLI_PARAM_LGWIN, BROTLI_WINDOW_BITS);
    BrotliEncoderSetParameter(state, BROTLI_PARAM_SIZE_HINT, body->size < (1 << 30) ? (uint32_t)body->size : 1 << 30);
    result = encode_brotli(state, body, compressed);
    BrotliEncoderDestroyInstance(state);
    return end(compressed, result);
}

#endif

/* ---- Zstandard ---- */

#ifdef GF_HAVE_ZSTD

/* zstd's own default. Its window is 2 MiB; browsers take up to 8 MiB (RFC 9659). */
#define ZSTD_LEVEL 3

static int encode_zstd(ZSTD_CCtx *context, const struct gf_buffer *body, struct gf_buffer *compressed)
{
    ZSTD_inBuffer in = {.src = body->data, .size = body->size};
    size_t left;

    do {
        char piece[PIECE_SIZE];
        ZSTD_outBuffer out = {.dst = piece, .size = sizeof(piece)};

        left = ZSTD_compressStream2(context, &out, &in, ZSTD_e_end);
        if (ZSTD_isError(left))
            return -EIO;
        int error = gf_buffer_append(compressed, piece, out.pos);
        if (error)
            return error;
    } while (left);
    return 0;
}

static int compress_zstd(const struct gf_buffer *body, struct gf_buffer *compressed)
{
    ZSTD_CCtx *context = ZSTD_createCCtx();
    int result = -ENOMEM;

    if (!context)
        return result;
    begin(body, compressed);
    if (!ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, ZSTD_LEVEL)) &&
        !ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context, body->size)))
        result = encode_zstd(context, body, compressed);
    ZSTD_freeCCtx(context);
    return end(compressed, result);
}

#endif

const struct gf_compression gf_compressions[] = {
#ifdef GF_HAVE_ZSTD
    {"zstd", compress_zstd},
#endif
#ifdef GF_HAVE_BROTLI
    {"br", compress_brotli},
#endif
    {"gzip", compress_gzip},
};
const size_t gf_compression_count = sizeof(gf_compressions) / sizeof(*gf_compressions);
