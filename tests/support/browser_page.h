/*
 * A tab of the browser: it goes somewhere, is clicked and typed into, is looked at, and keeps what went wrong in it.
 *
 * Owns: the tab. Thread: that of its browser. All waits end after a while; what they waited for is then on standard
 * error.
 */
#ifndef GF_TESTS_SUPPORT_BROWSER_PAGE_H
#define GF_TESTS_SUPPORT_BROWSER_PAGE_H

#include "tests/support/browser.h"

/* A new tab, empty, 1280 x 800. NULL when there can be none. */
struct browser_page *browser_page_new(struct browser *b);
/* Closes it; before browser_free(). NULL is fine. */
void browser_page_free(struct browser_page *page);

/* As large as that of a desktop, or (mobile) a phone that shows widths as they are. 0 or -EPROTO. */
int browser_page_resize(struct browser_page *page, int width, int height, bool mobile);
/* Goes there and waits until all is loaded. 0 or a negative errno. */
int browser_page_open(struct browser_page *page, const char *url);

/* A command of the protocol to this page, as browser_call(). */
struct cJSON *browser_page_call(struct browser_page *page, const char *method, struct cJSON *parameters);
/* The value of a JavaScript expression, or of what a promise comes to; NULL: it throws, or the page changes meanwhile.
 */
struct cJSON *browser_page_evaluate(struct browser_page *page, const char *expression);
/* The same as text (allocated): that of a text, or JSON. */
char *browser_page_text(struct browser_page *page, const char *expression);
/* Of a number; NAN: it is none. */
double browser_page_number(struct browser_page *page, const char *expression);
/* Waits until the expression is true, across changes of the page. 0 or -ETIMEDOUT. */
int browser_page_wait(struct browser_page *page, const char *expression, int timeout_ms);

/* How fast the page may send from now on, in bytes per second; -1: as fast as it can. 0 or -EPROTO. */
int browser_page_throttle(struct browser_page *page, int bytes_per_second);

/* Clicks with the mouse into the middle of what the selector finds, scrolled into view. 0; -ENOENT; -EPROTO. */
int browser_page_click(struct browser_page *page, const char *selector);
/* Clicks it and types the text, in place of what it has. 0 or a negative errno. */
int browser_page_type(struct browser_page *page, const char *selector, const char *text);
/* Has the user choose these files, NULL at the end, in an input of files. 0; -ENOENT; -EPROTO. */
int browser_page_choose(struct browser_page *page, const char *selector, const char *const *paths);

/* All cookies that go to the page's address, as the protocol has them: an array. NULL: none can be had. */
struct cJSON *browser_page_cookies(struct browser_page *page);

/*
 * A picture of the whole page, as PNG: *ret_size bytes, allocated. It is kept for people too, as <name>.png in the
 * folder "screenshots" of the build. NULL: there is none.
 */
void *browser_page_screenshot(struct browser_page *page, const char *name, size_t *ret_size);

/*
 * What went wrong in the page since it was opened, or since the last call: messages of the console that are errors,
 * exceptions, requests that failed or were answered with a status of 400 or more; a line for each. Allocated; "" if all
 * went well. What the page itself broke off is no failure.
 */
char *browser_page_problems(struct browser_page *page);

#endif
