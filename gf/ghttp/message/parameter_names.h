/*
 * Names of parameters that belong together: `name`, `name[]`, `name[0]` are values of one list, `name[key]` is a
 * member of a map.
 */
#ifndef GF_GHTTP_MESSAGE_PARAMETER_NAMES_H
#define GF_GHTTP_MESSAGE_PARAMETER_NAMES_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a parameter that was sent under this name is a value of the list `name`. */
bool gf_parameter_is_of(const char *sent, const char *name);

/* The key in "prefix[key]", without brackets in it; its length in *ret_size. NULL: it is no such name. */
const char *gf_parameter_key(const char *sent, const char *prefix, size_t *ret_size);

#endif
