/*
 * Long lists in pages: ?page=2&size=20.
 *
 * Owns: nothing. Thread: the request's own.
 */
#ifndef REST_API_PAGE_H
#define REST_API_PAGE_H

#include <gf/gf.h>

struct cJSON;

struct page {
    int number; /* from 1 */
    int size;   /* 1..100 */
};

/* Which page is wanted, the first of 20 by default. 0, or a negative errno: then the 400 is made. */
int page_read(ghttp_request *r, struct page *ret_page);

/* How many items come before it. */
long page_offset(const struct page *page);

/*
 * Answers {"items","page","size","total"}, with a Link header (RFC 8288) to the first, previous, next and last page.
 * The items go over to the request, also on error.
 * filter: what else is in the query of these links, encoded and with an '&' at its end, or "".
 */
void page_answer(ghttp_request *r, const struct page *page, const char *filter, long total, struct cJSON *items);

#endif
