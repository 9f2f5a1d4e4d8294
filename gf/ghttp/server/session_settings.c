#include "session_settings.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

enum gf_session_storage gf_session_storage(const struct gf_settings *settings)
{
    static const char *const names[GF_SESSION_STORAGE_COUNT] = {"file", "memory", "redis"};
    enum gf_session_storage storage = GF_SESSION_STORAGE_FILE;

    while (storage < GF_SESSION_STORAGE_COUNT && strcasecmp(names[storage], settings->session_storage) != 0)
        storage++;
    return storage;
}

int gf_session_settings_check(const struct gf_settings *settings, char *error, size_t error_size)
{
    switch (gf_session_storage(settings)) {
    case GF_SESSION_STORAGE_FILE:
    case GF_SESSION_STORAGE_MEMORY:
        return 0;
    case GF_SESSION_STORAGE_REDIS:
        snprintf(error, error_size, "\"sessionStorage\": this library was built without Redis");
        return -ENOTSUP;
    default:
        snprintf(error, error_size, "\"sessionStorage\": \"%.16s\" is none of file, memory, redis",
                 settings->session_storage);
        return -EINVAL;
    }
}
