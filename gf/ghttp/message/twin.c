#include "twin.h"

#include <errno.h>
#include <string.h>

#include "arena.h"
#include "request.h"

/* ---- copies ---- */

/* A list of its own: what both append would else come to stand in the same place. */
static int copy_list(struct gf_fields *fields, struct gf_arena *arena)
{
    struct gf_field *items = gf_arena_alloc(arena, fields->count * sizeof(*items));

    if (!items)
        return -ENOMEM;
    if (fields->count)
        memcpy(items, fields->items, fields->count * sizeof(*items));
    *fields = (struct gf_fields){.items = items, .count = fields->count, .capacity = fields->count};
    return 0;
}

static int copy_lists(struct ghttp_request *twin)
{
    struct gf_fields *const lists[] = {&twin->headers,         &twin->query_fields,  &twin->form_fields,
                                       &twin->router_fields,   &twin->custom_fields, &twin->cookies,
                                       &twin->response.headers};

    for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
        if (copy_list(lists[i], twin->arena) < 0)
            return -ENOMEM;
    return gf_request_copy_values(twin);
}

/* Method and headers stand in the connection's memory, which ends with the answer. */
static int keep_wire(struct ghttp_request *twin)
{
    for (size_t i = 0; i < twin->headers.count; i++) {
        struct gf_field *field = &twin->headers.items[i];
        const char *name = gf_arena_strdup(twin->arena, field->name);
        const char *value = gf_arena_strdup(twin->arena, field->value);

        if (!name || !value)
            return -ENOMEM;
        *field = (struct gf_field){.name = name, .value = value};
    }
    twin->method = gf_arena_strdup(twin->arena, twin->method);
    return twin->method ? 0 : -ENOMEM;
}

/* ---- one becomes two, and two one ---- */

/* What the twin has now, the request must not give back or look at. */
static void part_with_body(struct ghttp_request *r)
{
    gf_buffer_init(&r->body, r->body.max);
    gf_spool_init(&r->spool);
    r->form_fields.count = 0;
    r->form_parsed = r->json_parsed = true;
    r->uploads = NULL;
    r->upload_count = 0;
    r->members = NULL;
    r->json = NULL;
    r->session = NULL;
    r->before_output = NULL;
    gf_buffer_init(&r->response.body, GF_RESPONSE_BODY_MAX);
    r->response.file_fd = -1;
    r->response.file_bytes = NULL;
}

int gf_twin_begin(struct ghttp_request *r, struct ghttp_request *twin)
{
    *twin = *r;
    twin->transport = NULL;
    if (copy_lists(twin) < 0 || keep_wire(twin) < 0)
        return -ENOMEM;
    part_with_body(r);
    return 0;
}

/*
 * Member by member: what the engine looks at from its loop while handlers run (method, route), and what never changes,
 * is not written to.
 */
void gf_twin_end(struct ghttp_request *r, struct ghttp_request *twin)
{
    gf_request_finish(r);
    r->arena = twin->arena;
    r->body = twin->body;
    r->spool = twin->spool;
    r->body_read = twin->body_read;
    r->field_errors = twin->field_errors;
    r->query_fields = twin->query_fields;
    r->query_parsed = twin->query_parsed;
    r->query_bad = twin->query_bad;
    r->form_fields = twin->form_fields;
    r->form_parsed = twin->form_parsed;
    r->form_bad = twin->form_bad;
    r->uploads = twin->uploads;
    r->upload_count = twin->upload_count;
    r->members = twin->members;
    r->json = twin->json;
    r->json_parsed = twin->json_parsed;
    r->custom_fields = twin->custom_fields;
    r->cookies = twin->cookies;
    r->cookies_parsed = twin->cookies_parsed;
    r->remote_ip = twin->remote_ip;
    r->client_ip = twin->client_ip;
    r->way = twin->way;
    r->values = twin->values;
    r->session = twin->session;
    r->before_output = twin->before_output;
    r->response = twin->response;
}
