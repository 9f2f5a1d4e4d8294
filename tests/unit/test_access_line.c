/* Lines of the access log: the three formats, and that no client can forge one. */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gf/ghttp/engine/service.h>
#include <gf/ghttp/message/error_log.h>
#include <gf/ghttp/message/proxies.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/server/access_line.h>
#include <gf/glog/line.h>

static struct gf_field fields[2] = {{"User-Agent", "curl/8"}, {"referer", "http://a/"}};
static struct ghttp_request request;
static struct gf_served served;
static struct timespec now = {.tv_sec = 1795342830, .tv_nsec = 7000000};
static char line[GF_ACCESS_LINE_MAX + 1];

static void begin(void)
{
    struct sockaddr_in *peer = (struct sockaddr_in *)&request.peer;

    setenv("TZ", "UTC", 1);
    tzset();
    gf_request_init(&request, NULL, 0);
    request.method = "GET";
    request.target = "/a?b=1";
    request.host = "example.org";
    request.headers = (struct gf_fields){.items = fields, .count = 2};
    peer->sin_family = AF_INET;
    peer->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    served = (struct gf_served){
        .request = &request, .version = "HTTP/1.1", .status = 200, .bytes = 12, .took_us = 1500, .complete = true};
}

TestSuite(access_line, .init = begin);

static size_t make(enum gf_access_format format)
{
    size_t size;

    line[GF_ACCESS_LINE_MAX] = 'X';
    size = gf_access_line(format, "s1", &served, &now, line);
    cr_expect(eq(int, line[GF_ACCESS_LINE_MAX], 'X'));
    cr_expect(eq(int, line[size - 1], '\n'));
    cr_expect(eq(ptr, memchr(line, '\n', size - 1), NULL));
    line[size] = 0;
    return size;
}

Test(access_line, of_a_client_behind_a_proxy_has_both_addresses)
{
    struct gf_field behind_proxy[3] = {fields[0], fields[1], {"X-Forwarded-For", "192.0.2.7"}};
    struct gf_proxies *proxies;
    char error[64];
    cJSON *json;

    request.headers = (struct gf_fields){.items = behind_proxy, .count = 3};
    cr_assert(zero(int, gf_proxies_new("127.0.0.1", &proxies, error, sizeof(error))));
    request.proxies = proxies;
    make(GF_ACCESS_GOFRAME);
    cr_expect(eq(str, line,
                 "2026-11-22 10:20:30.007 200 \"GET http example.org /a?b=1 HTTP/1.1\" 0.001, 192.0.2.7, "
                 "\"http://a/\", \"curl/8\", via 127.0.0.1\n"));
    make(GF_ACCESS_COMBINED);
    cr_expect(eq(str, line,
                 "192.0.2.7 - - [22/Nov/2026:10:20:30 +0000] \"GET /a?b=1 HTTP/1.1\" 200 12 \"http://a/\" \"curl/8\" "
                 "\"127.0.0.1\"\n"));
    make(GF_ACCESS_JSON);
    json = cJSON_Parse(line);
    cr_assert(ne(ptr, json, NULL), "%s", line);
    cr_expect(eq(str, cJSON_GetStringValue(cJSON_GetObjectItem(json, "ip")), "192.0.2.7"));
    cr_expect(eq(str, cJSON_GetStringValue(cJSON_GetObjectItem(json, "peer")), "127.0.0.1"));
    cJSON_Delete(json);
    behind_proxy[2].value = "127.0.0.1";
    make(GF_ACCESS_JSON);
    cr_expect(eq(ptr, strstr(line, "peer"), NULL));
    gf_proxies_free(proxies);
}

Test(access_line, goframe)
{
    make(GF_ACCESS_GOFRAME);
    cr_expect(eq(str, line,
                 "2026-11-22 10:20:30.007 200 \"GET http example.org /a?b=1 HTTP/1.1\" 0.001, 127.0.0.1, "
                 "\"http://a/\", \"curl/8\"\n"));
}

Test(access_line, combined)
{
    make(GF_ACCESS_COMBINED);
    cr_expect(eq(str, line,
                 "127.0.0.1 - - [22/Nov/2026:10:20:30 +0000] \"GET /a?b=1 HTTP/1.1\" 200 12 \"http://a/\" "
                 "\"curl/8\"\n"));
}

Test(access_line, json)
{
    char wanted[1024];

    make(GF_ACCESS_JSON);
    snprintf(wanted, sizeof(wanted),
             "{\"time\":\"2026-11-22T10:20:30.007+00:00\",\"status\":200,\"method\":\"GET\",\"scheme\":\"http\","
             "\"host\":\"example.org\",\"uri\":\"/a?b=1\",\"proto\":\"HTTP/1.1\",\"seconds\":0.001500,\"bytes\":12,"
             "\"complete\":true,\"ip\":\"127.0.0.1\",\"referer\":\"http://a/\",\"agent\":\"curl/8\",\"server\":\"s1\","
             "\"pid\":%d}\n",
             (int)getpid());
    cr_expect(eq(str, line, wanted));
}

Test(access_line, nothing_read_is_a_dash)
{
    request.method = request.target = request.host = served.version = "";
    request.headers.count = 0;
    request.peer.ss_family = AF_UNIX;
    served.status = 400;
    make(GF_ACCESS_GOFRAME);
    cr_expect(eq(str, line, "2026-11-22 10:20:30.007 400 \"- http - - -\" 0.001, unix, \"\", \"\"\n"));
    make(GF_ACCESS_COMBINED);
    cr_expect(eq(str, line, "unix - - [22/Nov/2026:10:20:30 +0000] \"- - -\" 400 12 \"-\" \"-\"\n"));
}

