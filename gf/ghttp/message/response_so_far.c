/*
 * A response as it is so far, for middleware and hooks that look at what others have made.
 *
 * Thread: the request's own.
 */
#include "request.h"

const void *ghttp_response_body(const ghttp_request *r, size_t *ret_size)
{
    const struct gf_response *response = &r->response;
    bool elsewhere = response->sent || response->failed || gf_response_has_file(r);

    if (ret_size)
        *ret_size = elsewhere ? 0 : response->body.size;
    if (elsewhere)
        return NULL;
    return response->body.size > 0 ? response->body.data : "";
}

const char *ghttp_response_header(const ghttp_request *r, const char *name)
{
    return name ? gf_fields_find(&r->response.headers, name) : NULL;
}

size_t ghttp_response_each_header(const ghttp_request *r, ghttp_pair *fn, void *arg)
{
    return gf_fields_each(&r->response.headers, fn, arg);
}

const char *ghttp_response_failure(const ghttp_request *r)
{
    return r->response.failure;
}
