/*
 * Compressions of whole bodies: gzip, and Brotli and Zstandard where the library was built with them. Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_COMPRESSION_H
#define GF_GHTTP_SERVICE_COMPRESSION_H

#include <stddef.h>

#include "../message/buffer.h"

struct gf_compression {
    const char *coding; /* as in Content-Encoding */
    /* Compresses the body into a buffer that has not been begun; on failure there is nothing in it. 0; -EMSGSIZE when
     * it would not become smaller; -ENOMEM, -EIO. */
    int (*compress)(const struct gf_buffer *body, struct gf_buffer *compressed);
};

/* All that there are, those first that are preferred where a client likes several as well. gzip is the last one. */
extern const struct gf_compression gf_compressions[];
extern const size_t gf_compression_count;

#endif
