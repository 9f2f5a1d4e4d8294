/*
 * The examples of GoFrame's manual, over sockets: which route, in which order, what comes back. What is expected
 * follows from the rules of docs/routing.md.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/client.h"
#include "tests/support/process.h"

enum {
    PATIENCE_MS = 20000,
    LARGE = 14000,
};

enum chapter { ROUTES, GROUPS, HOOKS, STATUSES, CHAPTERS };

static struct process *server;
static struct client *clients[CHAPTERS];

static void start(void)
{
    int ports[CHAPTERS];
    char *line;

    server = process_start(&(struct process_options){.program = "manual_server"});
    cr_assert(ne(ptr, server, NULL));
    cr_assert(eq(int, process_wait_line(server, "ports ", PATIENCE_MS), 0));
    line = process_find_line(server, "ports ");
    cr_assert(eq(int, sscanf(line, "ports %d %d %d %d", &ports[0], &ports[1], &ports[2], &ports[3]), CHAPTERS));
    free(line);
    for (int i = 0; i < CHAPTERS; i++) {
        clients[i] = client_connect_port(ports[i]);
        cr_assert(ne(ptr, clients[i], NULL));
    }
}

static void stop(void)
{
    for (int i = 0; i < CHAPTERS; i++)
        client_close(clients[i]);
    process_free(server);
}

TestSuite(goframe_manual, .init = start, .fini = stop, .timeout = 60);

/* Sends a request of this line, with these header lines and this body, to a host of this name. */
static const struct answer *send_to(enum chapter chapter, const char *host, const char *line, const char *headers,
                                    const char *body)
{
    char request[4096];
    int error = 0;
    const struct answer *a;

    snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: %s\r\n%sContent-Length: %zu\r\n\r\n%s", line, host,
             headers, strlen(body), body);
    cr_assert(eq(int, client_send_text(clients[chapter], request), 0));
    a = strncmp(line, "HEAD", 4) == 0 ? client_receive_head(clients[chapter], &error)
                                      : client_receive(clients[chapter], &error);
    cr_assert(ne(ptr, (void *)a, NULL), "%s: %s", line, strerror(-error));
    return a;
}

static const struct answer *ask(enum chapter chapter, const char *line)
{
    return send_to(chapter, "a.example", line, "", "");
}

static void expect_answer(const struct answer *a, int status, const char *body)
{
    cr_expect(eq(int, a->status, status), "%s", a->head);
    cr_expect(eq(str, a->body, (char *)body));
}

static void expect(enum chapter chapter, const char *line, int status, const char *body)
{
    const struct answer *a = ask(chapter, line);

    cr_expect(eq(int, a->status, status), "%s", line);
    cr_expect(eq(str, a->body, (char *)body), "%s", line);
}

static void expect_header(const struct answer *a, const char *name, const char *value)
{
    char *found = answer_header(a, name);

    cr_expect(eq(str, found ? found : "(none)", (char *)value), "%s in\n%s", name, a->head);
    free(found);
}

/* ---- routes ---- */

