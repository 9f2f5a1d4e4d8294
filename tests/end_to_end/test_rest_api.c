/*
 * The example rest_api from the outside: what it does, what it refuses and how, and long lists in pages.
 */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "tests/support/rest_api.h"

static struct rest_api api;
static struct rest_user anna, bert;

static void start_with(const char *app)
{
    cr_assert(zero(int, rest_api_init(&api)));
    cr_assert(zero(int, rest_api_configure(&api, app)));
    cr_assert(zero(int, rest_api_start(&api)));
    rest_user_init(&anna, api.port);
    rest_user_init(&bert, api.port);
}

static void start(void)
{
    start_with(NULL);
}

static void stop(void)
{
    rest_user_finish(&anna);
    rest_user_finish(&bert);
    rest_api_finish(&api);
}

TestSuite(rest_api, .init = start, .fini = stop, .timeout = 60);
TestSuite(rest_api_settings, .fini = stop, .timeout = 60);

/* ---- what is asked again and again ---- */

static void join(struct rest_user *u, const char *name)
{
    cr_assert(zero(int, rest_user_join(u, name)), "%s", name);
}

/* Every answer has the shape; of an error: this status, this code, no data. */
static void expect(struct rest_user *u, const char *method, const char *path, const char *body, int status, int code)
{
    cr_expect(eq(int, rest_user_ask(u, method, path, body), status), "%s %s %s", method, path, body ? body : "");
    cr_expect(eq(long, rest_user_number(u, "code"), code), "%s %s %s", method, path, body ? body : "");
    cr_expect(rest_user_json(u, "message") != NULL, "%s %s", method, path);
    cr_expect(rest_user_json(u, "data") != NULL, "%s %s", method, path);
}

static void expect_text(const struct rest_user *u, const char *way, const char *text)
{
    cr_expect(eq(str, (char *)rest_user_text(u, way), (char *)text), "%s", way);
}

static long create(struct rest_user *u, const char *body)
{
    cr_assert(eq(int, rest_user_ask(u, "POST", "/tasks", body), 201), "%s", body);
    return rest_user_number(u, "data.id");
}

/* The 400 names these fields and rules, in their order: "title:required due:regex ". */
static void expect_errors(struct rest_user *u, const char *path, const char *body, const char *errors)
{
    const struct cJSON *error;
    char found[512] = "";

    expect(u, "POST", path, body, 400, 51);
    cJSON_ArrayForEach(error, rest_user_json(u, "data.errors"))
    {
        size_t used = strlen(found);

        snprintf(found + used, sizeof(found) - used, "%s:%s ",
                 cJSON_GetStringValue(cJSON_GetObjectItem(error, "field")),
                 cJSON_GetStringValue(cJSON_GetObjectItem(error, "rule")));
    }
    cr_expect(eq(str, found, (char *)errors), "%s", body);
}

/* ---- tasks ---- */

Test(rest_api, a_task_from_its_beginning_to_its_end)
{
    char path[64], location[96];
    long id;

    join(&anna, "anna");
    id = create(&anna,
                "{\"title\":\"Milch \\u00fc 牛奶\",\"notes\":\"two\\nlines\",\"due\":\"2026-12-24\",\"priority\":1}");
    snprintf(path, sizeof(path), "/tasks/%ld", id);
    snprintf(location, sizeof(location), "\r\nLocation: /api/v1%s\r\n", path);
    cr_expect(strstr(anna.head, location) != NULL, "%s", anna.head);

    expect(&anna, "GET", path, NULL, 200, 0);
    expect_text(&anna, "data.title", "Milch ü 牛奶");
    expect_text(&anna, "data.notes", "two\nlines");
    expect_text(&anna, "data.due", "2026-12-24");
    expect_text(&anna, "data.owner", "anna");
    cr_expect(eq(long, rest_user_number(&anna, "data.priority"), 1));
    cr_expect(eq(long, rest_user_number(&anna, "data.version"), 1));
    cr_expect(cJSON_IsFalse(rest_user_json(&anna, "data.done")));
    cr_expect(eq(int, rest_user_ask(&anna, "HEAD", path, NULL), 200));

    /* A change says all of it: what it leaves out is as of a new one. */
    expect(&anna, "PUT", path, "{\"title\":\"bread\",\"done\":true,\"version\":1}", 200, 0);
    expect_text(&anna, "data.title", "bread");
    expect_text(&anna, "data.notes", "");
    cr_expect(cJSON_IsNull(rest_user_json(&anna, "data.due")));
    cr_expect(cJSON_IsTrue(rest_user_json(&anna, "data.done")));
    cr_expect(eq(long, rest_user_number(&anna, "data.priority"), 3));
    cr_expect(eq(long, rest_user_number(&anna, "data.version"), 2));

    cr_expect(eq(int, rest_user_ask(&anna, "DELETE", path, NULL), 204));
    expect(&anna, "GET", path, NULL, 404, 65);
    expect(&anna, "DELETE", path, NULL, 404, 65);
    expect(&anna, "PUT", path, "{\"title\":\"bread\",\"version\":2}", 404, 65);
}

