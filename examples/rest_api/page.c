/*
 * Long lists in pages: see page.h.
 */
#include "page.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

#define PAGES_MAX 1000000 /* times the size, this is far from what an int has no room for */

static const struct ghttp_field fields[] = {
    {.name = "page", .type = GHTTP_FIELD_INT, GHTTP_FIELD_AT(struct page, number), .min = 1, .max = PAGES_MAX},
    {.name = "size", .type = GHTTP_FIELD_INT, GHTTP_FIELD_AT(struct page, size), .min = 1, .max = 100},
};

int page_read(ghttp_request *r, struct page *ret_page)
{
    *ret_page = (struct page){.number = 1, .size = 20};
    return ghttp_request_parse(r, fields, sizeof(fields) / sizeof(*fields), ret_page);
}

long page_offset(const struct page *page)
{
    return (long)(page->number - 1) * page->size;
}

/* One link behind the others. The text has room for all four. */
static void add_link(char *text, size_t size, const char *target, int page_size, long number, const char *relation)
{
    size_t used = strlen(text);

    snprintf(text + used, size - used, "%s<%spage=%ld&size=%d>; rel=\"%s\"", used ? ", " : "", target, number,
             page_size, relation);
}

static void set_links(ghttp_request *r, const struct page *page, const char *filter, long total)
{
    long last = total > 0 ? (total + page->size - 1) / page->size : 1;
    char target[256], links[4 * (sizeof(target) + 64)] = "";

    snprintf(target, sizeof(target), "%s?%s", ghttp_request_path(r), filter);
    add_link(links, sizeof(links), target, page->size, 1, "first");
    if (page->number > 1)
        add_link(links, sizeof(links), target, page->size, page->number <= last ? page->number - 1 : last, "prev");
    if (page->number < last)
        add_link(links, sizeof(links), target, page->size, page->number + 1, "next");
    add_link(links, sizeof(links), target, page->size, last, "last");
    ghttp_response_set_header(r, "Link", links);
}

void page_answer(ghttp_request *r, const struct page *page, const char *filter, long total, struct cJSON *items)
{
    struct cJSON *data = cJSON_CreateObject();

    cJSON_AddItemToObject(data, "items", items);
    cJSON_AddNumberToObject(data, "page", page->number);
    cJSON_AddNumberToObject(data, "size", page->size);
    cJSON_AddNumberToObject(data, "total", (double)total);
    set_links(r, page, filter, total);
    ghttp_response_set_data(r, data);
}
