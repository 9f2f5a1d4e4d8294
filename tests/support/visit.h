/*
 * A visit: the website of the examples, or another program with pages, on a port and in a folder of its own, and a
 * browser that looks at it.
 *
 * Owns: the server, the browser, one page of it. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_VISIT_H
#define GF_TESTS_SUPPORT_VISIT_H

#include "tests/support/browser_page.h"
#include "tests/support/process.h"

struct visit {
    int port;
    char base[64]; /* "http://127.0.0.1:4711" */
    struct process *server;
    struct browser *browser;
    struct browser_page *page;
};

/*
 * Starts examples/website, and the browser. With a root, that folder is served in place of its own, and listed. 0 or a
 * negative errno; visit_finish() in any case.
 */
int visit_website(struct visit *v, const char *root);
/* The same without a browser, for other clients; variable: one more of its environment, or NULL. */
int visit_website_alone(struct visit *v, const char *variable);
/* The same for a program that takes its address from the environment variable GF_ADDRESS; variable: one more, or NULL.
 */
int visit_program(struct visit *v, const char *program, const char *variable);
/* Ends both. */
void visit_finish(struct visit *v);

/* Opens a path in a page. 0 or a negative errno. */
int visit_open(const struct visit *v, struct browser_page *page, const char *path);
/* Logs in as the website's user, in whatever page; the cookie is the whole browser's. 0 or a negative errno. */
int visit_log_in(const struct visit *v, struct browser_page *page);

/*
 * Looks at a page as it is now, at 1280 and at 375 pixels of width, and in the dark: a picture of each is kept, as
 * <name>-<width>-<light or dark>. What is wrong with its layout, its contrast or what helps people who cannot see it, a
 * line for each; "" if nothing is. Allocated.
 */
char *visit_inspect(struct browser_page *page, const char *name);

#endif
