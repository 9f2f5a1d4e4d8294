/*
 * The first page: what there is, and which file to read for it.
 */
#include "page.h"
#include "site.h"

static const struct {
    const char *path, *title, *text, *file;
} parts[] = {
    {"/guestbook", "Guest book",
     "A form that is checked on the server and comes back with what was wrong, and what "
     "visitors wrote, escaped.",
     "guestbook.c"},
    {"/uploads", "Uploads", "Files with a bar that shows how far they are; they come back under the names they had.",
     "uploads.c, upload_store.c, public/js/uploads.js"},
    {"/ticker", "Ticker", "Events from the server as they happen. Restart it meanwhile: no tick is missing.",
     "ticker.c, public/js/ticker.js"},
    {"/login", "Login", "A session behind a cookie, which outlives the process that began it.", "account.c"},
    {"/nowhere", "An error", "This page does not exist, and says so in the site's own words.", "errors.c"},
    {"/debug/admin", "Admin page", "The library's own page: restart the server with one click, on this machine only.",
     "main.c"},
};

static void show(ghttp_request *r)
{
    page_begin(r, "Welcome to the harbour", NULL);
    ghttp_response_write(r, "<p class=\"lead\">A small website in C. Each part of it is one file to read.</p>\n"
                            "<ul class=\"parts\">\n");
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        ghttp_response_writef(r,
                              "<li class=\"card\"><h2><a href=\"%s\">%s</a></h2><p>%s</p>"
                              "<p class=\"soft\"><code>%s</code></p></li>\n",
                              parts[i].path, parts[i].title, parts[i].text, parts[i].file);
    ghttp_response_write(r, "</ul>\n");
    page_end(r);
}

void home_bind(ghttp_server *s)
{
    ghttp_server_bind(s, "GET:/", show);
}
