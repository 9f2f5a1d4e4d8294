/*
 * A guest book: a form that is checked on the server, and shown again with what the visitor wrote and what was wrong
 * with it. What is right is appended to a file, one JSON object a line.
 *
 * The browser checks too (required, maxlength), which is kind to visitors and proves nothing.
 */
#include "page.h"
#include "site.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BOOK_MAX (1 << 20) /* bytes; strangers write here, and the page reads all of it */
#define SHOWN 50           /* entries on the page, the newest */

struct entry {
    char name[100];
    char mail[200];
    int stars;
    char text[2000];
};

/* Characters are what visitors count, bytes what a struct has: up to four for each. */
static const struct ghttp_field fields[] = {
    {.name = "name",
     .type = GHTTP_FIELD_TEXT,
     GHTTP_FIELD_AT(struct entry, name),
     .required = true,
     .min_length = 2,
     .max_length = 24,
     .message = "Please give a name of 2 to 24 characters."},
    {.name = "mail",
     .type = GHTTP_FIELD_TEXT,
     GHTTP_FIELD_AT(struct entry, mail),
     .pattern = "^[^@[:space:]]+@[^@[:space:]]+$",
     .message = "This is no mail address; it may be left out."},
    {.name = "stars",
     .type = GHTTP_FIELD_INT,
     GHTTP_FIELD_AT(struct entry, stars),
     .required = true,
     .min = 1,
     .max = 5,
     .message = "Please choose 1 to 5 stars."},
    {.name = "text",
     .type = GHTTP_FIELD_TEXT,
     GHTTP_FIELD_AT(struct entry, text),
     .required = true,
     .min_length = 5,
     .max_length = 400,
     .message = "Please write 5 to 400 characters."},
};

/* ---- the file --------------------------------------------------------------------------------- */

/* Appends a line with one write, so that two processes, as there are during a restart, do not mix theirs. */
static int append(const char *line)
{
    char path[1024];
    struct stat status;
    size_t size = strlen(line);
    int fd, error = 0;

    snprintf(path, sizeof(path), "%s/guestbook.jsonl", site.data);
    fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) < 0)
        error = -errno;
    else if (status.st_size + (off_t)size > BOOK_MAX)
        error = -EFBIG;
    else if (write(fd, line, size) != (ssize_t)size)
        error = -EIO;
    close(fd);
    return error;
}

static int save(const struct entry *entry)
{
    cJSON *json = cJSON_CreateObject();
    char *text = NULL, *line = NULL;
    int error = -ENOMEM;

    if (cJSON_AddStringToObject(json, "name", entry->name) && cJSON_AddNumberToObject(json, "stars", entry->stars) &&
        cJSON_AddStringToObject(json, "mail", entry->mail) && cJSON_AddStringToObject(json, "text", entry->text) &&
        cJSON_AddNumberToObject(json, "at", (double)time(NULL)))
        text = cJSON_PrintUnformatted(json);
    if (text && asprintf(&line, "%s\n", text) > 0)
        error = append(line);
    free(line);
    cJSON_free(text);
    cJSON_Delete(json);
    return error;
}

/* The whole file as text, in memory of the request; "" when there is none yet. NULL: it cannot be read. */
static char *read_book(ghttp_request *r)
{
    char path[1024], *text = ghttp_request_alloc(r, BOOK_MAX + 1);
    ssize_t size = 0;
    int fd;

    snprintf(path, sizeof(path), "%s/guestbook.jsonl", site.data);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? text : NULL;
    if (text)
        size = read(fd, text, BOOK_MAX);
    close(fd);
    return size < 0 ? NULL : text;
}

/* ---- the page --------------------------------------------------------------------------------- */

static void write_entry(ghttp_request *r, const char *line)
{
    cJSON *json = cJSON_Parse(line);
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItem(json, "name"));
    const char *text = cJSON_GetStringValue(cJSON_GetObjectItem(json, "text"));
    const cJSON *stars = cJSON_GetObjectItem(json, "stars"), *at = cJSON_GetObjectItem(json, "at");

    if (name && text && cJSON_IsNumber(stars) && cJSON_IsNumber(at)) {
        ghttp_response_write(r, "<li class=\"card\"><p><b>");
        page_escape(r, name);
        ghttp_response_writef(r, "</b> <span class=\"stars\" role=\"img\" aria-label=\"%d of 5 stars\">",
                              stars->valueint);
        for (int i = 1; i <= 5; i++)
            ghttp_response_write(r, i <= stars->valueint ? "★" : "☆");
        ghttp_response_write(r, "</span> <span class=\"soft\">");
        page_time(r, (time_t)at->valuedouble);
        ghttp_response_write(r, "</span></p><p class=\"words\">");
        page_escape(r, text);
        ghttp_response_write(r, "</p></li>\n");
    }
    cJSON_Delete(json);
}

