/*
 * The machine's own state, shared by the two halves of it: graceful.c, which others call, and machine.c, which is
 * its thread. Nobody else includes this.
 */
#ifndef GF_GHTTP_RESTART_MACHINE_H
#define GF_GHTTP_RESTART_MACHINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "graceful.h"
#include "predecessor.h"
#include "successor.h"

/* A restart that somebody has asked for. */
struct gf_restart_request {
    const char *path; /* NULL: the same executable */
    int64_t asked_ms;
    bool by_signal; /* nobody waits for it */
    bool done;
    struct gf_outcome outcome;
};

struct gf_machine {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    int wake_fd;
    int drained_fd;

    /* under the lock */
    bool running; /* the thread is there */
    enum gf_graceful_state state;
    struct gf_restart_request *request; /* asked for and not done; one at a time */
    struct gf_restart_request by_signal;
    bool shutdown_asked;
    bool force_asked;
    bool set_up; /* g_wait() was entered */
    struct gf_graceful_facts facts;

    /* the thread's own */
    void (*step)(void);
    struct gf_greeting greeting;
    struct gf_successor successor;
    char *executable;
    int64_t deadline_ms; /* of the state */
    int64_t drain_began_ms;
    int exit_status;
};

extern struct gf_machine gf_machine;

/* Runs the steps until the process is to end. */
void *gf_machine_main(void *arg);

int64_t gf_machine_now_ms(void);
void gf_machine_wake(void);

/* Whether one of the servers asks for graceful restarts. */
bool gf_machine_is_graceful(void);

#endif
