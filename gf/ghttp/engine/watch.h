/*
 * What an event of a worker's epoll set points to: the first member of everything that can be waited for.
 */
#ifndef GF_GHTTP_ENGINE_WATCH_H
#define GF_GHTTP_ENGINE_WATCH_H

enum gf_watch_kind {
    GF_WATCH_WAKE,     /* another thread has something for the leader */
    GF_WATCH_LISTENER, /* a client wants to connect */
    GF_WATCH_LANE,     /* a daemon's sockets are ready */
    GF_WATCH_LINGER,   /* a client still sends on a connection that is over */
};

struct gf_watch {
    enum gf_watch_kind kind;
};

#endif
