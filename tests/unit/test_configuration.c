/* What file, environment and program say about a server's settings, and who counts more. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <gf/g/g.h>
#include <gf/ghttp/server/configuration.h>
#include <gf/glog/glog.h>

static char folder[64], error[512], log_lines[8192];

static void keep_line(enum glog_level level, const char *line, void *arg)
{
    size_t length = strlen(log_lines);

    (void)level, (void)arg;
    snprintf(log_lines + length, sizeof(log_lines) - length, "%s\n", line);
}

static void begin(void)
{
    strcpy(folder, "/tmp/gf-configuration-XXXXXX");
    cr_assert(not(zero(ptr, mkdtemp(folder))));
    cr_assert(zero(int, chdir(folder)));
    unsetenv("GF_GCFG_FILE");
    unsetenv("GF_GCFG_PATH");
    glog_set_writer(keep_line, NULL);
}

static void end(void)
{
    glog_set_writer(NULL, NULL);
    unlink("config.yaml");
    unlink("other.json");
    cr_expect(zero(int, rmdir(folder)));
}

TestSuite(configuration, .init = begin, .fini = end);

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");

    cr_assert(not(zero(ptr, file)));
    fputs(text, file);
    fclose(file);
}

static int read_for(ghttp_server *s)
{
    strcpy(error, "");
    return gf_configuration_read(s, error, sizeof(error));
}

Test(configuration, nothing_says_nothing)
{
    ghttp_server *s = g_server(NULL);

    cr_expect(zero(int, read_for(s)));
    cr_expect(eq(str, s->settings.server_agent, "GoFrame HTTP Server"));
    cr_expect(eq(str, log_lines, ""));
    write_file("config.yaml", "redis: {host: a}\n");
    cr_expect(zero(int, read_for(s)));
    write_file("config.yaml", "server:\n");
    cr_expect(zero(int, read_for(s)));
    cr_expect(eq(str, log_lines, ""));
}

Test(configuration, who_counts_more)
{
    ghttp_server *s = g_server("s1");

    /* Each of the values is good; by program, environment for it, environment for all, file: */
    write_file("config.yaml", "server:\n"
                              "  s1: {readTimeout: 1s, writeTimeout: 1s, idleTimeout: 1s, clientMaxBodySize: 1k}\n");
    setenv("GF_SERVER_READTIMEOUT", "2s", 1);
    setenv("GF_SERVER_WRITE_TIMEOUT", "2s", 1);
    setenv("GF_SERVER_IDLE_TIMEOUT", "2s", 1);
    setenv("GF_SERVER_S1_READTIMEOUT", "3s", 1);
    setenv("GF_SERVER_S1_WRITETIMEOUT", "3s", 1);
    cr_expect(zero(int, ghttp_server_set(s, "readTimeout", "4s")));
    cr_expect(zero(int, read_for(s)), "%s", error);
    cr_expect(eq(i64, s->settings.read_timeout, 4000));
    cr_expect(eq(i64, s->settings.write_timeout, 3000));
    cr_expect(eq(i64, s->settings.idle_timeout, 2000));
    cr_expect(eq(i64, s->settings.client_max_body_size, 1024));
    cr_expect(eq(i64, s->settings.max_header_bytes, 10240));
    cr_expect(zero(int, ghttp_server_set(s, "writeTimeout", "5s")));
    cr_expect(zero(int, read_for(s)), "%s", error);
    cr_expect(eq(i64, s->settings.write_timeout, 5000));
}

/* The program's own default is a value too. */
Test(configuration, a_default_that_the_program_sets_counts)
{
    ghttp_server *s = g_server(NULL);

    write_file("config.yaml", "server: {graceful: true, keepAlive: false}\n");
    cr_expect(zero(int, ghttp_server_set_graceful(s, false)));
    cr_expect(zero(int, read_for(s)));
    cr_expect(not(s->settings.graceful));
    cr_expect(not(s->settings.keep_alive));
}

