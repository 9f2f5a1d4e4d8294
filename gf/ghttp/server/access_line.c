#include "access_line.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <gf/glog/escape.h>
#include <gf/glog/line.h>

#include "../engine/service.h"
#include "../message/error_log.h"
#include "../message/proxies.h"
#include "../message/request.h"

/* Bytes that each field may take in its line, escapes included; longer ones end with "...". Their sum, doubled quotes
 * and names included, is less than GF_ACCESS_LINE_MAX. */
#define METHOD_MAX 32
#define HOST_MAX 260
#define VERSION_MAX 16
#define SERVER_MAX 200
#define ADDRESS_MAX (INET6_ADDRSTRLEN + 1)

/* Of those that clients make as long as they please. */
struct bounds {
    size_t target, referer, agent;
};

static const struct bounds access_bounds = {.target = 2000, .referer = 700, .agent = 500};
/* The reason counts more. */
static const struct bounds error_bounds = {.target = 800, .referer = 300, .agent = 300};
#define REASON_MAX 1500

struct line {
    char *text;
    size_t size;
};

struct served_texts {
    const char *method, *target, *host, *version, *referer, *agent, *scheme;
    char client[INET6_ADDRSTRLEN + 1], peer[INET6_ADDRSTRLEN + 1];
};

static const char *or_else(const char *text, const char *otherwise)
{
    return text && *text ? text : otherwise;
}

/* Not by ghttp_request_remote_ip(), which keeps what it finds: a handler may still stream. */
static void find_peer(const struct ghttp_request *r, char *text, size_t size)
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&r->peer;
    const struct sockaddr_in *four = (const struct sockaddr_in *)&r->peer;

    snprintf(text, size, "%s", r->peer.ss_family == AF_UNIX ? "unix" : "-");
    if (r->peer.ss_family == AF_INET)
        inet_ntop(AF_INET, &four->sin_addr, text, (socklen_t)size);
    else if (r->peer.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        inet_ntop(AF_INET, &six->sin6_addr.s6_addr[12], text, (socklen_t)size);
    else if (r->peer.ss_family == AF_INET6)
        inet_ntop(AF_INET6, &six->sin6_addr, text, (socklen_t)size);
}

static void find_texts(const struct gf_served *served, struct served_texts *texts)
{
    const struct ghttp_request *r = served->request;

    texts->method = or_else(r->method, "-");
    texts->target = or_else(r->target, "-");
    texts->host = or_else(r->host, "-");
    texts->version = or_else(served->version, "-");
    texts->referer = or_else(gf_fields_find(&r->headers, "Referer"), "");
    texts->agent = or_else(gf_fields_find(&r->headers, "User-Agent"), "");
    texts->scheme = ghttp_request_scheme(r);
    find_peer(r, texts->peer, sizeof(texts->peer));
    if (!gf_proxies_find_client(r->proxies, r, texts->client))
        memcpy(texts->client, texts->peer, sizeof(texts->client));
}

/* A trusted proxy stands between the client and this server. */
static bool has_proxy(const struct served_texts *texts)
{
    return strcmp(texts->client, texts->peer) != 0;
}

/* ---- pieces ---- */

static void add_text(struct line *line, const char *text)
{
    size_t size = strlen(text);

    memcpy(line->text + line->size, text, size);
    line->size += size;
}

static void add_quoted(struct line *line, enum gf_glog_quoting quoting, const char *text, size_t max)
{
    line->size += gf_glog_quote(quoting, text, line->text + line->size, max);
}

/* What is longer than its bound by nature has none here: numbers, times and addresses. */
__attribute__((format(printf, 2, 3))) static void add_format(struct line *line, const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(line->text + line->size, GF_ACCESS_LINE_MAX - line->size, format, arguments);
    va_end(arguments);
    if (size > 0)
        line->size += (size_t)size;
}

static void add_member(struct line *line, const char *name, const char *text, size_t max)
{
    add_text(line, ",\"");
    add_text(line, name);
    add_text(line, "\":\"");
    add_quoted(line, GF_GLOG_JSON, text, max);
    add_text(line, "\"");
}

static size_t format_moment(enum gf_access_format format, const struct tm *date, char *text, size_t size)
{
    switch (format) {
    case GF_ACCESS_JSON:
        return strftime(text, size, "%Y-%m-%dT%H:%M:%S", date);
    case GF_ACCESS_COMBINED:
        return strftime(text, size, "%d/%b/%Y:%H:%M:%S %z", date);
    default:
        return strftime(text, size, "%Y-%m-%d %H:%M:%S", date);
    }
}

