/*
 * What a server's settings say about the cookies that its handlers set.
 */
#ifndef GF_GHTTP_SERVER_COOKIE_DEFAULTS_H
#define GF_GHTTP_SERVER_COOKIE_DEFAULTS_H

#include <gf/ghttp/ghttp.h>

#include "settings.h"

/* A cookie without name and value, as cookiePath, cookieDomain … say; it points into the settings. 0, or -EINVAL when
 * cookieSameSite is no word for it. */
int gf_cookie_defaults(const struct gf_settings *settings, struct ghttp_cookie *ret_cookie);

/* Whether cookies can be set with these settings: 0, or -EINVAL or -ENOMEM with a sentence. */
int gf_cookie_defaults_check(const struct gf_settings *settings, char *error, size_t error_size);

#endif
