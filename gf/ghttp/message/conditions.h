/*
 * Conditional requests: whether a client that has a version of something wants this one (RFC 9110, 13).
 *
 * Thread: whoever has the request.
 */
#ifndef GF_GHTTP_MESSAGE_CONDITIONS_H
#define GF_GHTTP_MESSAGE_CONDITIONS_H

#include <stdbool.h>
#include <time.h>

struct gf_fields;

/* The version that there is. */
struct gf_version {
    const char *etag; /* with its quotes, weak with W/; NULL: nobody knows */
    time_t modified;
    bool undated; /* nobody knows when */
};

/* What the answer to a GET or HEAD with these headers is to be: 200, 304 or 412. */
int gf_conditions_check(const struct gf_fields *headers, const struct gf_version *version);

/* Whether a Range header counts: there is no If-Range, or it names this version. */
bool gf_conditions_allow_range(const struct gf_fields *headers, const struct gf_version *version);

#endif
