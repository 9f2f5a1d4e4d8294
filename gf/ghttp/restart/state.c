#include "state.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../server/registry.h"
#include "../server/server.h"
#include "channel.h"

#define KIND_MAX 32

/* From the process before this one; nobody has taken it yet. */
struct kept {
    struct kept *next;
    char kind[KIND_MAX];
    char server[GF_SERVER_NAME_MAX + 1];
    int fd;
};

static struct {
    pthread_mutex_t lock;
    struct gf_state_kind *kinds;
    struct kept *kept;
} state = {.lock = PTHREAD_MUTEX_INITIALIZER};

void gf_state_register(struct gf_state_kind *kind)
{
    kind->next = state.kinds;
    state.kinds = kind;
}

/* ---- the old process ---- */

static int send_one(int control, const struct gf_state_kind *kind, const ghttp_server *s, int fd)
{
    struct cJSON *message = cJSON_CreateObject();
    int result = -ENOMEM;

    if (cJSON_AddStringToObject(message, "type", "state") && cJSON_AddStringToObject(message, "kind", kind->name) &&
        cJSON_AddStringToObject(message, "server", s->name))
        result = gf_channel_send(control, message, &fd, 1);
    cJSON_Delete(message);
    return result;
}

static int send_kind(int control, const struct gf_state_kind *kind, ghttp_server *s, char *error, size_t error_size)
{
    int fd = kind->find(s, error, error_size), result;

    if (fd == -ENOENT)
        return 0;
    if (fd < 0)
        return fd;
    result = send_one(control, kind, s, fd);
    if (result < 0)
        snprintf(error, error_size, "the %s of server \"%s\" cannot be handed over: %s", kind->name, s->name,
                 strerror(-result));
    return result;
}

/* One that drains may have requests that still write. */
static bool is_up(const ghttp_server *s)
{
    return gf_server_state(s) == GF_SERVER_SERVING || gf_server_state(s) == GF_SERVER_DRAINING;
}

int gf_state_send(int control, char *error, size_t error_size)
{
    int result = 0;

    for (const struct gf_state_kind *kind = state.kinds; kind && !result; kind = kind->next)
        for (ghttp_server *s = gf_registry_first(); s && !result; s = gf_registry_next(s))
            if (is_up(s))
                result = send_kind(control, kind, s, error, error_size);
    return result;
}

int gf_state_pack(char *error, size_t error_size)
{
    int ends[2], result = gf_channel_new(ends);
    char byte;

    if (result < 0) {
        snprintf(error, error_size, "no channel: %s", strerror(-result));
        return result;
    }
    result = gf_state_send(ends[0], error, error_size);
    close(ends[0]); /* what has been sent stays to be read */
    if (!result && recv(ends[1], &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0)
        result = -ENOENT;
    if (!result)
        return ends[1];
    close(ends[1]);
    return result;
}

/* ---- the new process ---- */

static const char *text_of(const struct cJSON *message, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, key));

    return text ? text : "";
}

void gf_state_keep(const struct cJSON *message, int fd)
{
    const char *kind = text_of(message, "kind"), *server = text_of(message, "server");
    struct kept *kept = calloc(1, sizeof(*kept));

    if (!kept || strlen(kind) >= sizeof(kept->kind) || strlen(server) >= sizeof(kept->server)) {
        free(kept);
        close(fd);
        return;
    }
    snprintf(kept->kind, sizeof(kept->kind), "%s", kind);
    snprintf(kept->server, sizeof(kept->server), "%s", server);
    kept->fd = fd;
    pthread_mutex_lock(&state.lock);
    kept->next = state.kept;
    state.kept = kept;
    pthread_mutex_unlock(&state.lock);
}

void gf_state_unpack(int fd)
{
    struct cJSON *message;
    int fds[1];
    size_t count = 1;

    for (; !gf_channel_receive(fd, &message, fds, &count); count = 1) {
        if (count)
            gf_state_keep(message, fds[0]);
        cJSON_Delete(message);
    }
    close(fd);
}

/* With the lock. */
static struct kept **find_kept(const char *kind, const char *server)
{
    struct kept **link = &state.kept;

    while (*link && (strcmp((*link)->kind, kind) != 0 || strcmp((*link)->server, server) != 0))
        link = &(*link)->next;
    return link;
}

bool gf_state_waits(const char *kind, const char *server)
{
    bool waits;

    pthread_mutex_lock(&state.lock);
    waits = *find_kept(kind, server) != NULL;
    pthread_mutex_unlock(&state.lock);
    return waits;
}

int gf_state_take(const char *kind, const char *server)
{
    struct kept **link, *found;
    int fd = -ENOENT;

    pthread_mutex_lock(&state.lock);
    link = find_kept(kind, server);
    found = *link;
    if (found) {
        *link = found->next;
        fd = found->fd;
    }
    pthread_mutex_unlock(&state.lock);
    free(found);
    return fd;
}

static void close_rest(void)
{
    struct kept *kept, *next;

    pthread_mutex_lock(&state.lock);
    kept = state.kept;
    state.kept = NULL;
    pthread_mutex_unlock(&state.lock);
    for (; kept; kept = next) {
        next = kept->next;
        close(kept->fd);
        free(kept);
    }
}

int gf_state_settle(char *error, size_t error_size)
{
    int result = 0;

    for (const struct gf_state_kind *kind = state.kinds; kind && !result; kind = kind->next)
        for (ghttp_server *s = gf_registry_first(); s && !result; s = gf_registry_next(s)) {
            int fd = gf_server_state(s) == GF_SERVER_SERVING ? kind->find(s, error, error_size) : -ENOENT;

            result = fd < 0 && fd != -ENOENT ? fd : 0;
        }
    close_rest();
    return result;
}
