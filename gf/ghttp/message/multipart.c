/*
 * The reader of multipart/form-data.
 *
 * Strict: lines end with CRLF; a line that begins with the boundary is a delimiter or the body is malformed (RFC 2046
 * forbids such a line inside a part); the final delimiter must be there, so that an upload which was cut is no shorter
 * upload; encodings that RFC 7578 has taken out of use are refused rather than given out undecoded. What stands before
 * the first and behind the final delimiter is read over.
 * Thread: one at a time, whoever has the arena.
 */
#include "multipart.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "arena.h"
#include "ascii.h"
#include "header_value.h"
#include "token.h"

/* A name, a file name and a type need a few hundred bytes; a whole request's headers fit into this. */
#define PART_HEADERS_MAX ((size_t)8192)
/* RFC 2046, 5.1.1. */
#define BOUNDARY_MAX ((size_t)70)
#define FIRST_CAPACITY ((size_t)8)

struct reader {
    struct gf_arena *arena;
    const char *at, *end;
    const char *delimiter; /* CRLF, "--", the boundary */
    size_t delimiter_size;
    struct gf_part *parts;
    size_t count, capacity;
};

/* ---- delimiters --------------------------------------------------------------------------------- */

static bool is_boundary(const char *text)
{
    size_t size = strlen(text);
    if (size == 0 || size > BOUNDARY_MAX || text[size - 1] == ' ')
        return false;
    for (; *text; text++)
        if (!gf_ascii_is_letter(*text) && !gf_ascii_is_digit(*text) && !strchr("'()+_,-./:=? ", *text))
            return false;
    return true;
}

int gf_multipart_delimiter(struct gf_arena *arena, const char *content_type, const char **ret_delimiter)
{
    const char *boundary = NULL;
    if (!gf_header_value_is(content_type, "multipart/form-data"))
        return -EINVAL;
    int error = gf_header_value_parameter(arena, content_type, "boundary", &boundary);
    if (error)
        return error;
    if (!boundary || !is_boundary(boundary))
        return -EINVAL;
    const char *delimiter = gf_arena_printf(arena, "\r\n--%s", boundary);
    if (!delimiter)
        return -ENOMEM;
    *ret_delimiter = delimiter;
    return 0;
}

static size_t left(const struct reader *reader)
{
    return (size_t)(reader->end - reader->at);
}

static bool begins_with(const struct reader *reader, const char *text, size_t size)
{
    return left(reader) >= size && memcmp(reader->at, text, size) == 0;
}

/* Up to the next delimiter, at the beginning of a line (which this place is): what is before it is *ret_size long. */
static int pass_delimiter(struct reader *reader, size_t *ret_size)
{
    if (begins_with(reader, reader->delimiter + 2, reader->delimiter_size - 2)) {
        reader->at += reader->delimiter_size - 2;
        *ret_size = 0;
        return 0;
    }
    const char *found = memmem(reader->at, left(reader), reader->delimiter, reader->delimiter_size);
    if (!found)
        return -EINVAL;
    *ret_size = (size_t)(found - reader->at);
    reader->at = found + reader->delimiter_size;
    return 0;
}

/* The rest of a delimiter's line: "--" at the final one, padding, CRLF; the final one may be the body's end. */
static int pass_line_end(struct reader *reader, bool *ret_final)
{
    bool final = begins_with(reader, "--", 2);
    if (final)
        reader->at += 2;
    while (reader->at < reader->end && (*reader->at == ' ' || *reader->at == '\t'))
        reader->at++;
    bool line = begins_with(reader, "\r\n", 2);
    if (!line && !(final && reader->at == reader->end))
        return -EINVAL;
    if (line)
        reader->at += 2;
    *ret_final = final;
    return 0;
}

/* ---- headers of a part -------------------------------------------------------------------------- */

static int read_disposition(struct reader *reader, struct gf_part *part, const char *value)
{
    const char *extended = NULL;
    if (part->name || !gf_header_value_is(value, "form-data"))
        return -EINVAL;
    int error = gf_header_value_parameter(reader->arena, value, "name", &part->name);
    if (!error)
        error = gf_header_value_parameter(reader->arena, value, "filename", &part->filename);
    if (!error)
        error = gf_header_value_parameter(reader->arena, value, "filename*", &extended);
    if (error)
        return error;
    /* RFC 7578, 4.2: not to be used. Read over, a file would pass for a form's value. */
    return part->name && !extended ? 0 : -EINVAL;
}

