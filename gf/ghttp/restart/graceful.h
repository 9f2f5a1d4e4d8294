/*
 * Graceful: the one state machine of restarts and shutdowns, and its one thread.
 *
 *   serving → starting the new process → handing over → watching and draining → draining → gone
 *      ↑                └── it fails            │             └── it dies
 *      └──────────────────────────────┴─────────────────┘
 *
 * Whoever asks, the admin page, a signal, the API, comes in here, and gets the outcome, not the intention. Nothing
 * in this process changes until the new one is ready, so the way back before that is free.
 * Thread: any, for what is below.
 */
#ifndef GF_GHTTP_RESTART_GRACEFUL_H
#define GF_GHTTP_RESTART_GRACEFUL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gf/ghttp/ghttp.h>

#define GF_OUTCOME_REASON_MAX 3072

enum gf_graceful_state {
    GF_GRACEFUL_SERVING,
    GF_GRACEFUL_STARTING,
    GF_GRACEFUL_HANDING_OVER,
    GF_GRACEFUL_WATCHING,
    GF_GRACEFUL_DRAINING,
    GF_GRACEFUL_GONE,
};

/* How a restart went. */
struct gf_outcome {
    int result; /* 0, or a negative errno */
    pid_t old_pid;
    pid_t new_pid;       /* 0: there is none; old_pid again: a full restart has begun */
    unsigned generation; /* of the new process */
    int64_t took_ms;
    unsigned waiting; /* clients in the queues of the TCP listeners at the hand-over; after a rollback, then */
    char executable[1024];
    char reason[GF_OUTCOME_REASON_MAX]; /* a sentence, also for success */
};

/* Restarts that a process knows of, those of its predecessors included; the page shows them. */
#define GF_HISTORY_MAX 8
/* What is kept of a reason: how a process ended, with the end of what it said last. All of them go into one message to
 * the next process, in which an escaped byte takes six. */
#define GF_HISTORY_REASON_MAX 768

struct gf_history_entry {
    unsigned generation; /* that was started */
    pid_t pid;           /* 0: it never was */
    int result;          /* 0, or a negative errno */
    int64_t took_ms;
    int64_t at_ms;    /* CLOCK_REALTIME */
    unsigned waiting; /* as above */
    char reason[GF_HISTORY_REASON_MAX];
};

/* What a drain says that it waits for, in bytes. */
#define GF_HOLDS_UP_MAX 512
/* The longest name of a state, with its end. */
#define GF_STATE_NAME_MAX 16

/* How the drain of a process stands, as it says itself. */
struct gf_drain {
    pid_t pid; /* 0: there is none */
    char state[GF_STATE_NAME_MAX];
    uint64_t moved, closed, raced, cut;
    unsigned waiting; /* clients in the queues of the listeners when it handed over */
    unsigned in_flight, connections;
    char holds_up[GF_HOLDS_UP_MAX]; /* its requests by route: "/sleep (2, the longest for 14 s)" */
};

/* The process before this one. */
struct gf_drain_report {
    struct gf_drain drain;
    bool gone;
    unsigned behind;       /* processes before it that live */
    struct gf_drain older; /* the one before it, as far as it lives */
};

struct gf_graceful_facts {
    enum gf_graceful_state state;
    unsigned generation;     /* of this process */
    int64_t restart_took_ms; /* from the request for the restart to our being ready; 0 in the first generation */
    bool graceful;
    struct gf_drain_report predecessor; /* the process before this one, as it last said itself */
    size_t history_count;
    struct gf_history_entry history[GF_HISTORY_MAX]; /* the oldest first */
    bool has_outcome;
    struct gf_outcome last; /* the last restart that this process was asked for */
};

/* Starts a server under the machine's care; the first call starts the machine. 0 or a negative errno. */
int gf_graceful_start_server(ghttp_server *s);
/* Begins to drain one server, or all. 0, or -EINVAL when it does not run; one server only: -EBUSY during a restart. */
int gf_graceful_stop_server(ghttp_server *s);
int gf_graceful_shutdown(void);

/* Restarts the process; blocks until the outcome is known, and returns its result. */
int gf_graceful_restart(const char *path, struct gf_outcome *ret_outcome);

/* Asks for a restart whose outcome only the log tells, by the executable of this path (shorter than PATH_MAX), or "":
 * by the same. NULL, or what this process is, which is why not. */
const char *gf_graceful_ask(const char *path);

/* Says that all servers are set up, waits for the end, and gives the exit status. */
int gf_graceful_wait(void);

void gf_graceful_facts(struct gf_graceful_facts *ret_facts);
const char *gf_graceful_state_name(enum gf_graceful_state state);

#endif
