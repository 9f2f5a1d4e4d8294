/*
 * The record of a session, in memory and as JSON. Thread: one at a time.
 */
#include "session_record.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define VERSION 1

int gf_session_record_init(struct gf_session_record *record)
{
    record->max_age_ms = record->cookie_ends_ms = 0;
    record->values = cJSON_CreateObject();
    return record->values ? 0 : -ENOMEM;
}

void gf_session_record_finish(struct gf_session_record *record)
{
    cJSON_Delete(record->values);
    record->values = NULL;
}

static bool are_strings(const cJSON *values)
{
    const cJSON *value;

    cJSON_ArrayForEach(value, values) if (!cJSON_IsString(value)) return false;
    return cJSON_IsObject(values);
}

/* A number of milliseconds that is safe to count with; negative: it is none. */
static int64_t parse_ms(const cJSON *number)
{
    return cJSON_IsNumber(number) && number->valuedouble >= 0 && number->valuedouble < 1e15
               ? (int64_t)number->valuedouble
               : -1;
}

int gf_session_record_parse(struct gf_session_record *record, const char *text)
{
    cJSON *json = cJSON_ParseWithOpts(text, NULL, 1);
    const cJSON *version = cJSON_GetObjectItemCaseSensitive(json, "version");
    int64_t max_age_ms = parse_ms(cJSON_GetObjectItemCaseSensitive(json, "maxAge"));
    int64_t cookie_ends_ms = parse_ms(cJSON_GetObjectItemCaseSensitive(json, "cookieEnds"));
    int result = -EBADMSG;

    if (cJSON_IsNumber(version) && version->valueint == VERSION && max_age_ms >= 0 &&
        are_strings(cJSON_GetObjectItemCaseSensitive(json, "values"))) {
        record->max_age_ms = max_age_ms;
        record->cookie_ends_ms = cookie_ends_ms > 0 ? cookie_ends_ms : 0; /* it may be missing */
        record->values = cJSON_DetachItemFromObjectCaseSensitive(json, "values");
        result = 0;
    }
    cJSON_Delete(json);
    return result;
}

static bool has_room(const struct gf_session_record *record, const char *key, const char *new_value)
{
    size_t bytes = strlen(key) + strlen(new_value), count = 1;
    const cJSON *value;

    cJSON_ArrayForEach(value, record->values)
    {
        if (strcmp(value->string, key) == 0)
            continue;
        bytes += strlen(value->string) + strlen(value->valuestring);
        count++;
    }
    return bytes <= GF_SESSION_BYTES_MAX && count <= GF_SESSION_VALUES_MAX;
}

int gf_session_record_set(struct gf_session_record *record, const char *key, const char *value)
{
    cJSON *made, *old;

    if (!value) {
        cJSON_DeleteItemFromObjectCaseSensitive(record->values, key);
        return 0;
    }
    if (!has_room(record, key, value))
        return -E2BIG;
    made = cJSON_CreateString(value);
    if (!made)
        return -ENOMEM;
    old = cJSON_DetachItemFromObjectCaseSensitive(record->values, key);
    if (cJSON_AddItemToObject(record->values, key, made)) {
        cJSON_Delete(old);
        return 0;
    }
    cJSON_Delete(made);
    if (old)
        cJSON_AddItemToObject(record->values, key, old);
    return -ENOMEM;
}

void gf_session_record_clear(struct gf_session_record *record)
{
    while (record->values->child)
        cJSON_Delete(cJSON_DetachItemViaPointer(record->values, record->values->child));
}

void *gf_session_record_next(const struct gf_session_record *record, void *at, const char **ret_key,
                             const char **ret_value)
{
    cJSON *next = at ? ((cJSON *)at)->next : record->values->child;

    if (!next)
        return NULL;
    *ret_key = next->string;
    *ret_value = next->valuestring;
    return next;
}

bool gf_session_record_is_empty(const struct gf_session_record *record)
{
    return !record->values->child;
}

char *gf_session_record_print(const struct gf_session_record *record)
{
    cJSON *json = cJSON_CreateObject();
    char *text = NULL, *copy = NULL;

    if (cJSON_AddNumberToObject(json, "version", VERSION) &&
        cJSON_AddNumberToObject(json, "maxAge", (double)record->max_age_ms) &&
        cJSON_AddNumberToObject(json, "cookieEnds", (double)record->cookie_ends_ms) &&
        cJSON_AddItemReferenceToObject(json, "values", record->values))
        text = cJSON_PrintUnformatted(json);
    if (text)
        copy = strdup(text); /* cJSON's memory may be another allocator's */
    cJSON_free(text);
    cJSON_Delete(json);
    return copy;
}
