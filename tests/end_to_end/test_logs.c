/*
 * Log files of servers: a line for each request, whatever became of it, in a file that may be renamed, be full, or be a
 * pipe that nobody reads; and over restarts.
 */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <cjson/cJSON.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/client.h"
#include "tests/support/http_server.h"
#include "tests/support/load.h"
#include "tests/support/raw.h"
#include "tests/support/rig.h"

enum {
    PATIENCE_MS = 10000,
    LOOK_AGAIN_MS = 10,
    TEXT_MAX = 16 << 20,
};

static struct http_server *server;
static struct rig rig;
static char folder[64];
static char *text; /* what was read last */

static void begin(void)
{
    strcpy(folder, "/tmp/gf-logs-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(folder), NULL));
    text = calloc(1, TEXT_MAX);
    cr_assert(ne(ptr, text, NULL));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where)
{
    (void)status, (void)type, (void)where;
    return remove(path);
}

static void end(void)
{
    cr_expect(zero(int, http_server_stop(server)));
    rig_finish(&rig);
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    free(text);
}

TestSuite(logs, .init = begin, .fini = end, .timeout = 60);

/* With an access log "a.log" in the folder, and one more setting, or NULL. */
static void start(const char *setting, const char *another)
{
    char path[128];
    const char *arguments[] = {"--set",
                               path,
                               "--set",
                               "accessLogEnabled=true",
                               "--set",
                               "accessLogPattern=a.log",
                               "--set",
                               setting ? setting : "keepAlive=true",
                               another ? "--set" : NULL,
                               another,
                               NULL};

    snprintf(path, sizeof(path), "logPath=%s", folder);
    server = http_server_start(arguments);
    cr_assert(ne(ptr, server, NULL));
}

static void add_file(const char *name, size_t *size)
{
    char path[512];
    ssize_t got;
    int fd;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && (got = read(fd, text + *size, TEXT_MAX - 1 - *size)) > 0)
        *size += (size_t)got;
    if (fd >= 0)
        close(fd);
    text[*size] = 0;
}

static int count(const char *word)
{
    int found = 0;

    for (const char *at = text; (at = strstr(at, word)); at++)
        found++;
    return found;
}

/* All files whose names begin so, as one text: waits until it has the word so often. */
static void expect_words(const char *name, const char *word, int wanted)
{
    for (int left = PATIENCE_MS; left > 0; left -= LOOK_AGAIN_MS) {
        DIR *d = opendir(folder);
        size_t size = 0;

        text[0] = 0;
        for (const struct dirent *entry; d && (entry = readdir(d));)
            if (!strncmp(entry->d_name, name, strlen(name)))
                add_file(entry->d_name, &size);
        closedir(d);
        if (count(word) >= wanted)
            break;
        usleep(LOOK_AGAIN_MS * 1000);
    }
    cr_expect(eq(int, count(word), wanted), "%s in %s: %.2000s", word, name, text);
}

static void expect_match(const char *pattern)
{
    regex_t regex;

    cr_assert(zero(int, regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB | REG_NEWLINE)));
    cr_expect(zero(int, regexec(&regex, text, 0, NULL, 0)), "no %s in %.4000s", pattern, text);
    regfree(&regex);
}

/* Lines of refused connections are ten a second; beyond, the log tells how many there were. */
Test(logs, connections_refused_at_a_limit_have_lines_but_not_without_end)
{
    enum { FLOOD = 300 };
    struct client *only;
    int lines, told = 0;
    time_t began = time(NULL);

    start("maxConnections=1", NULL);
    only = client_connect_port(server->port);
    cr_assert(ne(ptr, only, NULL));
    cr_assert(zero(int, client_send_text(only, "GET /first HTTP/1.1\r\nHost: a\r\n\r\n")));
    cr_assert(ne(ptr, (void *)client_receive(only, &(int){0}), NULL));
    for (int i = 0; i < FLOOD; i++) {
        struct raw raw = {.size = 0};

        cr_assert(zero(int, raw_connect(&raw, server->port)));
        raw_read(&raw, NULL, PATIENCE_MS);
        raw_close(&raw);
    }
    client_close(only);
    expect_words("a.log", " /first ", 1);
    lines = count(" 503 \"- http - - -\" 0.000, 127.0.0.1, ");
    cr_expect(ge(int, lines, 10), "%d", lines);
    cr_expect(le(int, lines, 10 * (int)(time(NULL) - began + 2)), "in %d seconds", (int)(time(NULL) - began));
    char *output = process_output(server->process);
    for (const char *at = output; (at = strstr(at, " refused connections have no line")); at++) {
        const char *number = at;
        while (number > output && number[-1] != ' ')
            number--;
        told += atoi(number);
    }
    free(output);
    cr_expect(le(int, lines + told, FLOOD));
    cr_expect(lines == FLOOD || told > 0, "%d lines, %d told of", lines, told);
}

