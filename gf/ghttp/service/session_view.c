#include "session_view.h"

#include <errno.h>
#include <string.h>

#include "../message/arena.h"
#include "../message/request.h"
#include "session_record.h"

struct gf_session_entry *gf_session_find(const struct gf_session *session, const char *key)
{
    struct gf_session_entry *entry = session->entries;

    while (entry && strcmp(entry->key, key) != 0)
        entry = entry->next;
    return entry;
}

bool gf_session_is_empty(const struct gf_session *session)
{
    const struct gf_session_entry *entry = session->entries;

    while (entry && !entry->value)
        entry = entry->next;
    return !entry;
}

int gf_session_put(ghttp_request *r, struct gf_session *session, const char *key, const char *value, bool changed)
{
    struct gf_session_entry *entry = gf_session_find(session, key);
    const char *copy = value ? gf_arena_strdup(r->arena, value) : NULL;

    if (value && !copy)
        return -ENOMEM;
    if (!entry) {
        entry = gf_arena_alloc(r->arena, sizeof(*entry));
        if (!entry || !(entry->key = gf_arena_strdup(r->arena, key)))
            return -ENOMEM;
        entry->next = session->entries;
        session->entries = entry;
    }
    entry->value = copy;
    entry->changed = changed;
    return 0;
}

bool gf_session_has_room(const struct gf_session *session, const char *key, const char *value)
{
    size_t bytes = strlen(key) + strlen(value), count = 1;

    for (const struct gf_session_entry *entry = session->entries; entry; entry = entry->next) {
        if (!entry->value || strcmp(entry->key, key) == 0)
            continue;
        bytes += strlen(entry->key) + strlen(entry->value);
        count++;
    }
    return bytes <= GF_SESSION_BYTES_MAX && count <= GF_SESSION_VALUES_MAX;
}
