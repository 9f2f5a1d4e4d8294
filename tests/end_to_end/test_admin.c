/*
 * The admin page from outside: the page, its data, its two deeds and their failures, and the door.
 */
#include "tests/support/client.h"
#include "tests/support/port.h"
#include "tests/support/process.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCAL "Host: 127.0.0.1\r\n"
#define JSON LOCAL "Accept: application/json\r\n"
#define BROWSER LOCAL "Accept: text/html,application/xhtml+xml,*/*;q=0.8\r\nSec-Fetch-Site: none\r\n"

static int port;
static struct process *server;
static char folder[] = "/tmp/gf-test-XXXXXX";

/* ---- the server -------------------------------------------------------------------------------- */

/* Up to three settings of the program's environment, NULL for none. */
static void start(const char *first, const char *second, const char *third)
{
    char address[128];
    const char *environment[] = {address, first, second, third, NULL};

    cr_assert(not(zero(ptr, mkdtemp(folder))));
    port = free_port();
    snprintf(address, sizeof(address), "GF_ADDRESS=127.0.0.1:%d,unix:%s/s", port, folder);
    server = process_start(
        &(struct process_options){.program = "admin_server", .environment = environment, .folder = folder});
    cr_assert(not(zero(ptr, server)));
    cr_assert(zero(int, process_wait_line(server, "listening on [unix:", 10000)));
}

static void stop(void)
{
    char command[64];

    process_free(server);
    server = NULL;
    snprintf(command, sizeof(command), "rm -rf %s", folder);
    cr_expect(zero(int, system(command)));
}

TestSuite(admin, .fini = stop, .timeout = 60);

/* An executable of the server's folder. */
static void make_script(const char *name, const char *text)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "we");
    cr_assert(not(zero(ptr, file)));
    fputs(text, file);
    fclose(file);
    cr_assert(zero(int, chmod(path, 0755)));
}

/* The named pipe at which the server's folder makes its readers wait, until it is opened. */
static void make_gate(void)
{
    char path[64];

    snprintf(path, sizeof(path), "%s/gate", folder);
    cr_assert(zero(int, mkfifo(path, 0600)));
}

static void open_gate(void)
{
    char path[64];
    int gate;

    snprintf(path, sizeof(path), "%s/gate", folder);
    gate = open(path, O_WRONLY | O_CLOEXEC);
    cr_assert(ge(int, gate, 0));
    close(gate);
}

/* ---- requests ---------------------------------------------------------------------------------- */

struct reply {
    int status;
    char *head, *body;
};

static void forget(struct reply *reply)
{
    free(reply->head);
    free(reply->body);
}

static struct reply ask_at(const struct transport_target *target, const char *line, const char *headers,
                           const char *body)
{
    struct client *client = client_connect(target, 20000);
    const struct answer *answer;
    char message[4096], length[64] = "";
    int error = 0;

    cr_assert(not(zero(ptr, client)), "%s", line);
    if (body)
        snprintf(length, sizeof(length), "Content-Length: %zu\r\n", strlen(body));
    snprintf(message, sizeof(message), "%s HTTP/1.1\r\n%sConnection: close\r\n%s\r\n%s", line, headers, length,
             body ? body : "");
    cr_assert(zero(int, client_send_text(client, message)));
    answer = strncmp(line, "HEAD", 4) ? client_receive(client, &error) : client_receive_head(client, &error);
    cr_assert(not(zero(ptr, (void *)answer)), "%s: %s", line, strerror(-error));
    struct reply reply = {
        .status = answer->status, .head = strdup(answer->head), .body = strdup(answer->body ? answer->body : "")};
    client_close(client);
    return reply;
}

static struct reply ask(const char *line, const char *headers)
{
    return ask_at(&(struct transport_target){.port = port}, line, headers, NULL);
}

static int ask_status(const char *line, const char *headers)
{
    struct reply reply = ask(line, headers);
    int status = reply.status;

    forget(&reply);
    return status;
}

/* The JSON of an answer that must have this status. */
static cJSON *ask_json(const char *line, int status)
{
    struct reply reply = ask(line, JSON);
    cJSON *json = cJSON_Parse(reply.body);

    cr_expect(eq(int, reply.status, status), "%s: %s", line, reply.body);
    cr_assert(not(zero(ptr, json)), "%s: %s", line, reply.body);
    forget(&reply);
    return json;
}

static double number(const cJSON *json, const char *key)
{
    const cJSON *item = cJSON_GetObjectItemCaseSensitive(json, key);

    cr_assert(cJSON_IsNumber(item), "no number: %s", key);
    return item->valuedouble;
}

static char *text(const cJSON *json, const char *key)
{
    char *value = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(json, key));

    cr_assert(not(zero(ptr, value)), "no text: %s", key);
    return value;
}

