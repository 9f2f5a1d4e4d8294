/*
 * How a process was started: what is recorded of it before main(), and what becomes of GF_SERVER_RELOAD.
 */
#include <gf/gproc/gproc.h>
#include <gf/gproc/start.h>

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char probe[PATH_MAX];
static char folder[] = "/tmp/gf-test-XXXXXX";
static char *output;

/* tests/programs/gproc_probe, beside the folder of this test; and a folder of the test's own as $D. */
static void find_probe(void)
{
    char self[PATH_MAX] = "";

    cr_assert(gt(i64, readlink("/proc/self/exe", self, sizeof(self) - 1), 0));
    snprintf(probe, sizeof(probe), "%.3000s/../programs/gproc_probe", dirname(self));
    cr_assert(eq(int, access(probe, X_OK), 0), "%s is missing", probe);
    cr_assert(not(zero(ptr, mkdtemp(folder))));
    setenv("P", probe, 1);
    setenv("D", folder, 1);
}

static void remove_folder(void)
{
    gproc_shell_run("rm -rf \"$D\"", NULL);
    free(output);
}

TestSuite(gproc_start, .init = find_probe, .fini = remove_folder, .timeout = 20);

static void run(const char *command)
{
    int status = -1;

    free(output);
    output = NULL;
    int result = gproc_shell_exec(command, &output, 200000, 10000, &status);
    cr_assert(eq(int, result, 0));
    cr_assert(eq(int, status, 0), "%s: %s", command, output);
}

/* The line "name=value" is in the output. */
static void expect_value(const char *name, const char *value)
{
    char line[PATH_MAX + 64];

    snprintf(line, sizeof(line), "\n%s=%s\n", name, value);
    cr_expect(strstr(output, line) != NULL || strncmp(output, line + 1, strlen(line + 1)) == 0, "%s is not %s in\n%s",
              name, value, output);
}

Test(gproc_start, a_process_that_nobody_restarted_is_its_own_parent)
{
    run("\"$P\" start");
    expect_value("is_ppid", "1");
    expect_value("child", "0");
    expect_value("reload", "(none)");
}

Test(gproc_start, records_the_path_without_resolving_links)
{
    char path[PATH_MAX];

    run("ln -s \"$P\" \"$D/link\"; cd \"$D\"; ./link start");
    snprintf(path, sizeof(path), "%s/link", folder);
    expect_value("exe", path);
    expect_value("cwd", folder);
    run("mkdir \"$D/bin\"; ln -s \"$P\" \"$D/bin/gproc-by-name\"; PATH=$D/bin:$PATH; gproc-by-name start");
    snprintf(path, sizeof(path), "%s/bin/gproc-by-name", folder);
    expect_value("exe", path);
}

Test(gproc_start, a_name_that_means_another_program_is_not_believed)
{
    char real[PATH_MAX];

    cr_assert(not(zero(ptr, realpath(probe, real))));
    run("bash -c 'exec -a true \"$P\" start'");
    expect_value("argv0", "true");
    expect_value("exe", real);
    run("bash -c 'exec -a /nowhere/at/all \"$P\" start'");
    expect_value("exe", real);
}

Test(gproc_start, records_limits_ignored_signals_and_arguments)
{
    run("ulimit -Sn 77; trap '' HUP; \"$P\" start 1 2 3 4");
    expect_value("nofile", "77");
    expect_value("ignored_hup", "1");
    expect_value("ignored_term", "0");
    expect_value("argc", "6");
}

/* Else what the program prints would go to whatever gets that number. */
Test(gproc_start, standard_descriptors_that_are_missing_are_filled)
{
    run("\"$P\" start 0 1 2 <&- 2>&-");
    expect_value("cwd_fd_high", "1");
    expect_value("fd0", "inherited");
    expect_value("fd1", "inherited");
    expect_value("fd2", "inherited");
}

#define RELOAD                                                                                                         \
    "{\"version\":1,\"parent\":11511,\"control\":5,\"stderr\":6,\"servers\":{\"s1\":{\"http\":\":8100#7,:8200#8\","    \
    "\"https\":\":1#9\"}}}"

Test(gproc_start, takes_the_variable_and_protects_its_descriptors)
{
    setenv("R", RELOAD, 1);
    run("GF_SERVER_RELOAD=$R \"$P\" start 5 6 7 8 9 4 1 5<&0 6<&0 7<&0 8<&0 9<&0 4<&0");
    expect_value("child", "1");
    expect_value("ppid", "11511");
    expect_value("reload", RELOAD);
    expect_value("variable", "0");
    expect_value("variable_copied", "0");
    expect_value("fd5", "cloexec");
    expect_value("fd6", "cloexec");
    expect_value("fd7", "cloexec");
    expect_value("fd8", "cloexec");
    expect_value("fd9", "cloexec");
    expect_value("fd4", "inherited");
    expect_value("fd1", "inherited");
}

/* The limits that a process before it has raised meanwhile; nonsense changes nothing. */
Test(gproc_start, takes_over_the_limits_of_open_files)
{
    setenv("R", "{\"parent\":7,\"files\":[33,44]}", 1);
    run("GF_SERVER_RELOAD=$R \"$P\" start");
    expect_value("nofile", "33");
    setenv("R", "{\"parent\":7,\"files\":[44,33]}", 1);
    run("ulimit -Sn 77; GF_SERVER_RELOAD=$R \"$P\" start");
    expect_value("nofile", "77");
    setenv("R", "{\"parent\":7,\"files\":[0,-1,\"x\"]}", 1);
    run("ulimit -Sn 77; GF_SERVER_RELOAD=$R \"$P\" start");
    expect_value("nofile", "77");
}

