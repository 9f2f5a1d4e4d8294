/*
 * Server-sent events (the HTML standard's text/event-stream): lines of text in a response that streams.
 *
 * Thread: the request's own.
 */
#include <errno.h>
#include <string.h>

#include "request.h"

#define EVENT_TYPE "text/event-stream"

static bool is_one_line(const char *text)
{
    return !text || !text[strcspn(text, "\r\n")];
}

/* With the first event; a proxy in front is asked to pass each on as it comes. */
static int begin(ghttp_request *r)
{
    static const char *const headers[][2] = {
        {"Content-Type", EVENT_TYPE}, {"Cache-Control", "no-store"}, {"X-Accel-Buffering", "no"}};
    const char *type = gf_fields_find(&r->response.headers, "Content-Type");
    bool begun = type && !strncmp(type, EVENT_TYPE, strlen(EVENT_TYPE));
    int result = 0;

    if (r->response.sent)
        return begun ? 0 : -EALREADY;
    for (size_t i = 0; i < sizeof(headers) / sizeof(*headers) && !result; i++)
        result = ghttp_response_set_header(r, headers[i][0], headers[i][1]);
    return result;
}

static void write_field(ghttp_request *r, const char *name, const char *value, size_t size)
{
    ghttp_response_write(r, name);
    ghttp_response_write_bytes(r, value, size);
    ghttp_response_write_bytes(r, "\n", 1);
}

/* CR LF, LF and CR each end a line. */
static void write_data(ghttp_request *r, const char *data)
{
    for (;;) {
        size_t size = strcspn(data, "\r\n");

        write_field(r, "data: ", data, size);
        data += size;
        if (!*data)
            return;
        data += data[0] == '\r' && data[1] == '\n' ? 2 : 1;
    }
}

int ghttp_response_event(ghttp_request *r, const char *event, const char *id, const char *data)
{
    int result;

    if (!data || !is_one_line(event) || !is_one_line(id))
        return -EINVAL;
    result = begin(r);
    if (result < 0)
        return result;
    if (event)
        write_field(r, "event: ", event, strlen(event));
    if (id)
        write_field(r, "id: ", id, strlen(id));
    write_data(r, data);
    ghttp_response_write_bytes(r, "\n", 1);
    return ghttp_response_flush(r);
}
