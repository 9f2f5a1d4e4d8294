/*
 * The HTML. What it shows comes from the status alone, so that page and JSON cannot differ; what stands in an attribute
 * data-key is the name of the JSON's field, by which the script keeps it up to date.
 */
#include "admin_page.h"

#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "admin_client.h"

#define NONCE_SIZE 16

/* ---- text ------------------------------------------------------------------------------------- */

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

static double number_of(const cJSON *object, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, key);

    return cJSON_IsNumber(item) ? item->valuedouble : 0;
}

static const char *text_of(const cJSON *object, const char *key)
{
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(object, key));

    return text ? text : "";
}

/* ---- values, shown as the script shows them --------------------------------------------------- */

/* A field of the status, or of one of its servers. */
struct field {
    const char *key;
    const char *label;
    const char *kind; /* the name of its way to be shown, in the script too */
    const char *style;
    void (*write)(ghttp_request *r, const cJSON *item);
};

static void write_text(ghttp_request *r, const cJSON *item)
{
    if (cJSON_IsNumber(item))
        ghttp_response_writef(r, "%.0f", item->valuedouble);
    else if (cJSON_IsString(item))
        write_escaped(r, item->valuestring);
}

static void write_onoff(ghttp_request *r, const cJSON *item)
{
    ghttp_response_write(r, cJSON_IsTrue(item) ? "on" : "off");
}

static void write_kept(ghttp_request *r, const cJSON *item)
{
    const char *kept = cJSON_IsString(item) ? item->valuestring : "none";

    ghttp_response_write(r, !strcmp(kept, "kept")  ? "kept over the restart"
                            : !strcmp(kept, "new") ? "begun in this process"
                                                   : "none");
}

static void write_pid(ghttp_request *r, const cJSON *item)
{
    if (cJSON_IsNumber(item) && item->valuedouble > 0)
        ghttp_response_writef(r, "%.0f", item->valuedouble);
    else
        ghttp_response_write(r, "–");
}

/* How long something took that takes milliseconds, or seconds when it goes wrong. */
static void write_took(ghttp_request *r, const cJSON *item)
{
    double ms = cJSON_IsNumber(item) ? item->valuedouble : 0;

    if (ms < 1000)
        ghttp_response_writef(r, "%.0f ms", ms);
    else
        ghttp_response_writef(r, "%.1f s", ms / 1000);
}

/* "2018-05-18T11:02:04.812Z", for people. */
static void write_time(ghttp_request *r, const cJSON *item)
{
    const char *text = cJSON_IsString(item) ? item->valuestring : "";
    int date = (int)strcspn(text, "T");

    if (text[date])
        ghttp_response_writef(r, "%.*s %.8s UTC", date, text, text + date + 1);
}

static void write_duration(ghttp_request *r, const cJSON *item)
{
    int64_t seconds = cJSON_IsNumber(item) ? (int64_t)(item->valuedouble / 1000) : 0;
    int64_t minutes = seconds / 60, hours = minutes / 60, days = hours / 24;

    if (days)
        ghttp_response_writef(r, "%" PRId64 " d %" PRId64 " h", days, hours % 24);
    else if (hours)
        ghttp_response_writef(r, "%" PRId64 " h %" PRId64 " min", hours, minutes % 60);
    else if (minutes)
        ghttp_response_writef(r, "%" PRId64 " min %" PRId64 " s", minutes, seconds % 60);
    else
        ghttp_response_writef(r, "%" PRId64 " s", seconds);
}

static void write_listeners(ghttp_request *r, const cJSON *array)
{
    const cJSON *item;

    cJSON_ArrayForEach(item, array)
    {
        write_escaped(r, text_of(item, "scheme"));
        ghttp_response_write(r, " ");
        write_escaped(r, text_of(item, "address"));
        if (number_of(item, "waiting") > 0)
            ghttp_response_writef(r, " · %.0f waiting", number_of(item, "waiting"));
        ghttp_response_write(r, item->next ? "\n" : "");
    }
}

/* ---- the process ------------------------------------------------------------------------------ */

