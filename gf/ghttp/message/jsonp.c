/*
 * JSONP: JSON as a call of the function that the client names, so that pages of other sites can load it as a script.
 *
 * What the client names becomes part of a script, so it must be a plain name; and the answer begins with a comment, so
 * that no choice of the name makes other formats of its first bytes.
 * Thread: the request's own.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "ascii.h"
#include "request.h"

/* Longer than any that a script library makes up. */
#define CALLBACK_MAX 128

static bool begins_name(char c)
{
    return gf_ascii_is_letter(c) || c == '_' || c == '$';
}

/* Behind a name or an index: more of the name, ".name" or "[digits]". NULL: none of it. */
static const char *skip_part(const char *at)
{
    if (*at == '.')
        return begins_name(at[1]) ? at + 2 : NULL;
    if (*at != '[')
        return begins_name(*at) || gf_ascii_is_digit(*at) ? at + 1 : NULL;
    size_t digits = strspn(at + 1, "0123456789");

    return digits && at[1 + digits] == ']' ? at + digits + 2 : NULL;
}

static bool is_callback(const char *text)
{
    if (!text || strnlen(text, CALLBACK_MAX + 1) > CALLBACK_MAX || !begins_name(*text))
        return false;
    for (text++; text && *text;) {
        bool index = *text == '[';

        text = skip_part(text);
        if (text && index && *text && *text != '.' && *text != '[')
            return false;
    }
    return text != NULL;
}

/* U+2028 and U+2029 end a line in a script of old, though not in JSON. */
static void write_escaped(ghttp_request *r, const char *text)
{
    const char *found;

    while ((found = strstr(text, "\xe2\x80"))) {
        bool ends_line = found[2] == '\xa8' || found[2] == '\xa9';

        ghttp_response_write_bytes(r, text, (size_t)(found - text) + (ends_line ? 0 : 2));
        if (ends_line)
            ghttp_response_write(r, found[2] == '\xa8' ? "\\u2028" : "\\u2029");
        text = found + (ends_line ? 3 : 2);
    }
    ghttp_response_write(r, text);
}

int ghttp_response_write_jsonp(ghttp_request *r, const char *callback, const struct cJSON *json)
{
    char *text;

    if (!is_callback(callback)) {
        ghttp_response_write_status(r, 400);
        return -EINVAL;
    }
    text = json ? cJSON_PrintUnformatted(json) : NULL;
    if (!text || ghttp_response_set_header(r, "X-Content-Type-Options", "nosniff") != 0 ||
        ghttp_response_set_header(r, "Content-Type", "text/javascript; charset=utf-8") != 0) {
        cJSON_free(text);
        ghttp_response_write_status(r, 500);
        return json ? -ENOMEM : -EINVAL;
    }
    ghttp_response_clear(r);
    ghttp_response_writef(r, "/**/%s(", callback);
    write_escaped(r, text);
    ghttp_response_write(r, ");");
    cJSON_free(text);
    return 0;
}