/* A request whose header tries to be another line, and a refused one, each on a connection of its own. */
static void ask(const char *bytes, int status)
{
    struct raw raw;

    cr_expect(eq(int, raw_exchange(&raw, server->port, bytes, strlen(bytes)), status), "%s", bytes);
    raw_close(&raw);
}

#define END "Connection: close\r\n\r\n"

static void ask_all(void)
{
    ask("GET /?a=1&b=%0a HTTP/1.1\r\nHost: Example.org:80\r\nReferer: http://x/\r\nUser-Agent: a\" 200 \"b\\ "
        "\xff\r\n" END,
        200);
    ask("HEAD / HTTP/1.1\r\nHost: a\r\n" END, 200);
    ask("GET /nowhere HTTP/1.0\r\n" END, 404);
    ask("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n" END, 400);
    ask("GET /bytes?size=100000 HTTP/1.1\r\nHost: a\r\n" END, 200);
    ask("nonsense\r\n\r\n", 400);
}

#define MOMENT "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} "

Test(logs, goframes_lines)
{
    start(NULL, NULL);
    ask_all();
    expect_words("a.log", "\n", 6);
    expect_match(MOMENT "200 \"GET http example\\.org /\\?a=1&b=%0a HTTP/1\\.1\" 0\\.[0-9]{3}, 127\\.0\\.0\\.1, "
                        "\"http://x/\", \"a\\\\x22 200 \\\\x22b\\\\x5C \\\\xFF\"$");
    expect_match(MOMENT "404 \"GET http - /nowhere HTTP/1\\.0\" [0-9.]+, 127\\.0\\.0\\.1, \"\", \"\"$");
    expect_match(MOMENT "400 \"GET http [^ ]+ / HTTP/1\\.1\" ");
    expect_match(MOMENT "400 \"- http - - -\" 0\\.000, 127\\.0\\.0\\.1, \"\", \"\"$");
}

Test(logs, combined_lines)
{
    start("accessLogFormat=combined", NULL);
    ask_all();
    expect_words("a.log", "\n", 6);
    expect_match("^127\\.0\\.0\\.1 - - \\[[0-9]{2}/[A-Z][a-z]{2}/[0-9]{4}(:[0-9]{2}){3} [+-][0-9]{4}\\] "
                 "\"HEAD / HTTP/1\\.1\" 200 0 \"-\" \"-\"$");
    expect_match("\"GET /bytes\\?size=100000 HTTP/1\\.1\" 200 100000 \"-\" \"-\"$");
}

Test(logs, json_lines)
{
    int with_pid = 0;

    start("accessLogFormat=json", NULL);
    ask_all();
    expect_words("a.log", "\n", 6);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        cJSON *json = cJSON_Parse(line);

        cr_assert(ne(ptr, json, NULL), "%s", line);
        with_pid += cJSON_GetNumberValue(cJSON_GetObjectItem(json, "pid")) == server->pid;
        if (!strcmp(cJSON_GetStringValue(cJSON_GetObjectItem(json, "uri")), "/?a=1&b=%0a")) {
            cr_expect(eq(str, cJSON_GetStringValue(cJSON_GetObjectItem(json, "agent")), "a\" 200 \"b\\ \xef\xbf\xbd"));
            cr_expect(eq(dbl, cJSON_GetNumberValue(cJSON_GetObjectItem(json, "bytes")), 6));
            cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(json, "complete")));
            cr_expect(eq(str, cJSON_GetStringValue(cJSON_GetObjectItem(json, "server")), "default"));
        }
        cJSON_Delete(json);
    }
    cr_expect(eq(int, with_pid, 6));
}