Test(rest_api, texts_are_kept_as_they_are)
{
    static const char *const titles[] = {"'); DROP TABLE tasks; --", "\" OR 1=1", "%s%n", "<script>", "?1", " "};
    char body[128];

    join(&anna, "anna");
    for (size_t i = 0; i < sizeof(titles) / sizeof(*titles); i++) {
        cJSON *task = cJSON_CreateObject();

        cJSON_AddStringToObject(task, "title", titles[i]);
        cr_assert(cJSON_PrintPreallocated(task, body, sizeof(body), false));
        create(&anna, body);
        expect_text(&anna, "data.title", titles[i]);
        cJSON_Delete(task);
    }
    expect(&anna, "GET", "/tasks", NULL, 200, 0);
    cr_expect(eq(long, rest_user_number(&anna, "data.total"), (long)(sizeof(titles) / sizeof(*titles))));
}

Test(rest_api, only_its_owner_changes_a_task)
{
    char path[64];

    join(&anna, "anna");
    join(&bert, "bert");
    snprintf(path, sizeof(path), "/tasks/%ld", create(&anna, "{\"title\":\"hers\"}"));
    expect(&bert, "GET", path, NULL, 200, 0);
    expect(&bert, "PUT", path, "{\"title\":\"his\",\"version\":1}", 403, 61);
    expect(&bert, "DELETE", path, NULL, 403, 61);
    expect(&anna, "GET", path, NULL, 200, 0);
    expect_text(&anna, "data.title", "hers");
    cr_expect(eq(long, rest_user_number(&anna, "data.version"), 1));
}

Test(rest_api, of_two_who_change_a_task_the_second_is_told)
{
    struct rest_user other;
    char path[64];

    join(&anna, "anna");
    rest_user_init(&other, api.port);
    join(&other, "anna");
    snprintf(path, sizeof(path), "/tasks/%ld", create(&anna, "{\"title\":\"a\"}"));
    expect(&anna, "PUT", path, "{\"title\":\"b\",\"version\":1}", 200, 0);
    expect(&other, "PUT", path, "{\"title\":\"c\",\"version\":1}", 409, 55);
    expect(&other, "PUT", path, "{\"title\":\"c\",\"version\":3}", 409, 55);
    expect(&other, "GET", path, NULL, 200, 0);
    expect_text(&other, "data.title", "b");
    expect(&other, "PUT", path, "{\"title\":\"c\",\"version\":2}", 200, 0);
    rest_user_finish(&other);
}

Test(rest_api, ids_that_are_none_are_not_found)
{
    static const char *const ids[] = {"0",   "-1",  "1x", "9999", "99999999999999999999", "1%20OR%201%3D1", "%2F",
                                      "1.0", "0x1", "+1", "%27",  "999999999999999999",   "1%3B",           "one"};
    char path[96];

    join(&anna, "anna");
    create(&anna, "{\"title\":\"the first\"}");
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        snprintf(path, sizeof(path), "/tasks/%s", ids[i]);
        expect(&anna, "GET", path, NULL, 404, 65);
        cr_expect(eq(int, rest_user_ask(&anna, "DELETE", path, NULL), 404), "%s", path);
    }
    /* An id elsewhere is not the path's. */
    expect(&anna, "PUT", "/tasks/9999?id=1", "{\"id\":1,\"title\":\"x\",\"version\":1}", 404, 65);
    expect(&anna, "GET", "/tasks/1", NULL, 200, 0);
}

