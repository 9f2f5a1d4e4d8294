/*
 * How this process was started, recorded before main() and never changed after: what a restart needs to start
 * the next generation as this one was started, whatever the program has done to itself since.
 */
#ifndef GF_GPROC_START_H
#define GF_GPROC_START_H

#include <signal.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <time.h>

#include <gf/gproc/activation.h>

struct gf_start {
    int argc;
    char **argv;               /* a copy that ends with NULL; NULL: no memory */
    char **envp;               /* likewise, without what was for this process alone */
    int cwd_fd;                /* O_PATH and close-on-exec, above 2; -1: it could not be opened */
    struct rlimit nofile;      /* RLIMIT_NOFILE */
    char *exe_path;            /* absolute, symbolic links not resolved; NULL: not known */
    sigset_t ignored;          /* the signals that were ignored */
    struct timespec wall;      /* CLOCK_REALTIME */
    struct timespec monotonic; /* CLOCK_MONOTONIC */
    char *reload;              /* the text of GF_SERVER_RELOAD, unchecked; NULL: it was not set, or too long */
    char *keeper;              /* likewise that of GF_SERVER_KEEPER */
    int state_fd;              /* of GF_SERVER_STATE; -1: it was not set */
    pid_t parent;              /* the process that reload names as the one which restarted; 0: none */
    struct gf_activation activation;
};

/* Never NULL. Thread: any thread. */
const struct gf_start *gf_start_get(void);

/*
 * Where a file or folder of this name is, as GoFrame looks for it: a relative path from the working folder, else from
 * the executable's. What is in neither, or would not fit into the buffer, is given back as it is. Thread: any thread.
 */
const char *gf_start_find_file(const char *path, char *buffer, size_t size);

/*
 * Every room of the package names the record, for a static link takes only the files that are named, and
 * without the constructor in start.c a new generation would pass its listeners on to whatever it spawns.
 */
#define GF_START_NEEDED static const struct gf_start *(*const gf_start_needed)(void)__attribute__((used)) = gf_start_get

#endif
