#include "configuration.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gf/gcfg/gcfg.h>
#include <gf/glog/glog.h>

#include "../engine/address.h"
#include "environment.h"
#include "registry.h"
#include "setting_keys.h"

#define VALUE_MAX 32768 /* twice the longest text in the table */

/* ---- one value ---- */

/* It works while patterns are bound, which they are by now. */
static int offer_route_over_write(ghttp_server *s, const char *value, char *error, size_t size)
{
    bool before = s->settings.route_over_write;
    int result = gf_settings_offer(&s->settings, "routeOverWrite", value, error, size);

    if (result < 0 || s->settings.route_over_write == before)
        return result;
    s->settings.route_over_write = before;
    snprintf(error, size, "\"routeOverWrite\": only the program can set it, before it binds");
    return -EINVAL;
}

int gf_configuration_offer(ghttp_server *s, const char *key, const char *value, char *error, size_t size)
{
    const struct gf_setting *row = gf_settings_find(key);
    struct gf_address *addresses;
    size_t count;
    int result;

    if (!strcmp(row->key, "routeOverWrite"))
        return offer_route_over_write(s, value, error, size);
    result = gf_settings_offer(&s->settings, key, value, error, size);
    if (result < 0 || (strcmp(row->key, "address") != 0 && strcmp(row->key, "httpsAddr") != 0))
        return result;
    result = gf_address_parse_list(value, &addresses, &count, error, size);
    if (!result)
        free(addresses);
    return result;
}

/* ---- the file ---- */

struct reading {
    ghttp_server *s;
    const gcfg *cfg;
    const gcfg_node *node; /* whose members are read */
    bool is_of_all;        /* they are all servers' */
    char *error;
    size_t size;
};

