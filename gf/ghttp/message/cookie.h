/*
 * Cookies as they are on the wire (RFC 6265): found in a request's Cookie headers, printed for a response's Set-Cookie.
 */
#ifndef GF_GHTTP_MESSAGE_COOKIE_H
#define GF_GHTTP_MESSAGE_COOKIE_H

#include <stdbool.h>
#include <stddef.h>

#include <gf/ghttp/ghttp.h>

struct gf_arena;

/* Browsers keep no more of a name and a value together. */
#define GF_COOKIE_BYTES_MAX ((size_t)4096)

/* The first cookie of this name (with regard to case), copied into the arena as it was sent, without the quotes round
 * it; NULL: none, or no memory. */
const char *gf_cookie_find(struct ghttp_request *r, const char *name);

/* What a Set-Cookie has to say, in the arena. 0; -EINVAL for what HTTP or every browser refuses, -E2BIG, -ENOMEM. */
int gf_cookie_print(struct gf_arena *arena, const struct ghttp_cookie *cookie, const char **ret_text);

/* "" (unset), "lax", "strict", "none", without regard to case. false: something else. */
bool gf_same_site_parse(const char *text, enum ghttp_same_site *ret_same_site);

#endif
