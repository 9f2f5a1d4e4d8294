#include "state.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

int gf_state_send(int control, char *error, size_t error_size)
{
    int result = 0;

    for (const struct gf_state_kind *kind = state.kinds; kind && !result; kind = kind->next)
        for (ghttp_server *s = gf_registry_first(); s && !result; s = gf_registry_next(s))
            if (gf_server_state(s) == GF_SERVER_SERVING)
                result = send_kind(control, kind, s, error, error_size);
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

int gf_state_take(const char *kind, const char *server)
{
    struct kept **link, *found;
    int fd = -ENOENT;

    pthread_mutex_lock(&state.lock);
    for (link = &state.kept; *link && (strcmp((*link)->kind, kind) != 0 || strcmp((*link)->server, server) != 0);)
        link = &(*link)->next;
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