/* ---- refusals ---- */

Test(rest_api, all_that_is_wrong_is_told_at_once)
{
    char title[1024] = "", body[4096];

    join(&anna, "anna");
    expect_errors(&anna, "/tasks", "{}", "title:required ");
    expect_errors(&anna, "/tasks", NULL, "title:required ");
    expect_errors(&anna, "/tasks", "[1,2]", "title:required ");
    expect_errors(&anna, "/tasks", "{\"title\":null,\"priority\":1.5}", "title:required priority:integer ");
    expect_errors(&anna, "/tasks", "{\"title\":\"\",\"due\":\"2026-13-01\",\"priority\":6,\"done\":\"maybe\"}",
                  "title:required due:regex priority:max done:boolean ");
    expect_errors(&anna, "/tasks", "{\"title\":\"a\",\"priority\":1e300}", "priority:integer ");
    expect_errors(&anna, "/tasks", "{\"title\":\"a\\u0000b\"}", ":form ");
    expect_errors(&anna, "/tasks", "{\"title\":\"\xff\"}", "title:utf-8 ");
    expect_errors(&anna, "/tasks?notes=%c3", "{\"title\":\"a\"}", "notes:utf-8 ");
    expect_errors(&anna, "/tasks?title=%", "{}", ":form ");

    for (int i = 0; i < 200; i++)
        memcpy(title + 3 * i, "牛", 3);
    snprintf(body, sizeof(body), "{\"title\":\"%s\"}", title);
    create(&anna, body);
    expect_text(&anna, "data.title", title);
    snprintf(body, sizeof(body), "{\"title\":\"%s!\"}", title);
    expect_errors(&anna, "/tasks", body, "title:max-length ");
    snprintf(body, sizeof(body), "{\"title\":\"a\",\"notes\":\"%2001d\"}", 1);
    expect_errors(&anna, "/tasks", body, "notes:max-length ");
}

Test(rest_api, names_and_passwords_have_a_form)
{
    expect_errors(&anna, "/users", "{}", "name:required password:required ");
    expect_errors(&anna, "/users", "{\"name\":\"a b\",\"password\":\"short\"}", "name:regex password:min-length ");
    expect_errors(&anna, "/users", "{\"name\":\"1a\",\"password\":\"long enough\"}", "name:regex ");
    expect_errors(&anna, "/users", "{\"name\":\"abcdefghijklmnopqrstuvwxyz1234567\",\"password\":\"long enough\"}",
                  "name:max-length ");
    expect(&anna, "POST", "/users", "{\"name\":\"anna\",\"password\":\"long enough\"}", 201, 0);
    expect(&anna, "POST", "/users", "{\"name\":\"anna\",\"password\":\"long enough\"}", 409, 55);
    expect(&anna, "POST", "/users", "{\"name\":\"ANNA\",\"password\":\"another one\"}", 409, 55);
}