Test(access_line, quotes_and_controls_are_escaped)
{
    fields[0].value = "a\" 200 \"\r\n\x01\\ \xc3\xa4 \xff \xc2\x9b";
    make(GF_ACCESS_GOFRAME);
    cr_expect(ne(ptr, strstr(line, "\"a\\x22 200 \\x22\\x0D\\x0A\\x01\\x5C \xc3\xa4 \\xFF \\xC2\\x9B\"\n"), NULL), "%s",
              line);
    make(GF_ACCESS_JSON);
    cJSON *json = cJSON_Parse(line);
    cr_assert(ne(ptr, json, NULL), "%s", line);
    cr_expect(eq(str, cJSON_GetObjectItem(json, "agent")->valuestring,
                 "a\" 200 \"\r\n\x01\\ \xc3\xa4 \xef\xbf\xbd \xef\xbf\xbd\xef\xbf\xbd"));
    cJSON_Delete(json);
}

/* The worst that can come, in every field, of bytes that grow to six each. */
Test(access_line, everything_too_long_is_cut)
{
    static char garbage[20000], server[65];
    cJSON *json;

    memset(garbage, 1, sizeof(garbage) - 1);
    memset(server, '"', 64);
    request.method = request.target = request.host = served.version = fields[0].value = fields[1].value = garbage;
    served.took_us = INT64_MAX;
    served.bytes = UINT64_MAX;
    served.status = -2147483647;
    for (int format = GF_ACCESS_GOFRAME; format <= GF_ACCESS_COMBINED; format++)
        cr_expect(lt(sz, make((enum gf_access_format)format), GF_ACCESS_LINE_MAX));
    served.took_us = 1;
    cr_expect(lt(sz, gf_access_line(GF_ACCESS_JSON, server, &served, &now, line), GF_ACCESS_LINE_MAX));
    json = cJSON_Parse(line);
    cr_expect(ne(ptr, json, NULL));
    cJSON_Delete(json);
    cr_expect(ne(ptr, strstr(line, "...\""), NULL));
}

Test(access_line, formats_have_names)
{
    enum gf_access_format format = GF_ACCESS_GOFRAME;

    cr_expect(zero(int, gf_access_format_find("json", &format)));
    cr_expect(eq(int, (int)format, GF_ACCESS_JSON));
    cr_expect(lt(int, gf_access_format_find("JSON5", &format), 0));
}

/* ---- the error log ---- */

static struct gf_glog_line error_line;

static const char *make_error(enum gf_access_format format, const char *reason)
{
    struct gf_failure failure = {.request = &request, .level = GLOG_ERROR, .status = 500, .reason = reason};

    request.version = "HTTP/1.1";
    gf_error_line(format, "s1", &failure, 2345, &now, &error_line);
    cr_assert(lt(sz, error_line.size, GF_GLOG_LINE_MAX - 1));
    cr_expect(eq(ptr, memchr(error_line.text, '\n', error_line.size), NULL));
    error_line.text[error_line.size] = 0;
    return error_line.text;
}

Test(access_line, errors_have_goframes_fields)
{
    const char *made = strstr(make_error(GF_ACCESS_GOFRAME, "the disk is full"), ": [ERRO] ");

    cr_assert(ne(ptr, (void *)made, NULL));
    cr_expect(eq(str, (char *)made,
                 ": [ERRO] 500 \"GET http example.org /a?b=1 HTTP/1.1\" 0.002, 127.0.0.1, \"http://a/\", \"curl/8\", "
                 "50, \"Internal Error\", \"\", the disk is full"));
}

Test(access_line, errors_as_json)
{
    cJSON *json = cJSON_Parse(make_error(GF_ACCESS_JSON, "the \"disk\"\nis full"));
    char wanted[512];

    cr_assert(ne(ptr, json, NULL), "%s", error_line.text);
    cr_expect(eq(str, cJSON_GetStringValue(cJSON_GetObjectItem(json, "error")), "the \"disk\"\nis full"));
    cJSON_Delete(json);
    make_error(GF_ACCESS_JSON, "x");
    snprintf(wanted, sizeof(wanted),
             "{\"time\":\"2026-11-22T10:20:30.007+00:00\",\"level\":\"error\",\"status\":500,\"method\":\"GET\","
             "\"scheme\":\"http\",\"host\":\"example.org\",\"uri\":\"/a?b=1\",\"proto\":\"HTTP/1.1\","
             "\"seconds\":0.002345,\"ip\":\"127.0.0.1\",\"referer\":\"http://a/\",\"agent\":\"curl/8\",\"code\":50,"
             "\"message\":\"Internal Error\",\"error\":\"x\",\"server\":\"s1\",\"pid\":%d}",
             (int)getpid());
    cr_expect(eq(str, error_line.text, wanted));
}

/* Whatever clients send, and however much, a line is a line, and its reason is in it. */
Test(access_line, no_client_makes_an_error_line_of_its_own)
{
    static char much[5000];
    cJSON *json;

    memset(much, '\x01', sizeof(much) - 1);
    request.target = request.host = request.method = fields[0].value = fields[1].value = much;
    cr_expect(ne(ptr, strstr(make_error(GF_ACCESS_GOFRAME, "the reason"), "the reason"), NULL));
    json = cJSON_Parse(make_error(GF_ACCESS_JSON, much));
    cr_assert(ne(ptr, json, NULL), "%s", error_line.text);
    cJSON_Delete(json);
    request.target = request.host = request.method = "/";
    fields[0].value = fields[1].value = "a\", \"b\n2026-11-22 10:20:30.007 1: [ERRO] 500";
    cr_expect(ne(ptr, strstr(make_error(GF_ACCESS_GOFRAME, "r"), "\"a\\x22, \\x22b\\x0A2026"), NULL), "%s",
              error_line.text);
}
