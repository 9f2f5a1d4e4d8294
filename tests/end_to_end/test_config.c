/*
 * Servers that a file sets up: examples/config.c in a folder with a config.yaml of the test's.
 */
#include "tests/support/certificate.h"
#include "tests/support/port.h"
#include "tests/support/process.h"
#include "tests/support/rig.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct process *program;
static char folder[64], file[128];
static int ports[3];
static struct transport_target targets[3];

static void begin(void)
{
    strcpy(folder, "/tmp/gf-config-XXXXXX");
    cr_assert(not(zero(ptr, mkdtemp(folder))));
    snprintf(file, sizeof(file), "%s/config.yaml", folder);
    unsetenv("GF_GCFG_FILE");
    unsetenv("GF_GCFG_PATH");
    for (int i = 0; i < 3; i++) {
        ports[i] = free_port();
        targets[i] = (struct transport_target){.port = ports[i]};
    }
}

static void end(void)
{
    process_free(program);
    program = NULL;
    unlink(file);
    cr_expect(zero(int, rmdir(folder)));
}

TestSuite(config, .init = begin, .fini = end, .timeout = 60);

__attribute__((format(printf, 1, 2))) static void write_file(const char *format, ...)
{
    FILE *stream = fopen(file, "we");
    va_list arguments;

    cr_assert(not(zero(ptr, stream)));
    va_start(arguments, format);
    vfprintf(stream, format, arguments);
    va_end(arguments);
    fclose(stream);
}

static void start(const char *const *environment)
{
    program =
        process_start(&(struct process_options){.program = "config", .environment = environment, .folder = folder});
    cr_assert(not(zero(ptr, program)));
}

static void start_and_wait(const char *const *environment, int listeners)
{
    start(environment);
    cr_assert(zero(int, process_wait_lines(program, "server started listening on [", listeners, 20000)));
}

static void expect_body(int i, const char *expected)
{
    char *body = NULL;

    cr_expect(eq(int, rig_fetch(&targets[i], "/", &body), 200));
    cr_expect(eq(str, body, (char *)expected));
    free(body);
}

/* It ends by itself, with 1, and its log has the text. */
static void expect_refusal(const char *text)
{
    int status = 0;

    cr_expect(zero(int, process_wait_line(program, text, 20000)), "%s", text);
    cr_expect(zero(int, process_wait_exit(program, 20000, &status)));
    cr_expect(eq(int, WEXITSTATUS(status), 1));
}

static void write_two(const char *more)
{
    write_file("server:\n"
               "  address: 127.0.0.1:%d\n"
               "  graceful: on\n"
               "  s1:\n"
               "    address:\n"
               "      - 127.0.0.1:%d\n"
               "%s"
               "app: {greeting: 哈喽}\n",
               ports[0], ports[1], more);
}

/* The manual's promise: edit, restart, and what has changed is there; what has not has not been gone for a moment. */
Test(config, a_restart_applies_what_has_changed)
{
    char more[64];
    long first, second;

    write_two("");
    start_and_wait(NULL, 2);
    expect_body(0, "default: 哈喽\n");
    expect_body(1, "s1: 哈喽\n");
    cr_expect(lt(int, rig_fetch(&targets[2], "/", NULL), 0));
    first = rig_fetch_number(&targets[1], "/pid");
    snprintf(more, sizeof(more), "      - 127.0.0.1:%d\n", ports[2]);
    write_two(more);
    cr_expect(eq(int, rig_fetch(&targets[0], "/debug/admin/restart", NULL), 200));
    second = rig_fetch_number(&targets[2], "/pid");
    cr_expect(gt(long, second, 0));
    cr_expect(ne(long, first, second));
    cr_expect(eq(long, rig_fetch_number(&targets[0], "/pid"), second));
    expect_body(2, "s1: 哈喽\n");
    expect_body(1, "s1: 哈喽\n");
    cr_expect(zero(int, process_wait_lines(program, "| ROUTE ", 4, 20000)), "the new process may have other routes");
}

Test(config, a_restart_into_a_mistake_changes_nothing)
{
    char *body = NULL;

    write_two("");
    start_and_wait(NULL, 2);
    write_two("    graceful: perhaps\n");
    cr_expect(ge(int, rig_fetch(&targets[0], "/debug/admin/restart", &body), 400));
    cr_assert(not(zero(ptr, body)));
    cr_expect(not(zero(ptr, strstr(body, "config.yaml:7:15: \"graceful\": \"perhaps\""))), "%s", body);
    free(body);
    cr_expect(eq(long, rig_fetch_number(&targets[1], "/pid"), process_pid(program)));
    write_two("");
    cr_expect(eq(int, rig_fetch(&targets[0], "/debug/admin/restart", NULL), 200));
    cr_expect(ne(long, rig_fetch_number(&targets[1], "/pid"), process_pid(program)));
}

