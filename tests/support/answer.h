/*
 * An HTTP/1.1 response taken from bytes as they come, in pieces of any size; strict, since it judges a server.
 *
 * Owns: the head and the body of one response at a time. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_ANSWER_H
#define GF_TESTS_SUPPORT_ANSWER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct answer {
    int status;
    bool complete;   /* all of it is here */
    bool keep_alive; /* the connection may be used again */
    char *head;      /* status line and header lines with their CRLFs, terminated; without the empty line's */
    size_t head_size;
    char *body; /* decoded, terminated */
    size_t body_size;
    size_t received; /* bytes of this response so far, interim ones included */

    /* inside */
    bool no_body;
    int framing;
    size_t body_left;
    size_t head_capacity, body_capacity;
};

/* Before each response; keeps the memory of the one before. no_body: the request was HEAD. All zeros is a first state.
 */
void answer_begin(struct answer *a, bool no_body);
void answer_finish(struct answer *a);

/*
 * Takes bytes; returns how many, less than size when the response is complete before their end. -EPROTO: this is no
 * HTTP; -EMSGSIZE: more than 64 KiB of head or 256 MiB of body; -ENOMEM.
 */
ssize_t answer_feed(struct answer *a, const char *data, size_t size);
/* The connection has ended: 0 if that completes the response, -ENODATA if something is missing. */
int answer_end(struct answer *a);

/* The value of the first header of this name, allocated; NULL: none. */
char *answer_header(const struct answer *a, const char *name);
/* How many headers of this name there are. */
int answer_header_count(const struct answer *a, const char *name);

#endif
