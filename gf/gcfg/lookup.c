/*
 * Looking things up in a tree that has been read. Owns nothing. Thread: any.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "tree.h"

/* ---- keys ---- */

static size_t skip_folded(const char *text, size_t length)
{
    size_t skipped = 0;

    while (skipped < length && strchr("-_ ", text[skipped]))
        skipped++;
    return skipped;
}

static bool is_same(const char *a, size_t a_length, const char *b, size_t b_length)
{
    for (;;) {
        size_t a_skip = skip_folded(a, a_length), b_skip = skip_folded(b, b_length);

        a += a_skip, a_length -= a_skip;
        b += b_skip, b_length -= b_skip;
        if (!a_length || !b_length)
            return a_length == b_length;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
        a++, a_length--;
        b++, b_length--;
    }
}

bool gcfg_is_same_key(const char *a, const char *b)
{
    return is_same(a, strlen(a), b, strlen(b));
}

static const gcfg_node *find_member(const gcfg_node *node, const char *key, size_t length)
{
    for (const gcfg_node *child = node->first; child; child = child->next)
        if (strlen(child->key) == length && !memcmp(child->key, key, length))
            return child;
    for (const gcfg_node *child = node->first; child; child = child->next)
        if (is_same(child->key, strlen(child->key), key, length))
            return child;
    return NULL;
}

static const gcfg_node *find_item(const gcfg_node *node, const char *digits, size_t length)
{
    const gcfg_node *child = node->first;
    size_t index = 0;

    if (!length || length > 5) /* GF_GCFG_NODES_MAX has five digits */
        return NULL;
    for (size_t i = 0; i < length; i++) {
        if (!isdigit((unsigned char)digits[i]))
            return NULL;
        index = index * 10 + (size_t)(digits[i] - '0');
    }
    while (child && index--)
        child = child->next;
    return child;
}

const gcfg_node *gcfg_node_member(const gcfg_node *node, const char *key)
{
    return node && node->kind == GCFG_MAP ? find_member(node, key, strlen(key)) : NULL;
}

const gcfg_node *gcfg_get(const gcfg *cfg, const char *path)
{
    const gcfg_node *node = cfg ? cfg->root : NULL;

    while (node) {
        size_t length = strcspn(path, ".");

        node = node->kind == GCFG_MAP    ? find_member(node, path, length)
               : node->kind == GCFG_LIST ? find_item(node, path, length)
                                         : NULL;
        if (!path[length])
            return node;
        path += length + 1;
    }
    return NULL;
}

/* ---- values ---- */

const char *gcfg_text(const gcfg *cfg, const char *path, const char *fallback)
{
    const gcfg_node *node = gcfg_get(cfg, path);

    return node && node->text ? node->text : fallback;
}

int64_t gcfg_int(const gcfg *cfg, const char *path, int64_t fallback)
{
    const char *text = gcfg_text(cfg, path, "");
    char *end;
    long long number;

    if (!isdigit((unsigned char)text[*text == '-' || *text == '+']))
        return fallback;
    errno = 0;
    number = strtoll(text, &end, 10);
    return errno || *end ? fallback : number;
}

double gcfg_double(const gcfg *cfg, const char *path, double fallback)
{
    const char *text = gcfg_text(cfg, path, "");
    char *end;
    double number;

    if (!*text || isspace((unsigned char)*text))
        return fallback;
    errno = 0;
    number = strtod(text, &end);
    return errno || *end ? fallback : number;
}

bool gcfg_bool(const gcfg *cfg, const char *path, bool fallback)
{
    static const char *const words[] = {"false", "0", "off", "no", "true", "1", "on", "yes"};
    const char *text = gcfg_text(cfg, path, "");

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (!strcasecmp(words[i], text))
            return i >= 4;
    return fallback;
}

/* ---- nodes ---- */

const char *gcfg_path(const gcfg *cfg)
{
    return cfg->path;
}

const gcfg_node *gcfg_root(const gcfg *cfg)
{
    return cfg->root;
}

enum gcfg_kind gcfg_node_kind(const gcfg_node *node)
{
    return node->kind;
}

const char *gcfg_node_key(const gcfg_node *node)
{
    return node->key ? node->key : "";
}

const char *gcfg_node_text(const gcfg_node *node)
{
    return node->text;
}

size_t gcfg_node_count(const gcfg_node *node)
{
    return node->count;
}

const gcfg_node *gcfg_node_first(const gcfg_node *node)
{
    return node->first;
}

const gcfg_node *gcfg_node_next(const gcfg_node *node)
{
    return node->next;
}

int gcfg_node_line(const gcfg_node *node)
{
    return node->line;
}

int gcfg_node_column(const gcfg_node *node)
{
    return node->column;
}
