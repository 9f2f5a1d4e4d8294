/*
 * Starting a child with clean signals and no descriptor too many, and watching it without its number.
 */
#ifndef GF_GPROC_CHILD_H
#define GF_GPROC_CHILD_H

#include <gf/gproc/gproc.h>

/* How a child is to be started. */
struct gf_child_plan {
    const char *path; /* with a slash */
    char *const *argv;
    char *const *envp; /* NULL: that of this process now */
    int output_fd;     /* below 0: standard input, output and error of this process; else both outputs go here,
                          the input is /dev/null, and the child leads a process group of its own */
};

/*
 * 0 or why it could not be executed. The child is the caller's to reap; ret_pidfd (close-on-exec) becomes readable
 * at its end. Thread: any thread.
 */
int gf_child_spawn(const struct gf_child_plan *plan, pid_t *ret_pid, int *ret_pidfd);

/* Waits until the pidfd is readable; deadline as in deadline.h. 0, -ETIMEDOUT. */
int gf_child_await(int pidfd, int64_t deadline);

/* Waits for the end of a child of ours and reaps it. 0, -ECHILD. */
int gf_child_reap(pid_t pid, int *ret_status);

/* An object for a process that was not started here: it can be signalled, its end is seen, its status is not. */
int gf_process_adopt(pid_t pid, gproc_process **ret_process);

/* A duplicate of the pidfd of a process that runs, to be closed; -ECHILD: not started, or its end was seen. */
int gf_process_watch(gproc_process *p);

#endif
