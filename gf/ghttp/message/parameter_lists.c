/*
 * Parameters of which there are several: lists (`a=1&a=2`, `a[]=1`) and maps (`a[k]=1`), also as JSON sends them.
 *
 * A list or a map comes whole from one source, the highest that has it: half of one would be nobody's.
 * Thread: the request's own.
 */
#include "parameter_names.h"

#include <cjson/cJSON.h>
#include <string.h>

#include "arena.h"
#include "ascii.h"
#include "json_members.h"
#include "request.h"

bool gf_parameter_is_of(const char *sent, const char *name)
{
    size_t size = strlen(name);
    if (strncmp(sent, name, size) != 0)
        return false;
    sent += size;
    if (*sent == '\0')
        return true;
    if (*sent++ != '[')
        return false;
    while (gf_ascii_is_digit(*sent))
        sent++;
    return strcmp(sent, "]") == 0;
}

const char *gf_parameter_key(const char *sent, const char *prefix, size_t *ret_size)
{
    size_t size = strlen(prefix);
    if (strncmp(sent, prefix, size) != 0 || sent[size] != '[')
        return NULL;
    const char *key = sent + size + 1;
    size_t length = strcspn(key, "[]");
    if (length == 0 || strcmp(key + length, "]") != 0)
        return NULL;
    *ret_size = length;
    return key;
}

/* The sources in their rank; members of a JSON body come between these and the body's fields, of which there are then
 * none. */
enum { SOURCES = 4 };

static void list_sources(ghttp_request *r, const struct gf_fields *sources[SOURCES])
{
    gf_request_parse_body(r);
    ghttp_request_query(r, NULL);
    sources[0] = &r->custom_fields;
    sources[1] = &r->form_fields;
    sources[2] = &r->query_fields;
    sources[3] = &r->router_fields;
}

/* ---- lists -------------------------------------------------------------------------------------- */

struct values {
    const char **items;
    size_t count;
};

static void collect_fields(const struct gf_fields *fields, const char *name, struct values *values)
{
    for (size_t i = 0; i < fields->count; i++)
        if (fields->items[i].value && gf_parameter_is_of(fields->items[i].name, name))
            values->items[values->count++] = fields->items[i].value;
}

static void collect_member(ghttp_request *r, const struct cJSON *member, struct values *values)
{
    const char *text = gf_json_members_text(r, member);
    const struct cJSON *item;
    if (text)
        values->items[values->count++] = text;
    if (!cJSON_IsArray(member))
        return;
    cJSON_ArrayForEach(item, member)
    {
        text = gf_json_members_text(r, item);
        if (text)
            values->items[values->count++] = text;
    }
}

const char *const *ghttp_request_get_all(ghttp_request *r, const char *name, size_t *ret_count)
{
    const struct gf_fields *sources[SOURCES];
    struct values values = {0};
    *ret_count = 0;
    if (!name)
        return NULL;
    list_sources(r, sources);
    const struct cJSON *member = gf_json_members_find(r, name);
    size_t room = 1 + (member ? (size_t)cJSON_GetArraySize(member) : 0);
    for (size_t i = 0; i < SOURCES; i++)
        room += sources[i]->count;
    values.items = gf_arena_alloc(r->arena, room * sizeof(*values.items));
    if (!values.items)
        return NULL;
    for (size_t i = 0; i < SOURCES && values.count == 0; i++) {
        collect_fields(sources[i], name, &values);
        if (i == 1 && member && values.count == 0)
            collect_member(r, member, &values);
    }
    *ret_count = values.count;
    return values.count > 0 ? values.items : NULL;
}

/* ---- maps --------------------------------------------------------------------------------------- */

/* What ghttp_request_each() was asked for, and how far it is. */
struct walk {
    ghttp_request *r;
    const char *prefix;
    ghttp_pair *fn;
    void *arg;
    size_t count;
    bool stopped;
};

static void give(struct walk *walk, const char *key, const char *value)
{
    if (!key || walk->stopped)
        return;
    walk->count++;
    walk->stopped = !walk->fn(key, value, walk->arg);
}

/* Whether the name comes once more behind this place: the last wins. */
static bool comes_again(const struct gf_fields *fields, size_t at)
{
    for (size_t i = at + 1; i < fields->count; i++)
        if (fields->items[i].value && strcmp(fields->items[i].name, fields->items[at].name) == 0)
            return true;
    return false;
}

static void walk_fields(struct walk *walk, const struct gf_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        size_t size = 0;
        const char *key = gf_parameter_key(fields->items[i].name, walk->prefix, &size);
        if (key && fields->items[i].value && !comes_again(fields, i))
            give(walk, gf_arena_strndup(walk->r->arena, key, size), fields->items[i].value);
    }
}

static void walk_members(struct walk *walk)
{
    const struct cJSON *object = gf_json_members_find(walk->r, walk->prefix), *member;
    if (!cJSON_IsObject(object))
        return;
    cJSON_ArrayForEach(member, object)
    {
        const char *text = gf_json_members_text(walk->r, member);
        if (text)
            give(walk, member->string, text);
    }
}

size_t ghttp_request_each(ghttp_request *r, const char *prefix, ghttp_pair *fn, void *arg)
{
    const struct gf_fields *sources[SOURCES];
    struct walk walk = {.r = r, .prefix = prefix, .fn = fn, .arg = arg};
    if (!prefix || !fn)
        return 0;
    list_sources(r, sources);
    for (size_t i = 0; i < SOURCES && walk.count == 0; i++) {
        walk_fields(&walk, sources[i]);
        if (i == 1 && walk.count == 0)
            walk_members(&walk);
    }
    return walk.count;
}