Test(rest_api, nobody_enters_without_a_login)
{
    static const char *const requests[][2] = {{"GET", "/tasks"},   {"POST", "/tasks"},     {"GET", "/tasks/1"},
                                              {"PUT", "/tasks/1"}, {"DELETE", "/tasks/1"}, {"GET", "/me"},
                                              {"POST", "/logout"}};
    char old[128];

    for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++)
        expect(&anna, requests[i][0], requests[i][1], NULL, 401, 61);
    cr_expect(strstr(anna.head, "\r\nWWW-Authenticate: ") != NULL);
    snprintf(anna.cookie, sizeof(anna.cookie), "tasks-session=0123456789abcdef0123456789abcdef");
    expect(&anna, "GET", "/me", NULL, 401, 61);
    anna.cookie[0] = 0;

    join(&anna, "anna");
    expect(&bert, "POST", "/login", "{\"name\":\"anna\",\"password\":\"wrong horse\"}", 401, 61);
    cr_expect(strstr(bert.head, "\r\nWWW-Authenticate: ") != NULL);
    expect(&bert, "POST", "/login", "{\"name\":\"nobody\",\"password\":\"correct horse\"}", 401, 61);
    expect(&bert, "POST", "/login", "{\"name\":\"anna\"}", 400, 51);
    cr_expect(eq(str, bert.cookie, ""), "nothing to be had without a login");

    snprintf(old, sizeof(old), "%s", anna.cookie);
    expect(&anna, "POST", "/login", "{\"name\":\"Anna\",\"password\":\"correct horse\"}", 200, 0);
    expect_text(&anna, "data.name", "anna");
    cr_expect(ne(str, anna.cookie, old), "another id at each login");
    snprintf(bert.cookie, sizeof(bert.cookie), "%s", old);
    expect(&bert, "GET", "/me", NULL, 401, 61);

    snprintf(old, sizeof(old), "%s", anna.cookie);
    cr_expect(eq(int, rest_user_ask(&anna, "POST", "/logout", NULL), 204));
    cr_expect(eq(str, anna.cookie, ""));
    snprintf(anna.cookie, sizeof(anna.cookie), "%s", old);
    expect(&anna, "GET", "/me", NULL, 401, 61);
}

Test(rest_api, passwords_are_not_kept_as_they_are)
{
    char command[256], line[256] = "";
    struct stat status;
    FILE *found;

    join(&anna, "anna");
    snprintf(command, sizeof(command), "%s/tasks.db", api.folder);
    cr_assert(zero(int, stat(command, &status)));
    cr_expect(eq(int, status.st_mode & 0777, 0600), "others of the machine may not read it");
    snprintf(command, sizeof(command), "cat %s/tasks.db* | grep -ac 'correct horse'", api.folder);
    found = popen(command, "r");
    cr_assert(found && fgets(line, sizeof(line), found));
    pclose(found);
    cr_expect(eq(str, line, "0\n"));
    snprintf(command, sizeof(command), "cat %s/tasks.db* | grep -aoE 'pbkdf2-sha256[$][0-9]+[$]' | sort -u",
             api.folder);
    found = popen(command, "r");
    cr_assert(found && fgets(line, sizeof(line), found));
    pclose(found);
    cr_expect(eq(str, line, "pbkdf2-sha256$600000$\n"));
}

Test(rest_api, requests_that_are_none)
{
    static const char *const types[] = {"",
                                        "Content-Type: text/plain\r\n",
                                        "Content-Type: application/jsonx\r\n",
                                        "Content-Type: application/x-www-form-urlencoded\r\n",
                                        "Content-Type: app\r\n",
                                        "Content-Type:\r\n",
                                        "Content-Type: text/plain; application/json\r\n"};
    static char deep[4096], large[70000];
    char headers[256];

    join(&anna, "anna");
    expect(&anna, "PATCH", "/tasks", NULL, 405, 64);
    cr_expect(strstr(anna.head, "\r\nAllow: GET, HEAD, POST, OPTIONS\r\n") != NULL, "%s", anna.head);
    expect(&anna, "POST", "/tasks/1", "{}", 405, 64);
    expect(&anna, "GET", "/login", NULL, 405, 64);
    expect(&anna, "GET", "/absent", NULL, 404, 65);
    expect(&anna, "POST", "/tasks", "{\"title\":", 400, 53);
    expect(&anna, "POST", "/tasks", "title=a", 400, 53);
    memset(deep, '[', sizeof(deep) - 1);
    expect(&anna, "POST", "/tasks", deep, 400, 53);
    memset(large, ' ', sizeof(large) - 1);
    cr_expect(eq(int, rest_user_ask(&anna, "POST", "/tasks", large), 413));

    /* What a page of another site can send without being asked whether it may. */
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        snprintf(headers, sizeof(headers), "%sContent-Length: 13\r\n\r\n{\"title\":\"a\"}", types[i]);
        anna.headers = headers;
        expect(&anna, "POST", "/tasks", NULL, 415, 53);
        rest_user_hang_up(&anna);
    }
    anna.headers = "Content-Type: Application/JSON ; charset=utf-8\r\nContent-Length: 13\r\n\r\n{\"title\":\"a\"}";
    cr_expect(eq(int, rest_user_ask(&anna, "POST", "/tasks", NULL), 201));
    rest_user_hang_up(&anna);
    anna.headers = NULL;
    expect(&anna, "GET", "/tasks", NULL, 200, 0);
    cr_expect(eq(long, rest_user_number(&anna, "data.total"), 1));
}

