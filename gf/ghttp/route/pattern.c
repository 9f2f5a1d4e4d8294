/*
 * The pattern's parser. Thread: any; patterns are parsed while a program sets its server up.
 */
#include "pattern.h"

#include <errno.h>
#include <string.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "method.h"

static struct gf_slice trim(struct gf_slice slice)
{
    while (slice.size > 0 && slice.text[0] == ' ')
        slice.text++, slice.size--;
    while (slice.size > 0 && slice.text[slice.size - 1] == ' ')
        slice.size--;
    return slice;
}

/* Takes "METHOD:" off the beginning. */
static int take_method(struct gf_pattern *pattern, struct gf_slice *rest, const char **reason)
{
    size_t size = 0;
    while (size < rest->size && gf_ascii_is_letter(rest->text[size]))
        size++;
    pattern->methods = GF_METHOD_ALL;
    if (size > 0 && size < rest->size && rest->text[size] == ':') {
        pattern->methods = gf_method_bits_named(rest->text, size);
        if (pattern->methods == 0) {
            *reason = "the word before ':' is no method that routes can be bound to";
            return -EINVAL;
        }
        *rest = trim((struct gf_slice){rest->text + size + 1, rest->size - size - 1});
    }
    pattern->method = gf_method_name(pattern->methods);
    return 0;
}

/* ---- domains ---------------------------------------------------------------------------------- */

static bool is_domain(struct gf_slice domain)
{
    for (size_t i = 0; i < domain.size; i++) {
        char c = domain.text[i];
        if (!gf_ascii_is_letter(c) && !gf_ascii_is_digit(c) && !strchr("._-[]:", c))
            return false;
    }
    if (domain.size == 0 || domain.size > GF_PATTERN_DOMAIN_SIZE_MAX)
        return false;
    /* Hosts are compared without the port; colons are for IPv6 addresses, which have brackets. */
    return domain.text[0] == '[' || !memchr(domain.text, ':', domain.size);
}

static int add_domain(struct gf_pattern *pattern, struct gf_arena *arena, struct gf_slice domain, const char **reason)
{
    if (!is_domain(domain)) {
        *reason = "what follows '@' is no domain (%40 is an at sign)";
        return -EINVAL;
    }
    char *name = gf_arena_strndup(arena, domain.text, domain.size);
    if (!name)
        return -ENOMEM;
    for (char *c = name; *c; c++)
        *c = gf_ascii_lower(*c);
    for (size_t i = 0; i < pattern->domain_count; i++)
        if (strcmp(pattern->domains[i], name) == 0) {
            *reason = "it names a domain twice";
            return -EINVAL;
        }
    pattern->domains[pattern->domain_count++] = name;
    return 0;
}

static const char *find_at(struct gf_slice rest)
{
    const char *at = memrchr(rest.text, '@', rest.size);
    return at && !memchr(at, '/', rest.size - (size_t)(at - rest.text)) ? at : NULL;
}

/* Takes "@domain,domain" off the end. */
static int take_domains(struct gf_pattern *pattern, struct gf_arena *arena, struct gf_slice *rest, const char **reason)
{
    const char *at = find_at(*rest);
    struct gf_slice list = {"default", strlen("default")};
    if (at) {
        list = (struct gf_slice){at + 1, rest->size - (size_t)(at - rest->text) - 1};
        *rest = trim((struct gf_slice){rest->text, (size_t)(at - rest->text)});
    }
    size_t count = 1;
    for (size_t i = 0; i < list.size; i++)
        count += list.text[i] == ',';
    pattern->domains = gf_arena_alloc(arena, count * sizeof(*pattern->domains));
    if (!pattern->domains)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++) {
        const char *comma = memchr(list.text, ',', list.size);
        size_t size = comma ? (size_t)(comma - list.text) : list.size;
        int error = add_domain(pattern, arena, trim((struct gf_slice){list.text, size}), reason);
        if (error)
            return error;
        list.text += size + 1;
        list.size -= comma ? size + 1 : size;
    }
    return 0;
}

/* ---- the path --------------------------------------------------------------------------------- */

/* ":name", ":", "*name" or "*". */
static int parse_wildcard(struct gf_pattern *pattern, struct gf_arena *arena, struct gf_slice text,
                          struct gf_segment *segment, const char **reason)
{
    const char *name = NULL;
    segment->kind = text.text[0] == ':' ? GF_SEGMENT_ONE : GF_SEGMENT_REST;
    if (text.size > 1 && !gf_template_is_name(text.text + 1, text.size - 1)) {
        *reason = "a name after ':' or '*' has letters, digits, '_', '.' and '-' (%3A is a colon, %2A a star)";
        return -EINVAL;
    }
    if (text.size > 1) {
        name = gf_arena_strndup(arena, text.text + 1, text.size - 1);
        if (!name)
            return -ENOMEM;
    }
    pattern->names[pattern->name_count++] = name;
    return 0;
}

