/*
 * A logger: a log file with a queue and a thread of its own, so that whoever logs never waits for a disk.
 *
 * What finds the queue full is dropped and counted, and the file says so once there is room again. Loggers live as
 * long as the process; SIGHUP has all of them open their files anew.
 * Thread: any, but for gf_logger_new(), which is for the set-up.
 */
#ifndef GF_GLOG_LOGGER_H
#define GF_GLOG_LOGGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <gf/glog/glog.h>

struct gf_glog_line;
struct gf_logger;

/* How the file says that lines are missing. */
enum gf_logger_style {
    GF_LOGGER_TEXT,
    GF_LOGGER_JSON,
    GF_LOGGER_SILENT, /* other programs read it, and nothing else may stand in it */
};

struct gf_logger_options {
    const char *folder;  /* NULL: standard output */
    const char *pattern; /* see log_name.h */
    int64_t rotate_size; /* bytes; 0: not by size */
    int64_t backups;     /* old files that are kept; 0: all */
    enum gf_logger_style style;
    size_t queue_max; /* bytes; 0: 4 MiB */
};

/* Opens the file and starts the thread. 0, or a negative errno with a sentence. */
int gf_logger_new(const struct gf_logger_options *options, struct gf_logger **ret_logger, char *error,
                  size_t error_size);

/* Queues one line, which ends with its line feed. Never waits. */
void gf_logger_write(struct gf_logger *logger, const char *line, size_t size);

/* A line of the log into this file, if it is not NULL, and to where glog_write() writes, if it is for the terminal too.
 */
void gf_logger_report(struct gf_logger *logger, bool on_terminal, enum glog_level level, struct gf_glog_line *line);

/* Lines that this logger has dropped since its beginning. */
uint64_t gf_logger_dropped(struct gf_logger *logger);

/* Waits until all that is queued in all loggers is written, so long at most; and as long for standard error. */
void gf_logger_flush_all(int timeout_ms);

/* The same, and ends them: what comes later is dropped. At the end of the process. */
void gf_logger_stop_all(int timeout_ms);

#endif