static bool is_true(const cJSON *json, const char *key)
{
    return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(json, key));
}

#define expect_part(whole, part) cr_expect(not(zero(ptr, strstr((whole), (part)))), "\"%s\" in: %s", (part), (whole))
#define expect_no_part(whole, part) cr_expect(zero(ptr, strstr((whole), (part))), "\"%s\" in: %s", (part), (whole))

static pid_t ask_pid(void)
{
    char *body = NULL;
    pid_t pid;

    cr_assert(eq(int, client_fetch(port, "/pid", &body), 200));
    pid = (pid_t)atoi(body);
    free(body);
    return pid;
}

/* ---- the page and its data --------------------------------------------------------------------- */

Test(admin, shows_the_status_as_json)
{
    start(NULL, NULL, NULL);
    cJSON *json = ask_json("GET /debug/admin/status", 200);

    cr_expect(eq(dbl, number(json, "pid"), process_pid(server)));
    cr_expect(eq(dbl, number(json, "parent"), process_pid(server)));
    cr_expect(eq(dbl, number(json, "generation"), 1));
    cr_expect(ge(dbl, number(json, "uptime_ms"), 0));
    cr_expect(eq(dbl, number(json, "restart_took_ms"), 0));
    cr_expect(ge(dbl, number(json, "workers"), 1));
    cr_expect(ge(dbl, number(json, "threads"), 1));
    cr_expect(ge(dbl, number(json, "idle_threads"), 0));
    cr_expect(is_true(json, "graceful"));
    cr_expect(eq(str, text(json, "state"), "serving"));
    expect_part(text(json, "executable"), "/admin_server");
    cr_expect(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(json, "last_restart")));
    cr_expect(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(json, "predecessor")));
    cr_expect(cJSON_IsArray(cJSON_GetObjectItemCaseSensitive(json, "history")));
    cr_expect(eq(str, text(json, "tls"), "none"));
    cJSON_Delete(json);
}

Test(admin, shows_the_servers_as_json)
{
    start(NULL, NULL, NULL);
    cJSON *json = ask_json("GET /debug/admin/status", 200);
    const cJSON *servers = cJSON_GetObjectItemCaseSensitive(json, "servers"), *s = cJSON_GetArrayItem(servers, 0);
    const cJSON *listeners = cJSON_GetObjectItemCaseSensitive(s, "listeners");
    char address[64], path[64];

    cr_assert(eq(int, cJSON_GetArraySize(servers), 1));
    cr_expect(eq(str, text(s, "name"), "ad <&> min"));
    cr_expect(eq(str, text(s, "state"), "serving"));
    cr_expect(eq(dbl, number(s, "connections"), 1));
    cr_expect(eq(dbl, number(s, "in_flight"), 1));
    cr_expect(eq(dbl, number(s, "requests"), 0));
    cr_expect(eq(dbl, number(s, "refused"), 0));
    cr_expect(eq(dbl, number(s, "overloaded"), 0));
    cr_expect(eq(dbl, number(s, "moved"), 0));
    cr_expect(eq(dbl, number(s, "closed"), 0));
    cr_expect(eq(dbl, number(s, "raced"), 0));
    cr_expect(eq(dbl, number(s, "cut"), 0));
    cr_expect(zero(int, cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(s, "running"))));
    cr_assert(eq(int, cJSON_GetArraySize(listeners), 2));
    snprintf(address, sizeof(address), "127.0.0.1:%d", port);
    snprintf(path, sizeof(path), "unix:%s/s", folder);
    cr_expect(eq(str, text(cJSON_GetArrayItem(listeners, 0), "scheme"), "http"));
    cr_expect(eq(str, text(cJSON_GetArrayItem(listeners, 0), "address"), address));
    cr_expect(eq(dbl, number(cJSON_GetArrayItem(listeners, 0), "port"), port));
    cr_expect(eq(dbl, number(cJSON_GetArrayItem(listeners, 0), "waiting"), 0));
    cr_expect(eq(str, text(cJSON_GetArrayItem(listeners, 1), "address"), path));
    cr_expect(cJSON_IsNull(cJSON_GetObjectItemCaseSensitive(cJSON_GetArrayItem(listeners, 1), "waiting")));
    cJSON_Delete(json);
}

