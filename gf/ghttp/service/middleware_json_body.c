/*
 * Bodies that must be JSON, for handlers that need not look whether they are.
 */
#include "../message/request.h"

void ghttp_middleware_json_body(ghttp_request *r)
{
    if (r->body.size > 0 && !ghttp_request_json(r))
        ghttp_response_write_status(r, 400);
    else
        ghttp_request_next(r);
}
