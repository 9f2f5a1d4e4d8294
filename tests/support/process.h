/*
 * A program under test: started in a folder of its own, its output read as it comes, and gone when the test is,
 * with all generations that it has replaced itself by.
 *
 * Owns: the process group of the program, its output, its folder. A small guard process ends the groups of a test that
 * crashed or was killed. Thread: the functions of one process may be called by any thread; start and free by one.
 */
#ifndef GF_TESTS_SUPPORT_PROCESS_H
#define GF_TESTS_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

struct process;

struct process_options {
    const char *program;            /* a path, or a name as for process_program() */
    const char *const *arguments;   /* after the name, NULL at the end; NULL: none */
    const char *const *environment; /* "NAME=value" beside this process's own, NULL at the end; NULL: nothing more */
    const char *folder;             /* the working folder; NULL: a new one, removed at the end */
};

/*
 * The path of the program of tests/programs, tests/fault_programs, examples or bench/programs with this name in the
 * build under test: the one that the environment variable GF_TEST_PROGRAMS names, else the one that this code belongs
 * to. Allocated; NULL with errno when there is none.
 */
char *process_program(const char *name);

/* Starts the program. NULL with errno when it cannot be. */
struct process *process_start(const struct process_options *options);

/* Of the first generation. */
pid_t process_pid(const struct process *p);
const char *process_folder(const struct process *p);

/*
 * Waits until the output has this number of complete lines (since the mark) that contain the text, whichever generation
 * wrote them. 0; -ETIMEDOUT; -EPIPE when all generations have ended without it. In the last two cases the end of the
 * output is shown on standard error.
 */
int process_wait_lines(struct process *p, const char *text, int count, int timeout_ms);
int process_wait_line(struct process *p, const char *text, int timeout_ms);
/* From now on process_wait_line() heeds only what is written after this moment: call it before what causes the line. */
void process_mark(struct process *p);

/* A copy of all output so far (the first 8 MiB), standard output and error mixed as they came. Allocated. */
char *process_output(struct process *p);
/* The last complete line that contains the text, without its line feed. Allocated; NULL: none. */
char *process_find_line(struct process *p, const char *text);

/* Sends the first generation a signal; 0 or a negative errno. */
int process_signal(struct process *p, int signo);
/* Waits until the first generation has ended; *status is as of waitpid(). 0 or -ETIMEDOUT. */
int process_wait_exit(struct process *p, int timeout_ms, int *status);
/* Waits until all generations have ended. 0 or -ETIMEDOUT. */
int process_wait_end(struct process *p, int timeout_ms);
/* Waits until the process of this pid (any generation) has ended; 0 (also if there is none) or -ETIMEDOUT. */
int process_wait_pid_gone(pid_t pid, int timeout_ms);

/*
 * Ends all generations: SIGTERM, and SIGKILL after ten seconds. 0, or -ETIMEDOUT if they had to be killed.
 *
 * When a sanitizer has reported something in the output (also before), this shows the output and aborts the test.
 */
int process_stop(struct process *p);
/* As process_stop(), and frees everything. NULL is fine. */
void process_free(struct process *p);

#endif
