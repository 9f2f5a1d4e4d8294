/*
 * A request's parameters read into a struct, and checked: all that is wrong is told at once, and nothing of the struct
 * is written unless all is right.
 *
 * Thread: the request's own.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "arena.h"
#include "convert.h"
#include "json_members.h"
#include "patterns.h"
#include "request.h"

/* GoFrame's code of an answer about parameters that do not fit. */
#define VALIDATION_FAILED 51

struct value {
    bool given;
    const char *text;
    long number;
    double real;
    bool truth;
};

/* A field that is wrong, for ghttp_request_field_error(). */
struct gf_field_error {
    const char *field;
    const char *message;
    const struct gf_field_error *next;
};

/* One call of ghttp_request_parse(). */
struct check {
    ghttp_request *r;
    struct cJSON *errors; /* what is wrong with the request */
    struct value *values;
    int failure; /* what is wrong with the table, or with memory */
};

/* ---- errors ------------------------------------------------------------------------------------- */

/* Copies: table and messages may be gone when the program asks. */
static bool note_error(ghttp_request *r, const char *field, const char *message)
{
    struct gf_field_error *error = gf_arena_alloc(r->arena, sizeof(*error));
    if (!error)
        return false;
    *error =
        (struct gf_field_error){gf_arena_strdup(r->arena, field), gf_arena_strdup(r->arena, message), r->field_errors};
    if (!error->field || !error->message)
        return false;
    r->field_errors = error;
    return true;
}

static void add_error(struct check *check, const char *field, const char *rule, const char *message)
{
    struct cJSON *error = cJSON_CreateObject();
    bool complete = message && error && note_error(check->r, field, message) &&
                    cJSON_AddStringToObject(error, "field", field) && cJSON_AddStringToObject(error, "rule", rule) &&
                    cJSON_AddStringToObject(error, "message", message);
    if (complete && cJSON_AddItemToArray(check->errors, error))
        return;
    cJSON_Delete(error);
    check->failure = -ENOMEM;
}

/* What the program wants to be said about this field, else "<name> <text>". */
static void refuse(struct check *check, const struct ghttp_field *field, const char *rule, const char *text)
{
    const char *message = field->message;
    if (!message && text)
        message = gf_arena_printf(check->r->arena, "%s %s", field->name, text);
    add_error(check, field->name, rule, message);
}

static void refuse_number(struct check *check, const struct ghttp_field *field, const char *rule, const char *text,
                          double bound)
{
    const char *number = gf_convert_number(check->r->arena, bound);
    refuse(check, field, rule, number ? gf_arena_printf(check->r->arena, "%s %s", text, number) : NULL);
}

/* ---- rules -------------------------------------------------------------------------------------- */

static void check_bounds(struct check *check, const struct ghttp_field *field, double number)
{
    bool unbounded = !(field->min < 0 || field->min > 0 || field->max < 0 || field->max > 0);
    if (unbounded)
        return;
    if (number < field->min)
        refuse_number(check, field, "min", "must be at least", field->min);
    else if (field->max >= field->min && number > field->max)
        refuse_number(check, field, "max", "must be at most", field->max);
}

/* Bytes of the UTF-8 character at text (RFC 3629); 0: it is none. Reads no byte behind the end, as that is none. */
static size_t character_size(const unsigned char *text)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000}; /* a shorter form must be used below */
    size_t size = *text < 0x80 ? 1 : *text >> 5 == 0x6 ? 2 : *text >> 4 == 0xe ? 3 : *text >> 3 == 0x1e ? 4 : 0;
    uint32_t character = size > 1 ? *text & (0x7fU >> size) : *text;
    for (size_t i = 1; i < size; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        character = character << 6 | (text[i] & 0x3fU);
    }
    bool fits = size > 0 && character >= least[size] && character <= 0x10ffff;
    return fits && (character < 0xd800 || character > 0xdfff) ? size : 0;
}

static bool count_characters(const char *text, size_t *ret_count)
{
    size_t count = 0, size;
    for (; *text; text += size, count++)
        if ((size = character_size((const unsigned char *)text)) == 0)
            return false;
    *ret_count = count;
    return true;
}

