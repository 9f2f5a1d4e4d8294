/*
 * Files as answers: opened so that nothing blocks and nothing but a regular file is sent; whole, in parts, or not at
 * all because the client has this version already.
 *
 * Thread: the request's own; the disk may keep it waiting.
 */
#ifndef GF_GHTTP_MESSAGE_FILE_H
#define GF_GHTTP_MESSAGE_FILE_H

#include <stdbool.h>
#include <sys/stat.h>

struct ghttp_request;

/* How a file has to be opened: a FIFO, or the lock of a lease, must not block; a terminal must not become ours. */
#define GF_FILE_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

struct gf_file {
    int fd;
    struct stat status;
    const char *name;   /* its extension says what it is */
    const char *coding; /* of its bytes: "gzip", "br"; NULL: none */
    bool varies;        /* clients that accept other codings get other bytes */
};

/* Whether the descriptor is of a regular file: fills status. 0 or a negative errno (-ENOENT: another kind). */
int gf_file_check(struct gf_file *file);

/* Answers r, a GET or HEAD or anything else, with the file; its descriptor is the response's in every outcome. 0 or a
 * negative errno: then the answer is a 500. */
int gf_file_answer(struct ghttp_request *r, struct gf_file *file);

/* Answers with the status that says why a file could not be opened; gives error back. */
int gf_file_refuse(struct ghttp_request *r, int error);

#endif
