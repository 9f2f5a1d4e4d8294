/*
 * All that came with a request, one after the other: its headers, the values of each source, and the parameters as
 * ghttp_request_get() ranks them.
 *
 * Thread: the request's own.
 */
#include <cjson/cJSON.h>
#include <stdlib.h>
#include <string.h>

#include "json_members.h"
#include "request.h"

/* ---- one source --------------------------------------------------------------------------------- */

size_t ghttp_request_each_header(const ghttp_request *r, ghttp_pair *fn, void *arg)
{
    return gf_fields_each(&r->headers, fn, arg);
}

size_t ghttp_request_each_router(const ghttp_request *r, ghttp_pair *fn, void *arg)
{
    return gf_fields_each(&r->router_fields, fn, arg);
}

size_t ghttp_request_each_query(ghttp_request *r, ghttp_pair *fn, void *arg)
{
    ghttp_request_query(r, NULL);
    return gf_fields_each(&r->query_fields, fn, arg);
}

size_t ghttp_request_each_form(ghttp_request *r, ghttp_pair *fn, void *arg)
{
    gf_request_parse_body(r);
    return gf_fields_each(&r->form_fields, fn, arg);
}

size_t ghttp_request_each_cookie(ghttp_request *r, ghttp_pair *fn, void *arg)
{
    ghttp_request_cookie(r, NULL);
    return gf_fields_each(&r->cookies, fn, arg);
}

/* ---- all of them -------------------------------------------------------------------------------- */

/* A parameter of some source. */
struct entry {
    const char *name;
    const char *value;
    const struct cJSON *member; /* whose text is the value; NULL: it is value */
    unsigned source;            /* by rank, the highest first */
    size_t number;              /* of the entry, in the order of finding */
    bool counts;                /* it is what ghttp_request_get() gives for this name */
};

struct entries {
    struct entry *items;
    size_t count;
};

static void add_fields(struct entries *entries, unsigned source, const struct gf_fields *fields)
{
    for (size_t i = 0; i < fields->count; i++) {
        size_t number = entries->count++;
        entries->items[number] = (struct entry){
            .name = fields->items[i].name, .value = fields->items[i].value, .source = source, .number = number};
    }
}

static void add_members(struct entries *entries, unsigned source, const struct cJSON *members)
{
    const struct cJSON *member;
    cJSON_ArrayForEach(member, members)
    {
        size_t number = entries->count++;
        entries->items[number] =
            (struct entry){.name = member->string, .member = member, .source = source, .number = number};
    }
}

/* Those of one name come together; the higher source first, in it the last that was sent. */
static int compare_names(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    int order = strcmp(a->name, b->name);
    if (order)
        return order;
    if (a->source != b->source)
        return a->source < b->source ? -1 : 1;
    return a->number > b->number ? -1 : a->number < b->number;
}

static int compare_numbers(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    return a->number < b->number ? -1 : a->number > b->number;
}

/* false: no memory for a number's text. */
static bool find_value(ghttp_request *r, struct entry *entry)
{
    if (entry->member)
        entry->value = gf_json_members_text(r, entry->member);
    entry->counts = entry->value != NULL;
    return entry->counts || !cJSON_IsNumber(entry->member);
}

/* Marks the first of each name that has a value, of a source only the last that was sent. */
static bool choose(ghttp_request *r, struct entries *entries)
{
    const struct entry *before = NULL;
    bool chosen = false;
    for (size_t i = 0; i < entries->count; i++) {
        struct entry *entry = &entries->items[i];
        bool same_name = before && strcmp(before->name, entry->name) == 0;
        bool repeated = same_name && before->source == entry->source;
        chosen = chosen && same_name;
        before = entry;
        if (chosen || repeated)
            continue;
        if (!find_value(r, entry))
            return false;
        chosen = entry->counts;
    }
    return true;
}

/* By sorting, since a body may have a great many. The list is not the arena's: it may be made again and again. */
static bool collect(ghttp_request *r, struct entries *entries)
{
    size_t room = r->custom_fields.count + r->form_fields.count + r->query_fields.count + r->router_fields.count;
    room += r->members ? (size_t)cJSON_GetArraySize(r->members) : 0;
    entries->items = calloc(room + 1, sizeof(*entries->items));
    if (!entries->items)
        return false;
    add_fields(entries, 0, &r->custom_fields);
    add_fields(entries, 1, &r->form_fields);
    add_members(entries, 2, r->members);
    add_fields(entries, 3, &r->query_fields);
    add_fields(entries, 4, &r->router_fields);
    qsort(entries->items, entries->count, sizeof(*entries->items), compare_names);
    if (!choose(r, entries))
        return false;
    qsort(entries->items, entries->count, sizeof(*entries->items), compare_numbers);
    return true;
}

size_t ghttp_request_each_param(ghttp_request *r, ghttp_pair *fn, void *arg)
{
    struct entries entries = {0};
    size_t count = 0;
    bool goes_on = fn != NULL;
    ghttp_request_query(r, NULL);
    gf_request_parse_body(r);
    if (!collect(r, &entries)) { /* half of them would look like all */
        (ghttp_response_fail)(r, "no memory to go through the parameters");
        goes_on = false;
    }
    for (size_t i = 0; i < entries.count && goes_on; i++) {
        if (!entries.items[i].counts)
            continue;
        count++;
        goes_on = fn(entries.items[i].name, entries.items[i].value, arg);
    }
    free(entries.items);
    return count;
}
