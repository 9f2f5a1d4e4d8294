/*
 * Templates are matched from the right: each literal is put as far right as it will go, which makes all
 * earlier fields as long as they can be at once. So there is nothing to backtrack over, whatever a client sends.
 *
 * Thread: any, once parsed.
 */
#include "template.h"

#include <errno.h>
#include <string.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "../message/request.h"

bool gf_template_is_name(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        char c = text[i];
        bool fits = gf_ascii_is_letter(c) || gf_ascii_is_digit(c) || c == '_' || c == '.' || c == '-' ||
                    (unsigned char)c >= 0x80;
        if (!fits)
            return false;
    }
    return size > 0;
}

static int set_literal(struct gf_arena *arena, struct gf_template *template, const char *text, size_t size,
                       const char **reason)
{
    const char *decoded = gf_percent_decode(arena, text, size, false);
    if (!decoded && errno == ENOMEM)
        return -ENOMEM;
    if (!decoded) {
        *reason = "a '%' must be followed by two hexadecimal digits, not 00 (%25 is a percent sign)";
        return -EINVAL;
    }
    size_t length = strlen(decoded);
    template->literals[template->field_count] = (struct gf_slice){decoded, length};
    template->literal_size += length;
    return 0;
}

/* The field that begins at the '{' of text; its size with both braces. */
static int parse_field(struct gf_arena *arena, const char *text, size_t size, const char **name, size_t *ret_size,
                       const char **reason)
{
    const char *close = memchr(text, '}', size);
    if (!close || !gf_template_is_name(text + 1, (size_t)(close - text) - 1)) {
        *reason = "a '{' must be followed by a name and '}' (%7B is a brace)";
        return -EINVAL;
    }
    *name = gf_arena_strndup(arena, text + 1, (size_t)(close - text) - 1);
    if (!*name)
        return -ENOMEM;
    *ret_size = (size_t)(close - text) + 1;
    return 0;
}

int gf_template_parse(struct gf_template *template, struct gf_arena *arena, const char *text, size_t size,
                      const char **names, const char **reason)
{
    const char *end = text + size;
    *template = (struct gf_template){0};
    for (;;) {
        const char *open = memchr(text, '{', (size_t)(end - text));
        const char *literal_end = open ? open : end;
        if (memchr(text, '}', (size_t)(literal_end - text))) {
            *reason = "a '}' without its '{' (%7D is a brace)";
            return -EINVAL;
        }
        int error = set_literal(arena, template, text, (size_t)(literal_end - text), reason);
        if (error)
            return error;
        if (!open)
            return 0;
        if (template->field_count == GF_TEMPLATE_FIELDS_MAX) {
            *reason = "more than 8 {fields} in one segment";
            return -EINVAL;
        }
        size_t field_size = 0;
        error = parse_field(arena, open, (size_t)(end - open), &names[template->field_count], &field_size, reason);
        if (error)
            return error;
        template->field_count++;
        text = open + field_size;
    }
}

bool gf_template_same(const struct gf_template *a, const struct gf_template *b)
{
    if (a->field_count != b->field_count)
        return false;
    for (size_t i = 0; i <= a->field_count; i++) {
        const struct gf_slice *x = &a->literals[i], *y = &b->literals[i];
        if (x->size != y->size || memcmp(x->text, y->text, x->size) != 0)
            return false;
    }
    return true;
}

/* The last place in [from, to) where the literal begins; to where there is none. A character of several bytes is
 * not cut, which only an empty literal could do. */
static size_t find_last(const char *text, size_t from, size_t to, const struct gf_slice *literal)
{
    for (size_t at = to; at > from; at--)
        if (((unsigned char)text[at - 1] & 0xc0) != 0x80 && memcmp(text + at - 1, literal->text, literal->size) == 0)
            return at - 1;
    return to;
}

bool gf_template_match(const struct gf_template *template, const char *text, size_t size, struct gf_slice *values)
{
    const struct gf_slice *first = &template->literals[0];
    const struct gf_slice *last = &template->literals[template->field_count];
    if (size < template->literal_size + template->field_count)
        return false;
    if (memcmp(text, first->text, first->size) != 0 || memcmp(text + size - last->size, last->text, last->size) != 0)
        return false;
    size_t end = size - last->size; /* of the field that is looked for */
    for (size_t i = template->field_count - 1; i > 0; i--) {
        const struct gf_slice *literal = &template->literals[i];
        size_t from = first->size + 1;
        if (end < from + literal->size + 1)
            return false;
        size_t to = end - literal->size; /* one past the last place: the field behind it has a byte at least */
        size_t at = find_last(text, from, to, literal);
        if (at == to)
            return false;
        if (values)
            values[i] = (struct gf_slice){text + at + literal->size, end - at - literal->size};
        end = at;
    }
    if (values)
        values[0] = (struct gf_slice){text + first->size, end - first->size};
    return true;
}