Test(admin, gives_the_page_or_its_data_as_asked)
{
    static const struct {
        const char *line, *headers, *type;
    } cases[] = {
        {"GET /debug/admin", LOCAL, "text/html; charset=utf-8"},
        {"GET /debug/admin", BROWSER, "text/html; charset=utf-8"},
        {"POST /debug/admin/index", BROWSER "Content-Length: 0\r\n", "text/html; charset=utf-8"},
        {"HEAD /debug/admin/", BROWSER, "text/html; charset=utf-8"},
        {"GET /debug/admin", JSON, "application/json"},
        {"GET /debug/admin?format=json", BROWSER, "application/json"},
        {"GET /debug/admin/status", BROWSER, "application/json"},
    };

    start(NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct reply reply = ask(cases[i].line, cases[i].headers);
        char header[128];

        snprintf(header, sizeof(header), "Content-Type: %s\r\n", cases[i].type);
        cr_expect(eq(int, reply.status, 200), "%s", cases[i].line);
        expect_part(reply.head, header);
        forget(&reply);
    }
}

Test(admin, has_links_that_are_right_wherever_it_was_opened)
{
    static const struct {
        const char *path, *base;
    } cases[] = {
        {"/debug/admin", "./admin/"},     {"/debug/admin/", "./"},
        {"/debug/admin/index", "./"},     {"/debug//admin", "./admin/"},
        {"/debug/admin/index/", "../"},   {"/debug/admin//", "./"},
        {"/debug/%61dmin", "./%61dmin/"}, {"/debug/admin/index//", "../../"},
    };

    start(NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char line[128], link[128];
        struct reply reply;

        snprintf(line, sizeof(line), "GET %s", cases[i].path);
        snprintf(link, sizeof(link), "<a href=\"%srestart\">", cases[i].base);
        reply = ask(line, BROWSER);
        cr_expect(eq(int, reply.status, 200), "%s", line);
        expect_part(reply.body, link);
        forget(&reply);
    }
}

Test(admin, shows_the_page_to_people)
{
    start(NULL, NULL, NULL);
    struct reply reply = ask("GET /debug/admin", BROWSER);
    char pid[128];

    snprintf(pid, sizeof(pid), "data-key=\"pid\" data-kind=\"text\" data-flash>%d<", (int)process_pid(server));
    expect_part(reply.body, pid);
    expect_part(reply.body, "ad &lt;&amp;&gt; min");
    expect_no_part(reply.body, "ad <&> min");
    expect_part(reply.body, "name=\"newExeFilePath\"");
    expect_part(reply.body, "Not restarted so far.");
    forget(&reply);
}

Test(admin, sends_headers_that_keep_the_page_to_itself)
{
    start(NULL, NULL, NULL);
    struct reply reply = ask("GET /debug/admin", BROWSER), second = ask("GET /debug/admin", BROWSER);
    char *nonce = strstr(reply.head, "'nonce-"), tag[64];

    expect_part(reply.head, "Cache-Control: no-store\r\n");
    expect_part(reply.head, "X-Frame-Options: DENY\r\n");
    expect_part(reply.head, "X-Content-Type-Options: nosniff\r\n");
    expect_part(reply.head, "Referrer-Policy: same-origin\r\n");
    expect_part(reply.head, "Content-Security-Policy: default-src 'none'; style-src 'nonce-");
    expect_no_part(reply.head, "unsafe-inline");
    cr_assert(not(zero(ptr, nonce)));
    snprintf(tag, sizeof(tag), "<script nonce=\"%.32s\">", nonce + strlen("'nonce-"));
    expect_part(reply.body, tag);
    expect_no_part(second.body, tag);
    forget(&reply);
    forget(&second);
    reply = ask("GET /debug/admin/status", "Host: evil.example\r\n");
    expect_part(reply.head, "Cache-Control: no-store\r\n");
    expect_part(reply.head, "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'");
    forget(&reply);
}

/* Which requests run, only a request that blocks can find out; all else the page knows without a thread. */
Test(admin, has_its_data_when_every_thread_is_taken)
{
    struct client *waiting;
    const struct answer *answer;
    int status = 200, error = 0;

    start("GF_HANDLER_THREADS=1", NULL, NULL);
    make_gate();
    waiting = client_connect_port(port);
    cr_assert(waiting != NULL);
    cr_assert(zero(int, client_send_text(waiting, "GET /wait HTTP/1.1\r\n" LOCAL "\r\n")));
    cr_assert(zero(int, process_wait_line(server, "waiting", 10000)));
    for (int i = 0; i < 1000 && status == 200; i++)
        status = ask_status("GET /debug/admin/status", LOCAL);
    cr_assert(eq(int, status, 503));
    /* The thread that answered last may not be back in the reserve yet. */
    for (int i = 0; i < 1000 && status != 200; i++) {
        status = ask_status("GET /debug/admin", LOCAL);
        usleep(status == 200 ? 0 : 10000);
    }
    cJSON *json = ask_json("GET /debug/admin", 200);
    cr_expect(
        ge(dbl, number(cJSON_GetArrayItem(cJSON_GetObjectItemCaseSensitive(json, "servers"), 0), "overloaded"), 1));
    cJSON_Delete(json);
    open_gate();
    answer = client_receive(waiting, &error);
    cr_assert(answer != NULL, "%s", strerror(-error));
    client_close(waiting);
}

