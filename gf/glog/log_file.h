/*
 * One log file: its name of the day, its rotation, its lines.
 *
 * Several processes and several of these objects may write the same file: it is opened to append, every write is whole
 * lines, and who rotates holds a lock on the file meanwhile.
 * Thread: one at a time; the logger's.
 */
#ifndef GF_GLOG_LOG_FILE_H
#define GF_GLOG_LOG_FILE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

struct gf_log_file {
    char *folder; /* absolute; NULL: standard output, which has no name and is not rotated */
    char *pattern;
    char name[NAME_MAX + 1]; /* under which it is open */
    int64_t rotate_size;     /* bytes; 0: not by size */
    int64_t backups;         /* old files that are kept; 0: all */
    int fd;                  /* -1: not open */
    int rotate_error; /* why the last rotation that was due has failed, a negative errno; then the file grows on */
    bool regular;
    bool torn; /* what was written last ends in the middle of a line */
};

/* Makes the folder if need be and checks the pattern; opens nothing. 0 or a negative errno; then nothing is left. */
int gf_log_file_init(struct gf_log_file *file, const char *folder, const char *pattern, int64_t rotate_size,
                     int64_t backups);
void gf_log_file_finish(struct gf_log_file *file);

/* Opens it under the name that this moment gives it, if it is not open under that. 0 or a negative errno. */
int gf_log_file_open(struct gf_log_file *file, const struct timespec *now);

/* The next gf_log_file_open() opens anew: somebody has renamed the file. */
void gf_log_file_close(struct gf_log_file *file);

/*
 * Writes whole lines from the beginning of text, as many as one write(2) should take, and rotates first where that is
 * due and possible. How many bytes, fewer lines where the disk is full; 0: it takes nothing now, after a wait of at
 * most wait_ms (a pipe that nobody reads); or a negative errno.
 */
ssize_t gf_log_file_write(struct gf_log_file *file, const char *text, size_t size, const struct timespec *now,
                          int wait_ms);

#endif
