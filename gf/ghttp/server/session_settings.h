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

/* Whether sessions can be kept with these settings: 0, or a negative errno with a sentence. */
int gf_session_settings_check(const struct gf_settings *settings, char *error, size_t error_size);

#endif