Test(configuration, whose_map_it_is)
{
    ghttp_server *one = g_server("s.1"), *two = g_server("s2"), *standard = g_server(NULL);

    write_file("config.yaml", "server:\n"
                              "  serverAgent: all\n"
                              "  address: [\":8100\", 8200]\n"
                              "  s.1: {serverAgent: one}\n"
                              "  s3: {nobody: asks}\n"
                              "  name: default\n");
    cr_expect(zero(int, read_for(one)), "%s", error);
    cr_expect(zero(int, read_for(standard)), "%s", error);
    cr_expect(eq(str, one->settings.server_agent, "one"));
    cr_expect(eq(str, one->settings.address, ""));
    cr_expect(eq(str, standard->settings.server_agent, "all"));
    cr_expect(eq(str, standard->settings.address, ":8100,8200"));
    cr_expect(eq(int, read_for(two), -EINVAL));
    cr_expect(eq(str, error,
                 "config.yaml:6:9: \"name\": the name of a server is what the program gives g_server(), here \"s2\""));
    cr_expect(eq(str, log_lines, ""));
}

/* GoFrame's other name for the map of servers. */
Test(configuration, the_map_may_be_called_httpserver)
{
    ghttp_server *one = g_server("s1"), *standard = g_server(NULL);

    write_file("config.yaml", "httpserver:\n  serverAgent: all\n  s1: {serverAgent: one}\n");
    cr_expect(zero(int, read_for(one)), "%s", error);
    cr_expect(zero(int, read_for(standard)), "%s", error);
    cr_expect(eq(str, one->settings.server_agent, "one"));
    cr_expect(eq(str, standard->settings.server_agent, "all"));
    write_file("config.yaml", "httpserver: {serverAgent: not this}\nserver: {serverAgent: this}\n");
    cr_expect(zero(int, read_for(standard)), "%s", error);
    cr_expect(eq(str, standard->settings.server_agent, "this"));
    write_file("config.yaml", "httpserver: 7\n");
    cr_expect(eq(int, read_for(standard), -EINVAL));
    cr_expect(eq(str, error, "config.yaml:1:13: \"httpserver\": this is no map of settings"));
}

Test(configuration, mistakes_name_file_line_and_key)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"server:\n  readTimeout: 60x\n", "config.yaml:2:16: \"readTimeout\": \"60x\" is not a value for it: "},
        {"server:\n  workers: 9999\n", "config.yaml:2:12: \"workers\": \"9999\" is out of range"},
        {"server:\n  address: \":8100,nonsense:x\"\n", "config.yaml:2:12: "},
        {"server:\n  address: [[1]]\n", "config.yaml:2:13: \"address\": an item of a list is a text"},
        {"server:\n  address: [\"1,2\"]\n", "config.yaml:2:13: \"address\": an item of a list is a text"},
        {"server:\n  address: {a: 1}\n", "config.yaml:2:12: \"address\": a setting is one value or a list"},
        {"server:\n  workers: 1\n  WORKERS: 2\n",
         "config.yaml:3:12: \"WORKERS\": is in line 2 already, as \"workers\""},
        {"server:\n  view: {paths: [a]}\n", "config.yaml:2:9: \"view\": templates are not supported"},
        {"server:\n  swagger-path: /s\n", "config.yaml:2:17: \"swagger-path\": OpenAPI is not supported"},
        {"server:\n  routeOverWrite: on\n", "config.yaml:2:19: \"routeOverWrite\": only the program can set it"},
        {"server: 7\n", "config.yaml:1:9: \"server\": this is no map of settings"},
        {"server: [\n", "config.yaml:2:1: "},
    };
    ghttp_server *s = g_server(NULL);

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        write_file("config.yaml", cases[i].text);
        cr_expect(eq(int, read_for(s), -EINVAL), "%zu", i);
        cr_expect(zero(int, strncmp(error, cases[i].error, strlen(cases[i].error))), "%zu: %s", i, error);
    }
    /* Also where the program has set a good one. */
    cr_expect(zero(int, ghttp_server_set(s, "readTimeout", "4s")));
    write_file("config.yaml", cases[0].text);
    cr_expect(eq(int, read_for(s), -EINVAL));
    cr_expect(eq(str, log_lines, ""));
}

Test(configuration, a_list_is_not_cut)
{
    ghttp_server *s = g_server(NULL);
    FILE *file = fopen("config.yaml", "we");

    fputs("server: {address: [\n", file);
    for (int i = 0; i < 9000; i++)
        fputs("12345,\n", file);
    fputs("]}\n", file);
    fclose(file);
    cr_expect(eq(int, read_for(s), -EINVAL));
    cr_expect(not(zero(ptr, strstr(error, "\"address\": the list is longer than"))), "%s", error);
}