/* ---- restart ----------------------------------------------------------------------------------- */

Test(admin, restarts_and_says_so_in_a_line)
{
    start(NULL, NULL, NULL);
    pid_t old = process_pid(server);
    struct reply reply = ask("GET /debug/admin/restart", LOCAL "Accept: */*\r\n");
    int from = 0, to = 0, generation = 0, took = -1, end = 0;

    cr_expect(eq(int, reply.status, 200));
    expect_part(reply.head, "Content-Type: text/plain; charset=utf-8\r\n");
    sscanf(reply.body, "server restarted: %d -> %d, generation %d, %d ms\n%n", &from, &to, &generation, &took, &end);
    cr_expect(eq(int, end, (int)strlen(reply.body)), "%s", reply.body);
    cr_expect(eq(int, from, old));
    cr_expect(eq(int, to, ask_pid()));
    cr_expect(ne(int, to, from));
    cr_expect(eq(int, generation, 2));
    cr_expect(ge(int, took, 0));
    forget(&reply);
}

Test(admin, restarts_and_says_so_in_json)
{
    start(NULL, NULL, NULL);
    cJSON *json = ask_json("POST /debug/admin/restart", 200), *status = ask_json("GET /debug/admin/status", 200);

    cr_expect(is_true(json, "ok"));
    cr_expect(eq(dbl, number(json, "old_pid"), process_pid(server)));
    cr_expect(eq(dbl, number(json, "generation"), 2));
    cr_expect(ge(dbl, number(json, "took_ms"), 0));
    expect_part(text(json, "executable"), "/admin_server");
    expect_part(text(json, "message"), "server restarted: ");
    cr_expect(eq(dbl, number(status, "pid"), number(json, "new_pid")));
    cr_expect(eq(dbl, number(status, "parent"), process_pid(server)));
    cr_expect(eq(dbl, number(status, "generation"), 2));
    cJSON_Delete(json);
    cJSON_Delete(status);
}

Test(admin, shows_people_the_outcome_and_the_way_back)
{
    start(NULL, NULL, NULL);
    struct reply reply = ask("GET /debug/admin/restart", BROWSER);

    cr_expect(eq(int, reply.status, 200));
    expect_part(reply.head, "Content-Type: text/html; charset=utf-8\r\n");
    expect_part(reply.body, "server restarted: ");
    expect_part(reply.body, "<a href=\"./\">Back");
    forget(&reply);
    reply = ask("GET /debug/admin/restart?newExeFilePath=/no/%3Cb%3E%22", BROWSER);
    cr_expect(eq(int, reply.status, 404));
    expect_part(reply.body, "/no/&lt;b&gt;&quot;");
    expect_no_part(reply.body, "<b>");
    forget(&reply);
}

Test(admin, restarts_another_executable)
{
    char *program = process_program("admin_server"), line[1024], path[512];

    start(NULL, NULL, NULL);
    snprintf(path, sizeof(path), "%s/new one", folder);
    cr_assert(zero(int, symlink(program, path)));
    snprintf(line, sizeof(line), "POST /debug/admin/restart?newExeFilePath=%s/new%%20one", folder);
    cJSON *json = ask_json(line, 200), *status = ask_json("GET /debug/admin/status", 200);

    cr_expect(eq(str, text(json, "executable"), path));
    cr_expect(eq(str, text(status, "executable"), path));
    cJSON_Delete(json);
    cJSON_Delete(status);
    free(program);
}

Test(admin, takes_the_executable_from_a_form_and_from_nothing_else)
{
    struct transport_target here = {0}, *target = &here;
    struct reply reply;
    pid_t old;

    start(NULL, NULL, NULL);
    old = process_pid(server);
    here.port = port;
    reply = ask_at(target, "POST /debug/admin/restart",
                   LOCAL "Content-Type: application/x-www-form-urlencoded;charset=UTF-8\r\n", "newExeFilePath=/none");
    cr_expect(eq(int, reply.status, 404));
    expect_part(reply.body, "server restart failed: the executable \"/none\": No such file or directory\n");
    forget(&reply);
    reply = ask_at(target, "POST /debug/admin/restart", LOCAL "Content-Type: application/json\r\n",
                   "{\"newExeFilePath\":\"/none\"}");
    cr_expect(eq(int, reply.status, 415), "%s", reply.body);
    forget(&reply);
    cr_expect(eq(int, ask_status("GET /debug/admin/restart?newExeFilePath=%zz", LOCAL), 400));
    cr_expect(eq(int, ask_pid(), old));
}

