#include "session_settings.h"

#include <errno.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/un.h>

enum gf_session_storage gf_session_storage(const struct gf_settings *settings)
{
    static const char *const names[GF_SESSION_STORAGE_COUNT] = {"file", "memory", "redis"};
    enum gf_session_storage storage = GF_SESSION_STORAGE_FILE;

    while (storage < GF_SESSION_STORAGE_COUNT && strcasecmp(names[storage], settings->session_storage) != 0)
        storage++;
    return storage;
}

/* 1..65535, and nothing behind it; else 0. */
static int parse_port(const char *text)
{
    char *end;
    long port = isdigit((unsigned char)*text) ? strtol(text, &end, 10) : 0;

    return port > 0 && port <= 65535 && !*end ? (int)port : 0;
}

int gf_redis_address_parse(const char *text, struct gf_redis_address *ret_address)
{
    struct gf_redis_address address = {.port = 0};
    const char *colon = strrchr(text, ':'), *host = text;
    size_t length = colon ? (size_t)(colon - text) : 0;

    if (strlen(text) >= sizeof(address.text))
        return -EINVAL;
    snprintf(address.text, sizeof(address.text), "%s", text);
    if (!strncmp(text, "unix:", 5)) {
        if (text[5] != '/' || strlen(text + 5) >= sizeof(((struct sockaddr_un *)0)->sun_path))
            return -EINVAL;
        snprintf(address.host, sizeof(address.host), "%s", text + 5);
        *ret_address = address;
        return 0;
    }
    if (*text == '[') {
        if (length < 3 || text[length - 1] != ']')
            return -EINVAL;
        host++;
        length -= 2;
    } else if (memchr(text, ':', length)) {
        return -EINVAL; /* an IPv6 address without brackets: which colon is the port's? */
    }
    address.port = colon ? parse_port(colon + 1) : 0;
    if (!length || !address.port)
        return -EINVAL;
    snprintf(address.host, sizeof(address.host), "%.*s", (int)length, host);
    *ret_address = address;
    return 0;
}

static int check_redis(const struct gf_settings *settings, char *error, size_t error_size)
{
    struct gf_redis_address address;

#ifndef GF_HAVE_REDIS
    snprintf(error, error_size, "\"sessionStorage\": this library was built without Redis");
    return -ENOTSUP;
#endif
    if (settings->session_redis_user[0] && !settings->session_redis_pass[0]) {
        snprintf(error, error_size, "\"sessionRedisUser\" needs \"sessionRedisPass\"");
        return -EINVAL;
    }
    if (gf_redis_address_parse(settings->session_redis_address, &address) < 0) {
        snprintf(error, error_size,
                 "\"sessionRedisAddress\": \"%.128s\" is no address: 127.0.0.1:6379, [::1]:6379, unix:/run/redis.sock",
                 settings->session_redis_address);
        return -EINVAL;
    }
    return 0;
}

int gf_session_settings_check(const struct gf_settings *settings, char *error, size_t error_size)
{
    switch (gf_session_storage(settings)) {
    case GF_SESSION_STORAGE_FILE:
    case GF_SESSION_STORAGE_MEMORY:
        return 0;
    case GF_SESSION_STORAGE_REDIS:
        return check_redis(settings, error, error_size);
    default:
        snprintf(error, error_size, "\"sessionStorage\": \"%.16s\" is none of file, memory, redis",
                 settings->session_storage);
        return -EINVAL;
    }
}
