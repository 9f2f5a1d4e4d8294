/*
 * Set-Cookie: RFC 6265 as servers should write it (4.1), with SameSite, Partitioned and the prefixes of names of its
 * successor. What cannot be written is refused, never changed: a value that a program reads back is the one that it has
 * set.
 *
 * Thread: the request's own.
 */
#include "set_cookie.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "arena.h"
#include "ascii.h"
#include "request.h"
#include "token.h"

/* cookie-octet: visible ASCII but quotes, comma, semicolon, backslash. */
static bool is_value(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text <= 0x20 || (unsigned char)*text >= 0x7f || strchr("\",;\\", *text))
            return false;
    return true;
}

static bool is_path(const char *text)
{
    if (*text != '/')
        return false;
    for (; *text; text++)
        if ((unsigned char)*text < 0x20 || (unsigned char)*text >= 0x7f || *text == ';')
            return false;
    return true;
}

static bool is_domain(const char *text)
{
    for (const char *c = text; *c; c++)
        if (!gf_ascii_is_letter(*c) && !gf_ascii_is_digit(*c) && *c != '-' && *c != '.')
            return false;
    return *text != '\0';
}

static bool has_prefix(const char *name, const char *prefix)
{
    return gf_ascii_equal_n(name, strnlen(name, strlen(prefix)), prefix);
}

/* Browsers throw the rest away without a word. */
static bool would_be_kept(const struct ghttp_cookie *cookie)
{
    bool host_only = cookie->secure && !cookie->domain && cookie->path && strcmp(cookie->path, "/") == 0;
    if (has_prefix(cookie->name, "__Host-") && !host_only)
        return false;
    if (has_prefix(cookie->name, "__Secure-") || cookie->partitioned || cookie->same_site == GHTTP_SAME_SITE_NONE)
        return cookie->secure;
    return true;
}

static bool is_good(const struct ghttp_cookie *cookie)
{
    return cookie->name && gf_is_token(cookie->name, strlen(cookie->name)) &&
           (!cookie->value || is_value(cookie->value)) && (!cookie->path || is_path(cookie->path)) &&
           (!cookie->domain || is_domain(cookie->domain)) && cookie->same_site >= GHTTP_SAME_SITE_UNSET &&
           cookie->same_site <= GHTTP_SAME_SITE_NONE && would_be_kept(cookie);
}

/* "; Expires=Thu, 01 Jan 1970 00:00:00 GMT" without the program's locale; "" for 0. */
static const char *print_expires(struct gf_arena *arena, time_t expires)
{
    static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    struct tm at;
    if (expires == 0)
        return "";
    if (!gmtime_r(&expires, &at))
        return NULL;
    return gf_arena_printf(arena, "; Expires=%s, %02d %s %04d %02d:%02d:%02d GMT", days[at.tm_wday], at.tm_mday,
                           months[at.tm_mon], at.tm_year + 1900, at.tm_hour, at.tm_min, at.tm_sec);
}

static const char *print_max_age(struct gf_arena *arena, long max_age)
{
    return max_age == 0 ? "" : gf_arena_printf(arena, "; Max-Age=%ld", max_age > 0 ? max_age : 0);
}

int gf_cookie_print(struct gf_arena *arena, const struct ghttp_cookie *cookie, const char **ret_text)
{
    static const char *const same_sites[] = {"", "; SameSite=Lax", "; SameSite=Strict", "; SameSite=None"};
    if (!is_good(cookie))
        return -EINVAL;
    const char *value = cookie->value ? cookie->value : "";
    if (strlen(cookie->name) + strlen(value) > GF_COOKIE_BYTES_MAX)
        return -E2BIG;
    const char *expires = print_expires(arena, cookie->expires);
    const char *max_age = print_max_age(arena, cookie->max_age);
    if (!expires || !max_age)
        return -ENOMEM;
    const char *text = gf_arena_printf(arena, "%s=%s%s%s%s%s%s%s%s%s%s%s", cookie->name, value,
                                       cookie->path ? "; Path=" : "", cookie->path ? cookie->path : "",
                                       cookie->domain ? "; Domain=" : "", cookie->domain ? cookie->domain : "", max_age,
                                       expires, cookie->secure ? "; Secure" : "", cookie->http_only ? "; HttpOnly" : "",
                                       same_sites[cookie->same_site], cookie->partitioned ? "; Partitioned" : "");
    if (!text)
        return -ENOMEM;
    *ret_text = text;
    return 0;
}

bool gf_same_site_parse(const char *text, enum ghttp_same_site *ret_same_site)
{
    static const char *const words[] = {"", "lax", "strict", "none"};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (!gf_ascii_equal(text, words[i]))
            continue;
        *ret_same_site = (enum ghttp_same_site)i;
        return true;
    }
    return false;
}

/* The Set-Cookie for the same name, which must not be there twice (RFC 6265, 4.1.1). */
static struct gf_field *find_set(struct ghttp_request *r, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < r->response.headers.count; i++) {
        struct gf_field *header = &r->response.headers.items[i];
        if (gf_ascii_equal(header->name, "Set-Cookie") && strncmp(header->value, name, size) == 0 &&
            header->value[size] == '=')
            return header;
    }
    return NULL;
}

int ghttp_response_set_cookie_with(ghttp_request *r, const struct ghttp_cookie *cookie)
{
    const char *text;
    if (gf_response_is_settled(r))
        return -EALREADY;
    int error = cookie ? gf_cookie_print(r->arena, cookie, &text) : -EINVAL;
    return error ? error : gf_response_put_header(r, find_set(r, cookie->name), "Set-Cookie", text);
}
