/*
 * A form of multipart/form-data that is read while it comes in, part by part, as strictly as multipart.c reads a whole
 * one. Of the body no more is held than one window.
 *
 * Thread: the request's own.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "multipart.h"
#include "request.h"
#include "uploads.h"

/* A part's headers, or a delimiter of any length, fit; what is read at a time besides. */
#define WINDOW_SIZE ((size_t)64 << 10)

struct stream {
    ghttp_request *r;
    const struct ghttp_multipart_callbacks *callbacks; /* NULL while nobody wants the data: before the first part */
    void *arg;
    const char *delimiter; /* CRLF, "--", the boundary */
    size_t delimiter_size;
    size_t parts;
    size_t at, end; /* what was read and not looked at yet */
    bool ended;     /* the body */
    char window[WINDOW_SIZE];
};

/* ---- the window --------------------------------------------------------------------------------- */

static size_t left(const struct stream *stream)
{
    return stream->end - stream->at;
}

static const char *next(const struct stream *stream)
{
    return stream->window + stream->at;
}

/* Reads on. 0, with more in the window or the body ended; -E2BIG when the window is full. */
static int fill(struct stream *stream)
{
    if (stream->at > 0) {
        memmove(stream->window, next(stream), left(stream));
        stream->end -= stream->at;
        stream->at = 0;
    }
    if (stream->end == WINDOW_SIZE)
        return -E2BIG;
    ssize_t count = ghttp_request_read(stream->r, stream->window + stream->end, WINDOW_SIZE - stream->end);
    if (count < 0)
        return (int)count;
    stream->end += (size_t)count;
    stream->ended = count == 0;
    return 0;
}

/* Has at least so many bytes in the window, unless the body ends before. */
static int need(struct stream *stream, size_t size)
{
    int error = 0;
    while (!error && left(stream) < size && !stream->ended)
        error = fill(stream);
    return error;
}

static bool begins_with(const struct stream *stream, const char *text, size_t size)
{
    return left(stream) >= size && memcmp(next(stream), text, size) == 0;
}

/* ---- delimiters --------------------------------------------------------------------------------- */

static int give(struct stream *stream, size_t size)
{
    int error = 0;
    if (size > 0 && stream->callbacks && stream->callbacks->data)
        error = stream->callbacks->data(stream->r, next(stream), size, stream->arg);
    stream->at += size;
    return error;
}

/* Up to and past the next delimiter, at the beginning of a line (which this place is); what is before it is data. */
static int pass_delimiter(struct stream *stream)
{
    int error = need(stream, stream->delimiter_size - 2);
    if (!error && begins_with(stream, stream->delimiter + 2, stream->delimiter_size - 2)) {
        stream->at += stream->delimiter_size - 2;
        return 0;
    }
    while (!error) {
        const char *found = memmem(next(stream), left(stream), stream->delimiter, stream->delimiter_size);
        if (found) {
            error = give(stream, (size_t)(found - next(stream)));
            stream->at += stream->delimiter_size;
            return error;
        }
        if (stream->ended)
            return -EINVAL;
        /* The last bytes may be the begin of one. */
        if (left(stream) >= stream->delimiter_size)
            error = give(stream, left(stream) - (stream->delimiter_size - 1));
        if (!error)
            error = fill(stream);
    }
    return error;
}

/* The rest of a delimiter's line: "--" at the final one, padding, CRLF; the final one may be the body's end. */
static int pass_line_end(struct stream *stream, bool *ret_final)
{
    int error = need(stream, 2);
    bool final = begins_with(stream, "--", 2);
    if (final)
        stream->at += 2;
    while (!error && !(error = need(stream, 2)) && left(stream) > 0 && (*next(stream) == ' ' || *next(stream) == '\t'))
        stream->at++;
    if (error)
        return error;
    bool line = begins_with(stream, "\r\n", 2);
    if (!line && !(final && left(stream) == 0))
        return -EINVAL;
    if (line)
        stream->at += 2;
    *ret_final = final;
    return 0;
}

/* ---- parts -------------------------------------------------------------------------------------- */

static int read_head(struct stream *stream, struct gf_part *part)
{
    size_t size = 0;
    int error = -EAGAIN;
    while (error == -EAGAIN) {
        error = gf_multipart_read_head(stream->r->arena, stream->delimiter, next(stream), left(stream), part, &size);
        if (error != -EAGAIN)
            break;
        if (stream->ended)
            return -EINVAL;
        int read_error = fill(stream);
        if (read_error)
            return read_error;
    }
    if (!error)
        stream->at += size;
    return error;
}

/* What a browser sends for a file that was not chosen is an empty value, as in a form that was collected. */
static int begin_part(struct stream *stream, const struct gf_part *part,
                      const struct ghttp_multipart_callbacks *callbacks)
{
    struct ghttp_part shown = {.name = part->name, .type = part->type};
    if (part->filename && part->filename[0]) {
        shown.raw_filename = part->filename;
        shown.filename = gf_upload_base_name(stream->r->arena, part->filename);
        if (!shown.filename)
            return -ENOMEM;
    }
    if (++stream->parts > GF_MULTIPART_PARTS_MAX)
        return -E2BIG;
    return callbacks->begin ? callbacks->begin(stream->r, &shown, stream->arg) : 0;
}

static int read_part(struct stream *stream, const struct ghttp_multipart_callbacks *callbacks)
{
    struct gf_part part = {0};
    int error = read_head(stream, &part);
    if (!error)
        error = begin_part(stream, &part, callbacks);
    if (error)
        return error;
    stream->callbacks = callbacks;
    error = pass_delimiter(stream);
    if (!error && callbacks->end)
        error = callbacks->end(stream->r, stream->arg);
    return error;
}

static int read_parts(struct stream *stream, const struct ghttp_multipart_callbacks *callbacks)
{
    bool final = false;
    int error = pass_delimiter(stream);
    while (!error && !final) {
        error = pass_line_end(stream, &final);
        if (!error && !final)
            error = read_part(stream, callbacks);
    }
    while (!error && !stream->ended) { /* what is behind the form */
        stream->at = stream->end;
        error = fill(stream);
    }
    return error;
}

int ghttp_request_read_multipart(ghttp_request *r, const struct ghttp_multipart_callbacks *callbacks, void *arg)
{
    const char *type = gf_fields_find(&r->headers, "Content-Type"), *delimiter = NULL;
    if (!callbacks)
        return -EINVAL;
    int error = gf_multipart_delimiter(r->arena, type, &delimiter);
    if (error)
        return error;
    struct stream *stream = malloc(sizeof(*stream));
    if (!stream)
        return -ENOMEM;
    memset(stream, 0, offsetof(struct stream, window));
    stream->r = r;
    stream->arg = arg;
    stream->delimiter = delimiter;
    stream->delimiter_size = strlen(delimiter);
    error = read_parts(stream, callbacks);
    free(stream);
    return error;
}