static int check_encoding(const char *value)
{
    bool plain = gf_ascii_equal(value, "7bit") || gf_ascii_equal(value, "8bit") || gf_ascii_equal(value, "binary");
    return plain ? 0 : -EINVAL;
}

static int read_header(struct reader *reader, struct gf_part *part, const char *line, size_t size)
{
    /* Of a boundary with a colon in it. */
    if (begins_with(reader, reader->delimiter + 2, reader->delimiter_size - 2))
        return -EINVAL;
    const char *colon = memchr(line, ':', size);
    if (!colon || !gf_is_token(line, (size_t)(colon - line)))
        return -EINVAL;
    size_t name_size = (size_t)(colon - line);
    const char *start = colon + 1, *end = line + size;
    while (start < end && (*start == ' ' || *start == '\t'))
        start++;
    while (end > start && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    if (!gf_is_field_value(start, (size_t)(end - start)))
        return -EINVAL;
    const char *value = gf_arena_strndup(reader->arena, start, (size_t)(end - start));
    if (!value)
        return -ENOMEM;
    if (gf_ascii_equal_n(line, name_size, "Content-Disposition"))
        return read_disposition(reader, part, value);
    if (gf_ascii_equal_n(line, name_size, "Content-Transfer-Encoding"))
        return check_encoding(value);
    if (!gf_ascii_equal_n(line, name_size, "Content-Type"))
        return 0;
    if (part->type)
        return -EINVAL;
    part->type = value;
    return 0;
}

static int read_headers(struct reader *reader, struct gf_part *part)
{
    bool long_enough = left(reader) > PART_HEADERS_MAX;
    const char *stop = memmem(reader->at, long_enough ? PART_HEADERS_MAX : left(reader), "\r\n\r\n", 4);
    if (!stop)
        return long_enough ? -E2BIG : -EINVAL;
    while (reader->at < stop + 2) {
        const char *line = reader->at;
        const char *next = memmem(line, (size_t)(stop + 2 - line), "\r\n", 2);
        int error = read_header(reader, part, line, (size_t)(next - line));
        if (error)
            return error;
        reader->at = next + 2;
    }
    reader->at = stop + 4;
    return part->name ? 0 : -EINVAL;
}

int gf_multipart_read_head(struct gf_arena *arena, const char *delimiter, const char *data, size_t size,
                           struct gf_part *ret_part, size_t *ret_size)
{
    struct gf_part part = {0};
    struct reader reader = {
        .arena = arena, .at = data, .end = data + size, .delimiter = delimiter, .delimiter_size = strlen(delimiter)};
    if (size <= PART_HEADERS_MAX && !memmem(data, size, "\r\n\r\n", 4))
        return -EAGAIN;
    int error = read_headers(&reader, &part);
    if (error)
        return error;
    *ret_part = part;
    *ret_size = (size_t)(reader.at - data);
    return 0;
}

/* ---- parts -------------------------------------------------------------------------------------- */

static int add_part(struct reader *reader, const struct gf_part *part)
{
    if (reader->count == GF_MULTIPART_PARTS_MAX)
        return -E2BIG;
    if (reader->count == reader->capacity) {
        size_t capacity = reader->capacity ? reader->capacity * 2 : FIRST_CAPACITY;
        struct gf_part *parts = gf_arena_alloc(reader->arena, capacity * sizeof(*parts));
        if (!parts)
            return -ENOMEM;
        if (reader->count > 0)
            memcpy(parts, reader->parts, reader->count * sizeof(*parts));
        reader->parts = parts;
        reader->capacity = capacity;
    }
    reader->parts[reader->count++] = *part;
    return 0;
}

static int read_part(struct reader *reader)
{
    struct gf_part part = {0};
    int error = read_headers(reader, &part);
    if (error)
        return error;
    part.data = reader->at;
    error = pass_delimiter(reader, &part.size);
    return error ? error : add_part(reader, &part);
}

int gf_multipart_parse(struct gf_arena *arena, const char *content_type, const char *body, size_t size,
                       struct gf_multipart *ret_multipart)
{
    struct reader reader = {.arena = arena, .at = body, .end = body + size};
    size_t preamble = 0;
    bool final = false;
    int error = gf_multipart_delimiter(arena, content_type, &reader.delimiter);
    if (!error) {
        reader.delimiter_size = strlen(reader.delimiter);
        error = pass_delimiter(&reader, &preamble);
    }
    while (!error && !final) {
        error = pass_line_end(&reader, &final);
        if (!error && !final)
            error = read_part(&reader);
    }
    if (error)
        return error;
    *ret_multipart = (struct gf_multipart){.parts = reader.parts, .count = reader.count};
    return 0;
}
