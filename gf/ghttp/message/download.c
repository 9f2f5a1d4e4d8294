/*
 * Downloads: files that the browser is to save, by a name (RFC 6266).
 *
 * Thread: the request's own.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arena.h"
#include "ascii.h"
#include "request.h"

/* What file systems take; as UTF-8 in percent-encoding it is three times this. */
#define NAME_MAX_SIZE 255

static bool is_attribute_char(char c)
{
    return gf_ascii_is_letter(c) || gf_ascii_is_digit(c) || (c && strchr("!#$&+-.^_`|~", c));
}

/* For browsers that do not know filename*: what is not plain ASCII becomes '_'. */
static void write_plain(char *to, const char *name)
{
    for (; *name; name++) {
        if (((unsigned char)*name & 0xc0) == 0x80) /* the rest of a character */
            continue;
        *to++ = (unsigned char)*name >= 0x80 || *name == '"' || *name == '\\' || *name == '%' ? '_' : *name;
    }
    *to = '\0';
}

static void write_encoded(char *to, const char *name)
{
    for (; *name; name++) {
        if (is_attribute_char(*name))
            *to++ = *name;
        else
            to += snprintf(to, 4, "%%%02X", (unsigned)(unsigned char)*name);
    }
    *to = '\0';
}

static bool is_name(const char *name)
{
    if (!*name || strnlen(name, NAME_MAX_SIZE + 1) > NAME_MAX_SIZE)
        return false;
    for (; *name; name++)
        if (gf_ascii_is_control(*name) || *name == '/')
            return false;
    return true;
}

/* Whether the status's text goes out in the place of the file, because of the request's conditions. */
static bool is_refused(const ghttp_request *r)
{
    return r->response.status == 412 || r->response.status == 416;
}

int ghttp_response_serve_download(ghttp_request *r, const char *path, const char *name)
{
    const char *slash = path ? strrchr(path, '/') : NULL, *value;
    char plain[NAME_MAX_SIZE + 1], encoded[3 * NAME_MAX_SIZE + 1];
    int error;

    if (gf_response_is_settled(r))
        return -EALREADY;
    if (!name)
        name = slash ? slash + 1 : path;
    if (!name || !is_name(name)) {
        ghttp_response_write_status(r, 500);
        return -EINVAL;
    }
    error = ghttp_response_serve_file(r, path);
    if (error || is_refused(r))
        return error;
    write_plain(plain, name);
    write_encoded(encoded, name);
    value = gf_arena_printf(r->arena, "attachment; filename=\"%s\"; filename*=UTF-8''%s", plain, encoded);
    error = value ? ghttp_response_set_header(r, "Content-Disposition", value) : -ENOMEM;
    if (!error)
        error = ghttp_response_set_header(r, "X-Content-Type-Options", "nosniff");
    if (error) { /* not as a page of this site */
        gf_response_reset(r);
        ghttp_response_write_status(r, 500);
    }
    return error;
}
