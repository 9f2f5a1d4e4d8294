/*
 * What a server's settings say about where its sessions are kept. Thread: the check before start, the rest any.
 */
#ifndef GF_GHTTP_SERVER_SESSION_SETTINGS_H
#define GF_GHTTP_SERVER_SESSION_SETTINGS_H

#include <stddef.h>

#include "settings.h"

enum gf_session_storage {
    GF_SESSION_STORAGE_FILE,
    GF_SESSION_STORAGE_MEMORY,
    GF_SESSION_STORAGE_REDIS,
    GF_SESSION_STORAGE_COUNT, /* none of these */
};

/* sessionStorage. */
enum gf_session_storage gf_session_storage(const struct gf_settings *settings);

/* Where a Redis is. */
struct gf_redis_address {
    char text[256]; /* as it was set */
    char host[256]; /* or the path of a Unix socket */
    int port;       /* 0: a Unix socket */
};

/* "127.0.0.1:6379", "[::1]:6379", "name:6379", "unix:/path". 0 or -EINVAL. */
int gf_redis_address_parse(const char *text, struct gf_redis_address *ret_address);

/* Whether sessions can be kept with these settings: 0, or a negative errno with a sentence. */
int gf_session_settings_check(const struct gf_settings *settings, char *error, size_t error_size);

#endif
