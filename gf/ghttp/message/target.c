/*
 * The request's target: its forms (RFC 9112, 3.2), its parts, and percent-encoding.
 *
 * Strict: what is not well-formed is refused, because two programs that read it differently are how
 * filters are got around. Thread: one at a time, whoever has the request.
 */
#include <errno.h>
#include <string.h>

#include "arena.h"
#include "ascii.h"
#include "request.h"

static int hex_value(char c)
{
    if (gf_ascii_is_digit(c))
        return c - '0';
    c = gf_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte of the two digits after a '%'; -1 where they are none. */
static int encoded_byte(const char *digits, size_t left)
{
    if (left < 2)
        return -1;
    int high = hex_value(digits[0]);
    int low = hex_value(digits[1]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

char *gf_percent_decode(struct gf_arena *arena, const char *text, size_t size, bool plus)
{
    char *decoded = gf_arena_alloc(arena, size + 1);
    if (!decoded) {
        errno = ENOMEM;
        return NULL;
    }
    char *out = decoded;
    for (size_t i = 0; i < size; i++) {
        int byte = (unsigned char)text[i];
        if (byte == '%') {
            byte = encoded_byte(text + i + 1, size - i - 1);
            i += 2;
        } else if (byte == '+' && plus) {
            byte = ' ';
        }
        if (byte <= 0) { /* a NUL, plain or encoded, would end the text early */
            errno = EINVAL;
            return NULL;
        }
        *out++ = (char)byte;
    }
    return decoded;
}

static bool is_host_byte(char c)
{
    return gf_ascii_is_letter(c) || gf_ascii_is_digit(c) || strchr("-._~%!$&'()*+,;=", c) != NULL;
}

/* The length of the host at the beginning of an authority, brackets of an IPv6 address included; 0: bad. */
static size_t host_size(const char *authority, size_t size)
{
    size_t length = 0;
    if (size > 0 && authority[0] == '[') {
        do
            length++;
        while (length < size &&
               (authority[length] == ':' || authority[length] == '.' || hex_value(authority[length]) >= 0));
        return length < size && length > 1 && authority[length] == ']' ? length + 1 : 0;
    }
    while (length < size && authority[length] && is_host_byte(authority[length]))
        length++;
    return length;
}

int gf_host_parse(struct gf_arena *arena, const char *authority, size_t size, const char **ret_host)
{
    size_t length = host_size(authority, size);
    if (length == 0)
        return -EINVAL;
    if (length < size && authority[length] != ':')
        return -EINVAL;
    for (size_t i = length + 1; i < size; i++)
        if (!gf_ascii_is_digit(authority[i]))
            return -EINVAL;
    char *host = gf_arena_strndup(arena, authority, length);
    if (!host)
        return -ENOMEM;
    for (size_t i = 0; i < length; i++)
        host[i] = gf_ascii_lower(host[i]);
    *ret_host = host;
    return 0;
}

static bool has_bad_bytes(const char *target)
{
    for (; *target; target++)
        if ((unsigned char)*target <= 0x20 || *target == 0x7f || *target == '#')
            return true;
    return false;
}

/* What follows "http://" or "https://"; NULL for another form. */
static const char *after_scheme(const char *target)
{
    if (gf_ascii_equal_n(target, strnlen(target, 7), "http://"))
        return target + 7;
    if (gf_ascii_equal_n(target, strnlen(target, 8), "https://"))
        return target + 8;
    return NULL;
}

/* Finds where the path begins; in the absolute form the target's host takes the place of the Host header's. */
static int find_path(struct ghttp_request *r, const char **ret_path, const char **ret_host)
{
    const char *authority = after_scheme(r->target);
    *ret_host = r->host;
    if (!authority) {
        *ret_path = r->target;
        return r->target[0] == '/' ? 0 : -EINVAL;
    }
    size_t size = strcspn(authority, "/?");
    int error = gf_host_parse(r->arena, authority, size, ret_host);
    if (error)
        return error;
    *ret_path = authority + size;
    return 0;
}

int gf_request_parse_target(struct ghttp_request *r)
{
    if (has_bad_bytes(r->target))
        return -EINVAL;
    if (strcmp(r->target, "*") == 0 && strcmp(r->method, "OPTIONS") == 0) {
        r->path = r->raw_path = r->target;
        r->query = "";
        return 0;
    }
    const char *start = NULL, *host = NULL;
    int error = find_path(r, &start, &host);
    if (error)
        return error;
    size_t size = strcspn(start, "?");
    const char *query = start[size] == '?' ? start + size + 1 : "";
    const char *raw_path = size == 0 ? "/" : start;
    if (size > 0 && start[size] != '\0')
        raw_path = gf_arena_strndup(r->arena, start, size);
    if (!raw_path)
        return -ENOMEM;
    const char *path = raw_path;
    if (strchr(raw_path, '%'))
        path = gf_percent_decode(r->arena, raw_path, strlen(raw_path), false);
    if (!path)
        return -errno;
    r->raw_path = raw_path;
    r->path = path;
    r->query = query;
    r->host = host;
    return 0;
}
