/*
 * The channel: messages, each a JSON object, and descriptors between a process and its successor, over a SOCK_SEQPACKET
 * socket that both have inherited.
 *
 * Thread: one at a time. A peer's words are believed as far as they parse: sizes and numbers are bounded.
 */
#ifndef GF_GHTTP_RESTART_CHANNEL_H
#define GF_GHTTP_RESTART_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>

struct cJSON;

/* The protocol's version, in the environment variable and in "ready". */
#define GF_CHANNEL_VERSION 1
/* A message's text. */
#define GF_CHANNEL_MESSAGE_MAX 65536
/* Descriptors in a message: the kernel's SCM_MAX_FD. */
#define GF_CHANNEL_FDS_MAX 253

/* A connected pair, both ends close-on-exec and non-blocking. 0 or a negative errno. */
int gf_channel_new(int ret_ends[2]);

/* Sends a message, with descriptors that stay the caller's. 0; -EAGAIN: the peer does not read; -EPIPE: it has gone. */
int gf_channel_send(int fd, const struct cJSON *message, const int *fds, size_t count);

/* Whether a message is of this type. */
bool gf_channel_is(const struct cJSON *message, const char *type);

/* Sends a message that is no more than its type. The same results. */
int gf_channel_say(int fd, const char *type);

/*
 * Receives a message (cJSON_Delete()) and up to *count descriptors (the caller closes them). 0; -EAGAIN: none is there;
 * -EPIPE: the peer has gone; -EBADMSG: it was none. ret_fds may be NULL: descriptors that came are closed. Those for
 * which this process has no room any more (EMFILE) are missing, of the last ones first.
 */
int gf_channel_receive(int fd, struct cJSON **ret_message, int *ret_fds, size_t *count);

/* The same without taking the message out, which has no descriptors. */
int gf_channel_peek(int fd, struct cJSON **ret_message);

#endif
