/*
 * What a client says of itself and of where it came from: credentials, referer, the URL that it asked for.
 *
 * Thread: the request's own.
 */
#include <errno.h>
#include <string.h>

#include "arena.h"
#include "ascii.h"
#include "proxies.h"
#include "request.h"

/* Longer than the addresses of pages are, and no trouble for the 8 KiB of an answer's headers. */
#define WAY_BACK_MAX ((size_t)4096)

const char *ghttp_request_referer(const ghttp_request *r)
{
    return gf_fields_find(&r->headers, "Referer");
}

bool ghttp_request_is_ajax(const ghttp_request *r)
{
    const char *with = gf_fields_find(&r->headers, "X-Requested-With");
    return with && gf_ascii_equal(with, "XMLHttpRequest");
}

const char *ghttp_request_scheme(const ghttp_request *r)
{
    const char *said = gf_proxies_find_scheme(r->proxies, r);

    return said ? said : r->secure ? "https" : "http";
}

/* The authority of a target in the absolute form, else the Host header; its length. The engine has checked both. */
static const char *find_authority(const ghttp_request *r, size_t *ret_size)
{
    const char *slashes = r->target[0] == '/' ? NULL : strstr(r->target, "://");
    if (slashes) {
        *ret_size = strcspn(slashes + 3, "/?");
        return slashes + 3;
    }
    const char *host = gf_fields_find(&r->headers, "Host");
    *ret_size = host ? strlen(host) : 0;
    return host ? host : "";
}

const char *ghttp_request_url(ghttp_request *r)
{
    size_t size = 0;
    const char *authority = find_authority(r, &size);
    const char *path = r->raw_path[0] == '/' ? r->raw_path : "/";
    const char *mark = r->query[0] ? "?" : "";
    if (size == 0)
        return gf_arena_printf(r->arena, "%s%s%s", path, mark, r->query);
    return gf_arena_printf(r->arena, "%s://%.*s%s%s%s", ghttp_request_scheme(r), (int)size, authority, path, mark,
                           r->query);
}

/* ---- back to where it came from ----------------------------------------------------------------- */

/* Whether it is the authority that was asked, port included. */
static bool is_own_authority(const ghttp_request *r, const char *authority, size_t size)
{
    size_t own_size = 0;
    const char *own = find_authority(r, &own_size);
    bool same = size > 0 && size == own_size;
    for (size_t i = 0; i < size && same; i++)
        same = gf_ascii_lower(authority[i]) == gf_ascii_lower(own[i]);
    return same;
}

/* A path that a browser takes for one: "//a" would be a host, and it reads a backslash as a slash. */
static bool is_plain_path(const char *path)
{
    return path[0] == '/' && path[1] != '/' && !strpbrk(path, "\\\t") && strlen(path) <= WAY_BACK_MAX;
}

/* The path and the query of a Referer of this host; NULL: it is of another one, or none. */
static const char *find_way_back(const ghttp_request *r)
{
    const char *referer = ghttp_request_referer(r);
    size_t scheme = referer ? strcspn(referer, ":") : 0;
    if (!referer || strncmp(referer + scheme, "://", 3) != 0)
        return NULL;
    if (!gf_ascii_equal_n(referer, scheme, "http") && !gf_ascii_equal_n(referer, scheme, "https"))
        return NULL;
    const char *authority = referer + scheme + 3;
    const char *path = authority + strcspn(authority, "/");
    return is_own_authority(r, authority, (size_t)(path - authority)) && is_plain_path(path) ? path : NULL;
}

void ghttp_response_redirect_back(ghttp_request *r, int status)
{
    const char *back = find_way_back(r);
    ghttp_response_redirect(r, back ? back : "/", status);
}

/* ---- Authorization: Basic (RFC 7617) ------------------------------------------------------------ */

static int base64_value(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (gf_ascii_is_digit(c))
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* With or without its padding, since some clients leave it out; no other byte, and no bits left over. */
static int decode_base64(struct gf_arena *arena, const char *text, char **ret_bytes, size_t *ret_size)
{
    size_t digits = strcspn(text, "="), padding = strlen(text + digits);
    if (digits % 4 == 1 || padding > 2 || strspn(text + digits, "=") != padding)
        return -EINVAL;
    char *bytes = gf_arena_alloc(arena, digits + 1);
    if (!bytes)
        return -ENOMEM;
    unsigned held = 0;
    int bits = 0;
    size_t count = 0;
    for (size_t i = 0; i < digits; i++) {
        int value = base64_value(text[i]);
        if (value < 0)
            return -EINVAL;
        held = (held << 6 | (unsigned)value) & 0xffff;
        bits += 6;
        if (bits >= 8) {
            bits -= 8;
            bytes[count++] = (char)(held >> bits & 0xff);
        }
    }
    if (held & ((1u << bits) - 1))
        return -EINVAL;
    *ret_bytes = bytes;
    *ret_size = count;
    return 0;
}

int ghttp_request_basic_auth(ghttp_request *r, const char **ret_user, const char **ret_password)
{
    const char *header = gf_fields_find(&r->headers, "Authorization");
    char *text = NULL;
    size_t size = 0;
    if (!header || !gf_ascii_equal_n(header, strcspn(header, " "), "Basic"))
        return -ENOENT;
    header += strcspn(header, " ");
    int error = decode_base64(r->arena, header + strspn(header, " "), &text, &size);
    if (error)
        return error;
    char *colon = memchr(text, ':', size);
    if (!colon || memchr(text, '\0', size))
        return -EINVAL;
    *colon = '\0';
    *ret_user = text;
    *ret_password = colon + 1;
    return 0;
}
