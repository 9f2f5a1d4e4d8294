/*
 * JSON by cJSON. cJSON does not tell where a value stood; since it keeps the order of the text, a second walk over the
 * text beside the tree finds each value's place. Owns nothing beyond a call. Thread: any.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cjson/cJSON.h>

#include "tree.h"

struct place {
    const char *at; /* in a text that cJSON has accepted, and that ends with a zero byte */
    int line, column;
};

static void advance(struct place *place, size_t count)
{
    for (; count; count--, place->at++) {
        unsigned char c = (unsigned char)*place->at;

        if (c == '\n') {
            place->line++;
            place->column = 1;
        } else if ((c & 0xc0) != 0x80) {
            place->column++;
        }
    }
}

static void skip_between(struct place *place)
{
    while (*place->at && (*place->at <= ' ' || strchr(",:]}", *place->at)) && (signed char)*place->at > 0)
        advance(place, 1);
}

/* From its first byte to behind its last. */
static size_t token_length(const char *at)
{
    size_t length = 1;

    if (*at != '"') {
        while ((unsigned char)at[length] > ' ' && !strchr(",:]}", at[length]))
            length++;
        return length;
    }
    while (at[length] && at[length] != '"')
        length += at[length] == '\\' && at[length + 1] ? 2 : 1;
    return length + 1;
}

static bool has_zero(const char *token, size_t length)
{
    for (size_t i = 0; i + 6 <= length; i++) {
        if (token[i] != '\\')
            continue;
        if (!memcmp(token + i, "\\u0000", 6))
            return true;
        i++;
    }
    return false;
}

static int skip_token(struct gf_gcfg_builder *b, struct place *place)
{
    size_t length = token_length(place->at);

    if (*place->at == '"' && has_zero(place->at, length))
        return gf_gcfg_fail(b, -EINVAL, place->line, place->column, "a text contains a zero byte");
    advance(place, length);
    return 0;
}

static int add_key(struct gf_gcfg_builder *b, const cJSON *item, struct place *place)
{
    int result;

    skip_between(place);
    result = gf_gcfg_add_key(b, item->string, strlen(item->string), place->line, place->column);
    return result ? result : skip_token(b, place);
}

static int add_scalar(struct gf_gcfg_builder *b, const cJSON *item, struct place *place)
{
    /* Numbers and truth values as they are written: a double would not hold each of them. */
    const char *text = cJSON_IsString(item) ? item->valuestring : place->at;
    size_t length = cJSON_IsString(item) ? strlen(text) : token_length(place->at);
    int result = gf_gcfg_add(b, cJSON_IsNull(item) ? GCFG_NULL : GCFG_TEXT, text, length, place->line, place->column);

    return result ? result : skip_token(b, place);
}

/* gf_gcfg_add() bounds the depth. */
static int add_value(struct gf_gcfg_builder *b, const cJSON *item, struct place *place)
{
    bool map = cJSON_IsObject(item);
    int result;

    skip_between(place);
    if (!map && !cJSON_IsArray(item))
        return add_scalar(b, item, place);
    result = gf_gcfg_add(b, map ? GCFG_MAP : GCFG_LIST, NULL, 0, place->line, place->column);
    if (result)
        return result;
    advance(place, 1);
    for (const cJSON *child = item->child; child && !result; child = child->next) {
        if (map)
            result = add_key(b, child, place);
        if (!result)
            result = add_value(b, child, place);
    }
    if (!result)
        gf_gcfg_close(b);
    return result;
}

int gf_gcfg_read_json(struct gf_gcfg_builder *b, const char *text, size_t length)
{
    static const char mark[] = "\xef\xbb\xbf";
    const char *end = text;
    bool marked = !strncmp(text, mark, sizeof(mark) - 1);
    struct place place = {.at = text + (marked ? sizeof(mark) - 1 : 0), .line = 1, .column = 1};
    cJSON *root = cJSON_ParseWithLengthOpts(place.at, length + 1 - (size_t)(place.at - text), &end, true);
    int result;

    if (!root) {
        while (place.at < end && place.at < text + length)
            advance(&place, 1);
        return gf_gcfg_fail(b, -EINVAL, place.line, place.column, "this is no JSON");
    }
    result = add_value(b, root, &place);
    cJSON_Delete(root);
    return result;
}
