/*
 * The request's life, and what handlers ask it about: what came over the wire, and what the program has
 * left with it.
 *
 * Thread: one at a time, whoever has the request.
 */
#include "proxies.h"
#include "request.h"

#include <arpa/inet.h>
#include <cjson/cJSON.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "json_weight.h"

/* A value that the program has left with the request. */
struct gf_value {
    struct gf_value *next;
    const char *key;
    void *value;
};

/* What is to be done before the head of the response is sent. */
struct gf_before_output {
    struct gf_before_output *next;
    void (*fn)(struct ghttp_request *r, void *arg);
    void *arg;
};

void gf_request_init(struct ghttp_request *r, struct gf_arena *arena, size_t body_max)
{
    memset(r, 0, sizeof(*r));
    r->arena = arena;
    r->method = r->target = r->host = r->path = r->raw_path = r->query = "";
    gf_buffer_init(&r->body, body_max);
    gf_spool_init(&r->spool);
    gf_buffer_init(&r->response.body, GF_RESPONSE_BODY_MAX);
    r->response.file_fd = -1;
    gf_response_reset(r);
}

void gf_request_finish(struct ghttp_request *r)
{
    cJSON_Delete(r->json);
    r->json = NULL;
    gf_spool_finish(&r->spool, &r->body);
    gf_buffer_finish(&r->body);
    if (r->response.file_fd >= 0)
        close(r->response.file_fd);
    r->response.file_fd = -1;
    gf_buffer_finish(&r->response.body);
}

/* ---- what came over the wire ------------------------------------------------------------------ */

const char *ghttp_request_method(const ghttp_request *r)
{
    return r->method;
}

const char *ghttp_request_path(const ghttp_request *r)
{
    return r->path;
}

const char *ghttp_request_target(const ghttp_request *r)
{
    return r->target;
}

const char *ghttp_request_host(const ghttp_request *r)
{
    return r->host;
}

const char *ghttp_request_header(const ghttp_request *r, const char *name)
{
    return name ? gf_fields_find(&r->headers, name) : NULL;
}

bool ghttp_request_is_https(const ghttp_request *r)
{
    return strcmp(ghttp_request_scheme(r), "https") == 0;
}

ghttp_server *ghttp_request_server(const ghttp_request *r)
{
    return r->server;
}

/* IPv4 that came in over a socket for both families reads as IPv4. */
static const char *peer_text(const struct sockaddr_storage *peer, char *text, socklen_t size)
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)peer;
    if (peer->ss_family == AF_UNIX)
        return "unix";
    if (peer->ss_family == AF_INET)
        return inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, text, size);
    if (peer->ss_family != AF_INET6)
        return NULL;
    if (IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        return inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], text, size);
    return inet_ntop(AF_INET6, &six->sin6_addr, text, size);
}

const char *ghttp_request_remote_ip(ghttp_request *r)
{
    if (!r->remote_ip) {
        char text[INET6_ADDRSTRLEN];
        const char *ip = peer_text(&r->peer, text, sizeof(text));
        r->remote_ip = ip ? gf_arena_strdup(r->arena, ip) : NULL;
    }
    return r->remote_ip;
}

const char *ghttp_request_client_ip(ghttp_request *r)
{
    char text[INET6_ADDRSTRLEN];

    if (!r->client_ip)
        r->client_ip =
            gf_proxies_find_client(r->proxies, r, text) ? gf_arena_strdup(r->arena, text) : ghttp_request_remote_ip(r);
    return r->client_ip;
}

const void *ghttp_request_body(ghttp_request *r, size_t *ret_size)
{
    if (ret_size)
        *ret_size = r->body.size;
    return r->body.data ? r->body.data : "";
}

struct cJSON *ghttp_request_json(ghttp_request *r)
{
    if (!r->json_parsed) {
        r->json_parsed = true;
        /* With the 0 after the last byte, so that anything behind the value is an error. */
        if (r->body.size > 0 && gf_json_weighs_at_most(r->body.data, r->body.size, GF_JSON_TREE_MAX))
            r->json = cJSON_ParseWithLengthOpts(r->body.data, r->body.size + 1, NULL, 1);
    }
    return r->json;
}

/* ---- what the program leaves with it ---------------------------------------------------------- */

void *ghttp_request_alloc(ghttp_request *r, size_t size)
{
    return gf_arena_alloc(r->arena, size);
}

int ghttp_request_defer(ghttp_request *r, void (*fn)(void *arg), void *arg)
{
    return gf_arena_defer(r->arena, fn, arg);
}

static struct gf_value *find_value(const ghttp_request *r, const char *key)
{
    struct gf_value *value = r->values;
    while (value && strcmp(value->key, key) != 0)
        value = value->next;
    return value;
}

int ghttp_request_set_value(ghttp_request *r, const char *key, void *value)
{
    struct gf_value *found = find_value(r, key);
    if (found) {
        found->value = value;
        return 0;
    }
    if (!value)
        return 0;
    struct gf_value *added = gf_arena_alloc(r->arena, sizeof(*added));
    if (!added)
        return -ENOMEM;
    added->key = gf_arena_strdup(r->arena, key);
    if (!added->key)
        return -ENOMEM;
    added->value = value;
    added->next = r->values;
    r->values = added;
    return 0;
}

void *ghttp_request_value(const ghttp_request *r, const char *key)
{
    const struct gf_value *found = find_value(r, key);
    return found ? found->value : NULL;
}

int gf_request_copy_values(struct ghttp_request *r)
{
    struct gf_value *copies = NULL, **end = &copies;

    for (const struct gf_value *value = r->values; value; value = value->next) {
        struct gf_value *copy = gf_arena_alloc(r->arena, sizeof(*copy));

        if (!copy)
            return -ENOMEM;
        *copy = *value;
        copy->next = NULL;
        *end = copy;
        end = &copy->next;
    }
    r->values = copies;
    return 0;
}

/* ---- before the response goes out -------------------------------------------------------------- */

int gf_request_before_output(struct ghttp_request *r, void (*fn)(struct ghttp_request *r, void *arg), void *arg)
{
    struct gf_before_output *added = gf_arena_alloc(r->arena, sizeof(*added));
    if (!added)
        return -ENOMEM;
    added->fn = fn;
    added->arg = arg;
    struct gf_before_output **end = &r->before_output;
    while (*end)
        end = &(*end)->next;
    *end = added;
    return 0;
}

void gf_request_run_before_output(struct ghttp_request *r)
{
    while (r->before_output) {
        struct gf_before_output *first = r->before_output;
        r->before_output = first->next;
        first->fn(r, first->arg);
    }
}
