/*
 * What a new process writes to standard error while the old one watches over it: it is in the log at once, it is known
 * to whoever asks why there was a rollback, and no line is lost with the process that passes it on.
 */
#include "tests/support/client.h"
#include "tests/support/rig.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    SOON_MS = 20000, /* for what comes at once, on a busy machine */
};

static struct rig rig;

static void finish(void)
{
    rig_finish(&rig);
}

static void begin(const char *settings)
{
    cr_assert(zero(int, rig_begin(&rig, settings)));
    cr_assert(gt(int, rig_restart_by_api(&rig), 0));
}

static void expect_line(const char *text)
{
    cr_expect(zero(int, process_wait_line(rig.process, text, SOON_MS)), "%s", text);
}

/* What standard error of the process is: the name that the kernel has for it. */
static void standard_error_of(pid_t pid, char name[128])
{
    char path[64];
    ssize_t size;

    snprintf(path, sizeof(path), "/proc/%d/fd/2", (int)pid);
    size = readlink(path, name, 127);
    cr_assert(gt(long, size, 0));
    name[size] = 0;
}

/* Whoever serves comes to write where this is, soon. */
static void expect_own(const char *original)
{
    char name[128] = "";

    for (int waited = 0; strcmp(name, original) && waited < SOON_MS; waited += 10) {
        standard_error_of(rig_ask_pid(&rig), name);
        usleep(10000);
    }
    cr_expect(eq(str, name, (char *)original));
}

static void expect_reason(const cJSON *reason)
{
    const char *text = cJSON_GetStringValue(reason);

    cr_assert(not(zero(ptr, (void *)text)));
    cr_expect(not(zero(ptr, strstr(text, "rolled back: process "))), "%s", text);
    cr_expect(not(zero(ptr, strstr(text, "was ended by signal 6 (Aborted)"))), "%s", text);
    cr_expect(not(zero(ptr, strstr(text, "Assertion-x-of-the-program-failed"))), "%s", text);
}

/* ---- a rollback -------------------------------------------------------------------------------------------------- */

static void expect_known_reason(void)
{
    char *body = NULL, *page = NULL;
    cJSON *status;

    cr_assert(eq(int, rig_page(&rig, "/status", &body), 200));
    status = cJSON_Parse(body);
    expect_reason(cJSON_GetObjectItem(cJSON_GetObjectItem(status, "last_restart"), "message"));
    expect_reason(cJSON_GetObjectItem(cJSON_GetArrayItem(cJSON_GetObjectItem(status, "history"), 0), "reason"));
    cr_assert(eq(int, rig_page(&rig, "", &page), 200));
    cr_expect(not(zero(ptr, strstr(page, "Assertion-x-of-the-program-failed"))));
    cJSON_Delete(status);
    free(body);
    free(page);
}

Test(last_words, of_a_process_that_is_rolled_back, .fini = finish, .timeout = 60)
{
    char *line;

    begin("set_gracefulProbation=30s");
    rig_fetch(&rig.http, "/crash?text=Assertion-x-of-the-program-failed", NULL);
    expect_line("rolled back: process ");
    line = process_find_line(rig.process, "rolled back: process ");
    cr_assert(not(zero(ptr, line)));
    cr_expect(not(zero(ptr, strstr(line, "was ended by signal 6 (Aborted)"))), "%s", line);
    cr_expect(not(zero(ptr, strstr(line, "Assertion-x-of-the-program-failed"))), "%s", line);
    free(line);
    expect_known_reason();
    cr_assert(gt(int, rig_restart_by_api(&rig), 0)); /* and in the next generation's history, still whole */
    line = NULL;
    cr_assert(eq(int, rig_page(&rig, "/status", &line), 200));
    cr_expect(not(zero(ptr, strstr(line, "Assertion-x-of-the-program-failed"))), "%s", line);
    free(line);
}