Test(configuration, unknown_keys_are_warned_of)
{
    ghttp_server *s = g_server(NULL);

    write_file("config.yaml", "server:\n  readTimeou: 5s\n  pprofEnabled: false\n  view:\n  listeners: {}\n"
                              "  workers: 3\n");
    cr_expect(zero(int, read_for(s)), "%s", error);
    cr_expect(eq(i64, s->settings.workers, 3));
    cr_expect(not(zero(ptr, strstr(log_lines, "[WARN] server \"default\": config.yaml:2:15: there is no setting "
                                              "\"readTimeou\"; did you mean \"readTimeout\"?\n"))),
              "%s", log_lines);
    cr_expect(zero(ptr, strchr(strchr(log_lines, '\n') + 1, '\n')), "%s", log_lines);
}

Test(configuration, the_environment)
{
    ghttp_server *s = g_server("my-api.2");

    setenv("GF_SERVER_RELOAD", "no JSON", 1);
    setenv("GF_SERVER_PORT", "tcp://10.0.0.1:80", 1);
    setenv("GF_SERVER_S2_WORKERS", "nonsense", 1);
    setenv("GF_SERVER_workers", "nonsense", 1);
    setenv("GF_SERVER_MY_API_2_WORKERS", "5", 1);
    cr_expect(zero(int, read_for(s)), "%s", error);
    cr_expect(eq(i64, s->settings.workers, 5));
    cr_expect(eq(str, log_lines, ""));
    setenv("GF_SERVER_MAX_HEADER_BYTES", "7", 1);
    cr_expect(eq(int, read_for(s), -EINVAL));
    cr_expect(eq(str, error,
                 "environment variable GF_SERVER_MAX_HEADER_BYTES: \"maxHeaderBytes\": \"7\" is out of "
                 "range (1024 to 1048576)"));
}

static void expect_warning(const char *text)
{
    char line[512];
    int times = 0;

    snprintf(line, sizeof(line), "[WARN] %s\n", text);
    for (const char *at = log_lines; (at = strstr(at, line)); at++)
        times++;
    cr_expect(eq(int, times, 1), "%s in %s", line, log_lines);
}

/* What works in a file or is refused there is the same for the environment, where it is a warning. */
Test(configuration, variables_that_name_no_setting_are_warned_of)
{
    ghttp_server *s = g_server("my-api"), *other = g_server(NULL);
    int lines = 0;

    setenv("GF_SERVER_GRACEFUL_TIMEOUT", "2", 1);
    setenv("GF_SERVER_PPROF_ENABLED", "true", 1);
    setenv("GF_SERVER_SWAGGER_PATH", "", 1); /* which asks for nothing */
    setenv("GF_SERVER_READ_TIMEOU", "5s", 1);
    setenv("GF_SERVER_MY_API_VIEW", "a", 1);
    setenv("GF_SERVER_MY_API_WORKER", "5", 1);
    setenv("GF_SERVER_DEFAULT_WORKER", "6", 1);
    /* Others' business: */
    setenv("GF_SERVER_YET_TO_COME_WORKERS", "5", 1);
    setenv("GF_SERVER_RELOAD", "x", 1);
    setenv("GF_SERVER_KEEPER", "x", 1);
    setenv("GF_SERVER_STATE", "x", 1);
    setenv("GF_SERVER_PORT", "tcp://10.0.0.1:80", 1);
    setenv("GF_SERVER_SERVICE_HOST", "10.0.0.1", 1);
    setenv("GF_SERVER_MY_API_SERVICE_PORT_HTTP", "80", 1);
    setenv("GF_SERVER_PORT_80_TCP_PROTO", "tcp", 1);
    cr_expect(zero(int, read_for(s)), "%s", error);
    cr_expect(zero(int, read_for(other)), "%s", error);
    expect_warning("server \"my-api\": environment variable GF_SERVER_GRACEFUL_TIMEOUT: a restart waits for the new "
                   "process, not for a time; see gracefulReadyTimeout");
    expect_warning("server \"my-api\": environment variable GF_SERVER_PPROF_ENABLED: profiles are not supported");
    expect_warning("server \"my-api\": environment variable GF_SERVER_READ_TIMEOU: there is no setting "
                   "\"READ_TIMEOU\"; did you mean \"readTimeout\"?");
    expect_warning("server \"my-api\": environment variable GF_SERVER_MY_API_VIEW: templates are not supported");
    expect_warning("server \"my-api\": environment variable GF_SERVER_MY_API_WORKER: there is no setting \"WORKER\"; "
                   "did you mean \"workers\"?");
    expect_warning("server \"default\": environment variable GF_SERVER_DEFAULT_WORKER: there is no setting "
                   "\"WORKER\"; did you mean \"workers\"?");
    for (const char *at = log_lines; (at = strchr(at, '\n')); at++)
        lines++;
    cr_expect(eq(int, lines, 6), "%s", log_lines);
}

