/*
 * A JSON body's members as parameters.
 *
 * Thread: the request's own.
 */
#include "json_members.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "convert.h"
#include "request.h"

/* Whether a text of this JSON (which is well-formed) has an escaped NUL: cJSON would end the text there. */
static bool has_escaped_nul(const char *json, size_t size)
{
    const char *end = json + size, *at = json;
    while ((at = memchr(at, '\\', (size_t)(end - at))) && end - at >= 2) {
        if (end - at >= 6 && memcmp(at, "\\u0000", 6) == 0)
            return true;
        at += 2;
    }
    return false;
}

int gf_json_members_parse(struct ghttp_request *r)
{
    const struct cJSON *json = ghttp_request_json(r);
    if (!json || has_escaped_nul(r->body.data, r->body.size))
        return -EINVAL;
    r->members = cJSON_IsObject(json) ? json : NULL;
    return 0;
}

const struct cJSON *gf_json_members_find(const struct ghttp_request *r, const char *name)
{
    const struct cJSON *found = NULL, *member;
    cJSON_ArrayForEach(member, r->members) if (strcmp(member->string, name) == 0) found = member;
    return found;
}

const char *gf_json_members_text(struct ghttp_request *r, const struct cJSON *member)
{
    if (cJSON_IsString(member))
        return member->valuestring;
    if (cJSON_IsBool(member))
        return cJSON_IsTrue(member) ? "true" : "false";
    return cJSON_IsNumber(member) ? gf_convert_number(r->arena, member->valuedouble) : NULL;
}

const char *gf_json_members_get(struct ghttp_request *r, const char *name)
{
    gf_request_parse_body(r);
    const struct cJSON *member = gf_json_members_find(r, name);
    return member ? gf_json_members_text(r, member) : NULL;
}
