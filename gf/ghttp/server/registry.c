#include "registry.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

static struct {
    pthread_mutex_t lock;
    _Atomic(ghttp_server *) first; /* servers are only ever added, at the end: readers need no lock */
    unsigned count;
    ghttp_server unusable; /* what a bad name gets */
} registry = {.lock = PTHREAD_MUTEX_INITIALIZER, .unusable = {.lock = PTHREAD_MUTEX_INITIALIZER}};

static bool is_usable(const char *name)
{
    size_t length = 0;

    for (; name[length]; length++)
        if (length == GF_SERVER_NAME_MAX || (unsigned char)name[length] < 0x20 || name[length] == 0x7f)
            return false;
    return true;
}

static ghttp_server *find_or_make(const char *name)
{
    ghttp_server *s = gf_registry_first(), *last = NULL;

    for (; s; last = s, s = gf_registry_next(s))
        if (!strcmp(s->name, name))
            return s;
    if (registry.count == GF_REGISTRY_MAX || !(s = gf_server_new(name)))
        return NULL;
    registry.count++;
    if (last)
        atomic_store(&last->next, s);
    else
        atomic_store(&registry.first, s);
    return s;
}

ghttp_server *ghttp_server_get(const char *name)
{
    ghttp_server *s = NULL;
    bool usable = !name || is_usable(name);

    pthread_mutex_lock(&registry.lock);
    if (usable)
        s = find_or_make(name && *name ? name : "default");
    pthread_mutex_unlock(&registry.lock);
    if (s)
        return s;
    gf_server_fail(&registry.unusable, 0,
                   usable ? "g_server(): no memory for a server, or more than %d servers"
                          : "g_server(): a server's name has 1 to %d bytes and no control characters",
                   usable ? GF_REGISTRY_MAX : GF_SERVER_NAME_MAX);
    return &registry.unusable;
}

ghttp_server *gf_registry_first(void)
{
    return atomic_load(&registry.first);
}

ghttp_server *gf_registry_next(const ghttp_server *s)
{
    return atomic_load(&s->next);
}