/* A map is another server, unless it looks like a slip; in a server's own map there are no servers. */
Test(configuration, maps_that_are_no_server_are_warned_of)
{
    ghttp_server *s = g_server(NULL), *one = g_server("s1");
    int lines = 0;

    g_server("worker");
    write_file("config.yaml", "server:\n"
                              "  rewrite: {/a: /b}\n"
                              "  views: {paths: a}\n"
                              "  worker: {workers: 2}\n"
                              "  s2: {workers: 2}\n"
                              "  s1:\n"
                              "    extra: {a: b}\n");
    cr_expect(zero(int, read_for(s)), "%s", error);
    cr_expect(zero(int, read_for(one)), "%s", error);
    expect_warning("server \"default\": config.yaml:2:12: there is no setting \"rewrite\"; did you mean \"rewrites\"?");
    expect_warning("server \"default\": config.yaml:3:10: there is no setting \"views\"; did you mean \"view\"? But: "
                   "templates are not supported");
    for (const char *at = log_lines; (at = strchr(at, '\n')); at++)
        lines++;
    cr_expect(eq(int, lines, 3), "%s", log_lines);
    cr_expect(not(zero(ptr, strstr(log_lines, "server \"s1\": config.yaml:7:12: there is no setting \"extra\""))), "%s",
              log_lines);
}

Test(configuration, a_file_of_the_programs_choice)
{
    ghttp_server *s = g_server(NULL);

    cr_expect(zero(int, ghttp_server_set_config_file(s, "other.json")));
    cr_expect(eq(int, read_for(s), -ENOENT));
    cr_expect(eq(str, error, "other.json: cannot be read: No such file or directory"));
    write_file("config.yaml", "this is: [not read\n");
    write_file("other.json",
               "{\"server\": {\"address\": [8100, \":8200\"], \"idleTimeout\": 7, \"keepAlive\": false}}");
    cr_expect(zero(int, read_for(s)), "%s", error);
    cr_expect(eq(str, s->settings.address, "8100,:8200"));
    cr_expect(eq(i64, s->settings.idle_timeout, 7000));
    cr_expect(not(s->settings.keep_alive));
    cr_expect(eq(int, ghttp_server_set_config_file(s, NULL), -EINVAL));
    cr_expect(not(zero(ptr, strstr(ghttp_server_error(s), "ghttp_server_set_config_file()"))));
}

Test(configuration, pairs_are_maps_or_lists)
{
    ghttp_server *s = g_server(NULL);

    write_file("config.yaml", "server:\n"
                              "  staticPaths:\n"
                              "    - {prefix: /assets, path: /srv/assets}\n"
                              "    - {path: pictures, prefix: /img/}\n"
                              "    - /text=/srv/text\n"
                              "  rewrites: {/favicon.ico: /img/icon.png, /old: /new}\n");
    cr_expect(zero(int, read_for(s)), "%s", error);
    cr_expect(eq(str, s->settings.static_paths, "/assets=/srv/assets,/img/=pictures,/text=/srv/text"));
    cr_expect(eq(str, s->settings.rewrites, "/favicon.ico=/img/icon.png,/old=/new"));
    write_file("config.yaml", "server: {static-paths: {/a: /srv/a, /b: b}, rewrites: {}}\n");
    cr_expect(zero(int, read_for(s)), "%s", error);
    cr_expect(eq(str, s->settings.static_paths, "/a=/srv/a,/b=b"));
    cr_expect(eq(str, s->settings.rewrites, ""));
    write_file("config.yaml", "server: {staticPaths: /c=c}\n");
    cr_expect(zero(int, read_for(s)), "%s", error);
    cr_expect(eq(str, s->settings.static_paths, "/c=c"));
    cr_expect(zero(int, ghttp_server_set(s, "staticPaths", "/d=d")));
    cr_expect(zero(int, read_for(s)), "%s", error);
    cr_expect(eq(str, s->settings.static_paths, "/d=d"));
}