__attribute__((format(printf, 3, 4))) static int fail_at(const struct reading *r, const gcfg_node *node,
                                                         const char *format, ...)
{
    char text[GF_SERVER_ERROR_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    snprintf(r->error, r->size, "%s:%d:%d: %s", gcfg_path(r->cfg), gcfg_node_line(node), gcfg_node_column(node), text);
    return -EINVAL;
}

/* The value of a setting that is a comma list in the table, as it grows. */
struct joined {
    const struct reading *reading;
    const char *key;
    char *value;
    size_t size, length;
};

/* An item: one text, or two with '=' between them. */
static int join(struct joined *joined, const gcfg_node *node, const char *text, const char *other)
{
    int added;

    if (!text || strchr(text, ',') || (other && (strpbrk(other, ",=") || strchr(text, '='))))
        return fail_at(joined->reading, node, "\"%s\": an item of a list is a text without a comma%s", joined->key,
                       other ? ", and without \"=\"" : "");
    added = snprintf(joined->value + joined->length, joined->size - joined->length, "%s%s%s%s",
                     joined->length ? "," : "", text, other ? "=" : "", other ? other : "");
    if (added < 0 || (size_t)added >= joined->size - joined->length)
        return fail_at(joined->reading, node, "\"%s\": the list is longer than %zu bytes", joined->key,
                       joined->size - 1);
    joined->length += (size_t)added;
    return 0;
}

/* As GoFrame has its staticPaths: {prefix: /assets, path: /srv/assets}. */
static int join_pair(struct joined *joined, const gcfg_node *item)
{
    const gcfg_node *first = gcfg_node_member(item, "prefix"), *second = gcfg_node_member(item, "path");
    const char *prefix = first ? gcfg_node_text(first) : NULL, *path = second ? gcfg_node_text(second) : NULL;

    if (!prefix || !path || gcfg_node_count(item) != 2)
        return fail_at(joined->reading, item, "\"%s\": an item has a prefix and a path, and nothing else", joined->key);
    return join(joined, item, prefix, path);
}

/* A list as the comma list that the settings know, a map as one of "key=value". */
static int join_all(struct joined *joined, const gcfg_node *list, bool has_pairs)
{
    bool is_map = gcfg_node_kind(list) == GCFG_MAP;
    int result = 0;

    joined->value[0] = 0;
    for (const gcfg_node *item = gcfg_node_first(list); item && !result; item = gcfg_node_next(item)) {
        const char *text = gcfg_node_text(item);

        if (is_map)
            result = join(joined, item, gcfg_node_key(item), text ? text : ",");
        else if (has_pairs && gcfg_node_kind(item) == GCFG_MAP)
            result = join_pair(joined, item);
        else
            result = join(joined, item, text, NULL);
    }
    return result;
}

/* Those whose items are two texts. */
static bool has_pairs(const char *key)
{
    return gcfg_is_same_key(key, "staticPaths") || gcfg_is_same_key(key, "rewrites");
}

/* Nothing is asked for by a key that is refused, nor a name given by one that is empty. */
static bool asks_for_nothing(const gcfg_node *node)
{
    const char *text = gcfg_node_text(node);

    return text ? gf_setting_is_off(text) : !gcfg_node_count(node);
}

static int take_value(const struct reading *r, const gcfg_node *node)
{
    char list[VALUE_MAX], error[GF_SERVER_ERROR_MAX];
    const char *value = gcfg_node_text(node);
    int result;

    if (gcfg_node_kind(node) == GCFG_NULL) /* as if it were not there */
        return 0;
    if (gcfg_node_kind(node) == GCFG_MAP && !has_pairs(gcfg_node_key(node)))
        return fail_at(r, node, "\"%s\": a setting is one value or a list, not a map", gcfg_node_key(node));
    if (!value) {
        struct joined joined = {.reading = r, .key = gcfg_node_key(node), .value = list, .size = sizeof(list)};

        result = join_all(&joined, node, has_pairs(gcfg_node_key(node)));
        if (result < 0)
            return result;
        value = list;
    }
    result = gf_configuration_offer(r->s, gcfg_node_key(node), value, error, sizeof(error));
    return result < 0 ? fail_at(r, node, "%s", error) : 0;
}

static int take_name(const struct reading *r, const gcfg_node *node)
{
    const char *text = gcfg_node_text(node);

    if (asks_for_nothing(node) || (text && !strcmp(text, r->s->name)))
        return 0;
    return fail_at(r, node, "\"name\": the name of a server is what the program gives g_server(), here \"%s\"",
                   r->s->name);
}

static bool is_servers_name(const char *key)
{
    for (const ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (!strcmp(s->name, key))
            return true;
    return false;
}

/* A map beside the settings of all servers is another server's, unless its key looks like a slip for a setting's. In
 * the map of one server there are no servers. */
static bool is_other_server(const struct reading *r, const gcfg_node *node)
{
    const char *key = gcfg_node_key(node);

    return gcfg_node_kind(node) == GCFG_MAP && r->is_of_all && (is_servers_name(key) || !gf_setting_is_near(key));
}

static void warn_unknown(const struct reading *r, const gcfg_node *node)
{
    char error[GF_SERVER_ERROR_MAX];

    gf_setting_explain_unknown(gcfg_node_key(node), error, sizeof(error));
    glog_warning("server \"%s\": %s:%d:%d: %s", r->s->name, gcfg_path(r->cfg), gcfg_node_line(node),
                 gcfg_node_column(node), error);
}

static int take_member(const struct reading *r, const gcfg_node *node)
{
    const char *key = gcfg_node_key(node), *reason;

    for (const gcfg_node *other = gcfg_node_first(r->node); other != node; other = gcfg_node_next(other))
        if (gcfg_is_same_key(gcfg_node_key(other), key))
            return fail_at(r, node, "\"%s\": is in line %d already, as \"%s\"", key, gcfg_node_line(other),
                           gcfg_node_key(other));
    if (gf_settings_find(key))
        return take_value(r, node);
    if (gcfg_is_same_key(key, "name"))
        return take_name(r, node);
    reason = gf_setting_refusal(key);
    if (reason)
        return asks_for_nothing(node) ? 0 : fail_at(r, node, "\"%s\": %s", key, reason);
    if (!is_other_server(r, node))
        warn_unknown(r, node);
    return 0;
}

/* GoFrame has two names for it, of which this is the order. */
static const gcfg_node *find_servers(const gcfg *cfg)
{
    const gcfg_node *servers = gcfg_get(cfg, "server");

    return servers ? servers : gcfg_get(cfg, "httpserver");
}

/* GoFrame's rule: the server's own map if there is one, else the map of all; never both. */
static int take_file(struct reading *r)
{
    const gcfg_node *all = find_servers(r->cfg), *own = gcfg_node_member(all, r->s->name);
    int result = 0;

    r->is_of_all = !own || gcfg_node_kind(own) != GCFG_MAP;
    r->node = r->is_of_all ? all : own;
    if (!r->node || gcfg_node_kind(r->node) == GCFG_NULL)
        return 0;
    if (gcfg_node_kind(r->node) != GCFG_MAP)
        return fail_at(r, r->node, "\"%s\": this is no map of settings", gcfg_node_key(r->node));
    for (const gcfg_node *node = gcfg_node_first(r->node); node && !result; node = gcfg_node_next(node))
        result = take_member(r, node);
    return result;
}

static int read_file(ghttp_server *s, char *error, size_t size)
{
    struct reading r = {.s = s, .error = error, .size = size};
    gcfg *cfg = NULL;
    int result = s->config_file ? gcfg_load(s->config_file, &cfg, error, size) : gcfg_load_found(&cfg, error, size);

    if (result < 0 || !cfg)
        return result;
    glog_debug("server \"%s\": reads its settings from %s", s->name, gcfg_path(cfg));
    r.cfg = cfg;
    result = take_file(&r);
    gcfg_free(cfg);
    return result;
}

int gf_configuration_read(ghttp_server *s, char *error, size_t size)
{
    int result = read_file(s, error, size);

    return result < 0 ? result : gf_environment_read(s, error, size);
}