Test(config, the_environment_counts_more_also_after_a_restart)
{
    char variable[64];

    write_two("");
    snprintf(variable, sizeof(variable), "GF_SERVER_S1_ADDRESS=127.0.0.1:%d", ports[2]);
    start_and_wait((const char *[]){variable, "GF_SERVER_SERVER_AGENT=mine", NULL}, 2);
    expect_body(0, "default: 哈喽\n");
    expect_body(2, "s1: 哈喽\n");
    cr_expect(lt(int, rig_fetch(&targets[1], "/", NULL), 0));
    cr_expect(eq(int, rig_fetch(&targets[0], "/debug/admin/restart", NULL), 200));
    expect_body(2, "s1: 哈喽\n");
    cr_expect(ne(long, rig_fetch_number(&targets[2], "/pid"), process_pid(program)));
}

Test(config, a_bad_value_is_no_start)
{
    write_two("    readTimeout: soon\n");
    start(NULL);
    expect_refusal("server \"s1\" does not start: ghttp_server_start(): config.yaml:7:18: \"readTimeout\": \"soon\"");
}

Test(config, a_file_that_is_not_there_is_no_start)
{
    start((const char *[]){"GF_GCFG_FILE=absent.yaml", NULL});
    expect_refusal("absent.yaml: cannot be read: No such file or directory");
}

/* The command line counts more than the environment, and goes along to the next process. */
Test(config, the_command_line_names_the_file)
{
    static const char *const arguments[] = {"--gf.gcfg.file", "config", "--gf.gcfg.path=.", NULL};
    static const char *const environment[] = {"GF_GCFG_FILE=absent.yaml", "GF_GCFG_PATH=/absent", NULL};

    write_two("");
    program = process_start(&(struct process_options){
        .program = "config", .arguments = arguments, .environment = environment, .folder = folder});
    cr_assert(not(zero(ptr, program)));
    cr_assert(zero(int, process_wait_lines(program, "server started listening on [", 2, 20000)));
    expect_body(1, "s1: 哈喽\n");
    cr_expect(eq(int, rig_fetch(&targets[0], "/debug/admin/restart", NULL), 200));
    cr_expect(ne(long, rig_fetch_number(&targets[1], "/pid"), process_pid(program)));
}

/* A program that is started from anywhere finds what lies beside it. */
Test(config, folders_and_certificates_are_found_beside_the_executable)
{
    static const char *const made[] = {"server", "public/a.txt", "public", "a.crt", "a.key"};
    struct transport_target tls = {.port = ports[1], .tls = true};
    char *config = process_program("config"), path[256], certificate[256];

    cr_assert(not(zero(ptr, config)));
    snprintf(path, sizeof(path), "%s/server", folder);
    cr_assert(zero(int, symlink(config, path)));
    free(config);
    cr_assert(zero(int, certificate_make(folder, "a", "localhost")));
    snprintf(certificate, sizeof(certificate), "%s/a.crt", folder);
    snprintf(path, sizeof(path), "%s/public", folder);
    cr_assert(zero(int, mkdir(path, 0700)));
    snprintf(path, sizeof(path), "%s/public/a.txt", folder);
    close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    write_file("server: {address: 127.0.0.1:%d, httpsAddr: 127.0.0.1:%d, httpsCertPath: a.crt, httpsKeyPath: a.key,\n"
               "  serverRoot: public, s1: {address: 127.0.0.1:%d}}\n",
               ports[0], ports[1], ports[2]);
    snprintf(path, sizeof(path), "%s/server", folder);
    program = process_start(&(struct process_options){.program = path}); /* in a folder of its own */
    cr_assert(not(zero(ptr, program)));
    cr_assert(zero(int, process_wait_lines(program, "server started listening on [", 3, 20000)));
    cr_expect(eq(int, rig_fetch(&targets[0], "/a.txt", NULL), 200));
    tls.ca_path = certificate;
    cr_expect(eq(int, rig_fetch(&tls, "/pid", NULL), 200));
    for (size_t i = 0; i < sizeof(made) / sizeof(*made); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, made[i]);
        remove(path);
    }
}

Test(config, an_unknown_key_is_a_warning)
{
    write_two("    readTimeuot: 5s\n");
    start_and_wait(NULL, 2);
    cr_expect(zero(int, process_wait_line(program,
                                          "server \"s1\": config.yaml:7:18: there is no setting \"readTimeuot\"; did "
                                          "you mean \"readTimeout\"?",
                                          1000)));
    expect_body(1, "s1: 哈喽\n");
}
