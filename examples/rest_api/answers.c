/*
 * Refusals: see answers.h.
 */
#include "answers.h"

#include <errno.h>
#include <string.h>

/* GoFrame's codes, as far as this program has a use for them. */
enum {
    CODE_INTERNAL = 50,
    CODE_INVALID = 53,
    CODE_OPERATION = 55,
    CODE_NOT_AUTHORIZED = 61,
    CODE_BUSY = 63,
    CODE_NOT_FOUND = 65,
};

static int code_of(int status)
{
    switch (status) {
    case 401:
    case 403:
        return CODE_NOT_AUTHORIZED;
    case 404:
        return CODE_NOT_FOUND;
    case 409:
        return CODE_OPERATION;
    case 503:
    case 507:
        return CODE_BUSY;
    default:
        return CODE_INVALID;
    }
}

void answer_refusal(ghttp_request *r, int status, const char *message)
{
    ghttp_response_set_status(r, status);
    ghttp_response_set_error(r, code_of(status), message);
}

void answer_error(ghttp_request *r, int error)
{
    switch (error) {
    case -ENOENT:
        answer_refusal(r, 404, "there is no such task");
        break;
    case -EPERM:
        answer_refusal(r, 403, "this task is somebody else's");
        break;
    case -ESTALE:
        answer_refusal(r, 409, "somebody has changed this task meanwhile: read it again");
        break;
    case -EBUSY:
        ghttp_response_set_header(r, "Retry-After", "1");
        answer_refusal(r, 503, "too much is being written at the moment");
        break;
    case -ENOSPC:
        answer_refusal(r, 507, "there is no room for more");
        break;
    default: /* the client learns no more than that it is a 500, the log has the reason */
        ghttp_response_fail(r, strerror(-error));
    }
}

/* After a failure nothing of the response is left, middleware's work neither: this is said instead. */
static void internal_error(ghttp_request *r)
{
    ghttp_response_set_header(r, "Content-Type", "application/json");
    ghttp_response_writef(r, "{\"code\":%d,\"message\":\"Internal Error\",\"data\":null}", CODE_INTERNAL);
}

void answer_failures(ghttp_server *s)
{
    ghttp_server_bind_status(s, 500, internal_error);
}