Test(logs, seconds_are_the_handlers_too)
{
    start(NULL, NULL);
    ask("GET /sleep?ms=150 HTTP/1.1\r\nHost: a\r\n" END, 200);
    expect_words("a.log", "\n", 1);
    expect_match(" 0\\.(1[5-9]|[2-9])[0-9]*, 127");
}

Test(logs, a_request_that_never_comes_whole)
{
    struct raw raw;

    start("readTimeout=300ms", NULL);
    cr_assert(zero(int, raw_connect(&raw, server->port)));
    cr_assert(zero(int, raw_send_text(&raw, "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf")));
    raw_read(&raw, NULL, PATIENCE_MS);
    raw_close(&raw);
    expect_words("a.log", "408 \"POST http a /echo HTTP/1.1\"", 1);
    cr_assert(zero(int, raw_connect(&raw, server->port)));
    cr_assert(zero(int, raw_send_text(&raw, "POST /echo HTTP/1.1\r\nHost: b\r\nContent-Length: 10\r\n"
                                            "Expect: 100-continue\r\n\r\n")));
    cr_assert(ge(int, raw_read(&raw, "100 Continue", PATIENCE_MS), 0)); /* the head has been read: it is a request */
    raw_abort(&raw);
    expect_words("a.log", "499 \"POST http b /echo HTTP/1.1\"", 1);
}

Test(logs, a_signal_opens_the_file_anew)
{
    char path[128], renamed[128];

    start(NULL, NULL);
    snprintf(path, sizeof(path), "%s/a.log", folder);
    snprintf(renamed, sizeof(renamed), "%s/old", folder);
    cr_expect(eq(int, client_fetch(server->port, "/?first", NULL), 200));
    cr_assert(zero(int, rename(path, renamed)));
    cr_expect(eq(int, client_fetch(server->port, "/?second", NULL), 200));
    expect_words("old", "\n", 2);
    cr_assert(zero(int, process_signal(server->process, SIGHUP)));
    for (int left = PATIENCE_MS; left > 0 && access(path, F_OK) < 0; left -= LOOK_AGAIN_MS)
        usleep(LOOK_AGAIN_MS * 1000);
    cr_expect(eq(int, client_fetch(server->port, "/?third", NULL), 200));
    expect_words("a.log", "\n", 1);
    cr_expect(ne(ptr, strstr(text, "/?third"), NULL));
    expect_words("old", "\n", 2);
}

Test(logs, full_files_are_rotated)
{
    enum { REQUESTS = 60 };
    struct stat status;
    size_t size = 0;
    char path[128];

    start("rotateSize=1k", NULL);
    for (int i = 0; i < REQUESTS; i++) {
        cr_expect(eq(int, client_fetch(server->port, "/", NULL), 200));
        if (i % 10 == 9)
            expect_words("a.", "\n", i + 1);
    }
    snprintf(path, sizeof(path), "%s/a.log", folder);
    cr_assert(zero(int, stat(path, &status)));
    cr_expect(le(i64, status.st_size, 1200));
    add_file("a.log", &size);
    cr_expect(lt(int, count("\n"), REQUESTS / 2)); /* the others are in files of other names */
}

/* Its body outgrows what a response may take. */
static void fail_one(void)
{
    cr_expect(eq(int, client_fetch(server->port, "/bytes?size=70000000", NULL), 500));
}

#define FAILED_MOMENT "^[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} [0-9]+: \\[ERRO\\] "

/* GoFrame's line: status, request, seconds, client, referer, user agent, code, message, detail, reason. */
Test(logs, errors_have_a_file)
{
    start("errorLogPattern=e.log", NULL);
    fail_one();
    expect_words("e.log", "[ERRO] 500 \"GET http ", 1);
    expect_match(FAILED_MOMENT "500 \"GET http [a-z0-9.]+ /bytes\\?size=70000000 HTTP/1\\.1\" [0-9]+\\.[0-9]{3}, "
                               "127\\.0\\.0\\.1, \"\", \"[^\"]*\", 50, \"Internal Error\", \"\", the response to GET "
                               "/bytes failed: .*; route ALL:/bytes, handler bytes, bound at http_server\\.c:[0-9]+$");
    cr_expect(zero(int, process_wait_line(server->process, "the response to GET /bytes failed", PATIENCE_MS)));
    expect_words("a.log", " 500 \"GET ", 1);
}