Test(rest_api, answers_are_for_nobody_else)
{
    join(&anna, "anna");
    expect(&anna, "GET", "/tasks", NULL, 200, 0);
    cr_expect(strstr(anna.head, "\r\nCache-Control: no-store\r\n") != NULL);
    cr_expect(strstr(anna.head, "\r\nX-Request-Id: ") != NULL);
    cr_expect(strstr(anna.head, "\r\nAccess-Control-Allow-Origin") == NULL, "no other site, unless it is named");
    cr_expect(eq(int, rest_user_ask(&anna, "GET", "//health", NULL), 200));
}

/* ---- pages ---- */

static void expect_page(const char *path, long count, long total)
{
    expect(&anna, "GET", path, NULL, 200, 0);
    cr_expect(eq(long, cJSON_GetArraySize(rest_user_json(&anna, "data.items")), count), "%s", path);
    cr_expect(eq(long, rest_user_number(&anna, "data.total"), total), "%s", path);
}

/* What the Link header has for this relation, below /api/v1; "": nothing. */
static void find_link(const char *relation, char *path, size_t size)
{
    const char *at = strstr(anna.head, "\r\nLink: ");
    char end[32];

    *path = 0;
    snprintf(end, sizeof(end), ">; rel=\"%s\"", relation);
    const char *found = at ? strstr(at, end) : NULL;
    if (!found)
        return;
    for (at = found; *at != '<'; at--) {
    }
    at += strlen("</api/v1");
    snprintf(path, size, "%.*s", (int)(found - at), at);
}

Test(rest_api, pages)
{
    char path[128] = "/tasks?size=5&state=all", link[128];
    int pages = 0;
    long last = 0;

    join(&anna, "anna");
    expect_page("/tasks", 0, 0);
    expect_page("/tasks?page=2", 0, 0);
    for (int i = 0; i < 23; i++)
        create(&anna, i % 4 ? "{\"title\":\"open\"}" : "{\"title\":\"done\",\"done\":true}");
    expect_page("/tasks", 20, 23);
    expect_page("/tasks?page=2", 3, 23);
    expect_page("/tasks?page=3", 0, 23);
    expect_page("/tasks?page=1000000&size=100", 0, 23);
    expect_page("/tasks?size=100", 23, 23);
    expect_page("/tasks?size=23", 23, 23);
    find_link("next", link, sizeof(link));
    cr_expect(eq(str, link, ""), "one page has all");
    expect_page("/tasks?state=done", 6, 6);
    expect_page("/tasks?state=open&page=4&size=5", 2, 17);
    find_link("last", link, sizeof(link));
    cr_expect(eq(str, link, "/tasks?state=open&page=4&size=5"));
    find_link("prev", link, sizeof(link));
    cr_expect(eq(str, link, "/tasks?state=open&page=3&size=5"));
    expect_page("/tasks?size=5&page=99", 0, 23);
    find_link("prev", link, sizeof(link));
    cr_expect(eq(str, link, "/tasks?page=5&size=5"), "back to where something is");

    for (; *path; find_link("next", path, sizeof(path))) {
        const struct cJSON *item;

        expect(&anna, "GET", path, NULL, 200, 0);
        cJSON_ArrayForEach(item, rest_user_json(&anna, "data.items"))
        {
            long id = (long)cJSON_GetNumberValue(cJSON_GetObjectItem(item, "id"));

            cr_expect(eq(long, id, last + 1), "each task once");
            last = id;
        }
        pages++;
    }
    cr_expect(eq(int, pages, 5));
    cr_expect(eq(long, last, 23));
}

