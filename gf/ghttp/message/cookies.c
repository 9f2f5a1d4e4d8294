/*
 * Cookies as the client sends them back (RFC 6265, 4.2 and 5.4), parsed when they are first asked for.
 *
 * Of a repeated name the first counts: clients put the one with the longest path there. What is no pair with a token
 * for its name is read over, as browsers and servers do; the headers' limit bounds it all.
 * Thread: the request's own.
 */
#include <string.h>

#include "arena.h"
#include "ascii.h"
#include "request.h"
#include "token.h"

static void trim(const char **start, const char **end)
{
    while (*start < *end && (**start == ' ' || **start == '\t'))
        ++*start;
    while (*end > *start && ((*end)[-1] == ' ' || (*end)[-1] == '\t'))
        --*end;
}

static void take_pair(ghttp_request *r, const char *pair, const char *end)
{
    trim(&pair, &end);
    const char *equals = memchr(pair, '=', (size_t)(end - pair));
    if (!equals)
        return;
    const char *name_end = equals, *value = equals + 1;
    trim(&pair, &name_end);
    trim(&value, &end);
    if (!gf_is_token(pair, (size_t)(name_end - pair)))
        return;
    if (end - value >= 2 && value[0] == '"' && end[-1] == '"')
        value++, end--;
    const char *name = gf_arena_strndup(r->arena, pair, (size_t)(name_end - pair));
    const char *text = gf_arena_strndup(r->arena, value, (size_t)(end - value));
    if (name && text)
        gf_fields_add(&r->cookies, r->arena, name, text);
}

static void parse_header(ghttp_request *r, const char *header)
{
    while (*header) {
        size_t size = strcspn(header, ";");
        take_pair(r, header, header + size);
        header += size;
        header += *header == ';';
    }
}

const char *ghttp_request_cookie(ghttp_request *r, const char *name)
{
    if (!r->cookies_parsed) {
        r->cookies_parsed = true;
        for (size_t i = 0; i < r->headers.count; i++)
            if (gf_ascii_equal(r->headers.items[i].name, "Cookie"))
                parse_header(r, r->headers.items[i].value);
    }
    for (size_t i = 0; name && i < r->cookies.count; i++)
        if (strcmp(r->cookies.items[i].name, name) == 0)
            return r->cookies.items[i].value;
    return NULL;
}
