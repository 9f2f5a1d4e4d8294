/*
 * Bytes to a server and what comes back, to the last one: a blocking socket for tests in which the bytes, their pieces
 * and the way in which the connection ends are the point.
 *
 * Owns: what raw_read() has collected. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_RAW_H
#define GF_TESTS_SUPPORT_RAW_H

#include <stdbool.h>
#include <stddef.h>

struct raw {
    int fd;
    char *bytes; /* all that has come, terminated; may hold a NUL */
    size_t size, capacity;
    bool ended; /* the server has closed in order */
    bool reset; /* the connection broke */
};

/* Connects to 127.0.0.1:port, with a time limit of ten seconds for each later step. 0 or a negative errno. */
int raw_connect(struct raw *raw, int port);
/* All zeros is fine. */
void raw_close(struct raw *raw);
/* Closes so that the server sees a reset. */
void raw_abort(struct raw *raw);

/* Sends all of it: 0 or a negative errno. */
int raw_send(struct raw *raw, const void *data, size_t size);
int raw_send_text(struct raw *raw, const char *text);
/* In two pieces, cut at this byte, so that the server reads them one after the other. */
int raw_send_split(struct raw *raw, const void *data, size_t size, size_t cut);

/* Reads until this text has come (NULL: until the end). 0; -ETIMEDOUT; -EPIPE, it ended before; -ECONNRESET. */
int raw_read(struct raw *raw, const char *until, int timeout_ms);
/* Reads until so many bytes have come. */
int raw_read_size(struct raw *raw, size_t size, int timeout_ms);

/* The status of the first answer; 0: there is none. */
int raw_status(const struct raw *raw);
/* Whether the text is among the bytes. */
bool raw_has(const struct raw *raw, const char *text);
/* How often it is. */
int raw_count(const struct raw *raw, const char *text);

/*
 * A whole exchange with a server that is to close: connects, sends, reads to the end. The status of the first answer;
 * 0: none came; a negative errno when the connection did not end in order. *raw is closed, its bytes stay until the
 * next use: raw_close() frees them.
 */
int raw_exchange(struct raw *raw, int port, const void *data, size_t size);

#endif
