/*
 * The generations that a keeper knows: which processes have said that they serve, and how they ended.
 *
 * Owns: a pidfd for each. Thread: the keeper's.
 */
#ifndef GF_GHTTP_RESTART_GENERATIONS_H
#define GF_GHTTP_RESTART_GENERATIONS_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Restarts bound the number of processes that drain; these are room enough for all that can live at once. */
#define GF_GENERATIONS_MAX 32

struct gf_generation {
    pid_t pid;
    int pidfd;
    pid_t watcher; /* the process before it, which comes back if it dies; 0: none does any more */
    bool in_order; /* it has said that it ends */
    bool ended;
    bool reaped; /* status holds */
    int status;
};

/* Remembers a process. NULL: it is not there any more, or the room is full of living ones. */
struct gf_generation *gf_generations_add(pid_t pid, pid_t watcher);
/* NULL: not known. */
struct gf_generation *gf_generations_find(pid_t pid);
/* Its end, as waitpid() tells it; false: not a generation. */
bool gf_generations_reaped(pid_t pid, int status);
/* Sees which have ended. */
void gf_generations_look(void);
/* Fills in what to poll for to hear of ends; how many. */
size_t gf_generations_poll(struct pollfd *fds);
/* Whether one of them lives. */
bool gf_generations_any(void);

#endif
