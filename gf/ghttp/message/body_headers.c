#include "body_headers.h"

#include "ascii.h"
#include "request.h"

bool gf_body_headers_have(const char *name)
{
    static const char *const names[GF_BODY_HEADERS_MAX] = {
        "Content-Type",     "Content-Encoding",    "Content-Language", "Content-Range",
        "Content-Location", "Content-Disposition", "Content-MD5",      "ETag",
        "Last-Modified",    "Accept-Ranges",       "Trailer",          "Digest"};

    for (size_t i = 0; i < GF_BODY_HEADERS_MAX; i++)
        if (gf_ascii_equal(name, names[i]))
            return true;
    return false;
}

static bool is_taken(const struct ghttp_request *r, const char *name)
{
    return gf_body_headers_have(name) && !(r->response.status == 416 && gf_ascii_equal(name, "Content-Range"));
}

void gf_body_headers_take(struct ghttp_request *r, struct gf_body_headers *ret_headers)
{
    struct gf_fields *headers = &r->response.headers;
    size_t kept = 0;

    ret_headers->count = 0;
    for (size_t i = 0; i < headers->count; i++) {
        if (ret_headers->count < GF_BODY_HEADERS_MAX && is_taken(r, headers->items[i].name))
            ret_headers->items[ret_headers->count++] = headers->items[i];
        else
            headers->items[kept++] = headers->items[i];
    }
    headers->count = kept;
}

int gf_body_headers_give_back(struct ghttp_request *r, const struct gf_body_headers *headers)
{
    int error = 0;

    for (size_t i = 0; i < headers->count && !error; i++)
        if (!gf_fields_find(&r->response.headers, headers->items[i].name))
            error = gf_response_put_header(r, NULL, headers->items[i].name, headers->items[i].value);
    return error;
}
