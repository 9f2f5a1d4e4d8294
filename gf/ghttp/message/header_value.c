/*
 * The parameters of a header's value (RFC 9110, 5.6.6), as Content-Type and Content-Disposition have them.
 *
 * Strict in its structure, with two allowances for what clients really send: an unquoted value may have any visible
 * byte, and in a quoted one a backslash escapes only a quote or a backslash, since some send paths with backslashes.
 * Thread: one at a time, whoever has the arena.
 */
#include "header_value.h"

#include <errno.h>
#include <string.h>

#include "arena.h"
#include "ascii.h"
#include "token.h"

bool gf_header_value_is(const char *value, const char *word)
{
    return value && gf_ascii_equal_n(value, strcspn(value, "; \t"), word);
}

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t");
}

/* Whether a backslash here stands for the byte behind it. */
static bool is_escape(const char *at)
{
    return at[0] == '\\' && (at[1] == '"' || at[1] == '\\');
}

/* The text between the quotes; at is behind the first. */
static int read_quoted(struct gf_arena *arena, const char **at, const char **ret_text)
{
    const char *end = *at;
    while (*end && *end != '"')
        end += is_escape(end) ? 2 : 1;
    if (*end != '"')
        return -EINVAL;
    char *text = gf_arena_alloc(arena, (size_t)(end - *at) + 1), *out = text;
    if (!text)
        return -ENOMEM;
    for (const char *in = *at; in < end; in++) {
        if (is_escape(in))
            in++;
        *out++ = *in;
    }
    *at = end + 1;
    *ret_text = text;
    return 0;
}

static int read_text(struct gf_arena *arena, const char **at, const char **ret_text)
{
    if (**at == '"') {
        ++*at;
        return read_quoted(arena, at, ret_text);
    }
    size_t size = strcspn(*at, "; \t\"");
    if (size == 0)
        return -EINVAL;
    *ret_text = gf_arena_strndup(arena, *at, size);
    *at += size;
    return *ret_text ? 0 : -ENOMEM;
}

int gf_header_value_parameter(struct gf_arena *arena, const char *value, const char *name, const char **ret_text)
{
    const char *found = NULL;
    const char *at = skip_blanks(value + strcspn(value, ";"));
    while (*at == ';') {
        at = skip_blanks(at + 1);
        if (*at == ';' || *at == '\0')
            continue;
        size_t size = strcspn(at, "=");
        if (!gf_is_token(at, size) || at[size] != '=')
            return -EINVAL;
        bool wanted = gf_ascii_equal_n(at, size, name);
        const char *text = NULL;
        at += size + 1;
        int error = read_text(arena, &at, &text);
        if (error)
            return error;
        if (wanted && found)
            return -EINVAL;
        if (wanted)
            found = text;
        at = skip_blanks(at);
    }
    if (*at != '\0')
        return -EINVAL;
    *ret_text = found;
    return 0;
}
