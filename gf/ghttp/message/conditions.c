#include "conditions.h"

#include <string.h>

#include "fields.h"
#include "http_date.h"

/* The tag at *at, with its quotes and W/ if it has it, and *at behind it. NULL: the list ends, or is malformed. */
static const char *next_tag(const char **at, size_t *size, bool *weak)
{
    const char *begin = *at + strspn(*at, ", \t"), *end;

    *weak = begin[0] == 'W' && begin[1] == '/';
    begin += *weak ? 2 : 0;
    if (*begin != '"' || !(end = strchr(begin + 1, '"')))
        return NULL;
    *size = (size_t)(end + 1 - begin);
    *at = end + 1;
    return begin;
}

/* Whether the list has the version's tag. strongly: a weak one does not count, since the bytes may differ. */
static bool has_tag(const char *list, const char *etag, bool strongly)
{
    bool own_weak = etag && !strncmp(etag, "W/", 2), weak;
    const char *tag;
    size_t size;

    if (list[strspn(list, " \t")] == '*')
        return true;
    if (!etag || (strongly && own_weak))
        return false;
    etag += own_weak ? 2 : 0;
    while ((tag = next_tag(&list, &size, &weak)))
        if (!(strongly && weak) && size == strlen(etag) && !memcmp(tag, etag, size))
            return true;
    return false;
}

int gf_conditions_check(const struct gf_fields *headers, const struct gf_version *version)
{
    const char *match = gf_fields_find(headers, "If-Match");
    const char *unmodified = gf_fields_find(headers, "If-Unmodified-Since");
    const char *none_match = gf_fields_find(headers, "If-None-Match");
    const char *modified = gf_fields_find(headers, "If-Modified-Since");
    bool dated = !version->undated;
    time_t date;

    if (match && !has_tag(match, version->etag, true))
        return 412;
    if (dated && !match && unmodified && gf_http_date_parse(unmodified, &date) == 0 && version->modified > date)
        return 412;
    if (none_match)
        return has_tag(none_match, version->etag, false) ? 304 : 200;
    if (dated && modified && gf_http_date_parse(modified, &date) == 0 && version->modified <= date)
        return 304;
    return 200;
}

/* A date must be the very one, and so old that the second which it names cannot have seen two versions. */
static bool is_date_of(const char *text, const struct gf_version *version)
{
    time_t date;

    return !version->undated && gf_http_date_parse(text, &date) == 0 && date == version->modified &&
           time(NULL) - date >= 60;
}

bool gf_conditions_allow_range(const struct gf_fields *headers, const struct gf_version *version)
{
    const char *if_range = gf_fields_find(headers, "If-Range");

    if (!if_range)
        return true;
    if (strchr(if_range, '"'))
        return has_tag(if_range, version->etag, true);
    return is_date_of(if_range, version);
}
