/*
 * The frame of every page: see page.h. There is no template language; a page is what its handler writes.
 */
#include "page.h"

#include "account.h"

#include <string.h>

void page_escape(ghttp_request *r, const char *text)
{
    static const char special[] = "&<>\"'";
    static const char *const entities[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};

    while (*text) {
        size_t plain = strcspn(text, special);

        ghttp_response_write_bytes(r, text, plain);
        text += plain;
        if (*text)
            ghttp_response_write(r, entities[strchr(special, *text++) - special]);
    }
}

void page_size(ghttp_request *r, double bytes)
{
    static const char *const units[] = {"bytes", "KB", "MB", "GB"};
    int unit = 0;

    for (; bytes >= 1000 && unit < 3; unit++)
        bytes /= 1000;
    ghttp_response_writef(r, unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

void page_time(ghttp_request *r, time_t at)
{
    char text[32];
    struct tm parts;

    gmtime_r(&at, &parts);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%MZ", &parts);
    ghttp_response_writef(r, "<time datetime=\"%s\">%.10s %.5s UTC</time>", text, text, text + 11);
}

/* ---- the frame -------------------------------------------------------------------------------- */

static void write_navigation(ghttp_request *r)
{
    static const char *const links[][2] = {
        {"/", "Home"}, {"/guestbook", "Guest book"}, {"/uploads", "Uploads"}, {"/ticker", "Ticker"}};
    const char *path = ghttp_request_path(r);

    ghttp_response_write(r, "<nav aria-label=\"Site\">\n<ul>\n");
    for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
        ghttp_response_writef(r, "<li><a href=\"%s\"%s>%s</a></li>\n", links[i][0],
                              strcmp(links[i][0], path) ? "" : " aria-current=\"page\"", links[i][1]);
    ghttp_response_write(r, "</ul>\n</nav>\n");
}

/* Logging out changes something, so it is a form and no link: links are followed by whoever looks ahead. */
static void write_account(ghttp_request *r)
{
    const char *user = account_user(r);

    ghttp_response_write(r, "<div class=\"account\">\n");
    if (user) {
        ghttp_response_write(r, "<span>");
        page_escape(r, user);
        ghttp_response_write(r, "</span>\n<form method=\"post\" action=\"/logout\">"
                                "<button class=\"quiet\">Log out</button></form>\n");
    } else {
        ghttp_response_write(r, "<a href=\"/login\">Log in</a>\n");
    }
    ghttp_response_write(r, "</div>\n");
}

void page_begin(ghttp_request *r, const char *title, const char *script)
{
    ghttp_response_set_header(r, "Content-Type", "text/html; charset=utf-8");
    ghttp_response_set_header(r, "Cache-Control", "no-store");
    ghttp_response_write(r, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    page_escape(r, title);
    ghttp_response_write(r, " · Harbour</title>\n<link rel=\"icon\" href=\"/img/icon.svg\">\n"
                            "<link rel=\"stylesheet\" href=\"/css/site.css\">\n");
    if (script)
        ghttp_response_writef(r, "<script src=\"/js/%s\" defer></script>\n", script);
    ghttp_response_write(r, "</head>\n<body>\n<a class=\"skip\" href=\"#content\">To the content</a>\n"
                            "<header>\n<a class=\"name\" href=\"/\"><img src=\"/img/icon.svg\" alt=\"\" width=\"32\" "
                            "height=\"32\">Harbour</a>\n");
    write_navigation(r);
    write_account(r);
    ghttp_response_write(r, "</header>\n<main id=\"content\">\n<h1>");
    page_escape(r, title);
    ghttp_response_write(r, "</h1>\n");
}

void page_end(ghttp_request *r)
{
    ghttp_response_writef(r,
                          "</main>\n<footer>An example of <b>gf</b>, answered by process %d. "
                          "<a href=\"/debug/admin\">Admin page</a></footer>\n</body>\n</html>\n",
                          gproc_pid());
}
