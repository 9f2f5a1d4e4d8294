#include "admin_page.h"

#include <cjson/cJSON.h>
#include <string.h>

static void write_escaped(ghttp_request *r, const char *text)
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

void gf_admin_page_write(ghttp_request *r, const struct cJSON *status, const char *base)
{
    char *text = cJSON_Print(status);

    ghttp_response_set_header(r, "Content-Type", "text/html; charset=utf-8");
    ghttp_response_write(r, "<!DOCTYPE html><title>Admin</title><pre>");
    write_escaped(r, text ? text : "");
    ghttp_response_write(r, "</pre><a href=\"");
    write_escaped(r, base);
    ghttp_response_write(r, "restart\">restart</a> <a href=\"");
    write_escaped(r, base);
    ghttp_response_write(r, "shutdown\">shutdown</a>");
    cJSON_free(text);
}

void gf_admin_page_write_message(ghttp_request *r, const char *title, const char *message, const char *base)
{
    ghttp_response_set_header(r, "Content-Type", "text/html; charset=utf-8");
    ghttp_response_write(r, "<!DOCTYPE html><title>Admin</title><h1>");
    write_escaped(r, title);
    ghttp_response_write(r, "</h1><p>");
    write_escaped(r, message);
    ghttp_response_write(r, "</p><a href=\"");
    write_escaped(r, base);
    ghttp_response_write(r, "\">back</a>");
}
