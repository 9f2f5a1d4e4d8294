/*
 * The buffer: bytes that grow up to a maximum which it is born with. Used for bodies of both directions.
 *
 * Owns: its memory (malloc). Always 0-terminated once something was appended.
 */
#ifndef GF_GHTTP_MESSAGE_BUFFER_H
#define GF_GHTTP_MESSAGE_BUFFER_H

#include <stdarg.h>
#include <stddef.h>

struct gf_buffer {
    char *data;      /* NULL until the first append */
    size_t size;     /* bytes in use, without the terminating 0 */
    size_t capacity; /* bytes allocated */
    size_t max;      /* size never passes this */
};

void gf_buffer_init(struct gf_buffer *buffer, size_t max);
void gf_buffer_finish(struct gf_buffer *buffer);
/* Forgets the content and keeps the memory, unless it has grown beyond keep bytes. */
void gf_buffer_reset(struct gf_buffer *buffer, size_t keep);

/* 0; -EMSGSIZE past the maximum, -ENOMEM: then nothing was appended. */
int gf_buffer_append(struct gf_buffer *buffer, const void *data, size_t size);
int gf_buffer_vprintf(struct gf_buffer *buffer, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

#endif
