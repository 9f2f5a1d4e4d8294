/*
 * A form with a picture: read into a struct, checked, and the picture saved in the folder "pictures" of the working
 * folder.
 *
 * Type:
 *   build/release/examples/forms                (listens on 8199; GF_PORT=9000 for another port)
 *   curl -F name=Anna -F age=30 -F picture=@photo.png http://127.0.0.1:8199/people
 *                                               → "Anna, 30 years" and "8231 bytes in pictures/photo.png"
 *   curl -i -F age=7 http://127.0.0.1:8199/people
 *                                               → 400, and all that is wrong: {"code":51,"message":"name is required;
 *                                                 only for grown-ups",…}
 *   curl -H 'Content-Type: application/json' -d '{"name":"Anna","age":30}' http://127.0.0.1:8199/people
 *                                               → "Anna, 30 years": members of JSON are parameters too
 *
 * http://127.0.0.1:8199/ is the form for a browser.
 */
#include <gf/gf.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PICTURES "pictures"

struct person {
    char name[64];
    int age;
};

static const struct ghttp_field person_fields[] = {
    {.name = "name", .type = GHTTP_FIELD_TEXT, GHTTP_FIELD_AT(struct person, name), .required = true, .min_length = 2},
    {.name = "age",
     .type = GHTTP_FIELD_INT,
     GHTTP_FIELD_AT(struct person, age),
     .required = true,
     .min = 18,
     .max = 150,
     .message = "only for grown-ups"},
};

static void show_form(ghttp_request *r)
{
    ghttp_response_set_header(r, "Content-Type", "text/html; charset=utf-8");
    ghttp_response_write(r, "<!doctype html><title>People</title>"
                            "<form method=post action=/people enctype=multipart/form-data>"
                            "<p><label>Name <input name=name></label>"
                            "<p><label>Age <input name=age type=number></label>"
                            "<p><label>Picture <input name=picture type=file></label>"
                            "<p><button>Send</button></form>");
}

static void add_person(ghttp_request *r)
{
    struct person person;
    const ghttp_upload *picture = ghttp_request_file(r, "picture");
    char path[512];

    if (ghttp_request_parse(r, person_fields, sizeof(person_fields) / sizeof(*person_fields), &person) < 0)
        return; /* all that is wrong is in the answer already */
    if (picture && ghttp_upload_save(picture, PICTURES, path, sizeof(path)) < 0) {
        ghttp_response_write_status(r, 500);
        return;
    }
    ghttp_response_writefln(r, "%s, %d years", person.name, person.age);
    if (picture)
        ghttp_response_writefln(r, "%zu bytes in %s", ghttp_upload_size(picture), path);
}

int main(void)
{
    const char *port = getenv("GF_PORT");
    ghttp_server *s = g_server(NULL);

    mkdir(PICTURES, 0700);
    ghttp_server_bind(s, "GET:/", show_form);
    ghttp_server_bind(s, "POST:/people", add_person);
    ghttp_server_set_port(s, port ? atoi(port) : 8199);
    return ghttp_server_run(s);
}
