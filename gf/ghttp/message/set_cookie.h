/*
 * Set-Cookie as it is on the wire (RFC 6265): a cookie, checked and printed. What clients send back is cookies.c's.
 */
#ifndef GF_GHTTP_MESSAGE_SET_COOKIE_H
#define GF_GHTTP_MESSAGE_SET_COOKIE_H

#include <stdbool.h>
#include <stddef.h>

#include <gf/ghttp/ghttp.h>

struct gf_arena;

/* Browsers keep no more of a name and a value together. */
#define GF_COOKIE_BYTES_MAX ((size_t)4096)

/* What a Set-Cookie has to say, in the arena. 0; -EINVAL for what HTTP or every browser refuses, -E2BIG, -ENOMEM. */
int gf_cookie_print(struct gf_arena *arena, const struct ghttp_cookie *cookie, const char **ret_text);

/* "" (unset), "lax", "strict", "none", without regard to case. false: something else. */
bool gf_same_site_parse(const char *text, enum ghttp_same_site *ret_same_site);

#endif
