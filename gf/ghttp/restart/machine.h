/*
 * The machine's own state, shared by the two halves of it: graceful.c, which others call, and machine.c, which is
 * its thread. Nobody else includes this.
 */
#ifndef GF_GHTTP_RESTART_MACHINE_H
#define GF_GHTTP_RESTART_MACHINE_H

#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "graceful.h"
#include "health.h"
#include "predecessor.h"
#include "successor.h"

/* A restart that somebody has asked for. */
struct gf_restart_request {
    const char *path; /* NULL: the same executable */
    int64_t asked_ms;
    bool done;
    struct gf_outcome outcome;
};

struct gf_machine {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int wake_fd;
    int drained_fd;
    int gone_fd; /* written to when the thread ends */

    /* under the lock */
    bool running; /* the thread is there */
    enum gf_graceful_state state;
    struct gf_restart_request *request;   /* asked for and not done; one at a time */
    struct gf_restart_request unattended; /* by a signal or a message: nobody waits for it */
    char unattended_path[PATH_MAX];
    bool shutdown_asked;
    bool force_asked;
    bool set_up; /* g_wait() was entered */
    struct gf_graceful_facts facts;

    /* the thread's own */
    void (*step)(void);
    struct gf_greeting greeting;
    struct gf_successor successor;
    char *executable;
    struct cJSON *offer;        /* what the successor takes: its "ready" */
    unsigned waiting;           /* clients in the queues of the listeners at the hand-over */
    char forced[GF_FORCED_MAX]; /* "; ..." that the oldest process had to be killed to make room; "": it had not */
    bool passed_on;             /* our predecessor was given our successor */
    int64_t deadline_ms;        /* of the state */
    int64_t heard_ms;           /* the new process's last sign of life */
    int64_t pinged_ms;          /* our last question for one */
    uint64_t given;             /* connections that it had been given when the channel was full */
    int unread;                 /* and bytes that lay in the channel then */
    int64_t health_due_ms;      /* when its health is to be asked for again */
    struct gf_health health;    /* the question that is open */
    ghttp_server *asked;        /* whose it is */
    unsigned unhealthy;         /* bad rounds in a row */
    int64_t reported_ms;        /* the last report of our drain */
    int64_t drain_logged_ms;    /* and the last line about it */
    int exit_status;
    bool watches_on;   /* over the new process, after its probation */
    bool is_ready;     /* all servers are up, and whom it concerns knows */
    pid_t replaced_by; /* at the end; 0: nobody */
};

extern struct gf_machine gf_machine;

/* What a successor says after "ready". */
enum gf_word {
    GF_WORD_NONE,
    GF_WORD_PONG,
    GF_WORD_SETTLED,
    GF_WORD_SHUTDOWN,
    GF_WORD_ROOM,
    GF_WORD_LEAVE,
    GF_WORD_GONE
};

/* Descriptors that every state waits for: the wake-up, the end of a drain, the process before this one, its end,
 * what is left of a loan. */
#define GF_MACHINE_FDS 5

/* Runs the steps until the process is to end. */
void *gf_machine_main(void *arg);

int64_t gf_machine_now_ms(void);
void gf_machine_wake(void);

/* Whether one of the servers asks for graceful restarts. */
bool gf_machine_is_graceful(void);

/* ---- the thread's own: the states, and what they share ---- */

void gf_machine_serve(void);
void gf_machine_drain(void);
/* g_wait() has been entered: takes over, or refuses to; does nothing the second time. */
void gf_machine_become_ready(void);
void gf_machine_begin_shutdown(void);
/* Starts the new process; the way back leads to gf_machine_serve, the way on to gf_machine_drain. */
void gf_machine_begin_start(void);
/* The new process serves, this one can come back. */
void gf_machine_begin_watch(void);
void gf_machine_watch(void);
/* Graceful is off: the process ends its requests and executes anew; the way back leads to gf_machine_serve. */
void gf_machine_begin_full_restart(void);

void gf_machine_enter(enum gf_graceful_state state, void (*step)(void));
/* Waits for one of fds, whose first GF_MACHINE_FDS it fills in and hears itself. */
void gf_machine_wait_for(struct pollfd *fds, nfds_t count, int64_t until_ms);
bool gf_machine_flag(const bool *flag);
/* The restart that is asked for; NULL: none. */
struct gf_restart_request *gf_machine_pending_request(void);
/* Shortens the drains: another process waits for our end. */
void gf_machine_hurry(void);
/* The longest that a server has set for the setting at this offset. */
int64_t gf_machine_longest(size_t offset);

/* Tells whoever asked how the restart went. */
void gf_machine_settle(int result, pid_t new_pid, const char *reason);
void gf_machine_fail(int result, const char *reason);
void gf_machine_note_failure(int result, unsigned waiting, const char *reason);

enum gf_word gf_machine_hear_successor(void);
/* Tells the new process, and the log, how the drain stands, where it is time to; when it is time again, or next. */
void gf_machine_report_drain(void);
int64_t gf_machine_next_report(int64_t next);

/* Whether the drain is complete, and when the last server's has lasted long enough. */
bool gf_machine_is_answered(void);
int64_t gf_machine_drain_limit(void);

/* Clients in the queues of the TCP listeners: nobody has let them in yet. */
unsigned gf_machine_count_waiting(void);
void gf_machine_cease_all(void);
void gf_machine_accept_all(void);
void gf_machine_drain_all(int grace_ms);
void gf_machine_resume_all(void);
/* Whether a server drains that was not stopped by the program itself: then its listeners are open. */
bool gf_machine_can_resume(const ghttp_server *s);
void gf_machine_close_listeners(bool handed_over);
/* How a server's drain went, in the numbers of the page; and what is about to be cut besides. */
void gf_machine_log_drained(const ghttp_server *s, unsigned about_to_be_cut);
/* Ends the servers whose drain is complete or has lasted too long; when the next has lasted too long. */
int64_t gf_machine_end_drained(bool force);

#endif