static const struct field headline[] = {
    {"pid", "Process", "text", "large", write_text},
    {"generation", "Generation", "text", "large", write_text},
    {"state", "State", "text", "large", write_text},
    {"uptime_ms", "Uptime", "duration", "large", write_duration},
};
static const struct field details[] = {
    {"parent", "Parent", "text", "", write_text},
    {"graceful", "Graceful", "onoff", "", write_onoff},
    {"workers", "Workers", "text", "", write_text},
    {"threads", "Threads", "text", "", write_text},
    {"idle_threads", "Idle threads", "text", "", write_text},
    {"tls", "TLS sessions", "kept", "", write_kept},
    {"executable", "Executable", "text", "wide", write_text},
};

static void write_fields(ghttp_request *r, const cJSON *status, const struct field *fields, size_t count)
{
    ghttp_response_write(r, "<dl>\n");
    for (size_t i = 0; i < count; i++) {
        /* What a restart changes lights up. */
        bool flashes = !strcmp(fields[i].key, "pid") || !strcmp(fields[i].key, "generation");

        ghttp_response_writef(r, "<div class=\"%s\"><dt>%s</dt><dd><span data-key=\"%s\" data-kind=\"%s\"%s>",
                              fields[i].style, fields[i].label, fields[i].key, fields[i].kind,
                              flashes ? " data-flash" : "");
        fields[i].write(r, cJSON_GetObjectItemCaseSensitive(status, fields[i].key));
        ghttp_response_write(r, "</span></dd></div>\n");
    }
    ghttp_response_write(r, "</dl>\n");
}

/* What has become of the process before this one; the script writes here too. */
static void write_predecessor(ghttp_request *r, const cJSON *status)
{
    const cJSON *predecessor = cJSON_GetObjectItemCaseSensitive(status, "predecessor");
    bool lost = number_of(predecessor, "raced") + number_of(predecessor, "cut") > 0;
    bool gone = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(predecessor, "gone"));

    ghttp_response_writef(r, "<p id=\"predecessor\" class=\"%s\">", lost ? "bad" : gone ? "soft" : "");
    write_escaped(r, text_of(predecessor, "message"));
    ghttp_response_write(r, "</p>\n");
}

static void write_process(ghttp_request *r, const cJSON *status)
{
    ghttp_response_write(r, "<section>\n");
    write_fields(r, status, headline, sizeof(headline) / sizeof(*headline));
    write_predecessor(r, status);
    write_fields(r, status, details, sizeof(details) / sizeof(*details));
    ghttp_response_write(r, "</section>\n");
}

/* ---- tables ----------------------------------------------------------------------------------- */

/* An array of the status; the script finds its way by the table's id and its head. */
struct table {
    const char *key; /* of the array, and the table's id */
    const char *title;
    bool optional; /* an empty one is hidden */
    size_t count;
    struct field columns[8];
};

static const struct table servers = {
    "servers",
    "Servers",
    false,
    8,
    {
        {"name", "Server", "text", "", write_text},
        {"state", "State", "text", "", write_text},
        {"listeners", "Listens on", "listeners", "", write_listeners},
        {"connections", "Connections", "text", "number", write_text},
        {"in_flight", "In flight", "text", "number", write_text},
        {"requests", "Answered", "text", "number", write_text},
        {"refused", "Refused", "text", "number", write_text},
        {"overloaded", "Overloaded", "text", "number", write_text},
    },
};
/* Only the script fills it: what runs is not asked for where a page is merely opened. */
static const struct table running = {
    "running",
    "Requests that have run for more than a second",
    true,
    3,
    {
        {"request", "Request", "text", "", write_text},
        {"server", "Server", "text", "", write_text},
        {"ms", "For", "duration", "number", write_duration},
    },
};
static const struct table history = {
    "history",
    "Restarts",
    true,
    5,
    {
        {"generation", "Generation", "text", "", write_text},
        {"pid", "Process", "pid", "", write_pid},
        {"at", "When", "time", "", write_time},
        {"took_ms", "Took", "took", "number", write_took},
        {"reason", "Outcome", "text", "wide", write_text},
    },
};