/* The newest first: lines from the end on. */
static void write_entries(ghttp_request *r)
{
    char *book = read_book(r), *line;
    int shown = 0;

    ghttp_response_write(r, "<h2 id=\"entries\">What others wrote</h2>\n");
    if (!book)
        ghttp_response_write(r, "<p class=\"problem\">The book cannot be read now.</p>\n");
    else if (!*book)
        ghttp_response_write(r, "<p class=\"soft\">Nobody so far. Be the first!</p>\n");
    ghttp_response_write(r, "<ul class=\"entries\">\n");
    while (book && *book && shown++ < SHOWN) {
        size_t end = strlen(book);

        if (book[end - 1] == '\n')
            book[end - 1] = '\0';
        line = strrchr(book, '\n');
        write_entry(r, line ? line + 1 : book);
        (line ? line + 1 : book)[0] = '\0';
    }
    ghttp_response_write(r, "</ul>\n");
}

/* What belongs to a field that was wrong: the sentence, which screen readers read with the field. */
static void write_error(ghttp_request *r, const char *name)
{
    const char *error = ghttp_request_field_error(r, name);

    if (!error)
        return;
    ghttp_response_writef(r, "<span class=\"error\" id=\"%s-error\">", name);
    page_escape(r, error);
    ghttp_response_write(r, "</span>\n");
}

/* The attributes of a field that was wrong. */
static void mark_error(ghttp_request *r, const char *name)
{
    if (ghttp_request_field_error(r, name))
        ghttp_response_writef(r, " aria-invalid=\"true\" aria-describedby=\"%s-error\"", name);
}

static void write_value(ghttp_request *r, const char *name)
{
    const char *value = ghttp_request_form(r, name);

    page_escape(r, value ? value : "");
}

static void write_input(ghttp_request *r, const char *name, const char *label, const char *attributes)
{
    ghttp_response_writef(r, "<p><label for=\"%s\">%s</label>\n<input id=\"%s\" name=\"%s\" %s", name, label, name,
                          name, attributes);
    mark_error(r, name);
    ghttp_response_write(r, " value=\"");
    write_value(r, name);
    ghttp_response_write(r, "\">\n");
    write_error(r, name);
    ghttp_response_write(r, "</p>\n");
}

static void write_stars(ghttp_request *r)
{
    long chosen = ghttp_request_get_int(r, "stars", 0);

    ghttp_response_write(r, "<fieldset");
    mark_error(r, "stars");
    ghttp_response_write(r, ">\n<legend>How did you like it?</legend>\n");
    for (int i = 1; i <= 5; i++)
        ghttp_response_writef(
            r, "<label class=\"choice\"><input type=\"radio\" name=\"stars\" value=\"%d\"%s>%d%s</label>\n", i,
            i == chosen ? " checked" : "", i, i == 1 ? " star" : "");
    write_error(r, "stars");
    ghttp_response_write(r, "</fieldset>\n");
}

static void write_text(ghttp_request *r)
{
    ghttp_response_write(r, "<p><label for=\"text\">Your words</label>\n"
                            "<textarea id=\"text\" name=\"text\" rows=\"4\" maxlength=\"400\" required");
    mark_error(r, "text");
    ghttp_response_write(r, ">\n"); /* HTML drops this line's end, and none of the visitor's */
    write_value(r, "text");
    ghttp_response_write(r, "</textarea>\n");
    write_error(r, "text");
    ghttp_response_write(r, "</p>\n");
}

static void write_page(ghttp_request *r, const char *notice, const char *problem)
{
    page_begin(r, "Guest book", NULL);
    if (notice)
        ghttp_response_writef(r, "<p class=\"notice\" role=\"status\">%s</p>\n", notice);
    if (problem)
        ghttp_response_writef(r, "<p class=\"problem\" role=\"alert\">%s</p>\n", problem);
    ghttp_response_write(r, "<form class=\"card\" method=\"post\" action=\"/guestbook\">\n");
    write_input(r, "name", "Your name", "autocomplete=\"name\" maxlength=\"24\" required");
    write_input(r, "mail", "Your mail address, if you like; it is not shown", "type=\"email\" autocomplete=\"email\"");
    write_stars(r);
    write_text(r);
    ghttp_response_write(r, "<p><button>Sign the book</button></p>\n</form>\n");
    write_entries(r);
    page_end(r);
}

static void show(ghttp_request *r)
{
    write_page(r, ghttp_request_query(r, "signed") ? "Thank you! Your words are in the book." : NULL, NULL);
}

static void sign(ghttp_request *r)
{
    struct entry entry = {.mail = ""};
    int error = ghttp_request_parse(r, fields, sizeof(fields) / sizeof(*fields), &entry);

    if (error == -EINVAL) {
        ghttp_response_clear(r); /* the library's answer is JSON; ours is the form again */
        ghttp_response_set_status(r, 422);
        write_page(r, NULL, "Not yet: please look at what is marked.");
        return;
    }
    if (error < 0)
        return; /* the answer is a 500 already */
    error = save(&entry);
    if (error == -EFBIG) {
        ghttp_response_set_status(r, 507);
        write_page(r, NULL, "The book is full.");
    } else if (error < 0) {
        ghttp_response_fail(r, strerror(-error));
    } else {
        /* Elsewhere by GET: so that the browser's "reload" does not sign twice. */
        ghttp_response_redirect(r, "/guestbook?signed=1", 303);
    }
}

void guestbook_bind(ghttp_server *s)
{
    ghttp_server_bind(s, "GET:/guestbook", show);
    ghttp_server_bind(s, "POST:/guestbook", sign);
}