Test(goframe_manual, routes_have_their_precedence)
{
    static const char *const cases[][2] = {
        {"GET /user", "/:name name=user"},
        {"GET /user/update", "/:name/update name=user"},
        {"GET /user/info", "/:name/:action name=user action=info"},
        {"GET /user/info/more", "/:name/*any name=user any=info/more"},
        {"GET /user/list/2.html", "/user/list/{field}.html field=2"},
        {"GET /user/list/2.htm", "/:name/*any name=user any=list/2.htm"},
        {"GET /list/7.html", "/list/{page}.html page=7"},
        {"GET /list/.html", "/:name/:action name=list action=.html"},
        {"GET /order/john/9", "/order/:name/{x} name=john x=9"},
        {"GET /order/john/9/more", "/:name/*any name=order any=john/9/more"},
        {"GET /gf-course/john/score", "/{class}-{course}/:name/*act class=gf course=course name=john act=score"},
        {"GET /gf-course/john", "/{class}-{course}/:name/*act class=gf course=course name=john act="},
        {"GET /gf-course", "/:name name=gf-course"},
        {"GET /src", "/src/*path path="},
        {"GET /src/", "/src/*path path="},
        {"GET /src/sub/a.go", "/src/*path path=sub/a.go"},
        {"GET /db-user/1", "/db-{table}/{id} table=user id=1"},
        {"GET /database-order/100", "/{class}-{course}/:name/*act class=database course=order name=100 act="},
        {"GET /db/user/1", "/:name/*any name=db any=user/1"},
        {"GET //user///info/", "/:name/:action name=user action=info"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        expect(ROUTES, cases[i][0], 200, cases[i][1]);
}

Test(goframe_manual, routes_keep_an_encoded_slash_in_its_segment)
{
    expect(ROUTES, "GET /user/a%2Fb", 200, "/:name/:action name=user action=a/b");
    expect(ROUTES, "GET /%2Fetc%2fpasswd", 200, "/:name name=/etc/passwd");
    expect(ROUTES, "GET /src/a%2Fb/c", 200, "/src/*path path=a/b/c");
    expect(ROUTES, "GET /%E5%93%88%E5%96%BD", 200, "/:name name=哈喽");
}

/* Who does not have the method is passed over for a less specific one that has it. */
Test(goframe_manual, routes_have_methods)
{
    const struct answer *a;

    expect(ROUTES, "GET /test", 200, "GET:/test");
    expect(ROUTES, "POST /test", 200, "Post: /test");
    expect(ROUTES, "PUT /test/7", 200, "put:/test/:id id=7");
    expect(ROUTES, "GET /test/7", 200, "/:name/:action name=test action=7");
    expect(ROUTES, "DELETE /test", 200, "/:name name=test");
    expect(ROUTES, "GET /table/show/7", 200, "GET:/table/show/:id id=7");
    expect(ROUTES, "POST /table/show/7", 200, "table 7");
    a = ask(ROUTES, "HEAD /test");
    cr_expect(eq(int, a->status, 200));
    expect_header(a, "Content-Length", "9");
}

Test(goframe_manual, routes_have_domains)
{
    static const char *const cases[][2] = {
        {"localhost1", "/domain@localhost1, localhost2,localhost3"},
        {"LocalHost2:8199", "/domain@localhost1, localhost2,localhost3"},
        {"localhost3", "/domain@localhost1, localhost2,localhost3"},
        {"127.0.0.1:8199", "/domain@127.0.0.1"},
        {"localhost", "/domain"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        expect_answer(send_to(ROUTES, cases[i][0], "GET /domain", "", ""), 200, cases[i][1]);
}

/* ---- groups and middleware ---- */

Test(goframe_manual, groups_have_middleware_and_groups)
{
    const struct answer *a;

    expect(GROUPS, "GET /api.v2/test", 403, "Forbidden");
    expect(GROUPS, "GET /api.v2/test?token=1", 403, "Forbidden");
    expect(GROUPS, "GET /api.v2/test?token=123456", 200, "auth test");
    expect(GROUPS, "GET /api.v2/order/list?token=123456", 200, "auth list");
    expect(GROUPS, "PUT /api.v2/order/update?token=123456", 200, "auth update");
    a = ask(GROUPS, "GET /api.v2/order/update?token=123456");
    expect_answer(a, 405, "Method Not Allowed");
    expect_header(a, "Allow", "PUT, OPTIONS");
    a = send_to(GROUPS, "a", "GET /api.v2/test?token=123456", "Origin: https://b.example\r\n", "");
    expect_header(a, "Access-Control-Allow-Origin", "*");
    expect(GROUPS, "GET /absent", 404, "Not Found");
    cr_expect(zero(int, process_wait_line(server, "log 403 /api.v2/test GET:/api.v2/test", PATIENCE_MS)));
    cr_expect(zero(int, process_wait_line(server, "log 200 /api.v2/order/list GET:/api.v2/order/list", PATIENCE_MS)));
    cr_expect(zero(int, process_wait_line(server, "log 405 /api.v2/order/update none", PATIENCE_MS)));
    cr_expect(zero(int, process_wait_line(server, "log 404 /absent none", PATIENCE_MS)));
}

Test(goframe_manual, groups_have_hooks)
{
    expect(GROUPS, "GET /api.v2/hook/test?token=123456", 200, "name any auth handler");
    expect(GROUPS, "GET /api.v2/hook/a/b?token=123456", 404, "any ");
}

Test(goframe_manual, middleware_runs_from_the_outside_in)
{
    expect(GROUPS, "GET /nest/one", 200, "pattern outer handler /outer /pattern");
    expect(GROUPS, "GET /nest/in/two", 200, "pattern outer inner handler /inner /outer /pattern");
    expect(GROUPS, "GET /nest/three", 200, "pattern outer late handler /late /outer /pattern");
    expect(GROUPS, "GET /nest/left", 200, "pattern outer late left /late /outer /pattern");
}

/* Whether the answer comes in this coding, as its first bytes say too. */
static void expect_coding(const char *coding, const char *magic, size_t magic_size)
{
    char headers[64];
    const struct answer *a;

    snprintf(headers, sizeof(headers), "Accept-Encoding: %s\r\n", coding);
    a = send_to(GROUPS, "a", "GET /large", headers, "");
    cr_expect(eq(int, a->status, 200));
    expect_header(a, "Content-Encoding", coding);
    expect_header(a, "Vary", "Accept-Encoding");
    cr_expect(lt(sz, a->body_size, LARGE / 10));
    cr_expect(gt(sz, a->body_size, magic_size));
    cr_expect(zero(int, memcmp(a->body, magic, magic_size)));
}

Test(goframe_manual, answers_are_compressed)
{
    const struct answer *a = ask(GROUPS, "GET /large");

    expect_header(a, "Content-Encoding", "(none)");
    cr_expect(eq(sz, a->body_size, LARGE));
    expect_coding("gzip", "\x1f\x8b", 2);
#ifdef GF_HAVE_BROTLI
    expect_coding("br", "", 0);
#endif
#ifdef GF_HAVE_ZSTD
    expect_coding("zstd", "\x28\xb5\x2f\xfd", 4);
#endif
}

/* ---- hooks ---- */

Test(goframe_manual, hooks_run_at_four_moments)
{
    expect(HOOKS, "GET /john/info/10", 200, "before user john, uid 10 served output");
    cr_expect(zero(int, process_wait_line(server, "output 200 /john/info/10 38", PATIENCE_MS)));
}

Test(goframe_manual, hooks_run_by_their_precedence)
{
    expect(HOOKS, "GET /priority/show", 200, "show :name *any service");
    expect(HOOKS, "GET /priority/other", 404, ":name *any ");
    expect(HOOKS, "GET /priority/a/b", 404, "*any ");
}

Test(goframe_manual, hooks_set_parameters_and_reshape_answers)
{
    const struct answer *a;

    expect(HOOKS, "GET /site?site=query", 200, "GoFrame");
    a = ask(HOOKS, "GET /shape");
    expect_answer(a, 200, "{\"body\":\"inner\",\"size\":5,\"kept\":\"yes\"}");
    expect_header(a, "Content-Type", "application/json");
}

Test(goframe_manual, ways_out_skip_what_has_not_begun)
{
    static const struct {
        const char *line, *body, *seen;
    } cases[] = {
        {"GET /exit", "first second middleware handler /middleware served output", "57"},
        {"GET /exit?how=exit", "first second  served output", "27"},
        {"GET /exit?how=exit_all", "first ", "6"},
        {"GET /exit?how=exit_hook", "first middleware handler /middleware served output", "50"},
    };
    char line[64];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        process_mark(server);
        expect(HOOKS, cases[i].line, 200, cases[i].body);
        snprintf(line, sizeof(line), "output 200 /exit %s", cases[i].seen);
        cr_expect(zero(int, process_wait_line(server, line, PATIENCE_MS)), "hooks after output run always");
    }
}

/* ---- statuses ---- */

Test(goframe_manual, statuses_have_handlers)
{
    expect(STATUSES, "GET /absent", 404, "This is customized 404 page");
    expect(STATUSES, "GET /status?status=404", 404, "This is customized 404 page");
    expect(STATUSES, "GET /status?status=403", 403, "403");
    expect(STATUSES, "GET /status?status=410", 410, "the handler's");
    expect(STATUSES, "GET /status?status=200", 200, "the handler's");
    expect(STATUSES, "GET /fail", 500, "sorry: no database");
    cr_expect(zero(int, process_wait_line(server, "the response to GET /fail failed: no database", PATIENCE_MS)));
}

/* Those of the host run first, then those of all; the first that writes is not the last. */
Test(goframe_manual, statuses_have_handlers_of_domains)
{
    const struct answer *a = send_to(STATUSES, "api.example.com:81", "GET /absent", "", "");

    expect_answer(a, 404, "{\"absent\":\"/absent\"}This is customized 404 page");
    expect_header(a, "Content-Type", "application/json");
    a = send_to(STATUSES, "API.example.org", "GET /absent", "", "");
    expect_header(a, "Content-Type", "application/json");
    a = send_to(STATUSES, "old.example.org", "GET /absent", "", "");
    cr_expect(eq(int, a->status, 302));
    expect_header(a, "Location", "/status.html");
}

Test(goframe_manual, answers_have_one_shape)
{
    expect(STATUSES, "GET /shaped/data", 200, "{\"code\":0,\"message\":\"OK\",\"data\":\"value\"}");
    expect(STATUSES, "GET /shaped/error", 200, "{\"code\":7,\"message\":\"no such user\"}");
}

/* Middleware takes a failure over, and the handler of its status may write too. */
Test(goframe_manual, answers_that_fail_have_it_too)
{
    const struct answer *a = ask(STATUSES, "GET /shaped/fail");

    cr_expect(eq(int, a->status, 500));
    cr_expect(eq(str, a->body, "sorry: no database"));
    cr_expect(
        zero(int, process_wait_line(server, "the response to GET /shaped/fail failed: no database", PATIENCE_MS)));
}

/* ---- parameters, JSON, and back ---- */

Test(goframe_manual, parameters_come_from_all_sources)
{
    const struct answer *a = send_to(STATUSES, "a", "POST /params/7?a=1&b=2&id=8",
                                     "Content-Type: application/x-www-form-urlencoded\r\n", "b=3&c=4&c=5");

    expect_answer(a, 200, "all b=3 c=5 a=1 id=8");
}

Test(goframe_manual, json_comes_and_goes)
{
    const struct answer *a =
        send_to(STATUSES, "a", "POST /json", "Content-Type: application/json\r\n", "{\"name\":\"哈喽\",\"age\":18}");

    expect_answer(a, 200, "{\"hello\":\"哈喽\"}");
    expect_header(a, "Content-Type", "application/json");
    cr_expect(eq(int, answer_header_count(a, "Link"), 2));
    expect_header(a, "Link", "</a>; rel=prev");
    expect_answer(send_to(STATUSES, "a", "POST /json", "", "{\"name\":"), 200, "{\"hello\":\"nobody\"}");
}

Test(goframe_manual, redirects_back_to_where_it_came_from)
{
    const struct answer *a =
        send_to(STATUSES, "shop.example:81", "POST /back", "Referer: http://shop.example:81/cart?item=7\r\n", "");

    cr_expect(eq(int, a->status, 303));
    expect_header(a, "Location", "/cart?item=7");
    a = send_to(STATUSES, "shop.example:81", "POST /back", "Referer: http://evil.example/cart\r\n", "");
    expect_header(a, "Location", "/");
}
