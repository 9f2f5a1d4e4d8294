/*
 * Health: asks the new process for a page, while the old one can still come back. It never waits: the state machine
 * goes on with a question when its descriptor is ready, or its time is up.
 *
 * Owns: the connection of a question. Thread: the state machine's.
 */
#ifndef GF_GHTTP_RESTART_HEALTH_H
#define GF_GHTTP_RESTART_HEALTH_H

#include <stddef.h>
#include <stdint.h>

struct gf_health {
    int fd;       /* -1: no question is open */
    short events; /* what it waits for, as of poll() */
    int64_t until_ms;
    int port;
    char request[1200];
    char path[1024]; /* as it was asked for, for the sentence */
};

#define GF_HEALTH_NONE                                                                                                 \
    {                                                                                                                  \
        .fd = -1                                                                                                       \
    }

/*
 * Begins to GET path where this listening TCP socket is bound, on the loopback address where it is bound to all, at the
 * time now_ms. -EINPROGRESS: gf_health_go_on() is due; else a negative errno with a sentence in error, which calls the
 * place by port.
 */
int gf_health_begin(struct gf_health *health, int listener, int port, const char *path, int64_t now_ms, char *error,
                    size_t error_size);

/* Goes on as far as it can. 0: the answer was 2xx; -EINPROGRESS: it has not come yet; else as above. */
int gf_health_go_on(struct gf_health *health, int64_t now_ms, char *error, size_t error_size);

/* Gives a question up; does nothing where there is none. */
void gf_health_end(struct gf_health *health);

#endif
