/*
 * Patterns: POSIX extended regular expressions of the program, each compiled once.
 */
#ifndef GF_GHTTP_MESSAGE_PATTERNS_H
#define GF_GHTTP_MESSAGE_PATTERNS_H

#include <stdbool.h>

/* Whether the text has a match. 0; -EINVAL: the pattern is none; -ENOSPC: too many patterns; -ENOMEM. */
int gf_pattern_match(const char *pattern, const char *text, bool *ret_match);

#endif
