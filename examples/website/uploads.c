/*
 * Uploads: sent by a form and written while they come in, listed, fetched again under the names they had, removed. Who
 * has logged in may do so.
 *
 * public/js/uploads.js sends the form by a request of its own to show how far it is; without scripts the form works as
 * forms do. Both get the same answer, a redirect to the list.
 */
#include "account.h"
#include "page.h"
#include "site.h"
#include "upload_store.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void write_row(const struct upload_entry *entry, void *arg)
{
    ghttp_request *r = arg;

    ghttp_response_writef(r, "<tr><td data-label=\"Name\"><a href=\"/uploads/%s\">", entry->id);
    page_escape(r, entry->name);
    ghttp_response_write(r, "</a></td><td data-label=\"Size\" class=\"number\">");
    page_size(r, entry->size);
    ghttp_response_write(r, "</td><td data-label=\"Sent\"><span>");
    page_time(r, entry->at);
    ghttp_response_write(r, " by ");
    page_escape(r, entry->user);
    ghttp_response_writef(r,
                          "</span></td><td><form method=\"post\" action=\"/uploads/%s/remove\">"
                          "<button class=\"quiet\" aria-label=\"Remove ",
                          entry->id);
    page_escape(r, entry->name);
    ghttp_response_write(r, "\">Remove</button></form></td></tr>\n");
}

static void write_list(ghttp_request *r)
{
    ghttp_response_write(r, "<h2>Files</h2>\n<table>\n<thead><tr><th>Name</th><th class=\"number\">Size</th><th>Sent"
                            "</th><th><span class=\"hidden\">Action</span></th></tr></thead>\n<tbody>\n");
    if (upload_store_each(write_row, r) < 0)
        ghttp_response_fail(r, "the folder of the uploads cannot be read");
    ghttp_response_write(r, "</tbody>\n</table>\n<p class=\"soft none\">No files so far.</p>\n");
}

static void write_page(ghttp_request *r, const char *problem)
{
    page_begin(r, "Uploads", "uploads.js");
    if (problem)
        ghttp_response_writef(r, "<p class=\"problem\" role=\"alert\">%s</p>\n", problem);
    ghttp_response_write(
        r, "<form class=\"card\" id=\"upload\" method=\"post\" action=\"/uploads\" enctype=\"multipart/form-data\">\n"
           "<p><label for=\"files\">Files, 64 MB together at most</label>\n"
           "<input id=\"files\" name=\"files\" type=\"file\" multiple required></p>\n"
           "<p class=\"row\"><button>Send</button> "
           "<button type=\"button\" class=\"quiet\" id=\"cancel\" hidden>Cancel</button></p>\n"
           "<p class=\"row\" id=\"sending\" hidden><progress id=\"bar\" max=\"1\" value=\"0\" "
           "aria-label=\"Sent so far\"></progress></p>\n"
           "<p id=\"state\" role=\"status\"></p>\n</form>\n");
    write_list(r);
    page_end(r);
}

static void show(ghttp_request *r)
{
    write_page(r, NULL);
}

static void refuse(ghttp_request *r, int status, const char *problem)
{
    ghttp_response_set_status(r, status);
    write_page(r, problem);
}

/* ---- taking files in ---------------------------------------------------------------------------- */

struct incoming {
    struct incoming *next;
    struct upload_incoming upload;
};

/* A form while it comes in. Its files are kept when all of it is there: one that was cancelled leaves nothing. */
struct form {
    struct incoming *files, *current; /* current: NULL in parts that are no file of ours */
    size_t count;
    int error; /* what was wrong on our side */
};

static int begin_part(ghttp_request *r, const struct ghttp_part *part, void *arg)
{
    struct form *form = arg;
    struct incoming *file;

    form->current = NULL;
    if (!part->filename || strcmp(part->name, "files") != 0)
        return 0;
    file = ghttp_request_alloc(r, sizeof(*file));
    form->error = file ? upload_store_begin(&file->upload, part->filename, form->count) : -ENOMEM;
    if (form->error)
        return form->error;
    file->next = form->files;
    form->files = form->current = file;
    form->count++;
    return 0;
}

static int take_data(ghttp_request *r, const void *data, size_t size, void *arg)
{
    struct form *form = arg;

    (void)r;
    if (form->current)
        form->error = upload_store_write(&form->current->upload, data, size);
    return form->error;
}

static int end_part(ghttp_request *r, void *arg)
{
    struct form *form = arg;

    (void)r;
    if (form->current)
        form->error = upload_store_end(&form->current->upload);
    return form->error;
}

static void keep(struct form *form, const char *user)
{
    while (form->files && !form->error) {
        form->error = upload_store_keep(&form->files->upload, user);
        if (!form->error)
            form->files = form->files->next;
    }
}

static void drop_rest(struct form *form)
{
    for (; form->files; form->files = form->files->next)
        upload_store_drop(&form->files->upload);
}

/* Written while it comes in: it may take as long as the visitor's line needs, as long as something comes. */
static void take(ghttp_request *r)
{
    static const struct ghttp_multipart_callbacks callbacks = {begin_part, take_data, end_part};
    struct form form = {.files = NULL};
    int error = ghttp_request_read_multipart(r, &callbacks, &form);

    if (!error)
        keep(&form, account_user(r));
    drop_rest(&form);
    if (form.error == -ENOSPC)
        refuse(r, 507, "There is no room for more files; remove some first.");
    else if (form.error)
        ghttp_response_fail(r, strerror(-form.error));
    else if (error == -EINVAL || error == -E2BIG)
        ghttp_response_write_status(r, 400);
    else if (!error && !form.count)
        refuse(r, 422, "Please choose a file.");
    else if (!error)
        ghttp_response_redirect(r, "/uploads", 303);
    /* else the response has its status: it was too long, too slow, or the visitor has gone */
}

/* ---- and giving them out ------------------------------------------------------------------------ */

/* As a download, whatever it is: a page that somebody has uploaded must not be shown as one of ours. */
static void fetch(ghttp_request *r)
{
    struct upload_entry entry;
    char path[1024];

    if (upload_store_find(ghttp_request_router(r, "id"), &entry) < 0) {
        ghttp_response_write_status(r, 404);
        return;
    }
    upload_store_path(entry.id, path, sizeof(path));
    ghttp_response_set_header(r, "Content-Type", "application/octet-stream");
    ghttp_response_set_header(r, "Cache-Control", "private, no-cache");
    ghttp_response_serve_download(r, path, entry.name); /* a file that is gone becomes a 404 */
}

static void drop(ghttp_request *r)
{
    if (upload_store_remove(ghttp_request_router(r, "id")) < 0)
        ghttp_response_write_status(r, 404);
    else
        ghttp_response_redirect(r, "/uploads", 303);
}

void uploads_bind(ghttp_server *s)
{
    ghttp_group *uploads = ghttp_server_group(s, "/uploads");

    if (upload_store_open() < 0)
        fprintf(stderr, "the folders of the uploads cannot be made in \"%s\"\n", site.data);
    ghttp_group_use(uploads, account_require);
    ghttp_group_get(uploads, "/", show);
    ghttp_group_bind_streaming(uploads, "POST:/", take, NULL, 0); /* clientMaxBodySize at most */
    ghttp_group_get(uploads, "/:id", fetch);
    ghttp_group_post(uploads, "/:id/remove", drop);
}
