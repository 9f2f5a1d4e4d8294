/*
 * Bodies of multipart/form-data (RFC 7578, RFC 2046): found parts, whose data stays in the body.
 */
#ifndef GF_GHTTP_MESSAGE_MULTIPART_H
#define GF_GHTTP_MESSAGE_MULTIPART_H

#include <stddef.h>

struct gf_arena;

/* As many as a form may have parameters. */
#define GF_MULTIPART_PARTS_MAX ((size_t)1000)

struct gf_part {
    const char *name;
    const char *filename; /* as sent; NULL: a form's value */
    const char *type;     /* as sent; NULL: none */
    const char *data;     /* in the body, not terminated */
    size_t size;
};

struct gf_multipart {
    struct gf_part *parts; /* in the arena, in the body's order */
    size_t count;
};

/*
 * Takes a whole body apart; content_type names its boundary. 0; -EINVAL when anything about it is malformed, -E2BIG
 * for more than 1,000 parts or more than 8 KiB of headers of one, -ENOMEM: then *ret_multipart is as it was.
 */
int gf_multipart_parse(struct gf_arena *arena, const char *content_type, const char *body, size_t size,
                       struct gf_multipart *ret_multipart);

/* What a line begins with that separates parts, with the CRLF before it, in the arena. 0, -EINVAL or -ENOMEM. */
int gf_multipart_delimiter(struct gf_arena *arena, const char *content_type, const char **ret_delimiter);

/*
 * Reads a part's headers and the empty line behind them, *ret_size bytes, at the begin of what there is of the body so
 * far. -EAGAIN: they are not whole yet; the rest as above.
 */
int gf_multipart_read_head(struct gf_arena *arena, const char *delimiter, const char *data, size_t size,
                           struct gf_part *ret_part, size_t *ret_size);

#endif
