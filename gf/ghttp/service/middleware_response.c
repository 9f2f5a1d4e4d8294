/*
 * Answers in one shape: {"code","message","data"}, with GoFrame's codes.
 */
#include <cjson/cJSON.h>
#include <errno.h>
#include <string.h>

#include "../message/arena.h"
#include "../message/ascii.h"
#include "../message/request.h"
#include "../message/status.h"

#define DATA_KEY "ghttp_response_set_data"
#define ERROR_KEY "ghttp_response_set_error"

struct error {
    int code;
    const char *message;
};

/* GoFrame's code of a status that has none of its own. */
#define UNKNOWN_ERROR 64

static void delete_json(void *json)
{
    cJSON_Delete(json);
}

int ghttp_response_set_data(ghttp_request *r, struct cJSON *data)
{
    int result = data ? gf_arena_defer(r->arena, delete_json, data) : 0;

    if (result) {
        cJSON_Delete(data);
        return result;
    }
    return ghttp_request_set_value(r, DATA_KEY, data);
}

int ghttp_response_set_error(ghttp_request *r, int code, const char *message)
{
    struct error *error = gf_arena_alloc(r->arena, sizeof(*error));

    if (!error)
        return -ENOMEM;
    error->code = code;
    error->message = gf_arena_strdup(r->arena, message ? message : "");
    return error->message ? ghttp_request_set_value(r, ERROR_KEY, error) : -ENOMEM;
}

struct cJSON *ghttp_response_data(const ghttp_request *r)
{
    return ghttp_request_value(r, DATA_KEY);
}

int ghttp_response_error(const ghttp_request *r, int *ret_code, const char **ret_message)
{
    const struct error *error = ghttp_request_value(r, ERROR_KEY);

    if (!error)
        return -ENOENT;
    *ret_code = error->code;
    *ret_message = error->message;
    return 0;
}

static bool is_stream(const ghttp_request *r)
{
    static const char *const types[] = {"text/event-stream", "application/octet-stream", "multipart/x-mixed-replace"};
    const char *type = gf_fields_find(&r->response.headers, "Content-Type");

    for (size_t i = 0; type && i < sizeof(types) / sizeof(*types); i++)
        if (gf_ascii_equal_n(type, strcspn(type, "; \t"), types[i]))
            return true;
    return false;
}

/* Where the program has not set an error. GoFrame says "Unknown Error" of 201 and 405 alike, which helps nobody. */
static struct error error_of_status(int status)
{
    const char *text = gf_status_text(status);

    if (status >= 200 && status < 300)
        return (struct error){0, "OK"};
    if (status == 403)
        return (struct error){61, "Not Authorized"};
    if (status == 404)
        return (struct error){65, "Not Found"};
    return (struct error){UNKNOWN_ERROR, text ? text : "Unknown Error"};
}

static struct error find_error(const ghttp_request *r)
{
    const struct error *error = ghttp_request_value(r, ERROR_KEY);

    return error ? *error : error_of_status(r->response.status);
}

/* The data is only lent to the object. */
static void write_object(ghttp_request *r)
{
    struct error error = find_error(r);
    cJSON *object = cJSON_CreateObject(), *data = ghttp_request_value(r, DATA_KEY);
    bool good = cJSON_AddNumberToObject(object, "code", error.code) &&
                cJSON_AddStringToObject(object, "message", error.message) &&
                (data ? cJSON_AddItemReferenceToObject(object, "data", data) != 0
                      : cJSON_AddNullToObject(object, "data") != NULL);

    if (good)
        ghttp_response_write_json(r, object);
    else
        ghttp_response_fail(r, "out of memory");
    cJSON_Delete(object);
}

void ghttp_middleware_response(ghttp_request *r)
{
    int status;

    ghttp_request_next(r);
    status = r->response.status;
    if (r->response.failed || r->response.sent || gf_response_has_file(r) || r->response.body.size > 0 || is_stream(r))
        return;
    if (status == 204 || status == 205 || (status >= 300 && status < 400))
        return;
    write_object(r);
}