/* The same for all lines of a second, so it is made once a second on each thread. */
static const char *make_moment(enum gf_access_format format, time_t now)
{
    static _Thread_local struct {
        time_t of;
        char text[40];
    } made[3];
    struct tm date;

    if (made[format].of != now) {
        made[format].of = now;
        if (!localtime_r(&now, &date) || !format_moment(format, &date, made[format].text, sizeof(made[format].text)))
            made[format].text[0] = 0;
    }
    return made[format].text;
}

/* "+0000", to be written as ISO 8601 has it. */
static const char *make_zone(time_t now)
{
    static _Thread_local time_t of;
    static _Thread_local char zone[8] = "+00:00";
    char text[8];
    struct tm date;

    if (of != now && localtime_r(&now, &date) && strftime(text, sizeof(text), "%z", &date) == 5)
        snprintf(zone, sizeof(zone), "%.3s:%.2s", text, text + 3);
    of = now;
    return zone;
}

/* ---- formats ---- */

/* From the status to the user agent, which access and error log have in common. */
static void add_goframe_request(struct line *line, const struct gf_served *served, const struct served_texts *texts,
                                const struct bounds *bounds)
{
    long long took_ms = served->took_us / 1000;

    add_format(line, "%d \"", served->status);
    add_quoted(line, GF_GLOG_QUOTED, texts->method, METHOD_MAX);
    add_format(line, " %s ", texts->scheme);
    add_quoted(line, GF_GLOG_QUOTED, texts->host, HOST_MAX);
    add_text(line, " ");
    add_quoted(line, GF_GLOG_QUOTED, texts->target, bounds->target);
    add_text(line, " ");
    add_quoted(line, GF_GLOG_QUOTED, texts->version, VERSION_MAX);
    add_format(line, "\" %lld.%03d, %s, \"", took_ms / 1000, (int)(took_ms % 1000), texts->client);
    add_quoted(line, GF_GLOG_QUOTED, texts->referer, bounds->referer);
    add_text(line, "\", \"");
    add_quoted(line, GF_GLOG_QUOTED, texts->agent, bounds->agent);
    add_text(line, "\"");
}

static void add_goframe(struct line *line, const struct gf_served *served, const struct served_texts *texts,
                        const struct timespec *now)
{
    add_format(line, "%s.%03d ", make_moment(GF_ACCESS_GOFRAME, now->tv_sec), (int)(now->tv_nsec / 1000000));
    add_goframe_request(line, served, texts, &access_bounds);
    if (has_proxy(texts))
        add_format(line, ", via %s", texts->peer);
    add_text(line, "\n");
}

static void add_combined(struct line *line, const struct gf_served *served, const struct served_texts *texts,
                         const struct timespec *now)
{
    add_format(line, "%s - - [%s] \"", texts->client, make_moment(GF_ACCESS_COMBINED, now->tv_sec));
    add_quoted(line, GF_GLOG_QUOTED, texts->method, METHOD_MAX);
    add_text(line, " ");
    add_quoted(line, GF_GLOG_QUOTED, texts->target, access_bounds.target);
    add_text(line, " ");
    add_quoted(line, GF_GLOG_QUOTED, texts->version, VERSION_MAX);
    add_format(line, "\" %d %llu \"", served->status, (unsigned long long)served->bytes);
    add_quoted(line, GF_GLOG_QUOTED, or_else(texts->referer, "-"), access_bounds.referer);
    add_text(line, "\" \"");
    add_quoted(line, GF_GLOG_QUOTED, or_else(texts->agent, "-"), access_bounds.agent);
    add_text(line, "\"");
    if (has_proxy(texts))
        add_format(line, " \"%s\"", texts->peer);
    add_text(line, "\n");
}

static void add_json_begin(struct line *line, const struct timespec *now)
{
    add_format(line, "{\"time\":\"%s.%03d%s\"", make_moment(GF_ACCESS_JSON, now->tv_sec), (int)(now->tv_nsec / 1000000),
               make_zone(now->tv_sec));
}

