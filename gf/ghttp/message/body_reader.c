/*
 * A body read piece by piece: as it comes in where the route streams, else from what was collected, so that a handler
 * need not know which.
 *
 * Thread: the request's own.
 */
#include <errno.h>
#include <string.h>

#include "request.h"

static ssize_t read_collected(struct ghttp_request *r, void *data, size_t size)
{
    size_t left = r->body.size - r->body_read;
    size_t count = left < size ? left : size;
    if (count > 0)
        memcpy(data, r->body.data + r->body_read, count);
    r->body_read += count;
    return (ssize_t)count;
}

/* A handler that only returns has told the client the right thing. */
static void note_failure(struct ghttp_request *r, ssize_t error)
{
    int status = error == -EMSGSIZE ? 413 : error == -ETIMEDOUT ? 408 : 400;
    if (r->response.status == 200 && !r->response.sent)
        ghttp_response_set_status(r, status);
}

ssize_t ghttp_request_read(ghttp_request *r, void *data, size_t size)
{
    if (!data)
        return -EINVAL;
    if (!r->streamed)
        return read_collected(r, data, size);
    if (!r->transport) /* in a twin, which has no connection */
        return -ENOTSUP;
    ssize_t count = r->transport->read(r, data, size);
    if (count < 0)
        note_failure(r, count);
    return count;
}
