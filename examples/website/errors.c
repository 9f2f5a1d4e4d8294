/*
 * Our own pages for what goes wrong. A handler of a status runs for whoever ended with that status: the library where
 * no route fits, a handler that called ghttp_response_write_status(), a middleware that refused.
 */
#include "page.h"
#include "site.h"

static const struct {
    int status;
    const char *title, *text;
} errors[] = {
    {403, "Not allowed", "This was refused: it may have come from a page of another site."},
    {404, "There is no such page", "It may have moved, or the address has a slip in it."},
    {405, "Not in this way", "There is such a page, but it does not take what was sent to it."},
    {429, "Too often", "Please wait a little, and try again."},
    {500, "Something went wrong", "It is our fault, and it has been logged. Please try again later."},
};

static void show(ghttp_request *r)
{
    int status = ghttp_response_status(r);

    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
        if (errors[i].status == status) {
            page_begin(r, errors[i].title, NULL);
            ghttp_response_writef(r,
                                  "<p class=\"lead\">%s</p>\n<p class=\"soft\">Status %d</p>\n"
                                  "<p><a href=\"/\">To the first page</a></p>\n",
                                  errors[i].text, status);
            page_end(r);
        }
}

/* To see the page of a 500: what is said here goes to the log, and never to the client. */
static void fail(ghttp_request *r)
{
    ghttp_response_fail(r, "somebody has asked for /broken");
}

void errors_bind(ghttp_server *s)
{
    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++)
        ghttp_server_bind_status(s, errors[i].status, show);
    ghttp_server_bind(s, "GET:/broken", fail);
}