static void add_json_request(struct line *line, const struct gf_served *served, const struct served_texts *texts,
                             const struct bounds *bounds)
{
    add_format(line, ",\"status\":%d", served->status);
    add_member(line, "method", texts->method, METHOD_MAX);
    add_member(line, "scheme", texts->scheme, METHOD_MAX);
    add_member(line, "host", texts->host, HOST_MAX);
    add_member(line, "uri", texts->target, bounds->target);
    add_member(line, "proto", texts->version, VERSION_MAX);
    add_format(line, ",\"seconds\":%lld.%06d", (long long)(served->took_us / 1000000),
               (int)(served->took_us % 1000000));
}

static void add_json_client(struct line *line, const struct served_texts *texts, const struct bounds *bounds)
{
    add_member(line, "ip", texts->client, ADDRESS_MAX);
    if (has_proxy(texts))
        add_member(line, "peer", texts->peer, ADDRESS_MAX);
    add_member(line, "referer", texts->referer, bounds->referer);
    add_member(line, "agent", texts->agent, bounds->agent);
}

static void add_json_end(struct line *line, const char *server)
{
    add_member(line, "server", server, SERVER_MAX);
    add_format(line, ",\"pid\":%d}", (int)getpid());
}

static void add_json(struct line *line, const char *server, const struct gf_served *served,
                     const struct served_texts *texts, const struct timespec *now)
{
    add_json_begin(line, now);
    add_json_request(line, served, texts, &access_bounds);
    add_format(line, ",\"bytes\":%llu,\"complete\":%s", (unsigned long long)served->bytes,
               served->complete ? "true" : "false");
    add_json_client(line, texts, &access_bounds);
    add_json_end(line, server);
    add_text(line, "\n");
}

size_t gf_access_line(enum gf_access_format format, const char *server, const struct gf_served *served,
                      const struct timespec *now, char *text)
{
    struct line line = {.text = text};
    struct served_texts texts;

    find_texts(served, &texts);
    if (format == GF_ACCESS_JSON)
        add_json(&line, server, served, &texts, now);
    else if (format == GF_ACCESS_COMBINED)
        add_combined(&line, served, &texts, now);
    else
        add_goframe(&line, served, &texts, now);
    return line.size;
}

/* ---- failures ---- */

/* GoFrame's codes of errors, as far as servers fail so. */
static int find_code(int status, const char **ret_message)
{
    *ret_message = status == 503 ? "Server Is Busy" : "Internal Error";
    return status == 503 ? 63 : 50;
}

static void add_json_failure(struct line *line, const struct gf_failure *failure)
{
    const char *message;
    int code = find_code(failure->status, &message);

    add_format(line, ",\"code\":%d", code);
    add_member(line, "message", message, SERVER_MAX);
    add_member(line, "error", failure->reason, REASON_MAX);
}

static void make_goframe_error(const struct gf_failure *failure, const struct gf_served *served,
                               const struct served_texts *texts, struct gf_glog_line *made)
{
    char text[GF_ACCESS_LINE_MAX];
    struct line line = {.text = text};
    const char *message;
    int code = find_code(failure->status, &message);

    add_goframe_request(&line, served, texts, &error_bounds);
    gf_glog_print_line(made, failure->level, "%.*s, %d, \"%s\", \"\", %s", (int)line.size, text, code, message,
                       failure->reason);
}

void gf_error_line(enum gf_access_format format, const char *server, const struct gf_failure *failure, int64_t took_us,
                   const struct timespec *now, struct gf_glog_line *made)
{
    const char *version = failure->request->version;
    struct gf_served served = {
        .request = failure->request, .version = version ? version : "", .status = failure->status, .took_us = took_us};
    struct line line = {.text = made->text};
    struct served_texts texts;

    find_texts(&served, &texts);
    if (format != GF_ACCESS_JSON) {
        make_goframe_error(failure, &served, &texts, made);
        return;
    }
    add_json_begin(&line, now);
    add_member(&line, "level", failure->level == GLOG_ERROR ? "error" : "warning", SERVER_MAX);
    add_json_request(&line, &served, &texts, &error_bounds);
    add_json_client(&line, &texts, &error_bounds);
    add_json_failure(&line, failure);
    add_json_end(&line, server);
    made->size = line.size;
}

int gf_access_format_find(const char *name, enum gf_access_format *ret_format)
{
    static const char *const names[] = {"goframe", "json", "combined"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (!strcmp(names[i], name)) {
            *ret_format = (enum gf_access_format)i;
            return 0;
        }
    }
    return -EINVAL;
}