Test(gproc_start, leaves_the_standard_descriptors_to_its_children)
{
    setenv("R", "{\"parent\":7,\"control\":1,\"stderr\":2,\"servers\":{\"s\":{\"http\":\":1#0,:2#1,:3#2\"}}}", 1);
    run("GF_SERVER_RELOAD=$R \"$P\" start 0 1 2");
    expect_value("fd0", "inherited");
    expect_value("fd1", "inherited");
    expect_value("fd2", "inherited");
}

static void expect_no_parent(const char *text)
{
    setenv("R", text, 1);
    run("GF_SERVER_RELOAD=$R \"$P\" start");
    expect_value("child", "0");
    expect_value("is_ppid", "1");
    expect_value("variable", "0");
    expect_value("variable_copied", "0");
}

Test(gproc_start, believes_no_garbage)
{
    static const char *const garbage[] = {
        "",
        "x",
        "1",
        "null",
        "[]",
        "{}",
        "\"\"",
        "{\"parent\":0}",
        "{\"parent\":-7}",
        "{\"parent\":1.5}",
        "{\"parent\":1e300}",
        "{\"parent\":\"12\"}",
        "{\"parent\":99999999999}",
        "{\"parent\":12} trailing",
        "{\"parent\":12",
        "{\"parent\":null,\"servers\":7}",
        "{\"servers\":{\"a\":[1,{\"b\":\"#3\"}],\"b\":\"#\"}}",
        "{\"control\":-1,\"stderr\":2147483648,\"servers\":{\"s\":{\"http\":\"###99999999999999999999,#-4,# 5,#4x\"}}}",
    };

    for (size_t i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++)
        expect_no_parent(garbage[i]);
}

Test(gproc_start, a_variable_that_is_too_long_is_only_removed)
{
    char *text = malloc(130001); /* the kernel itself takes 131,072 bytes with the name */

    memset(text, ' ', 130000);
    text[130000] = '\0';
    memcpy(text, "{\"parent\":12}", 13);
    expect_no_parent(text);
    expect_value("reload", "(none)");
    free(text);
}

Test(gproc_start, deep_nesting_is_survived)
{
    char *text = malloc(60001);

    memset(text, '[', 60000);
    text[60000] = '\0';
    expect_no_parent(text);
    free(text);
}

Test(gproc_start, what_it_spawns_does_not_think_that_it_was_restarted)
{
    setenv("R", RELOAD, 1);
    run("GF_SERVER_RELOAD=$R \"$P\" start; \"$P\" start");
    expect_value("child", "0");
}

Test(gproc_start, knows_the_time)
{
    int64_t now = (int64_t)time(NULL) * 1000;

    cr_expect(le(i64, gproc_start_time(), now + 1000));
    cr_expect(ge(i64, gproc_start_time(), now - 60000));
    int64_t before = gproc_uptime();
    cr_expect(ge(i64, before, 0));
    usleep(3000);
    cr_expect(ge(i64, gproc_uptime(), before + 2));
    cr_expect(eq(int, gproc_pid(), getpid()));
}

Test(gproc_start, search_binary_finds_only_executables)
{
    char path[PATH_MAX], expected[PATH_MAX + 64];

    run("cd \"$D\"; echo > plain; echo > tool; chmod 755 tool; mkdir dir; mkdir bin; echo > bin/gf-only-here; chmod "
        "755 bin/*");
    cr_assert(eq(int, chdir(folder), 0));
    setenv("PATH", "/nowhere::/usr/bin:bin:/bin", 1);

    cr_expect(eq(int, gproc_search_binary("/bin/sh", path, sizeof(path)), 0));
    cr_expect(eq(str, path, "/bin/sh"));
    cr_expect(eq(int, gproc_search_binary("gf-only-here", path, sizeof(path)), 0));
    snprintf(expected, sizeof(expected), "%s/bin/gf-only-here", folder);
    cr_expect(eq(str, path, expected));
    cr_expect(eq(int, gproc_search_binary("./tool", path, sizeof(path)), 0));
    snprintf(expected, sizeof(expected), "%s/tool", folder);
    cr_expect(eq(str, path, expected));
    cr_expect(eq(int, gproc_search_binary("tool", path, sizeof(path)), 0));

    strcpy(path, "kept");
    cr_expect(eq(int, gproc_search_binary("./plain", path, sizeof(path)), -EACCES));
    cr_expect(eq(int, gproc_search_binary("./dir", path, sizeof(path)), -EACCES));
    cr_expect(eq(int, gproc_search_binary("tool/x", path, sizeof(path)), -ENOENT));
    cr_expect(eq(int, gproc_search_binary("gf-nowhere", path, sizeof(path)), -ENOENT));
    cr_expect(eq(int, gproc_search_binary("", path, sizeof(path)), -EINVAL));
    cr_expect(eq(int, gproc_search_binary("/bin/sh", path, 7), -ENAMETOOLONG));
    cr_expect(eq(str, path, "kept"));
    cr_expect(eq(int, gproc_search_binary("/bin/sh", path, 8), 0));
}
