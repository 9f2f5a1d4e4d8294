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

#include "../engine/service.h"
#include "../message/proxies.h"
#include "../message/request.h"

/* Bytes that each field may take in its line, escapes included; longer ones end with "...". Their sum, doubled quotes
 * and names included, is less than GF_ACCESS_LINE_MAX. */
#define METHOD_MAX 32
#define TARGET_MAX 2000
#define HOST_MAX 260
#define VERSION_MAX 16
#define REFERER_MAX 700
#define AGENT_MAX 500
#define SERVER_MAX 200
#define ADDRESS_MAX (INET6_ADDRSTRLEN + 1)

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

static void add_goframe(struct line *line, const struct gf_served *served, const struct served_texts *texts,
                        const struct timespec *now)
{
    long long took_ms = served->took_us / 1000;

    add_format(line, "%s.%03d %d \"", make_moment(GF_ACCESS_GOFRAME, now->tv_sec), (int)(now->tv_nsec / 1000000),
               served->status);
    add_quoted(line, GF_GLOG_QUOTED, texts->method, METHOD_MAX);
    add_format(line, " %s ", texts->scheme);
    add_quoted(line, GF_GLOG_QUOTED, texts->host, HOST_MAX);
    add_text(line, " ");
    add_quoted(line, GF_GLOG_QUOTED, texts->target, TARGET_MAX);
    add_text(line, " ");
    add_quoted(line, GF_GLOG_QUOTED, texts->version, VERSION_MAX);
    add_format(line, "\" %lld.%03d, %s, \"", took_ms / 1000, (int)(took_ms % 1000), texts->client);
    add_quoted(line, GF_GLOG_QUOTED, texts->referer, REFERER_MAX);
    add_text(line, "\", \"");
    add_quoted(line, GF_GLOG_QUOTED, texts->agent, AGENT_MAX);
    add_text(line, "\"");
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
    add_quoted(line, GF_GLOG_QUOTED, texts->target, TARGET_MAX);
    add_text(line, " ");
    add_quoted(line, GF_GLOG_QUOTED, texts->version, VERSION_MAX);
    add_format(line, "\" %d %llu \"", served->status, (unsigned long long)served->bytes);
    add_quoted(line, GF_GLOG_QUOTED, or_else(texts->referer, "-"), REFERER_MAX);
    add_text(line, "\" \"");
    add_quoted(line, GF_GLOG_QUOTED, or_else(texts->agent, "-"), AGENT_MAX);
    add_text(line, "\"");
    if (has_proxy(texts))
        add_format(line, " \"%s\"", texts->peer);
    add_text(line, "\n");
}

static void add_json(struct line *line, const char *server, const struct gf_served *served,
                     const struct served_texts *texts, const struct timespec *now)
{
    add_format(line, "{\"time\":\"%s.%03d%s\",\"status\":%d", make_moment(GF_ACCESS_JSON, now->tv_sec),
               (int)(now->tv_nsec / 1000000), make_zone(now->tv_sec), served->status);
    add_member(line, "method", texts->method, METHOD_MAX);
    add_member(line, "scheme", texts->scheme, METHOD_MAX);
    add_member(line, "host", texts->host, HOST_MAX);
    add_member(line, "uri", texts->target, TARGET_MAX);
    add_member(line, "proto", texts->version, VERSION_MAX);
    add_format(line, ",\"seconds\":%lld.%06d,\"bytes\":%llu,\"complete\":%s", (long long)(served->took_us / 1000000),
               (int)(served->took_us % 1000000), (unsigned long long)served->bytes,
               served->complete ? "true" : "false");
    add_member(line, "ip", texts->client, ADDRESS_MAX);
    if (has_proxy(texts))
        add_member(line, "peer", texts->peer, ADDRESS_MAX);
    add_member(line, "referer", texts->referer, REFERER_MAX);
    add_member(line, "agent", texts->agent, AGENT_MAX);
    add_member(line, "server", server, SERVER_MAX);
    add_format(line, ",\"pid\":%d}\n", (int)getpid());
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
