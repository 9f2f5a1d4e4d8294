/*
 * Content codings: which a client takes (RFC 9110, 12.5.3). Thread: any.
 */
#ifndef GF_GHTTP_MESSAGE_CODING_H
#define GF_GHTTP_MESSAGE_CODING_H

#include <stdbool.h>

/* How much an Accept-Encoding header (NULL: none was sent) wants this coding, by name or else by "*": 0, not at all, to
 * 1000. */
int gf_coding_quality(const char *header, const char *coding);
/* Whether an Accept-Encoding header (NULL: none was sent) takes this coding, by name or else by "*". */
bool gf_coding_is_accepted(const char *header, const char *coding);

#endif
