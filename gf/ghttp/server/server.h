/*
 * The server: a name, its settings and routes, and one life: new → serving → draining → stopped.
 *
 * Thread: set-up by one thread before the start; the life's functions one at a time (the restart floor's
 * thread, or the start); what is marked *any thread* at any time.
 */
#ifndef GF_GHTTP_SERVER_SERVER_H
#define GF_GHTTP_SERVER_SERVER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gf/ghttp/ghttp.h>

#include "../engine/listener.h"
#include "../engine/service.h"
#include "../route/chain.h"
#include "logs.h"
#include "settings.h"

#define GF_SERVER_NAME_MAX 64
#define GF_SERVER_ERROR_MAX 512

struct gf_session_store;

enum gf_server_state { GF_SERVER_NEW, GF_SERVER_SERVING, GF_SERVER_DRAINING, GF_SERVER_STOPPED, GF_SERVER_FAILED };

struct ghttp_server {
    _Atomic(ghttp_server *) next; /* in the registry */
    char name[GF_SERVER_NAME_MAX + 1];
    _Atomic enum gf_server_state state;
    pthread_mutex_t life; /* held by the start to its end; whoever ends the server waits for that */
    pthread_mutex_t lock; /* guards error, and the listeners against their end */
    char error[GF_SERVER_ERROR_MAX];
    struct gf_settings settings;
    char *config_file; /* that the program has named; NULL: none */
    struct gf_router *router;
    struct gf_chain chain;
    struct gf_pace pace;      /* of requests without a route */
    struct gf_stages *stages; /* NULL until they are needed; the chain's once there is a step in them */
    struct gf_listener *listeners;
    size_t listener_count;
    struct gf_service service;
    struct gf_server_logs logs;
    /* What a floor above does at the start once the settings are known; NULL: nothing. 0 or a negative errno, with a
     * sentence left by gf_server_fail(). */
    int (*prepare)(ghttp_server *s);
    _Atomic(struct gf_session_store *) session_store; /* the service floor's; NULL: no request has needed it yet */
    bool stop_asked;                                  /* by ghttp_server_shutdown(); under the state machine's lock */
    bool inherited_tickets; /* the key of its TLS session tickets is that of the process before this one */
    int64_t drain_until_ms; /* CLOCK_MONOTONIC */
};

/* What a floor above does at the start of each server, once its settings are known and checked. */
struct gf_server_step {
    /* 0, or a negative errno with a sentence: then the server does not start. */
    int (*run)(ghttp_server *s, char *error, size_t size);
    struct gf_server_step *next;
};

/* Before main(); step stays where it is for ever. */
void gf_server_add_step(struct gf_server_step *step);

/* What the process before this one has left for a server. */
struct gf_inheritance {
    /* The descriptor of a listener for this server and address, which then belongs to the caller; or negative. */
    int (*take_listener)(const char *server, const struct gf_address *address, bool tls);
    /* One that it gave did not fit. */
    void (*refuse_listener)(int fd, const char *reason);
    /* Whether the process before this one still serves: then nothing is accepted before gf_server_resume(). */
    bool (*is_served)(void);
    /* Writes the server's key for TLS session tickets, GF_TICKET_KEY_SIZE bytes; false: there is none. */
    bool (*take_ticket_key)(const char *server, unsigned char *ret_key);
};

ghttp_server *gf_server_new(const char *name);

/* Keeps a sentence as the server's error, unless it has one already (the first says what to mend first); gives result
 * back. */
int gf_server_fail(ghttp_server *s, int result, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* -EBUSY, with a sentence, once the server has been started: `call` came too late. 0 before. */
int gf_server_check_new(ghttp_server *s, const char *call);

/* Opens or takes over its listeners and serves. drained_fd: see service.h. 0 or a negative errno; logs the outcome. */
int gf_server_start(ghttp_server *s, const struct gf_inheritance *inheritance, int drained_fd);

/* Drains: no more accepting, answers close. Its listeners stay open. Logs nothing. */
void gf_server_drain(ghttp_server *s, int grace_ms, int64_t until_ms);

/* Takes a drain back and accepts again. */
void gf_server_resume(ghttp_server *s);

/* Closes its listeners. Another process has taken them over, or nobody is to have them. */
void gf_server_close_listeners(ghttp_server *s, bool handed_over);

/* The process before this one has let go of the listeners: they, and the files of Unix sockets, are ours alone. */
void gf_server_own_listeners(ghttp_server *s);

/* Ends it with what is left of its connections; how many requests that has cut. */
unsigned gf_server_stop(ghttp_server *s);

/* Any thread: requests in flight and connections open. */
unsigned gf_server_in_flight(const ghttp_server *s);
unsigned gf_server_connections(const ghttp_server *s);
enum gf_server_state gf_server_state(const ghttp_server *s);

/* Any thread: calls fn for each listener, if it serves or drains; fn does not block. */
void gf_server_each_listener(ghttp_server *s, void (*fn)(const struct gf_listener *listener, void *arg), void *arg);

#endif