static void check_pattern(struct check *check, const struct ghttp_field *field, const char *text)
{
    bool match = false;
    int error = gf_pattern_match(field->pattern, text, &match);
    if (error)
        check->failure = error == -ENOMEM ? -ENOMEM : -EFAULT;
    else if (!match)
        refuse(check, field, "regex", "does not have the right form");
}

static void check_text(struct check *check, const struct ghttp_field *field, const char *text)
{
    size_t length = 0;
    struct gf_arena *arena = check->r->arena;
    if (!count_characters(text, &length))
        refuse(check, field, "utf-8", "must be UTF-8");
    else if (field->type == GHTTP_FIELD_TEXT && strlen(text) >= field->size)
        refuse(check, field, "max-length", gf_arena_printf(arena, "may have at most %zu bytes", field->size - 1));
    else if (length < field->min_length)
        refuse(check, field, "min-length",
               gf_arena_printf(arena, "must have at least %zu characters", field->min_length));
    else if (field->max_length > 0 && length > field->max_length)
        refuse(check, field, "max-length",
               gf_arena_printf(arena, "may have at most %zu characters", field->max_length));
    else if (field->pattern)
        check_pattern(check, field, text);
}

static void check_whole(struct check *check, const struct ghttp_field *field, struct value *value)
{
    bool fits = gf_convert_long(value->text, &value->number);
    if (field->type == GHTTP_FIELD_INT)
        fits = fits && value->number >= INT_MIN && value->number <= INT_MAX;
    if (fits)
        check_bounds(check, field, (double)value->number);
    else
        refuse(check, field, "integer", "must be a whole number");
}

static void check_value(struct check *check, const struct ghttp_field *field, struct value *value)
{
    switch (field->type) {
    case GHTTP_FIELD_INT:
    case GHTTP_FIELD_LONG:
        check_whole(check, field, value);
        break;
    case GHTTP_FIELD_DOUBLE:
        if (gf_convert_double(value->text, &value->real))
            check_bounds(check, field, value->real);
        else
            refuse(check, field, "float", "must be a number");
        break;
    case GHTTP_FIELD_BOOL:
        if (!gf_convert_bool(value->text, &value->truth))
            refuse(check, field, "boolean", "must be true or false");
        break;
    case GHTTP_FIELD_TEXT:
    case GHTTP_FIELD_STRING:
        check_text(check, field, value->text);
        break;
    }
}

/* ---- fields ------------------------------------------------------------------------------------- */

/* Whether the table says of this field what a struct can have. */
static bool is_sound(const struct ghttp_field *field)
{
    static const size_t sizes[] = {
        [GHTTP_FIELD_INT] = sizeof(int),
        [GHTTP_FIELD_LONG] = sizeof(long),
        [GHTTP_FIELD_DOUBLE] = sizeof(double),
        [GHTTP_FIELD_BOOL] = sizeof(bool),
        [GHTTP_FIELD_TEXT] = 0,
        [GHTTP_FIELD_STRING] = sizeof(char *),
    };
    if (!field->name || (size_t)field->type >= sizeof(sizes) / sizeof(*sizes))
        return false;
    if ((size_t)field->in > GHTTP_IN_COOKIE)
        return false;
    return field->type == GHTTP_FIELD_TEXT ? field->size > 0 : field->size == sizes[field->type];
}

static const char *find_text(ghttp_request *r, const struct ghttp_field *field)
{
    const char *text;
    switch (field->in) {
    case GHTTP_IN_QUERY:
        return ghttp_request_query(r, field->name);
    case GHTTP_IN_BODY:
        text = ghttp_request_form(r, field->name);
        return text ? text : gf_json_members_get(r, field->name);
    case GHTTP_IN_ROUTER:
        return ghttp_request_router(r, field->name);
    case GHTTP_IN_HEADER:
        return ghttp_request_header(r, field->name);
    case GHTTP_IN_COOKIE:
        return ghttp_request_cookie(r, field->name);
    case GHTTP_IN_ANY:
        break;
    }
    return ghttp_request_get(r, field->name);
}