/* Text, with {fields} in it or without: a template without fields is a literal. */
static int parse_text(struct gf_pattern *pattern, struct gf_arena *arena, struct gf_slice text,
                      struct gf_segment *segment, const char **reason)
{
    if (memchr(text.text, '*', text.size)) {
        *reason = "a '*' must begin its segment (%2A is a star)";
        return -EINVAL;
    }
    struct gf_template parsed;
    const char **names = pattern->names + pattern->name_count;
    int error = gf_template_parse(&parsed, arena, text.text, text.size, names, reason);
    if (error)
        return error;
    if (parsed.field_count == 0) {
        segment->literal = parsed.literals[0];
        return 0;
    }
    struct gf_template *template = gf_arena_alloc(arena, sizeof(*template));
    if (!template)
        return -ENOMEM;
    *template = parsed;
    segment->kind = GF_SEGMENT_TEMPLATE;
    segment->template = template;
    pattern->name_count += parsed.field_count;
    return 0;
}

static int add_segment(struct gf_pattern *pattern, struct gf_arena *arena, struct gf_slice text, const char **reason)
{
    if (pattern->segment_count == GF_PATTERN_SEGMENTS_MAX) {
        *reason = "more than 64 segments";
        return -EINVAL;
    }
    if (pattern->segment_count > 0 && pattern->segments[pattern->segment_count - 1].kind == GF_SEGMENT_REST) {
        *reason = "something follows '*', which stands for all the rest";
        return -EINVAL;
    }
    struct gf_segment *segment = &pattern->segments[pattern->segment_count];
    *segment = (struct gf_segment){.kind = GF_SEGMENT_LITERAL};
    int error = text.text[0] == ':' || text.text[0] == '*' ? parse_wildcard(pattern, arena, text, segment, reason)
                                                           : parse_text(pattern, arena, text, segment, reason);
    if (!error)
        pattern->segment_count++;
    return error;
}

static int parse_path(struct gf_pattern *pattern, struct gf_arena *arena, struct gf_slice path, const char **reason)
{
    if (path.size == 0 || path.text[0] != '/') {
        *reason = "the path must begin with '/'";
        return -EINVAL;
    }
    if (memchr(path.text, '?', path.size) || memchr(path.text, '#', path.size)) {
        *reason = "routes do not look at queries and fragments (%3F is a question mark, %23 a hash sign)";
        return -EINVAL;
    }
    char *normal = gf_arena_alloc(arena, path.size + 1);
    if (!normal)
        return -ENOMEM;
    pattern->path = normal;
    const char *end = path.text + path.size;
    for (const char *at = path.text; at < end;) {
        if (*at == '/') {
            at++;
            continue;
        }
        const char *slash = memchr(at, '/', (size_t)(end - at));
        struct gf_slice segment = {at, (size_t)((slash ? slash : end) - at)};
        int error = add_segment(pattern, arena, segment, reason);
        if (error)
            return error;
        *normal++ = '/';
        normal = mempcpy(normal, segment.text, segment.size);
        at += segment.size;
    }
    if (pattern->segment_count == 0)
        *normal = '/';
    return 0;
}

int gf_pattern_parse(struct gf_pattern *pattern, struct gf_arena *arena, const char *text, const char **reason)
{
    size_t size = text ? strnlen(text, GF_PATTERN_SIZE_MAX + 1) : 0;
    if (size == 0 || size > GF_PATTERN_SIZE_MAX) {
        *reason = size == 0 ? "it is empty" : "it is longer than 4,096 bytes";
        return -EINVAL;
    }
    for (size_t i = 0; i < size; i++)
        if (gf_ascii_is_control(text[i])) {
            *reason = "it has control characters";
            return -EINVAL;
        }
    pattern->domain_count = pattern->segment_count = pattern->name_count = 0;
    pattern->text = gf_arena_strndup(arena, text, size);
    if (!pattern->text)
        return -ENOMEM;
    struct gf_slice rest = trim((struct gf_slice){pattern->text, size});
    int error = take_method(pattern, &rest, reason);
    if (!error)
        error = take_domains(pattern, arena, &rest, reason);
    if (!error)
        error = parse_path(pattern, arena, rest, reason);
    return error;
}
