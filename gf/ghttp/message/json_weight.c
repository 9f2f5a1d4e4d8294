#include "json_weight.h"

#include <cjson/cJSON.h>
#include <string.h>

/* What the system's allocator adds to a value, and takes at most for a text besides its bytes. */
#define VALUE_SIZE (sizeof(cJSON) + 16)
#define TEXT_SIZE ((size_t)32)
/* No byte of a text makes more than a value, if its brackets are nested; so of a short text nothing is counted. */
#define WEIGHT_OF_A_BYTE VALUE_SIZE

/* Behind the quote that ends the string which at stands in. */
static const char *skip_string(const char *at, const char *end)
{
    while (at < end && *at != '"')
        at += *at == '\\' && end - at > 1 ? 2 : 1;
    return at < end ? at + 1 : end;
}

/* A number, true, false or null. */
static bool is_of_word(char c)
{
    return (unsigned char)c > ' ' && !strchr("{}[],:\"", c);
}

static const char *skip_word(const char *at, const char *end)
{
    while (at < end && is_of_word(*at))
        at++;
    return at;
}

/*
 * Each string counts as a value, until its colon says that it is the name of one. The weight is compared at each step,
 * not at the end, since cJSON has made a tree of all that comes before the text's first mistake.
 */
bool gf_json_weighs_at_most(const char *text, size_t size, size_t max)
{
    const char *at = text, *end = text + size;
    size_t weight = 0;

    if (size <= max / WEIGHT_OF_A_BYTE)
        return true;
    while (at < end && weight <= max) {
        const char *token = at++;

        if (*token == '"') {
            at = skip_string(at, end);
            weight += VALUE_SIZE + TEXT_SIZE + (size_t)(at - token);
        } else if (*token == '{' || *token == '[') {
            weight += VALUE_SIZE;
        } else if (*token == ':') {
            weight -= weight < VALUE_SIZE ? weight : VALUE_SIZE;
        } else if (is_of_word(*token)) {
            at = skip_word(at, end);
            weight += VALUE_SIZE;
        }
    }
    return weight <= max;
}