Test(admin, says_why_an_executable_does_not_start)
{
    static const struct {
        const char *path;
        int status;
        const char *reason;
    } cases[] = {
        {"none", 404, "No such file or directory"},
        {"none/none", 404, "No such file or directory"},
        {".", 400, "not a regular file"},
        {"text", 400, "may not be executed"},
        {"text/none", 400, "Not a directory"},
        {"noise", 400, "not a program for this machine"},
        {"exits", 502, "exit status 7; its last words: farewell <&> ?"},
        {"sleeps", 504, "not ready within gracefulReadyTimeout"},
    };
    pid_t old;

    start("GF_READY_TIMEOUT=300ms", NULL, NULL);
    old = process_pid(server);
    make_script("text", "text");
    make_script("noise", "noise");
    make_script("exits", "#!/bin/sh\nprintf 'farewell <&> \\377\\n' >&2\nexit 7\n");
    make_script("sleeps", "#!/bin/sh\nexec sleep 20\n");
    char path[512];
    snprintf(path, sizeof(path), "%s/text", folder);
    cr_assert(zero(int, chmod(path, 0644)));
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char line[1024];

        snprintf(line, sizeof(line), "GET /debug/admin/restart?newExeFilePath=%s/%s", folder, cases[i].path);
        cJSON *json = ask_json(line, cases[i].status);
        cr_expect(not(is_true(json, "ok")));
        expect_part(text(json, "message"), "server restart failed: ");
        expect_part(text(json, "message"), cases[i].reason);
        cr_expect(eq(str, text(json, "state"), "serving"));
        cr_expect(eq(dbl, number(json, "old_pid"), old));
        cr_expect(zero(dbl, number(json, "new_pid")));
        cJSON_Delete(json);
        cr_expect(eq(int, ask_pid(), old));
    }
    cJSON *status = ask_json("GET /debug/admin/status", 200);
    const cJSON *last = cJSON_GetObjectItemCaseSensitive(status, "last_restart");
    cr_expect(not(is_true(last, "ok")));
    expect_part(text(last, "message"), "gracefulReadyTimeout");
    cJSON_Delete(status);
}

static void *ask_to_hang(void *arg)
{
    *(struct reply *)arg = ask("GET /debug/admin/restart?newExeFilePath=hangs", JSON);
    return NULL;
}

Test(admin, refuses_a_second_restart_meanwhile)
{
    struct reply first;
    pthread_t thread;

    start(NULL, NULL, NULL);
    make_script("hangs", "#!/bin/sh\necho hanging\nread line <gate\nexit 3\n");
    make_gate();
    cr_assert(zero(int, pthread_create(&thread, NULL, ask_to_hang, &first)));
    cr_assert(zero(int, process_wait_line(server, "hanging", 10000)));

    cJSON *json = ask_json("GET /debug/admin/restart", 409);
    cr_expect(not(is_true(json, "ok")));
    cr_expect(eq(str, text(json, "state"), "restarting"));
    expect_part(text(json, "message"), "restarting");
    cJSON_Delete(json);

    open_gate();
    cr_assert(zero(int, pthread_join(thread, NULL)));
    cr_expect(eq(int, first.status, 502), "%s", first.body);
    expect_part(first.body, "exit status 3");
    forget(&first);
}

Test(admin, restarts_in_full_where_graceful_is_off)
{
    start("GF_GRACEFUL=0", NULL, NULL);
    process_mark(server);
    cJSON *json = ask_json("GET /debug/admin/restart", 200), *status;

    cr_expect(is_true(json, "ok"));
    cr_expect(eq(dbl, number(json, "old_pid"), number(json, "new_pid")));
    expect_part(text(json, "message"), "a full restart has begun");
    cJSON_Delete(json);
    cr_assert(zero(int, process_wait_line(server, "listening on [unix:", 10000)));
    status = ask_json("GET /debug/admin/status", 200);
    cr_expect(eq(dbl, number(status, "pid"), process_pid(server)));
    cr_expect(not(is_true(status, "graceful")));
    cJSON_Delete(status);
}

Test(admin, starts_executables_of_the_folders_only)
{
    char *program = process_program("admin_server"), path[512], line[1024];

    start("GF_ADMIN_FOLDERS=allowed", NULL, NULL);
    snprintf(path, sizeof(path), "%s/allowed", folder);
    cr_assert(zero(int, mkdir(path, 0700)));
    make_script("allowed/fails", "#!/bin/sh\nexit 5\n");
    snprintf(path, sizeof(path), "%s/allowed/link", folder);
    cr_assert(zero(int, symlink(program, path)));
    snprintf(line, sizeof(line), "GET /debug/admin/restart?newExeFilePath=%s", program);
    cr_expect(eq(int, ask_status(line, LOCAL), 403));
    cr_expect(eq(int, ask_status("GET /debug/admin/restart?newExeFilePath=allowed/link", LOCAL), 403));
    cr_expect(eq(int, ask_status("GET /debug/admin/restart?newExeFilePath=allowed/none", LOCAL), 404));
    cr_expect(eq(int, ask_status("GET /debug/admin/restart?newExeFilePath=allowed/fails", LOCAL), 502));
    cr_expect(eq(int, ask_pid(), process_pid(server)));
    cr_expect(eq(int, ask_status("GET /debug/admin/restart", LOCAL), 200)); /* the same executable needs no leave */
    free(program);
}

