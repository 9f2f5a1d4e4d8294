/*
 * A line of the log in the making, for those who write it elsewhere too. Thread: any.
 */
#ifndef GF_GLOG_LINE_H
#define GF_GLOG_LINE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include <gf/glog/glog.h>

/* With its line feed a line is at most PIPE_BUF bytes: so much a pipe takes in one piece. */
#define GF_GLOG_LINE_MAX 4096

/* The room for the cut mark and the line feed is kept free by limit. */
struct gf_glog_line {
    char text[GF_GLOG_LINE_MAX];
    size_t size;
    size_t limit;
};

/* Whether lines of this level are logged at all. */
bool gf_glog_is_wanted(enum glog_level level);

/* Time, process, level and text, escaped and cut; without a line feed, for which there is room. */
void gf_glog_make_line(struct gf_glog_line *line, enum glog_level level, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

void gf_glog_print_line(struct gf_glog_line *line, enum glog_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Gives it to the writer, or to standard error. */
void gf_glog_emit_line(struct gf_glog_line *line, enum glog_level level);

#endif