Test(logs, errors_may_be_json)
{
    cJSON *json;
    char *line;

    start("errorLogPattern=e.log", "errorLogFormat=json");
    fail_one();
    expect_words("e.log", "\n", 1);
    json = cJSON_Parse(text);
    cr_assert(ne(ptr, json, NULL), "%s", text);
    cr_expect(eq(dbl, cJSON_GetNumberValue(cJSON_GetObjectItem(json, "status")), 500));
    cr_expect(eq(str, cJSON_GetStringValue(cJSON_GetObjectItem(json, "uri")), "/bytes?size=70000000"));
    cr_expect(eq(str, cJSON_GetStringValue(cJSON_GetObjectItem(json, "level")), "error"));
    cJSON_Delete(json);
    cr_expect(zero(int, process_wait_line(server->process, "\"level\":\"error\"", PATIENCE_MS)));
    line = process_find_line(server->process, "\"level\":\"error\"");
    cr_expect(eq(int, line[0], '{'));
    free(line);
}

/* The program ends, so that nothing is on its way any more. */
static void expect_terminal(const char *word, bool there)
{
    char *output;

    cr_assert(zero(int, process_stop(server->process)));
    output = process_output(server->process);
    cr_expect(eq(int, strstr(output, word) != NULL, there), "%s: %s", word, output);
    free(output);
    process_free(server->process);
    free(server);
    server = NULL;
}

Test(logs, errors_may_stay_off_the_terminal)
{
    start("errorLogPattern=e.log", "logStdout=false");
    fail_one();
    expect_words("e.log", "[ERRO] 500 \"GET http ", 1);
    expect_terminal("[ERRO]", false);
}

Test(logs, without_a_folder_errors_may_stay_off_the_terminal_too)
{
    static const char *const arguments[] = {"--set", "logStdout=false", NULL};

    server = http_server_start(arguments);
    cr_assert(ne(ptr, server, NULL));
    fail_one();
    expect_terminal("[ERRO]", false);
}

Test(logs, errors_may_be_off)
{
    char path[128];

    start("errorLogPattern=e.log", "errorLogEnabled=false");
    fail_one();
    expect_terminal("[ERRO]", false);
    snprintf(path, sizeof(path), "%s/e.log", folder);
    cr_expect(lt(int, access(path, F_OK), 0));
}

/* As in GoFrame, the terminal has what the file has. */
Test(logs, requests_are_on_the_terminal_too)
{
    start(NULL, NULL);
    cr_expect(eq(int, client_fetch(server->port, "/?both", NULL), 200));
    expect_words("a.log", " /?both HTTP/1.1\" ", 1);
    expect_terminal(" /?both HTTP/1.1\" ", true);
}

Test(logs, requests_may_stay_off_the_terminal)
{
    start("logStdout=false", NULL);
    cr_expect(eq(int, client_fetch(server->port, "/?file", NULL), 200));
    expect_words("a.log", " /?file HTTP/1.1\" ", 1);
    expect_terminal(" /?file HTTP/1.1\" ", false);
}

Test(logs, requests_that_go_nowhere_are_warned_of)
{
    static const char *const arguments[] = {"--set", "accessLogEnabled=true", "--set", "logStdout=false", NULL};

    server = http_server_start(arguments);
    cr_assert(ne(ptr, server, NULL));
    cr_expect(eq(int, client_fetch(server->port, "/", NULL), 200));
    expect_terminal("[WARN] server \"default\": accessLogEnabled, but there is no logPath", true);
}

