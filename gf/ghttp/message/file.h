/*
 * Files as answers: opened so that nothing blocks and nothing but a regular file is sent, or embedded in the program;
 * whole, in parts, or not at all because the client has this version already.
 *
 * Thread: the request's own; the disk may keep it waiting.
 */
#ifndef GF_GHTTP_MESSAGE_FILE_H
#define GF_GHTTP_MESSAGE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

struct ghttp_request;

/* How a file has to be opened: a FIFO, or the lock of a lease, must not block; a terminal must not become ours. */
#define GF_FILE_FLAGS (O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

struct gf_file {
    int fd;            /* -1: none; the bytes are in memory */
    const void *bytes; /* there, for as long as the request lives; NULL: they are the descriptor's */
    const char *hash;  /* of these bytes, their version; NULL: size, time and inode say which it is */
    struct stat status;
    const char *name;   /* its extension says what it is */
    const char *coding; /* of its bytes: "gzip", "br"; NULL: none */
    bool unversioned;   /* only its handler knows which version it is: by an ETag of its own, by a time that is not 0 */
    bool varies;        /* clients that accept other codings get other bytes */
};

/* Whether the descriptor is of a regular file: fills status. 0 or a negative errno (-ENOENT: another kind). */
int gf_file_check(struct gf_file *file);

/* A file in memory that lives as long as the request. */
void gf_file_set_bytes(struct gf_file *file, const void *bytes, size_t size, time_t modified, const char *hash);

/* Answers r, a GET or HEAD or anything else, with the file; its descriptor is the response's in every outcome. 0 or a
 * negative errno: then the answer is a 500. */
int gf_file_answer(struct ghttp_request *r, struct gf_file *file);

/* Answers with the status that says why a file could not be opened; gives error back. */
int gf_file_refuse(struct ghttp_request *r, int error);

#endif
