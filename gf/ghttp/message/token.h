/*
 * What HTTP allows in names and values (RFC 9110, 5.5 and 5.6.2), by table: it is asked for each header of each
 * request.
 */
#ifndef GF_GHTTP_MESSAGE_TOKEN_H
#define GF_GHTTP_MESSAGE_TOKEN_H

#include <stdbool.h>
#include <stddef.h>

/* A name: letters, digits and !#$%&'*+-.^_`|~, at least one. */
bool gf_is_token(const char *text, size_t size);
/* A value: no controls but TAB. */
bool gf_is_field_value(const char *text, size_t size);

#endif
