/*
 * The website of the examples, restarted under load: pages, files and forms, over kept and fresh connections; every
 * answer is checked, and every entry of the guest book is there at the end.
 */
#include "tests/support/client.h"
#include "tests/support/load.h"
#include "tests/support/visit.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RESTARTS 10
#define FORM_EVERY 10 /* requests, one of which signs the guest book */
#define WAIT_MS 30000

static struct visit v;
static struct load *loads[2]; /* kept and fresh connections */
static atomic_int forms;      /* that were taken */

static void finish(void)
{
    for (size_t i = 0; i < 2; i++)
        load_free(loads[i]);
    visit_finish(&v);
}

/* ---- the load ---------------------------------------------------------------------------------- */

static size_t make_request(uint64_t n, char *buffer, void *arg)
{
    static const char *const paths[] = {"/", "/css/site.css", "/guestbook", "/login", "/img/icon.svg"};
    static const char form[] = "name=Anna&stars=5&text=good+morning";
    const char *close = *(const bool *)arg ? "Connection: close\r\n" : "";

    if (n % FORM_EVERY == 0)
        return (size_t)snprintf(buffer, LOAD_REQUEST_MAX,
                                "POST /guestbook HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %zu\r\n"
                                "Content-Type: application/x-www-form-urlencoded\r\n\r\n%s",
                                close, strlen(form), form);
    return (size_t)snprintf(buffer, LOAD_REQUEST_MAX, "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
                            paths[n % (sizeof(paths) / sizeof(*paths))], close);
}

static bool check_answer(uint64_t n, const struct answer *answer, char *why, size_t size, void *arg)
{
    bool is_form = n % FORM_EVERY == 0;
    bool is_page = answer->body_size > 9 && strstr(answer->body, "<!DOCTYPE html>") == answer->body;

    (void)arg;
    if (is_form && answer->status == 303) {
        atomic_fetch_add(&forms, 1);
        return true;
    }
    if (!is_form && answer->status == 200 && answer->body_size > 100 &&
        (!is_page || !strcmp(answer->body + answer->body_size - 8, "</html>\n")))
        return true;
    snprintf(why, size, "status %d, %zu bytes: %.100s", answer->status, answer->body_size, answer->body);
    return false;
}

static void start_load(void)
{
    static const bool is_fresh[] = {false, true};

    for (size_t i = 0; i < 2; i++) {
        loads[i] = load_start(&(struct load_options){.target = {.port = v.port},
                                                     .connections = 4,
                                                     .fresh = is_fresh[i],
                                                     .timeout_ms = WAIT_MS,
                                                     .pause_us = 5000, /* the book has an end */
                                                     .make = make_request,
                                                     .check = check_answer,
                                                     .arg = (void *)&is_fresh[i]});
        cr_assert(not(zero(ptr, loads[i])));
    }
}

/* Each load is answered so often from now on. */
static void wait_load(uint64_t count)
{
    for (size_t i = 0; i < 2; i++)
        cr_assert(zero(int, load_wait_requests(loads[i], load_requests(loads[i]) + count, WAIT_MS)));
}

static void end_load(void)
{
    for (size_t i = 0; i < 2; i++) {
        load_stop(loads[i]);
        if (load_result(loads[i])->failures)
            load_print(loads[i], stderr);
        cr_expect(zero(ulong, (unsigned long)load_result(loads[i])->failures));
    }
}

/* ---- the test ---------------------------------------------------------------------------------- */

static int count_lines(void)
{
    char path[512];
    int count = 0, c;
    FILE *file;

    snprintf(path, sizeof(path), "%s/data/guestbook.jsonl", process_folder(v.server));
    file = fopen(path, "re");
    while (file && (c = getc(file)) != EOF)
        count += c == '\n';
    if (file)
        fclose(file);
    return count;
}

Test(website_restart, no_request_fails_and_no_entry_is_lost, .fini = finish, .timeout = 120)
{
    cr_assert(zero(int, visit_website_alone(&v, NULL)));
    start_load();
    wait_load(50);
    for (int i = 0; i < RESTARTS; i++) {
        cr_assert(eq(int, client_fetch(v.port, "/debug/admin/restart", NULL), 200));
        wait_load(50);
    }
    end_load();
    cr_expect(gt(int, atomic_load(&forms), RESTARTS));
    cr_expect(eq(int, count_lines(), atomic_load(&forms)));
}
