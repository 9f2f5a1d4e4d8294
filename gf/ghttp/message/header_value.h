/*
 * What is inside the value of a header: `type/subtype; name=value; other="quoted"`.
 */
#ifndef GF_GHTTP_MESSAGE_HEADER_VALUE_H
#define GF_GHTTP_MESSAGE_HEADER_VALUE_H

#include <stdbool.h>

struct gf_arena;

/* Whether the value, up to its parameters, is this word without regard to case. NULL is none. */
bool gf_header_value_is(const char *value, const char *word);

/*
 * A parameter of the value by its name, without regard to case, unquoted, in the arena. 0, with *ret_text NULL where
 * there is none; -EINVAL when the parameters are malformed or this one comes twice; -ENOMEM.
 */
int gf_header_value_parameter(struct gf_arena *arena, const char *value, const char *name, const char **ret_text);

#endif