Test(configuration, pairs_that_are_none_are_refused)
{
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"staticPaths: [{prefix: /a}]", "an item has a prefix and a path, and nothing else"},
        {"staticPaths: [{prefix: /a, path: b, mode: c}]", "an item has a prefix and a path, and nothing else"},
        {"staticPaths: [{prefix: /a, path: [b]}]", "an item has a prefix and a path, and nothing else"},
        {"staticPaths: [{prefix: /a, path: 'b,c'}]", "a text without a comma, and without \"=\""},
        {"staticPaths: {'/a=b': c}", "a text without a comma, and without \"=\""},
        {"rewrites: {/a: {/b: /c}}", "a text without a comma"},
        {"rewrites: {/a: [/b]}", "a text without a comma"},
        {"searchPaths: {/a: /b}", "a setting is one value or a list, not a map"},
        {"searchPaths: [{prefix: /a, path: b}]", "a text without a comma"},
    };
    ghttp_server *s = g_server(NULL);

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char text[256];

        snprintf(text, sizeof(text), "server:\n  %s\n", cases[i].text);
        write_file("config.yaml", text);
        cr_expect(eq(int, read_for(s), -EINVAL), "%s", cases[i].text);
        cr_expect(not(zero(ptr, strstr(error, cases[i].error))), "%s: %s", cases[i].text, error);
        cr_expect(not(zero(ptr, strstr(error, "config.yaml:2:"))), "%s: %s", cases[i].text, error);
    }
}

/* Each key of GoFrame's has an answer here: a row, or a sentence. */
Test(configuration, no_key_of_goframe_is_unknown)
{
    static const char *const keys[] = {
        "address",
        "httpsAddr",
        "listeners",
        "handler",
        "endpoints",
        "httpsCertPath",
        "httpsKeyPath",
        "tlsConfig",
        "readTimeout",
        "writeTimeout",
        "idleTimeout",
        "maxHeaderBytes",
        "keepAlive",
        "serverAgent",
        "view",
        "rewrites",
        "indexFiles",
        "indexFolder",
        "serverRoot",
        "searchPaths",
        "staticPaths",
        "fileServerEnabled",
        "cookieMaxAge",
        "cookiePath",
        "cookieDomain",
        "cookieSameSite",
        "cookieSecure",
        "cookieHttpOnly",
        "sessionIdName",
        "sessionMaxAge",
        "sessionCookieMaxAge",
        "sessionPath",
        "sessionStorage",
        "sessionCookieOutput",
        "logger",
        "logPath",
        "logLevel",
        "logStdout",
        "errorStack",
        "errorLogEnabled",
        "errorLogPattern",
        "accessLogEnabled",
        "accessLogPattern",
        "pprofEnabled",
        "pprofPattern",
        "openapiPath",
        "swaggerPath",
        "swaggerUITemplate",
        "graceful",
        "gracefulTimeout",
        "gracefulShutdownTimeout",
        "clientMaxBodySize",
        "formParsingMemory",
        "nameToUriType",
        "routeOverWrite",
        "dumpRouterMap",
        "name",
    };
    ghttp_server *s = g_server(NULL);

    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        char text[128];

        snprintf(text, sizeof(text), "server:\n  %s: 1\n", keys[i]);
        write_file("config.yaml", text);
        if (read_for(s) < 0)
            cr_expect(not(zero(ptr, strstr(error, keys[i]))), "%s: %s", keys[i], error);
        else
            cr_expect(gf_settings_find(keys[i]) || !strcmp(keys[i], "name"), "%s counts for nothing", keys[i]);
    }
    cr_expect(eq(str, log_lines, ""));
}
