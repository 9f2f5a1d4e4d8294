/*
 * The lines of a request: that of the access log in one of three formats, that of the error log in one of two. Nothing
 * that a client sends can make a second line of them, or another field. Thread: any.
 */
#ifndef GF_GHTTP_SERVER_ACCESS_LINE_H
#define GF_GHTTP_SERVER_ACCESS_LINE_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

struct gf_failure;
struct gf_glog_line;
struct gf_served;

enum gf_access_format {
    GF_ACCESS_GOFRAME,
    GF_ACCESS_JSON,
    GF_ACCESS_COMBINED, /* Apache's, which nearly every reader of logs knows */
};

/* With the line feed: so much a pipe takes in one piece. All bounds of fields together stay below. */
#define GF_ACCESS_LINE_MAX 4096

/* The format of this name: 0 or -EINVAL. */
int gf_access_format_find(const char *name, enum gf_access_format *ret_format);

/* Writes the line, with its line feed; its bytes. now: the request's end. */
size_t gf_access_line(enum gf_access_format format, const char *server, const struct gf_served *served,
                      const struct timespec *now, char *line);

/*
 * Writes the line of a failure, without a line feed: of GoFrame's format or of JSON. took_us: since the request's first
 * line.
 */
void gf_error_line(enum gf_access_format format, const char *server, const struct gf_failure *failure, int64_t took_us,
                   const struct timespec *now, struct gf_glog_line *line);

#endif