/* ---- shutdown ---------------------------------------------------------------------------------- */

Test(admin, answers_and_ends_the_process)
{
    int status = -1;

    start(NULL, NULL, NULL);
    struct reply reply = ask("GET /debug/admin/shutdown", LOCAL);
    cr_expect(eq(int, reply.status, 200));
    cr_expect(eq(str, reply.body, "server shutdown\n"));
    cr_assert(zero(int, process_wait_exit(server, 10000, &status)));
    cr_expect(zero(int, status));
    cr_expect(zero(int, process_wait_line(server, "all servers shutdown", 1000)));
    forget(&reply);
}

Test(admin, ends_the_process_in_json_too)
{
    start(NULL, NULL, NULL);
    cJSON *json = ask_json("POST /debug/admin/shutdown", 200);
    cr_expect(is_true(json, "ok"));
    cr_expect(eq(str, text(json, "message"), "server shutdown"));
    cJSON_Delete(json);
    cr_expect(zero(int, process_wait_end(server, 10000)));
}

Test(admin, cuts_nothing_when_it_is_asked_to_end_twice)
{
    static const char beginning[] = "GET /debug/admin/shutdown HTTP/1.1\r\n";
    const struct answer *answer;
    struct client *waiting, *second;
    int error = 0, status;

    start(NULL, NULL, NULL);
    make_gate();
    waiting = client_connect_port(port);
    second = client_connect_port(port);
    cr_assert(waiting && second);
    cr_assert(zero(int, client_send_text(waiting, "GET /wait HTTP/1.1\r\n" LOCAL "\r\n")));
    cr_assert(zero(int, client_send_text(second, beginning)));
    cr_assert(zero(int, process_wait_line(server, "waiting", 10000)));
    cr_expect(eq(int, ask_status("GET /debug/admin/shutdown", LOCAL), 200));
    cr_assert(zero(int, process_wait_line(server, "server shutting down", 10000)));
    cr_assert(zero(int, client_send_text(second, LOCAL "\r\n")));
    answer = client_receive(second, &error);
    cr_assert(answer != NULL, "%s", strerror(-error));
    cr_expect(eq(int, answer->status, 200), "%s", answer->body);
    cr_expect(eq(int, process_wait_exit(server, 300, &status), -ETIMEDOUT), "a cut would have come by now");
    open_gate();
    answer = client_receive(waiting, &error);
    cr_assert(answer != NULL, "%s", strerror(-error));
    cr_expect(eq(int, answer->status, 200));
    client_close(waiting);
    client_close(second);
    cr_expect(zero(int, process_wait_end(server, 10000)));
}

Test(admin, does_not_claim_the_end_of_what_another_process_serves)
{
    struct client *late;
    const struct answer *answer;
    int error = 0;

    start(NULL, NULL, NULL);
    late = client_connect_port(port);
    cr_assert(late != NULL);
    cr_assert(zero(int, client_send_text(late, "GET /debug/admin/shutdown HTTP/1.1\r\n")));
    cr_assert(eq(int, client_fetch(port, "/pid", NULL), 200)); /* the other one was accepted before */
    cr_assert(eq(int, ask_status("GET /debug/admin/restart", LOCAL), 200));
    cr_assert(zero(int, client_send_text(late, LOCAL "\r\n")));
    answer = client_receive(late, &error);
    cr_assert(answer != NULL, "%s", strerror(-error));
    cr_expect(eq(int, answer->status, 409), "%s", answer->body);
    client_close(late);
    cr_expect(ne(int, ask_pid(), process_pid(server)));
}

/* ---- the door ---------------------------------------------------------------------------------- */

