/*
 * A browser: Debian's Chromium without a window, driven by its DevTools protocol over a pair of pipes. It has a profile
 * of its own, knows no host but 127.0.0.1, and is gone with its profile when the test is.
 *
 * Owns: the process, its profile, the pipes, the pages (browser_page.h), what was downloaded. Thread: one at a time.
 */
#ifndef GF_TESTS_SUPPORT_BROWSER_H
#define GF_TESTS_SUPPORT_BROWSER_H

#include <stdbool.h>
#include <stddef.h>

struct cJSON;
struct browser;
struct browser_page;

/* Starts it. NULL with errno; why is on standard error. */
struct browser *browser_start(void);
/* Ends it and removes its profile. NULL is fine. */
void browser_free(struct browser *b);

/* The file that was downloaded last under this name, once it is complete: its path in the profile (allocated). NULL:
 * not in time.
 */
char *browser_wait_download(struct browser *b, const char *name, int timeout_ms);

/* ---- for browser_page.c ---- */

enum {
    BROWSER_ANSWER_MS = 20000, /* for one command, on a machine that does other things too */
};

/*
 * Sends a command to a page, or (NULL) to the browser, and waits for its result, handling events meanwhile. The
 * parameters are the callee's from then on; NULL: none. NULL when the browser says error, or nothing: told on standard
 * error unless quiet.
 */
struct cJSON *browser_call(struct browser *b, struct browser_page *page, const char *method, struct cJSON *parameters,
                           bool quiet);
/* Handles events for at most so long, or until one has come. 0; -ETIMEDOUT; -EPIPE: the browser has gone. */
int browser_pump(struct browser *b, int timeout_ms);
/* From now on events of this session are the page's; NULL: nobody's. 0 or -ENOSPC. */
int browser_register(struct browser *b, const char *session, struct browser_page *page);
/* What an event is given to: in browser_page.c. */
void browser_page_event(struct browser_page *page, const char *method, const struct cJSON *parameters);
const char *browser_page_session(const struct browser_page *page);

#endif
