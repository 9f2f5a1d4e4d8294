/*
 * Reads PNG (RFC 2083): chunks, one zlib stream of rows, each filtered by its neighbours. See picture.h.
 */
#include "tests/support/picture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { PIXELS_MAX = 64 << 20, COLOURS_MAX = 256 };

struct reader {
    uint32_t width, height;
    size_t channels, stride; /* bytes of a row without its filter's number */
    unsigned char *packed;   /* all IDAT chunks */
    size_t packed_size;
    unsigned char *rows; /* each with its filter's number before it */
};

static uint32_t number_at(const unsigned char *at)
{
    uint32_t number;

    memcpy(&number, at, sizeof(number));
    return ntohl(number);
}

static int read_header(struct reader *reader, const unsigned char *header, size_t size)
{
    if (size != 13 || header[8] != 8 || (header[9] != 2 && header[9] != 6) || header[12])
        return -EPROTO;
    reader->width = number_at(header);
    reader->height = number_at(header + 4);
    reader->channels = header[9] == 2 ? 3 : 4;
    reader->stride = reader->width * reader->channels;
    if (!reader->width || !reader->height || (uint64_t)reader->width * reader->height > PIXELS_MAX)
        return -EPROTO;
    return 0;
}

static int read_chunks(struct reader *reader, const unsigned char *data, size_t size)
{
    static const unsigned char signature[] = {137, 'P', 'N', 'G', 13, 10, 26, 10};
    size_t at = sizeof(signature);
    int error = 0;

    if (size < at || memcmp(data, signature, at) != 0)
        return -EPROTO;
    while (!error && size - at >= 12) {
        size_t length = number_at(data + at);
        const unsigned char *type = data + at + 4;

        if (length > size - at - 12)
            return -EPROTO;
        if (!memcmp(type, "IHDR", 4))
            error = read_header(reader, type + 4, length);
        if (!memcmp(type, "IDAT", 4)) {
            memcpy(reader->packed + reader->packed_size, type + 4, length);
            reader->packed_size += length;
        }
        at += length + 12;
    }
    return error ? error : reader->width ? 0 : -EPROTO;
}

static int nearest(int left, int above, int corner)
{
    int guess = left + above - corner;
    int to_left = abs(guess - left), to_above = abs(guess - above), to_corner = abs(guess - corner);

    if (to_left <= to_above && to_left <= to_corner)
        return left;
    return to_above <= to_corner ? above : corner;
}

/* Rows are kept with the filters taken off, from the first on, since each needs the one above. */
static void unfilter(struct reader *reader)
{
    for (uint32_t y = 0; y < reader->height; y++) {
        unsigned char *row = reader->rows + y * (reader->stride + 1), *before = row - reader->stride - 1;

        for (size_t i = 1; i <= reader->stride; i++) {
            int left = i > reader->channels ? row[i - reader->channels] : 0;
            int above = y ? before[i] : 0;
            int corner = y && i > reader->channels ? before[i - reader->channels] : 0;
            const int additions[] = {0, left, above, (left + above) / 2, nearest(left, above, corner)};

            row[i] = (unsigned char)(row[i] + additions[row[0] < 5 ? row[0] : 0]);
        }
    }
}

static void count(const struct reader *reader, struct picture *picture)
{
    uint32_t colours[COLOURS_MAX], first = 0;
    size_t same = 0;
    int last = 0;

    picture->colours = 0;
    for (uint32_t y = 0; y < reader->height; y++)
        for (uint32_t x = 0; x < reader->width; x++) {
            const unsigned char *pixel = reader->rows + y * (reader->stride + 1) + 1 + x * reader->channels;
            uint32_t colour = (uint32_t)(pixel[0] << 16 | pixel[1] << 8 | pixel[2]);
            int i = picture->colours && colours[last] == colour ? last : 0; /* most are like their neighbour */

            first = x || y ? first : colour;
            same += colour == first;
            while (i < picture->colours && colours[i] != colour)
                i++;
            if (i == picture->colours && i < COLOURS_MAX)
                colours[picture->colours++] = colour;
            last = i < COLOURS_MAX ? i : 0;
        }
    picture->majority = (double)same / ((double)reader->width * reader->height);
}

int picture_read(const void *data, size_t size, struct picture *ret_picture)
{
    struct reader reader = {.packed = malloc(size ? size : 1)};
    uLongf room;
    int error = reader.packed ? read_chunks(&reader, data, size) : -ENOMEM;

    if (error)
        goto out;
    room = (reader.stride + 1) * reader.height;
    reader.rows = malloc(room);
    if (!reader.rows)
        error = -ENOMEM;
    else if (uncompress(reader.rows, &room, reader.packed, reader.packed_size) != Z_OK ||
             room != (reader.stride + 1) * reader.height)
        error = -EPROTO;
    if (error)
        goto out;
    unfilter(&reader);
    ret_picture->width = (int)reader.width;
    ret_picture->height = (int)reader.height;
    count(&reader, ret_picture);
out:
    free(reader.rows);
    free(reader.packed);
    return error;
}