static void write_row(ghttp_request *r, const struct table *table, const cJSON *item)
{
    bool failed = cJSON_IsFalse(cJSON_GetObjectItemCaseSensitive(item, "ok"));

    ghttp_response_writef(r, "<tr class=\"%s\">", failed ? "bad" : "");
    for (size_t i = 0; i < table->count; i++) {
        const struct field *column = &table->columns[i];

        ghttp_response_writef(r, "<td class=\"%s\" data-label=\"%s\">", column->style, column->label);
        column->write(r, cJSON_GetObjectItemCaseSensitive(item, column->key));
        ghttp_response_write(r, "</td>");
    }
    ghttp_response_write(r, "</tr>\n");
}

static void write_table(ghttp_request *r, const struct table *table, const cJSON *status)
{
    const cJSON *array = cJSON_GetObjectItemCaseSensitive(status, table->key), *item;

    ghttp_response_writef(r, "<section%s>\n<h2>%s</h2>\n<table id=\"%s\">\n<thead><tr>",
                          table->optional && !cJSON_GetArraySize(array) ? " hidden" : "", table->title, table->key);
    for (size_t i = 0; i < table->count; i++)
        ghttp_response_writef(r, "<th class=\"%s\" data-key=\"%s\" data-kind=\"%s\">%s</th>", table->columns[i].style,
                              table->columns[i].key, table->columns[i].kind, table->columns[i].label);
    ghttp_response_write(r, "</tr></thead>\n<tbody>\n");
    cJSON_ArrayForEach(item, array)
    {
        write_row(r, table, item);
    }
    ghttp_response_write(r, "</tbody>\n</table>\n</section>\n");
}

/* ---- what can be done ------------------------------------------------------------------------- */

static void write_last(ghttp_request *r, const cJSON *status)
{
    const cJSON *last = cJSON_GetObjectItemCaseSensitive(status, "last_restart");

    ghttp_response_write(r, "<p id=\"last\" class=\"soft\">");
    if (cJSON_IsObject(last)) {
        ghttp_response_write(r, "Last: ");
        write_escaped(r, text_of(last, "message"));
    } else if (number_of(status, "parent") != number_of(status, "pid")) {
        ghttp_response_writef(r, "Last: process %.0f was restarted as %.0f, in %.0f ms", number_of(status, "parent"),
                              number_of(status, "pid"), number_of(status, "restart_took_ms"));
    } else {
        ghttp_response_write(r, "Not restarted so far.");
    }
    ghttp_response_write(r, "</p>\n");
}

/* Without the script a form leads to a page of its outcome. */
static void write_form(ghttp_request *r, const char *action, const char *base)
{
    ghttp_response_writef(r, "<form id=\"%s\" method=\"post\" action=\"", action);
    write_escaped(r, base);
    ghttp_response_writef(r, "%s\">\n", action);
}

static void write_actions(ghttp_request *r, const cJSON *status, const char *base)
{
    ghttp_response_write(r, "<section>\n<h2>Restart</h2>\n");
    write_form(r, "restart", base);
    ghttp_response_write(r, "<label for=\"path\" class=\"soft\">Another executable; empty for the same</label>\n"
                            "<div class=\"row\"><input id=\"path\" name=\"newExeFilePath\" autocomplete=\"off\" "
                            "autocapitalize=\"none\" spellcheck=\"false\" placeholder=\"");
    write_escaped(r, text_of(status, "executable"));
    ghttp_response_write(r, "\"><button>Restart</button></div>\n</form>\n"
                            "<p id=\"outcome\" role=\"status\"></p>\n");
    write_last(r, status);
    ghttp_response_write(r, "</section>\n");
    write_table(r, &history, status);
    ghttp_response_write(r, "<section>\n<details><summary>Shut down</summary>\n");
    write_form(r, "shutdown", base);
    ghttp_response_write(r, "<p>This ends the process with all its servers, as soon as the requests in flight are "
                            "answered. Nobody starts it again from here.</p>\n"
                            "<button class=\"danger\">Shut down all servers</button>\n</form>\n</details>\n"
                            "</section>\n<p class=\"soft\"><a href=\"");
    write_escaped(r, base);
    ghttp_response_write(r, "status\">status as JSON</a><noscript> · <a href=\"");
    write_escaped(r, base);
    ghttp_response_write(r, "restart\">restart</a> · <a href=\"");
    write_escaped(r, base);
    ghttp_response_write(r, "shutdown\">shutdown</a></noscript></p>\n");
}

