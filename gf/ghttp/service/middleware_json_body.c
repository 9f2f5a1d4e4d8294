/*
 * Bodies that must be JSON, for handlers that need not look whether they are. A handler that reads its body itself is
 * the first who sees it, and has to.
 */
#include "../message/request.h"

/* GoFrame's code of a parameter that is none. */
#define INVALID_PARAMETER 53

/* Without a body, so that ghttp_middleware_response() gives it the shape of other answers. */
static void refuse(ghttp_request *r)
{
    ghttp_response_set_status(r, 400);
    ghttp_response_set_error(r, INVALID_PARAMETER, "the body is not JSON");
}

void ghttp_middleware_json_body(ghttp_request *r)
{
    if (r->body.size > 0 && !ghttp_request_json(r))
        refuse(r);
    else
        ghttp_request_next(r);
}
