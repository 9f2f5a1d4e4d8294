/*
 * Content codings: which a client takes (RFC 9110, 12.5.3). Thread: any.
 */
#ifndef GF_GHTTP_MESSAGE_CODING_H
#define GF_GHTTP_MESSAGE_CODING_H

#include <stdbool.h>

/* Whether an Accept-Encoding header (NULL: none was sent) takes this coding, by name or else by "*". */
bool gf_coding_is_accepted(const char *header, const char *coding);

#endif
