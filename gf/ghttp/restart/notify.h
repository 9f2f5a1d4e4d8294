/*
 * News for a service manager: datagrams in systemd's format ("READY=1\nSTATUS=…") to the socket that NOTIFY_SOCKET
 * named when the process was started, a path or (with '@') an abstract name.
 *
 * Owns nothing: each message has a socket of its own, since the manager may open its one anew at any time.
 * Thread: any. Waits for a manager that does not read for at most 100 ms, the barrier for what it is given.
 */
#ifndef GF_GHTTP_RESTART_NOTIFY_H
#define GF_GHTTP_RESTART_NOTIFY_H

#include <stdbool.h>
#include <stddef.h>

/* Of one message, which is the manager's own limit. */
#define GF_NOTIFY_MAX 4096

/* Whether anybody wants to hear. */
bool gf_notify_is_wanted(void);

/*
 * Sends a message. 0, also when nobody wants to hear; -EMSGSIZE, -EAGAIN: the manager does not read, or another
 * negative errno.
 */
int gf_notify_send(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same with a descriptor, which stays the caller's. */
int gf_notify_send_fd(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Waits until the manager has dealt with all that was sent before, by any process. 0, -ETIMEDOUT, or as above. */
int gf_notify_barrier(int timeout_ms);

/* Text as one line of at most size - 1 bytes: control characters become blanks, no character is cut in two. */
void gf_notify_line(const char *text, char *line, size_t size);

#endif
