/*
 * The frame of every page, and texts made fit for HTML. All of it: the request's own thread.
 */
#ifndef WEBSITE_PAGE_H
#define WEBSITE_PAGE_H

#include <gf/gf.h>
#include <time.h>

/*
 * Begins a page: head, title, navigation. Between the two calls a handler writes what is in <main>. A page that greets
 * its user is never kept by caches.
 * @param script a file of public/js that the page needs; NULL: none.
 */
void page_begin(ghttp_request *r, const char *title, const char *script);
void page_end(ghttp_request *r);

/* Writes a text so that it is text in HTML, in quoted attributes too. All that visitors have sent goes through here. */
void page_escape(ghttp_request *r, const char *text);

/* "1.4 MB". */
void page_size(ghttp_request *r, double bytes);
/* "2026-11-22 18:05 UTC", marked up as a time. */
void page_time(ghttp_request *r, time_t at);

#endif