/* ---- documents -------------------------------------------------------------------------------- */

/* A number that nobody can guess, and that style and script of this one answer name; "": none runs. */
static void make_nonce(char nonce[2 * NONCE_SIZE + 1])
{
    unsigned char bytes[NONCE_SIZE];

    nonce[0] = '\0';
    if (getrandom(bytes, sizeof(bytes), 0) != sizeof(bytes))
        return;
    for (size_t i = 0; i < sizeof(bytes); i++)
        snprintf(nonce + 2 * i, 3, "%02x", bytes[i]);
}

static void set_policy(ghttp_request *r, const char *nonce)
{
    char policy[512];

    snprintf(policy, sizeof(policy),
             "default-src 'none'; style-src 'nonce-%s'; script-src 'nonce-%s'; connect-src 'self'; img-src data:; "
             "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
             nonce, nonce);
    ghttp_response_set_header(r, "Content-Type", "text/html; charset=utf-8");
    if (*nonce)
        ghttp_response_set_header(r, "Content-Security-Policy", policy);
}

static void begin_document(ghttp_request *r, const char *nonce, const char *base)
{
    set_policy(r, nonce);
    ghttp_response_write(r, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
                            "<title>Admin</title>\n<link rel=\"icon\" href=\"data:,\">\n");
    ghttp_response_writef(r, "<style nonce=\"%s\">\n", nonce);
    ghttp_response_write(r, gf_admin_style);
    ghttp_response_write(r, "</style>\n</head>\n<body data-base=\"");
    write_escaped(r, base);
    ghttp_response_write(r, "\">\n");
}

void gf_admin_page_write(ghttp_request *r, const struct cJSON *status, const char *base)
{
    char nonce[2 * NONCE_SIZE + 1];

    make_nonce(nonce);
    begin_document(r, nonce, base);
    ghttp_response_write(r, "<header><h1>Server admin</h1><span id=\"live\"></span></header>\n");
    write_process(r, status);
    write_table(r, &servers, status);
    write_table(r, &running, status);
    write_actions(r, status, base);
    ghttp_response_writef(r, "<script nonce=\"%s\">\n", nonce);
    ghttp_response_write(r, gf_admin_script);
    ghttp_response_write(r, "</script>\n</body>\n</html>\n");
}

void gf_admin_page_write_login(ghttp_request *r, const char *message, const char *base)
{
    char nonce[2 * NONCE_SIZE + 1];

    make_nonce(nonce);
    begin_document(r, nonce, base);
    ghttp_response_write(r, "<header><h1>Server admin</h1></header>\n<section>\n<form method=\"post\" action=\"");
    write_escaped(r, base);
    ghttp_response_write(r,
                         "login\">\n<label for=\"token\">Token of this page (the setting adminToken)</label>\n"
                         "<div class=\"row\"><input id=\"token\" name=\"token\" type=\"password\" required autofocus "
                         "autocomplete=\"current-password\"><button>Sign in</button></div>\n</form>\n");
    if (message) {
        ghttp_response_write(r, "<p class=\"bad\" role=\"alert\">");
        write_escaped(r, message);
        ghttp_response_write(r, "</p>\n");
    }
    ghttp_response_write(r, "</section>\n</body>\n</html>\n");
}

void gf_admin_page_write_message(ghttp_request *r, const char *title, const char *message, const char *base)
{
    char nonce[2 * NONCE_SIZE + 1];

    make_nonce(nonce);
    begin_document(r, nonce, base);
    ghttp_response_write(r, "<header><h1>");
    write_escaped(r, title);
    ghttp_response_write(r, "</h1></header>\n<section><p>");
    write_escaped(r, message);
    ghttp_response_write(r, "</p></section>\n<p><a href=\"");
    write_escaped(r, base);
    ghttp_response_write(r, "\">Back to the admin page</a></p>\n</body>\n</html>\n");
}
