/*
 * YAML by libyaml's events. What makes a short file long or a safe one surprising is refused: aliases, merge keys, tags
 * of programs, more than one document. Owns nothing beyond a call. Thread: any.
 */
#include <errno.h>
#include <string.h>
#include <yaml.h>

#include "tree.h"

static int line_of(const yaml_event_t *event)
{
    return (int)event->start_mark.line + 1;
}

static int column_of(const yaml_event_t *event)
{
    return (int)event->start_mark.column + 1;
}

static int refuse(struct gf_gcfg_builder *b, const yaml_event_t *event, const char *what)
{
    return gf_gcfg_fail(b, -EINVAL, line_of(event), column_of(event), "%s", what);
}

static bool is_null(const yaml_event_t *event)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL"};

    if (!event->data.scalar.plain_implicit || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        if (!strcmp(words[i], (const char *)event->data.scalar.value))
            return true;
    return false;
}

static bool is_foreign_tag(const yaml_char_t *tag)
{
    static const char own[] = "tag:yaml.org,2002:";

    return tag && strcmp((const char *)tag, "!") != 0 && strncmp((const char *)tag, own, sizeof(own) - 1) != 0;
}

static int add_scalar(struct gf_gcfg_builder *b, const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length;

    if (is_foreign_tag(event->data.scalar.tag))
        return refuse(b, event, "tags are not supported");
    if (!gf_gcfg_wants_key(b))
        return gf_gcfg_add(b, is_null(event) ? GCFG_NULL : GCFG_TEXT, text, length, line_of(event), column_of(event));
    if (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !strcmp(text, "<<"))
        return refuse(b, event, "merge keys are not supported");
    return gf_gcfg_add_key(b, text, length, line_of(event), column_of(event));
}

static int begin_container(struct gf_gcfg_builder *b, const yaml_event_t *event, enum gcfg_kind kind,
                           const yaml_char_t *tag)
{
    if (is_foreign_tag(tag))
        return refuse(b, event, "tags are not supported");
    if (gf_gcfg_wants_key(b))
        return refuse(b, event, "a key is a list or a map");
    return gf_gcfg_add(b, kind, NULL, 0, line_of(event), column_of(event));
}

static int take_event(struct gf_gcfg_builder *b, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return b->root ? refuse(b, event, "a second document begins; one file is one document") : 0;
    case YAML_ALIAS_EVENT:
        return refuse(b, event, "aliases are not supported");
    case YAML_SCALAR_EVENT:
        if (!b->open && is_null(event)) /* a document that is nothing but comments */
            return 0;
        return add_scalar(b, event);
    case YAML_SEQUENCE_START_EVENT:
        return begin_container(b, event, GCFG_LIST, event->data.sequence_start.tag);
    case YAML_MAPPING_START_EVENT:
        return begin_container(b, event, GCFG_MAP, event->data.mapping_start.tag);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        gf_gcfg_close(b);
        return 0;
    default:
        return 0;
    }
}

static int fail_parser(struct gf_gcfg_builder *b, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR)
        return gf_gcfg_fail(b, -ENOMEM, (int)parser->mark.line + 1, (int)parser->mark.column + 1, "no memory");
    if (parser->error == YAML_READER_ERROR) /* it has no mark */
        return gf_gcfg_fail(b, -EINVAL, (int)parser->mark.line + 1, (int)parser->mark.column + 1, "%s",
                            parser->problem);
    return gf_gcfg_fail(b, -EINVAL, (int)parser->problem_mark.line + 1, (int)parser->problem_mark.column + 1, "%s%s%s",
                        parser->context ? parser->context : "", parser->context ? ": " : "", parser->problem);
}

int gf_gcfg_read_yaml(struct gf_gcfg_builder *b, const char *text, size_t length)
{
    yaml_parser_t parser;
    yaml_event_t event;
    bool more = true;
    int result = 0;

    if (!yaml_parser_initialize(&parser))
        return gf_gcfg_fail(b, -ENOMEM, 1, 1, "no memory");
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, length);
    while (more && !result) {
        if (!yaml_parser_parse(&parser, &event)) {
            result = fail_parser(b, &parser);
            break;
        }
        more = event.type != YAML_STREAM_END_EVENT;
        result = take_event(b, &event);
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return result;
}
