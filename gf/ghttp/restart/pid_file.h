/*
 * The pid file: a number and a line feed, for whoever looks after the process by it.
 *
 * Owns nothing. Paths are as of the folder in which the process was started, whatever the program has done since.
 * Thread: any.
 */
#ifndef GF_GHTTP_RESTART_PID_FILE_H
#define GF_GHTTP_RESTART_PID_FILE_H

#include <sys/types.h>

/* Puts the number there, whole: nobody ever reads a part of it. 0 or a negative errno. */
int gf_pid_file_write(const char *path, pid_t pid);

/* What it says; 0: there is none, or it says nothing sensible. */
pid_t gf_pid_file_read(const char *path);

/* Removes it if it still says so. 0, -ESRCH: it names another process, or a negative errno. */
int gf_pid_file_remove(const char *path, pid_t pid);

#endif
