#include "answer.h"

#include <errno.h>
#include <microhttpd.h>
#include <string.h>

#include "../message/error_log.h"
#include "connection.h"
#include "exchange.h"
#include "lane.h"
#include "release.h"
#include "service.h"
#include "stream.h"
#include "upload.h"

/* Bytes that a stream is read in. */
#define STREAM_BLOCK 16384

/* libmicrohttpd 0.9.75 sends the last chunk of a stream after HEAD too, where the next answer is to begin. */
static bool is_head_of_stream(const struct gf_exchange *x)
{
    return x->stream && !strcmp(x->request.method, "HEAD");
}

static bool closes_after(const struct gf_exchange *x)
{
    const struct gf_service *service = x->lane->service;

    return x->state < GF_EXCHANGE_READY || (x->upload && gf_upload_is_open(x->upload)) || x->trailed ||
           !service->limits.keep_alive || is_head_of_stream(x) ||
           (atomic_load_explicit(&service->draining, memory_order_relaxed) && !gf_release_foresee(x->connection));
}

/* ---- the body ---- */

/* A stream without bytes for now gives its connection out of the loop's hands until there are some. */
static ssize_t read_stream(void *cls, uint64_t position, char *data, size_t size)
{
    struct gf_exchange *x = cls;
    ssize_t count = gf_stream_read(x->stream, data, size);

    (void)position;
    if (count == -1)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (count < 0) {
        gf_connection_cut(x->connection); /* 0.9.75 would leave it open */
        x->lane->runnable = true;
        return MHD_CONTENT_READER_END_WITH_ERROR;
    }
    if (!count) {
        gf_connection_wait(x->connection, GF_WAIT_HANDLER);
        gf_exchange_suspend(x);
    }
    return count;
}

static struct MHD_Response *make_from_file(struct gf_exchange *x)
{
    struct gf_response *made = &x->request.response;
    struct MHD_Response *response =
        MHD_create_response_from_fd_at_offset64((uint64_t)made->file_size, made->file_fd, (uint64_t)made->file_offset);

    if (response) {
        made->file_fd = -1; /* libmicrohttpd closes it */
        x->lane->files++;
        x->file = true;
    }
    return response;
}

/* What lives as long as the request is sent from where it is. */
static struct MHD_Response *make_from_bytes(struct gf_exchange *x)
{
    const struct gf_response *made = &x->request.response;

    return MHD_create_response_from_buffer((size_t)made->file_size, (void *)made->file_bytes, MHD_RESPMEM_PERSISTENT);
}

static struct MHD_Response *make_body(struct gf_exchange *x)
{
    struct gf_response *made = &x->request.response;
    static char empty[1];

    if (x->stream && made->status != 204 && made->status != 304)
        return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_stream, x, NULL);
    if (made->file_fd >= 0)
        return make_from_file(x);
    if (made->file_bytes)
        return make_from_bytes(x);
    if (x->stream)
        return MHD_create_response_from_buffer(0, empty, MHD_RESPMEM_PERSISTENT);
    return MHD_create_response_from_buffer(made->body.size, made->body.data, MHD_RESPMEM_PERSISTENT);
}

/* ---- the head ---- */

static bool add_headers(struct gf_exchange *x, struct MHD_Response *response)
{
    const struct gf_fields *headers = &x->request.response.headers;
    const char *agent = x->lane->service->agent;
    bool good = true;

    if (agent && *agent)
        good = MHD_add_response_header(response, "Server", agent) == MHD_YES;
    for (size_t i = 0; good && i < headers->count; i++)
        good = MHD_add_response_header(response, headers->items[i].name,
                                       *headers->items[i].value ? headers->items[i].value
                                                                : " " /* it takes no empty value */) == MHD_YES;
    x->closing = closes_after(x);
    if (good && x->closing && !gf_fields_find(headers, "Connection"))
        good = MHD_add_response_header(response, "Connection", "close") == MHD_YES;
    return good;
}

/* What libmicrohttpd keeps of each header and each cookie, and what an answer has besides the headers of its handler.
 */
#define PARSED_FIELD_SIZE 64
#define ANSWER_HEAD_SIZE 512

static size_t count_char(const char *text, char c)
{
    size_t count = 0;

    for (; text && (text = strchr(text, c)); text++)
        count++;
    return count;
}

/* libmicrohttpd drops a connection without a word when an answer's head has no room beside the request's. */
static bool has_room_for_head(const struct gf_exchange *x)
{
    const struct ghttp_request *r = &x->request;
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(x->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    const char *cookies = gf_fields_find(&r->headers, "Cookie");
    size_t used = ANSWER_HEAD_SIZE + r->headers.count * PARSED_FIELD_SIZE + (info ? info->header_size : 0);

    if (cookies)
        used += strlen(cookies) + (1 + count_char(cookies, ';')) * PARSED_FIELD_SIZE;
    for (size_t i = 0; i < r->response.headers.count; i++)
        used += strlen(r->response.headers.items[i].name) + strlen(r->response.headers.items[i].value) + 4;
    return used <= gf_lane_memory(x->lane);
}

/* The last resort: an answer of which not even the text of a 500 had room. */
static void make_bare(struct gf_exchange *x)
{
    gf_response_reset(&x->request);
    x->request.response.status = 500;
}

bool gf_answer_queue(struct gf_exchange *x)
{
    struct gf_response *made = &x->request.response;
    struct MHD_Response *response;
    /* Of a stream, status and headers are final, but its handler runs on and may fail yet. */
    bool failed = !x->stream && made->failed, queued;

    if (!failed && !has_room_for_head(x)) {
        gf_request_report(
            &x->request, GLOG_ERROR, 500,
            "the answer to %.256s: its headers do not fit beside those of the request; raise maxHeaderBytes",
            x->request.target);
        if (x->stream)
            return false;
        failed = true;
    }
    if (failed)
        make_bare(x);
    response = make_body(x);
    if (response && is_head_of_stream(x))
        MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    queued =
        response && add_headers(x, response) && MHD_queue_response(x->mhd, (unsigned)made->status, response) == MHD_YES;
    if (response)
        MHD_destroy_response(response);
    return queued;
}