/* A response that fails is an error, a refused connection a warning, and where a server listens is information. */
static void expect_level(const char *level, bool with_warnings, bool with_info)
{
    char setting[64];
    const char *const arguments[] = {"--set", setting, "--set", "maxConnections=1", NULL};
    struct raw refused = {.size = 0};
    struct client *only;
    char *output;

    snprintf(setting, sizeof(setting), "logLevel=%s", level);
    server = http_server_start(arguments);
    cr_assert(ne(ptr, server, NULL), "%s", level);
    only = client_connect_port(server->port);
    cr_assert(ne(ptr, only, NULL));
    cr_assert(zero(int, client_send_text(only, "GET / HTTP/1.1\r\nHost: a\r\n\r\n")));
    cr_assert(ne(ptr, (void *)client_receive(only, &(int){0}), NULL));
    cr_assert(zero(int, raw_connect(&refused, server->port)));
    raw_read(&refused, NULL, PATIENCE_MS);
    raw_close(&refused);
    cr_assert(zero(int, client_send_text(only, "GET /bytes?size=70000000 HTTP/1.1\r\nHost: a\r\n\r\n")));
    cr_assert(ne(ptr, (void *)client_receive(only, &(int){0}), NULL));
    client_close(only);
    cr_expect(zero(int, process_wait_line(server->process, "[ERRO] ", PATIENCE_MS)), "%s", level);
    output = process_output(server->process);
    cr_expect(eq(int, strstr(output, "[WARN] ") != NULL, with_warnings), "%s: %s", level, output);
    cr_expect(eq(int, strstr(output, "listening on") != NULL, with_info), "%s: %s", level, output);
    free(output);
    cr_expect(zero(int, http_server_stop(server)));
    server = NULL;
}

Test(logs, levels_have_goframes_names)
{
    expect_level("ALL", true, true);
    expect_level("develop", true, true);
    expect_level("info", true, true);
    expect_level("Notice", true, false);
    expect_level("prod", true, false);
    expect_level("erro", false, false);
    expect_level("CRITICAL", false, false);
}

Test(logs, a_level_of_another_name_is_no_start)
{
    static const char *const arguments[] = {"--set", "logLevel=loud", NULL};

    server = http_server_start(arguments);
    cr_expect(eq(ptr, server, NULL));
}

/* Standard output is nothing to open anew: whoever closes the terminal ends the program. */
Test(logs, a_signal_ends_whoever_logs_to_standard_output)
{
    static const char *const arguments[] = {"--set", "accessLogEnabled=true", NULL};
    int status = 0;

    server = http_server_start(arguments);
    cr_assert(ne(ptr, server, NULL));
    cr_assert(zero(int, process_signal(server->process, SIGHUP)));
    cr_assert(zero(int, process_wait_exit(server->process, PATIENCE_MS, &status)));
    cr_expect(eq(int, WTERMSIG(status), SIGHUP));
    process_free(server->process);
    free(server);
    server = NULL;
}

Test(logs, without_a_folder_lines_go_to_standard_output)
{
    static const char *const arguments[] = {"--set", "accessLogEnabled=true", NULL};

    server = http_server_start(arguments);
    cr_assert(ne(ptr, server, NULL));
    cr_expect(eq(int, client_fetch(server->port, "/?here", NULL), 200));
    cr_expect(zero(int, process_wait_line(server->process, " /?here HTTP/1.1\" ", PATIENCE_MS)));
}

/* ---- a disk that does not take them ------------------------------------------------------------------------------ */

static char long_path[2100];

/* Lines that say how many others are missing: the sum. */
static unsigned long count_missing(void)
{
    unsigned long missing = 0;

    for (const char *at = text; (at = strstr(at, "[WARN] ")); at++)
        missing += strtoul(at + strlen("[WARN] "), NULL, 10);
    return missing;
}

/* How many requests the pipe tells of, in lines or as missing; waits until they are so many. */
static unsigned long read_pipe(int fd, unsigned long wanted)
{
    unsigned long told = 0;
    size_t size = 0;

    for (int left = PATIENCE_MS; left > 0 && told < wanted;) {
        ssize_t got = read(fd, text + size, TEXT_MAX - 1 - size);

        if (got > 0) {
            size += (size_t)got;
            continue;
        }
        text[size] = 0;
        told = (unsigned long)count("200 \"GET ") + count_missing();
        usleep(LOOK_AGAIN_MS * 1000);
        left -= LOOK_AGAIN_MS;
    }
    cr_expect(gt(ulong, count_missing(), 0));
    return told;
}

