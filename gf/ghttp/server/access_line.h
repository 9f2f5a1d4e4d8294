/*
 * The line of the access log: a served request in one of three formats. Nothing that a client sends can make a second
 * line of it, or another field. Thread: any.
 */
#ifndef GF_GHTTP_SERVER_ACCESS_LINE_H
#define GF_GHTTP_SERVER_ACCESS_LINE_H

#include <stddef.h>
#include <time.h>

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

#endif