static void check_field(struct check *check, const struct ghttp_field *field, struct value *value)
{
    const char *text = find_text(check->r, field);
    bool is_text = field->type == GHTTP_FIELD_TEXT || field->type == GHTTP_FIELD_STRING;
    bool empty = !text || *text == '\0';
    if (empty && field->fallback) {
        text = field->fallback;
        empty = false;
    }
    value->text = text;
    if (!empty)
        check_value(check, field, value);
    else if (field->required)
        refuse(check, field, "required", "is required");
    /* A blank number of a form is none; a blank text is one. */
    value->given = !empty || (text && is_text);
}

static void store(const struct ghttp_field *field, const struct value *value, void *object)
{
    char *member = (char *)object + field->offset;
    int number = (int)value->number;
    switch (field->type) {
    case GHTTP_FIELD_INT:
        memcpy(member, &number, sizeof(number));
        break;
    case GHTTP_FIELD_LONG:
        memcpy(member, &value->number, sizeof(value->number));
        break;
    case GHTTP_FIELD_DOUBLE:
        memcpy(member, &value->real, sizeof(value->real));
        break;
    case GHTTP_FIELD_BOOL:
        memcpy(member, &value->truth, sizeof(value->truth));
        break;
    case GHTTP_FIELD_TEXT:
        memcpy(member, value->text, strlen(value->text) + 1);
        break;
    case GHTTP_FIELD_STRING:
        memcpy(member, &value->text, sizeof(value->text));
        break;
    }
}

/* ---- the answer --------------------------------------------------------------------------------- */

/* All messages in one sentence, as GoFrame joins them. */
static const char *join_messages(struct check *check)
{
    const struct cJSON *error;
    size_t size = 1;
    cJSON_ArrayForEach(error, check->errors) size +=
        strlen(cJSON_GetStringValue(cJSON_GetObjectItem(error, "message"))) + 2;
    char *text = gf_arena_alloc(check->r->arena, size), *at = text;
    if (!text)
        return NULL;
    cJSON_ArrayForEach(error, check->errors)
    {
        if (at > text)
            at = stpcpy(at, "; ");
        at = stpcpy(at, cJSON_GetStringValue(cJSON_GetObjectItem(error, "message")));
    }
    return text;
}

/* Takes the errors over where it succeeds. */
static int answer(struct check *check)
{
    struct cJSON *root = cJSON_CreateObject();
    const char *message = join_messages(check);
    struct cJSON *data = NULL;
    if (message && cJSON_AddNumberToObject(root, "code", VALIDATION_FAILED) &&
        cJSON_AddStringToObject(root, "message", message))
        data = cJSON_AddObjectToObject(root, "data");
    if (!data || !cJSON_AddItemToObject(data, "errors", check->errors)) {
        cJSON_Delete(root);
        return -ENOMEM;
    }
    check->errors = NULL;
    ghttp_response_write_json(check->r, root);
    ghttp_response_set_status(check->r, 400);
    cJSON_Delete(root);
    return -EINVAL;
}

static int check_all(struct check *check, const struct ghttp_field *fields, size_t count)
{
    check->errors = cJSON_CreateArray();
    check->values = gf_arena_alloc(check->r->arena, count * sizeof(*check->values));
    if (!check->errors || !check->values)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        if (!is_sound(&fields[i]))
            return -EFAULT;
    if (ghttp_request_is_malformed(check->r))
        add_error(check, "", "form", "the request's parameters are malformed");
    else
        for (size_t i = 0; i < count; i++)
            check_field(check, &fields[i], &check->values[i]);
    if (check->failure)
        return check->failure;
    return cJSON_GetArraySize(check->errors) > 0 ? answer(check) : 0;
}

int ghttp_request_parse(ghttp_request *r, const struct ghttp_field *fields, size_t count, void *object)
{
    struct check check = {.r = r};
    int error;
    r->field_errors = NULL;
    error = check_all(&check, fields, count);
    cJSON_Delete(check.errors);
    if (error && error != -EINVAL)
        ghttp_response_write_status(r, 500);
    if (error)
        return error;
    for (size_t i = 0; i < count; i++)
        if (check.values[i].given)
            store(&fields[i], &check.values[i], object);
    return 0;
}

const char *ghttp_request_field_error(const ghttp_request *r, const char *name)
{
    for (const struct gf_field_error *error = r->field_errors; error; error = error->next)
        if (!strcmp(error->field, name))
            return error->message;
    return NULL;
}
