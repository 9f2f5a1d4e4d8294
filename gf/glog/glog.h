/**
 * @file glog.h
 * The one layer that logs: lines in GoFrame's format, `2018-05-18 11:02:04.812 11511: text`.
 *
 * The rest of the library returns errors; what an operator should read goes through here. A line is one
 * write(2), so that lines of several processes on one terminal or file do not mix; control characters in
 * it are escaped, so that nothing a client sends can forge a line. Nobody who logs waits for a reader of standard
 * error: what that does not take at once is kept for a moment, and dropped and counted where it becomes too much.
 */
#ifndef GF_GLOG_H
#define GF_GLOG_H

#include <gf/export.h>

GF_BEGIN_DECLS

/** How much a line matters. */
enum glog_level { GLOG_DEBUG, GLOG_INFO, GLOG_WARNING, GLOG_ERROR };

/**
 * Takes the place of standard error as the receiver of all lines.
 * @param line without the line feed; only during the call.
 */
typedef void glog_writer(enum glog_level level, const char *line, void *arg);

/** Has every line given to fn; NULL: standard error again. Thread: any thread; set it before the first server starts.
 */
GF_API void glog_set_writer(glog_writer *fn, void *arg);

/** Lines below this level are dropped; GLOG_INFO unless set. Thread: any thread. */
GF_API void glog_set_level(enum glog_level level);

/** Logs a line; at most 4,096 bytes of it, the cut marked by "...". INFO lines carry no level, as in the manual.
 * Thread: any thread. */
GF_API void glog_write(enum glog_level level, const char *format, ...) GF_PRINTF(2, 3);

#define glog_debug(...) glog_write(GLOG_DEBUG, __VA_ARGS__)
#define glog_info(...) glog_write(GLOG_INFO, __VA_ARGS__)
#define glog_warning(...) glog_write(GLOG_WARNING, __VA_ARGS__)
#define glog_error(...) glog_write(GLOG_ERROR, __VA_ARGS__)

GF_END_DECLS

#endif
