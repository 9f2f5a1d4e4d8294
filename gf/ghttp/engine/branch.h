/*
 * A branch: one service in one worker: its lanes and its acceptors.
 *
 * Thread: made and freed by whoever adds the service; all else by the one that leads the worker.
 */
#ifndef GF_GHTTP_ENGINE_BRANCH_H
#define GF_GHTTP_ENGINE_BRANCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "acceptor.h"

struct gf_running;
struct gf_service;

struct gf_branch {
    struct gf_worker *worker;
    struct gf_service *service;
    struct gf_lane *http;  /* NULL: not served */
    struct gf_lane *https; /* NULL: not served */
    size_t acceptor_count;
    struct gf_acceptor acceptors[];
};

struct gf_branch *gf_branch_new(struct gf_worker *worker, struct gf_service *service);
/* The lanes must be gone. NULL is fine. */
void gf_branch_free(struct gf_branch *branch);

/* Makes the lanes. 0 or a negative errno with a sentence in error; what was made stays for gf_branch_close(). */
int gf_branch_open(struct gf_branch *branch, char *error, size_t error_size);
int gf_branch_accept(struct gf_branch *branch);
void gf_branch_cease(struct gf_branch *branch);
/* Takes in all who wait in the backlog. */
void gf_branch_empty_backlog(struct gf_branch *branch);
void gf_branch_drain(struct gf_branch *branch, bool on, int grace_ms);
/* The service has a mover: looks for what is idle already. */
void gf_branch_release(struct gf_branch *branch);
/* Takes a connection from another process in; fd is the branch's in every outcome. 0 or a negative errno. */
int gf_branch_adopt(struct gf_branch *branch, int fd, uint64_t consumed);
/* Adds copies of the requests that handlers have now to count others: the oldest first, and room of them; how many. */
size_t gf_branch_running(const struct gf_branch *branch, struct gf_running *running, size_t count, size_t room);
/* Ends the lanes with their connections. false: handlers still have some of these; the lanes stay. */
bool gf_branch_close(struct gf_branch *branch);

#endif
