/*
 * The buffer's growth: doubling, up to the maximum that it was born with.
 *
 * Thread: one at a time, whoever has the request.
 */
#include "buffer.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Most bodies of either direction fit, so that they grow but once. */
#define FIRST_CAPACITY ((size_t)512)

void gf_buffer_init(struct gf_buffer *buffer, size_t max)
{
    /* One byte is kept back for the terminating 0. */
    *buffer = (struct gf_buffer){.max = max < SIZE_MAX ? max : SIZE_MAX - 1};
}

void gf_buffer_finish(struct gf_buffer *buffer)
{
    free(buffer->data);
    buffer->data = NULL;
    buffer->size = 0;
    buffer->capacity = 0;
}

void gf_buffer_reset(struct gf_buffer *buffer, size_t keep)
{
    if (buffer->capacity > keep)
        gf_buffer_finish(buffer);
    buffer->size = 0;
    if (buffer->data)
        buffer->data[0] = '\0';
}

/* Makes room for size more bytes and the 0 after them. */
static int make_room(struct gf_buffer *buffer, size_t size)
{
    if (size > buffer->max - buffer->size)
        return -EMSGSIZE;
    size_t needed = buffer->size + size + 1;
    if (needed <= buffer->capacity)
        return 0;
    size_t capacity = buffer->capacity <= buffer->max / 2 ? buffer->capacity * 2 : buffer->max + 1;
    if (capacity < FIRST_CAPACITY)
        capacity = FIRST_CAPACITY;
    if (capacity > buffer->max + 1)
        capacity = buffer->max + 1;
    if (capacity < needed)
        capacity = needed;
    char *data = realloc(buffer->data, capacity);
    if (!data)
        return -ENOMEM;
    buffer->data = data;
    buffer->capacity = capacity;
    return 0;
}

int gf_buffer_append(struct gf_buffer *buffer, const void *data, size_t size)
{
    int error = make_room(buffer, size);
    if (error)
        return error;
    if (size > 0)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    buffer->data[buffer->size] = '\0';
    return 0;
}

int gf_buffer_vprintf(struct gf_buffer *buffer, const char *format, va_list arguments)
{
    int error = make_room(buffer, 0);
    if (error)
        return error;
    /* The first try goes straight into the room that is left: most texts need no second one. */
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(buffer->data + buffer->size, buffer->capacity - buffer->size, format, again);
    va_end(again);
    if (length < 0) {
        error = -EINVAL;
        goto fail;
    }
    size_t size = (size_t)length;
    if (size >= buffer->capacity - buffer->size) {
        error = make_room(buffer, size);
        if (error)
            goto fail;
        vsnprintf(buffer->data + buffer->size, size + 1, format, arguments);
    }
    buffer->size += size;
    return 0;

fail:
    buffer->data[buffer->size] = '\0';
    return error;
}