Test(admin, lets_nobody_in_who_may_be_somebody_else)
{
    static const struct {
        const char *headers;
        const char *reason;
    } cases[] = {
        {"Host: evil.example\r\n", "Host"},
        {LOCAL "Forwarded: for=127.0.0.1\r\n", "proxy"},
        {LOCAL "X-Forwarded-For: 127.0.0.1\r\n", "proxy"},
        {LOCAL "x-real-ip: 127.0.0.1\r\n", "proxy"},
        {LOCAL "X-Forwarded-Host: 127.0.0.1\r\n", "proxy"},
        {LOCAL "Via: 1.1 a\r\n", "proxy"},
        {LOCAL "Sec-Fetch-Site: cross-site\r\n", "Sec-Fetch-Site"},
        {LOCAL "Sec-Fetch-Site: same-site\r\n", "Sec-Fetch-Site"},
        {LOCAL "Origin: http://evil.example\r\n", "Origin"},
        {LOCAL "Origin: null\r\n", "Origin"},
        {LOCAL "Sec-Purpose: prefetch\r\n", "Sec-Purpose"},
    };
    static const char *const lines[] = {"GET /debug/admin/restart", "POST /debug/admin/shutdown"};

    start(NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        for (size_t n = 0; n < 2; n++) {
            struct reply reply = ask(lines[n], cases[i].headers);

            cr_expect(eq(int, reply.status, 403), "%s", cases[i].headers);
            expect_part(reply.body, cases[i].reason);
            forget(&reply);
        }
    cr_expect(eq(int, ask_status("GET /debug/admin", "Host: evil.example\r\n"), 403));
    cr_expect(eq(int, ask_status("GET /debug/admin/status", LOCAL "Via: 1.1 a\r\n"), 403));
    struct reply reply = ask("GET /debug/admin/restart", JSON "Via: 1.1 a\r\n");
    expect_part(reply.body, "{\"ok\":false,\"message\":\"this request came through a proxy");
    forget(&reply);
    cr_expect(eq(int, ask_pid(), process_pid(server)));
}

Test(admin, knows_its_own_page)
{
    char headers[256];

    start(NULL, NULL, NULL);
    snprintf(headers, sizeof(headers),
             "Host: localhost:%d\r\nOrigin: http://localhost:%d\r\nSec-Fetch-Site: same-origin\r\n", port, port);
    cr_expect(eq(int, ask_status("POST /debug/admin/restart", headers), 200));
    snprintf(headers, sizeof(headers), "Host: localhost:%d\r\nOrigin: http://localhost:%d\r\n", port, port + 1);
    cr_expect(eq(int, ask_status("POST /debug/admin/restart", headers), 403));
}

Test(admin, changes_nothing_by_other_methods)
{
    static const char *const methods[] = {"HEAD", "PUT", "DELETE", "PATCH"};

    start(NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof(methods) / sizeof(*methods); i++) {
        char line[64];

        snprintf(line, sizeof(line), "%s /debug/admin/restart", methods[i]);
        struct reply reply = ask(line, LOCAL);
        cr_expect(eq(int, reply.status, 405), "%s", line);
        expect_part(reply.head, "Allow: GET, ");
        expect_part(reply.head, "POST");
        forget(&reply);
        snprintf(line, sizeof(line), "%s /debug/admin/shutdown", methods[i]);
        cr_expect(eq(int, ask_status(line, LOCAL), 405), "%s", line);
    }
    cr_expect(eq(int, ask_pid(), process_pid(server)));
}

Test(admin, asks_for_its_token)
{
    start("GF_ADMIN_TOKEN=s3cret", NULL, NULL);
    struct reply reply = ask("GET /debug/admin/restart", JSON);

    cr_expect(eq(int, reply.status, 401));
    expect_part(reply.head, "WWW-Authenticate: Bearer realm=\"admin\"\r\n");
    expect_part(reply.body, "Authorization: Bearer <adminToken>");
    expect_no_part(reply.body, "s3cret");
    forget(&reply);
    cr_expect(eq(int, ask_status("GET /debug/admin/shutdown", LOCAL "Authorization: Bearer s3cres\r\n"), 401));
    cr_expect(eq(int, ask_pid(), process_pid(server)));
    cr_expect(eq(
        int,
        ask_status("GET /debug/admin/restart", "Host: admin.example\r\nVia: 1.1 a\r\nAuthorization: Bearer s3cret\r\n"),
        200));
    cr_expect(ne(int, ask_pid(), process_pid(server)));
}

#define FORM_OF "Content-Type: application/x-www-form-urlencoded\r\n"

static struct reply type_token(const char *form, const char *headers)
{
    char all[512];

    snprintf(all, sizeof(all), "%s" FORM_OF, headers);
    return ask_at(&(struct transport_target){.port = port}, "POST /debug/admin/login", all, form);
}

/* Signs in; the Cookie header that a browser sends from then on. */
static void sign_in(char *header, size_t size)
{
    struct reply reply = type_token("token=s3cr%26et", BROWSER);
    const char *cookie = strstr(reply.head, "Set-Cookie: ");

    cr_assert(eq(int, reply.status, 303), "%s", reply.head);
    expect_part(reply.head, "Location: ./\r\n");
    cr_assert(not(zero(ptr, (void *)cookie)), "%s", reply.head);
    cookie += strlen("Set-Cookie: ");
    snprintf(header, size, "%sCookie: %.*s\r\n", BROWSER, (int)strcspn(cookie, ";"), cookie);
    expect_part(cookie, "; HttpOnly");
    expect_part(cookie, "; SameSite=Strict");
    forget(&reply);
}

Test(admin, lets_browsers_in_by_a_form_and_over_restarts)
{
    char browser[1024], plain[1024];
    struct reply reply;

    start("GF_ADMIN_TOKEN=s3cr&et", NULL, NULL);
    reply = ask("GET /debug/admin", BROWSER);
    cr_expect(eq(int, reply.status, 401));
    expect_part(reply.body, "<form method=\"post\" action=\"./admin/login\">");
    expect_part(reply.body, "type=\"password\"");
    expect_no_part(reply.body, "s3cr");
    forget(&reply);
    reply = type_token("token=s3cr", BROWSER);
    cr_expect(eq(int, reply.status, 401));
    expect_part(reply.body, "That is not the token.");
    expect_no_part(reply.head, "Set-Cookie");
    forget(&reply);
    cr_expect(eq(int, ask_status("GET /debug/admin/login?token=s3cr%26et", BROWSER), 200), "a query is no login");
    sign_in(browser, sizeof(browser));
    reply = ask("GET /debug/admin/", browser);
    cr_expect(eq(int, reply.status, 200));
    expect_part(reply.body, "data-key=\"pid\"");
    forget(&reply);
    cr_expect(eq(int, ask_status("GET /debug/admin/status", browser), 200));
    snprintf(plain, sizeof(plain), LOCAL "%s", strstr(browser, "Cookie: "));
    cr_expect(eq(int, ask_status("GET /debug/admin/restart", plain), 405), "no GET that it may have been led to");
    cr_expect(eq(int, ask_pid(), process_pid(server)));
    cr_expect(eq(int, ask_status("POST /debug/admin/restart", browser), 200));
    cr_expect(ne(int, ask_pid(), process_pid(server)));
    cr_expect(eq(int, ask_status("GET /debug/admin/status", browser), 200), "the new process knows the login");
}

Test(admin, takes_no_login_from_other_sites_and_none_without_end)
{
    struct reply reply;
    int wrong = 0;

    start("GF_ADMIN_TOKEN=s3cr&et", NULL, NULL);
    reply = type_token("token=s3cr%26et", LOCAL "Origin: http://other.example\r\n");
    cr_expect(eq(int, reply.status, 403));
    expect_no_part(reply.head, "Set-Cookie");
    forget(&reply);
    reply = type_token("token=s3cr%26et", LOCAL "Sec-Fetch-Site: cross-site\r\n");
    cr_expect(eq(int, reply.status, 403));
    forget(&reply);
    do {
        reply = type_token("token=guess", BROWSER);
        forget(&reply);
    } while (reply.status == 401 && ++wrong < 200);
    cr_expect(eq(int, reply.status, 429));
    reply = type_token("token=s3cr%26et", BROWSER);
    cr_expect(eq(int, reply.status, 429), "the right one is not told from the wrong ones any more");
    expect_part(reply.head, "Retry-After: ");
    expect_part(reply.body, "too many wrong tokens");
    forget(&reply);
    cr_expect(eq(int, ask_status("GET /debug/admin", BROWSER), 401), "the form is still shown");
}

Test(admin, has_no_login_without_a_token)
{
    start(NULL, NULL, NULL);
    struct reply reply = type_token("token=", BROWSER);
    cr_expect(eq(int, reply.status, 404));
    forget(&reply);
    cr_expect(eq(int, ask_status("GET /debug/admin", BROWSER), 200));
}

Test(admin, is_where_the_program_put_it)
{
    start("GF_ADMIN_PATTERN=/secret/@example.org", NULL, NULL);
    cr_expect(eq(int, ask_status("GET /debug/admin", LOCAL), 404));
    cr_expect(eq(int, ask_status("GET /secret", LOCAL), 404));
    cr_expect(eq(int, ask_status("GET /secret", "Host: example.org\r\n"), 200));
    cr_expect(eq(int, ask_status("GET /secret/restart", "Host: example.org\r\n"), 200));
    cr_expect(ne(int, ask_pid(), process_pid(server)));
}

Test(admin, is_open_over_a_unix_socket)
{
    char path[512];

    start(NULL, NULL, NULL);
    snprintf(path, sizeof(path), "%s/s", folder);
    struct transport_target target = {.unix_path = path};
    struct reply reply = ask_at(&target, "GET /debug/admin/status", "Host: any.example\r\n", NULL);
    cr_expect(eq(int, reply.status, 200));
    forget(&reply);
    reply = ask_at(&target, "GET /debug/admin/status", "Host: any.example\r\nX-Forwarded-For: 1.2.3.4\r\n", NULL);
    cr_expect(eq(int, reply.status, 403));
    forget(&reply);
}
