/*
 * The keys of settings: what is the same key, which are nearest, and which ones GoFrame has and this library refuses.
 *
 * Owns nothing. Thread: any.
 */
#ifndef GF_GHTTP_SERVER_SETTING_KEYS_H
#define GF_GHTTP_SERVER_SETTING_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "settings.h"

/* Why a key of GoFrame's is refused; NULL: it is none of those. Case, '-', '_' and blanks do not matter. */
const char *gf_setting_refusal(const char *key);

/* Whoever switches off what there is not has got what he wants: "", "false" and "0". */
bool gf_setting_is_off(const char *value);

/* Whether a key is so near one that is known, refused ones included, that it must have been meant. */
bool gf_setting_is_near(const char *key);

/* The sentence about a key that nobody knows, with the nearest one. */
void gf_setting_explain_unknown(const char *key, char *error, size_t size);

#endif