Test(logs, nobody_waits_for_a_pipe_that_is_not_read)
{
    struct load_options options = {.connections = 8, .requests = 4000, .path = long_path};
    struct load *load;
    char path[128];
    int fd;

    memset(long_path, 'x', sizeof(long_path) - 1);
    memcpy(long_path, "/?", 2);
    snprintf(path, sizeof(path), "%s/a.log", folder);
    cr_assert(zero(int, mkfifo(path, 0600)));
    fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
    start(NULL, NULL);
    options.target.port = server->port;
    load = load_start(&options);
    cr_assert(ne(ptr, load, NULL));
    load_wait(load);
    cr_expect(eq(u64, load_result(load)->requests, 4000));
    cr_expect(zero(u64, load_result(load)->failures));
    load_free(load);
    cr_expect(eq(ulong, read_pipe(fd, 4000), 4000));
    cr_expect(zero(int, process_wait_line(server->process, "lines were dropped", PATIENCE_MS)));
    close(fd);
}

/* ---- restarts ---------------------------------------------------------------------------------------------------- */

Test(logs, a_restart_loses_no_line, .timeout = 120)
{
    struct load_options options = {.connections = 8, .path = "/?load"};
    char settings[256];
    struct load *load;
    uint64_t requests;

    snprintf(settings, sizeof(settings), "set_logPath=%s\nset_accessLogEnabled=true\n", folder);
    cr_assert(zero(int, rig_begin(&rig, settings)));
    options.target = rig.http;
    load = load_start(&options);
    cr_assert(ne(ptr, load, NULL));
    for (int i = 0; i < 3; i++) {
        cr_assert(gt(int, rig_restart_by_signal(&rig), 0));
        cr_assert(zero(int, load_wait_requests(load, load_requests(load) + 100, PATIENCE_MS)));
    }
    load_stop(load);
    requests = load_result(load)->requests;
    cr_expect(zero(u64, load_result(load)->failures));
    load_free(load);
    cr_expect(zero(int, process_stop(rig.process)));
    expect_words("access-", " 200 \"GET http localhost /?load HTTP/1.1\" ", (int)requests);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
        cr_expect(line[0] == '2' && line[strlen(line) - 1] == '"', "%s", line);
}

/* logrotate does not know that a restart goes on: the new process is in the middle of its start. */
Test(logs, a_signal_during_a_restart_waits_for_the_files, .timeout = 120)
{
    char settings[256];
    pid_t child = 0;

    snprintf(settings, sizeof(settings), "set_logPath=%s\nset_accessLogEnabled=true\ndelay_ms=500\n", folder);
    cr_assert(zero(int, rig_begin(&rig, settings)));
    cr_assert(zero(int, process_signal(rig.process, SIGUSR1)));
    for (int left = PATIENCE_MS; left > 0 && !(child = rig_find_child(rig.first)); left -= LOOK_AGAIN_MS)
        usleep(LOOK_AGAIN_MS * 1000);
    cr_assert(gt(int, child, 0));
    cr_assert(zero(int, kill(child, SIGHUP)));
    cr_assert(zero(int, process_wait_line(rig.process, "server restarted: process ", PATIENCE_MS)));
    cr_expect(eq(int, rig_ask_pid(&rig), child));
}

Test(logs, a_signal_during_a_full_restart_waits_for_the_files, .timeout = 120)
{
    char settings[256], *output = NULL;
    bool back = false;

    snprintf(settings, sizeof(settings), "graceful=false\nset_logPath=%s\nset_accessLogEnabled=true\ndelay_ms=500\n",
             folder);
    cr_assert(zero(int, rig_begin(&rig, settings)));
    process_mark(rig.process);
    cr_assert(zero(int, process_signal(rig.process, SIGUSR1)));
    cr_assert(zero(int, process_wait_line(rig.process, "all servers shutdown", PATIENCE_MS)));
    for (int left = PATIENCE_MS; left > 0 && !back; left -= LOOK_AGAIN_MS) {
        cr_assert(zero(int, process_signal(rig.process, SIGHUP)));
        usleep(LOOK_AGAIN_MS * 1000);
        output = process_output(rig.process);
        back = strstr(strstr(output, "all servers shutdown"), " listening on ") != NULL;
        free(output);
    }
    cr_expect(back);
    cr_expect(eq(int, rig_ask_pid(&rig), rig.first));
}