/* Thousands of lines before: the history keeps how it ended, and the end of what it said. */
Test(last_words, of_a_process_that_has_said_much, .fini = finish, .timeout = 60)
{
    begin("set_gracefulProbation=30s");
    cr_assert(zero(long, rig_fetch_number(&rig.http, "/say?text=something-that-does-not-matter&times=3000")));
    rig_fetch(&rig.http, "/crash?text=Assertion-x-of-the-program-failed", NULL);
    expect_line("rolled back: process ");
    expect_known_reason();
}

/* ---- whose standard error it is ---------------------------------------------------------------------------------- */

Test(last_words, are_heard_until_the_process_is_trusted, .fini = finish, .timeout = 60)
{
    char original[128], name[128];

    begin("set_gracefulProbation=1s");
    standard_error_of(rig.first, original);
    standard_error_of(rig.pid, name);
    cr_expect(ne(str, name, original));
    cr_assert(zero(long, rig_fetch_number(&rig.http, "/say?text=said-at-once")));
    expect_line("said-at-once");
    expect_own(original);
    cr_assert(zero(long, rig_fetch_number(&rig.http, "/say?text=said-later")));
    expect_line("said-later");
}

Test(last_words, are_not_lost_with_the_process_that_hears_them, .fini = finish, .timeout = 60)
{
    char original[128];

    begin("set_gracefulProbation=30s");
    standard_error_of(rig.first, original);
    cr_assert(zero(int, rig_stop(rig.first)));
    cr_assert(zero(long, rig_fetch_number(&rig.http, "/say?text=said-to-nobody")));
    cr_assert(zero(int, kill(rig.first, SIGKILL)));
    expect_line("said-to-nobody");
    expect_own(original);
}

/* It neither waits for a reader that reads no more, nor keeps its lines from the log. */
Test(last_words, are_not_held_up_by_a_process_that_hangs, .fini = finish, .timeout = 60)
{
    char original[128];

    begin("set_gracefulProbation=30s");
    standard_error_of(rig.first, original);
    cr_assert(zero(int, rig_stop(rig.first)));
    cr_assert(zero(long, rig_fetch_number(&rig.http, "/say?text=said-to-who-does-not-hear&times=10000")));
    cr_assert(zero(long, rig_fetch_number(&rig.http, "/say?text=said-after-that")));
    expect_line("said-after-that");
    expect_own(original);
}

/* It has inherited the pipe, and outlives the process that reads it. */
Test(last_words, of_a_child_are_passed_on, .fini = finish, .timeout = 60)
{
    begin("set_gracefulProbation=200ms");
    cr_assert(gt(long, rig_fetch_number(&rig.http, "/say?text=said-by-a-child&later_ms=1500"), 0));
    cr_assert(zero(int, process_wait_pid_gone(rig.first, SOON_MS)));
    expect_line("said-by-a-child");
}

/* Each process is started by one whose own is on loan still. */
Test(last_words, of_generations_in_a_row, .fini = finish, .timeout = 60)
{
    char original[128];

    begin("set_gracefulProbation=1s");
    standard_error_of(rig.first, original);
    for (int i = 0; i < 3; i++)
        cr_assert(gt(int, rig_restart_by_api(&rig), 0));
    cr_expect(zero(int, rig_wait_processes(&rig, 1, SOON_MS)));
    expect_own(original);
    cr_assert(zero(long, rig_fetch_number(&rig.http, "/say?text=said-by-the-last")));
    expect_line("said-by-the-last");
}

/* All lines of an orderly end come, also where nobody watches any more. */
Test(last_words, at_an_orderly_end, .fini = finish, .timeout = 60)
{
    begin("set_gracefulProbation=30s");
    process_mark(rig.process);
    cr_assert(zero(int, kill(rig.pid, SIGTERM)));
    cr_assert(zero(int, process_wait_end(rig.process, SOON_MS)));
    cr_expect(zero(int, process_wait_lines(rig.process, "all servers shutdown", 2, SOON_MS)));
}