Test(rest_api, pages_that_are_none)
{
    static const char *const queries[] = {"page=0",       "page=-1", "page=1000001", "page=x",
                                          "page=1e1",     "size=0",  "size=101",     "size=99999999999999999999",
                                          "state=closed", "state="};

    join(&anna, "anna");
    for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
        char path[96];

        snprintf(path, sizeof(path), "/tasks?%s", queries[i]);
        cr_expect(eq(int, rest_user_ask(&anna, "GET", path, NULL), 400), "%s", path);
        cr_expect(gt(long, rest_user_number(&anna, "code"), 0), "%s", path);
    }
    expect(&anna, "GET", "/tasks?page=0&size=101", NULL, 400, 51);
    cr_expect(eq(int, cJSON_GetArraySize(rest_user_json(&anna, "data.errors")), 2));
}

/* ---- settings ---- */

Test(rest_api_settings, logins_are_limited)
{
    int status = 0;

    start_with("  loginsPerSecond: 0.01\n  loginsAtOnce: 3\n");
    for (int i = 0; i < 3; i++)
        expect(&anna, "POST", "/login", "{}", 400, 51);
    status = rest_user_ask(&anna, "POST", "/login", "{}");
    cr_expect(eq(int, status, 429));
    cr_expect(eq(long, rest_user_number(&anna, "code"), 64));
    cr_expect(strstr(anna.head, "\r\nRetry-After: ") != NULL);
    expect(&anna, "POST", "/users", "{}", 429, 64);
    expect(&anna, "GET", "/me", NULL, 401, 61);
}

Test(rest_api_settings, pages_of_named_sites_may_use_it)
{
    start_with("  origins: \"https://app.example.org\"\n");
    anna.headers = "Origin: https://app.example.org\r\nAccess-Control-Request-Method: PUT\r\n";
    cr_expect(eq(int, rest_user_ask(&anna, "OPTIONS", "/tasks/1", NULL), 204));
    cr_expect(strstr(anna.head, "\r\nAccess-Control-Allow-Origin: https://app.example.org\r\n") != NULL);
    cr_expect(strstr(anna.head, "\r\nAccess-Control-Allow-Credentials: true\r\n") != NULL);
    anna.headers = "Origin: https://evil.example.org\r\nAccess-Control-Request-Method: PUT\r\n";
    cr_expect(eq(int, rest_user_ask(&anna, "OPTIONS", "/tasks/1", NULL), 403));
    cr_expect(strstr(anna.head, "\r\nAccess-Control-Allow-Origin") == NULL);
    anna.headers = "Origin: https://app.example.org\r\n";
    expect(&anna, "GET", "/tasks", NULL, 401, 61);
    cr_expect(strstr(anna.head, "\r\nAccess-Control-Allow-Origin: https://app.example.org\r\n") != NULL,
              "a page may read why it was refused");
}

static void expect_no_start(const char *app, const char *reason)
{
    int status = 0;

    cr_assert(zero(int, rest_api_init(&api)));
    cr_assert(zero(int, rest_api_configure(&api, app)));
    cr_expect(ne(int, rest_api_start(&api), 0));
    cr_expect(zero(int, process_wait_line(api.process, reason, 10000)));
    cr_expect(zero(int, process_wait_exit(api.process, 10000, &status)));
    cr_expect(eq(int, WEXITSTATUS(status), 1));
}

Test(rest_api_settings, a_database_that_cannot_be_is_an_error)
{
    expect_no_start("  database: absent/tasks.db\n", "database absent/tasks.db: unable to open database file");
}

Test(rest_api_settings, a_file_that_is_none_is_an_error)
{
    expect_no_start("  database: config.yaml\n", "file is not a database");
}

Test(rest_api_settings, limits_out_of_bounds_are_an_error)
{
    expect_no_start("  loginsPerSecond: 1\n  loginsAtOnce: 4294967297\n", "out of bounds");
}
