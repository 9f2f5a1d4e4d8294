/*
 * The spool: a body that grows beyond what may be held in memory goes on in a temporary file, and is mapped when it is
 * whole, so that whoever reads the body does not notice.
 *
 * The file has no name, so that nothing of it is left behind however the process ends. Owns: the file and the map.
 */
#ifndef GF_GHTTP_MESSAGE_SPOOL_H
#define GF_GHTTP_MESSAGE_SPOOL_H

#include <stddef.h>

#include "buffer.h"

struct gf_spool {
    int fd;          /* -1: the body is in memory so far */
    void *map;       /* NULL: none yet */
    size_t map_size; /* bytes of the map, with the 0 behind the body */
};

void gf_spool_init(struct gf_spool *spool);
/* Gives file and map back; the body is empty afterwards if it was here. */
void gf_spool_finish(struct gf_spool *spool, struct gf_buffer *body);

/*
 * Appends to a body, of which memory_max bytes at most stay in memory. 0; -EMSGSIZE past the body's own maximum,
 * -ENOMEM, or what the system said of the file (-ENOSPC, -EACCES …): then the body is of no use any more.
 */
int gf_spool_append(struct gf_spool *spool, struct gf_buffer *body, size_t memory_max, const void *data, size_t size);

/* The body is whole: its bytes can be read, with a 0 behind them. 0 or a negative errno. */
int gf_spool_complete(struct gf_spool *spool, struct gf_buffer *body);

/* The folder that such files are made in: $TMPDIR, else /tmp. */
const char *gf_spool_folder(void);

#endif
