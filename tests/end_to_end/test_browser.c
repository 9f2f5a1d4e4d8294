/*
 * Restarts as a browser sees them: the admin page follows without a reload, an upload goes on, server-sent events go
 * on, and no request of it fails. And the pages that the library makes itself.
 */
#include "tests/support/visit.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 30000

static struct visit v;

static void finish(void)
{
    visit_finish(&v);
}

TestSuite(browser, .fini = finish, .timeout = 120);

#define expect_nothing(text)                                                                                           \
    do {                                                                                                               \
        char *lines_ = (text);                                                                                         \
        cr_expect(eq(str, lines_, ""));                                                                                \
        free(lines_);                                                                                                  \
    } while (0)
#define wait_for(page, expression)                                                                                     \
    cr_assert(zero(int, browser_page_wait((page), (expression), WAIT_MS)), "%s", (expression))

static struct browser_page *open_page(const char *path)
{
    struct browser_page *page = browser_page_new(v.browser);

    cr_assert(not(zero(ptr, page)));
    cr_assert(zero(int, visit_open(&v, page, path)), "%s", path);
    return page;
}

static void expect_text(struct browser_page *page, const char *expression, char *expected)
{
    char *text = browser_page_text(page, expression);

    cr_expect(eq(str, text ? text : "(nothing)", expected), "%s", expression);
    free(text);
}

static double number(struct browser_page *page, const char *expression)
{
    return browser_page_number(page, expression);
}

/* ---- the library's own pages ------------------------------------------------------------------- */

#define PID "Number(document.querySelector('[data-key=pid]').textContent)"
#define GENERATION "document.querySelector('[data-key=generation]').textContent"

static void restart_by_page(struct browser_page *admin, int generation)
{
    char expression[160];

    cr_assert(zero(int, browser_page_click(admin, "#restart button")));
    snprintf(expression, sizeof(expression), GENERATION " === '%d' && /good/.test(outcome.className)", generation);
    wait_for(admin, expression);
}

Test(browser, the_admin_page_shows_a_restart_without_a_reload)
{
    double first, second;

    cr_assert(zero(int, visit_program(&v, "admin_server", NULL)));
    cr_assert(zero(int, visit_open(&v, v.page, "/debug/admin")));
    wait_for(v.page, "live.textContent === 'live'");
    expect_nothing(visit_inspect(v.page, "admin"));
    first = number(v.page, "window.unloaded = 0, " PID);
    cr_expect(eq(dbl, first, process_pid(v.server)));
    restart_by_page(v.page, 2);
    second = number(v.page, PID);
    cr_expect(ne(dbl, second, first));
    restart_by_page(v.page, 3);
    cr_expect(ne(dbl, number(v.page, PID), second));
    cr_expect(zero(dbl, number(v.page, "window.unloaded")), "the page was loaded again");
    cr_expect(eq(dbl, number(v.page, "document.querySelectorAll('#history tbody tr').length"), 2));
    expect_nothing(visit_inspect(v.page, "admin-restarted"));
    expect_nothing(browser_page_problems(v.page));

    cr_assert(zero(int, browser_page_type(v.page, "#path", "/nowhere/app")));
    cr_assert(zero(int, browser_page_click(v.page, "#restart button")));
    wait_for(v.page, "/nowhere/.test(outcome.textContent)");
    expect_nothing(visit_inspect(v.page, "admin-refused"));
    free(browser_page_problems(v.page)); /* the 404 */
    cr_assert(zero(int, visit_open(&v, v.page, "/nowhere")));
    expect_text(v.page, "document.body.innerText", "Not Found");
}

/* The form for the token, and the cookie after it, which the process after a restart knows too. */
Test(browser, a_token_opens_the_admin_page)
{
    char expected[128], *problems;

    cr_assert(zero(int, visit_program(&v, "admin_server", "GF_ADMIN_TOKEN=correct horse")));
    cr_assert(zero(int, visit_open(&v, v.page, "/debug/admin")));
    snprintf(expected, sizeof(expected), "status: 401 %s/debug/admin\n", v.base);
    problems = browser_page_problems(v.page);
    cr_expect(eq(str, problems, expected));
    free(problems);
    expect_nothing(visit_inspect(v.page, "admin-login"));
    cr_assert(zero(int, browser_page_type(v.page, "#token", "wrong horse")));
    cr_assert(zero(int, browser_page_click(v.page, "button")));
    wait_for(v.page, "document.querySelector('.bad')");
    expect_nothing(visit_inspect(v.page, "admin-login-wrong"));
    free(browser_page_problems(v.page)); /* the 401 */
    cr_assert(zero(int, browser_page_type(v.page, "#token", "correct horse")));
    cr_assert(zero(int, browser_page_click(v.page, "button")));
    wait_for(v.page, "live.textContent === 'live'");
    restart_by_page(v.page, 2);
    expect_text(v.page, "document.cookie", "");
    cr_assert(zero(int, visit_open(&v, v.page, "/debug/admin")));
    expect_text(v.page, GENERATION, "2");
    expect_nothing(browser_page_problems(v.page));
}

static void make_file(const char *folder, const char *name, int size)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    file = fopen(path, "we");
    cr_assert(not(zero(ptr, file)));
    fprintf(file, "%*s", size, "x");
    fclose(file);
}

Test(browser, a_listed_folder_looks_right_whatever_is_in_it)
{
    static const char *const names[] = {
        "<img src=x onerror=alert(1)>.txt", "javascript:alert(1)", "größe & more.txt",
        "a-name-of-many-letters-and-no-place-to-break-it-that-is-wider-than-any-phone-is.txt"};
    char folder[] = "/tmp/gf-test-XXXXXX", path[512], *links, *expression;

    cr_assert(not(zero(ptr, mkdtemp(folder))));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        make_file(folder, names[i], 1 << (4 * i));
    snprintf(path, sizeof(path), "%s/sub", folder);
    cr_assert(zero(int, mkdir(path, 0755)));
    snprintf(path, sizeof(path), "%s/sub/deep", folder);
    cr_assert(zero(int, mkdir(path, 0755)));
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        snprintf(path, sizeof(path), "%s/sub", folder);
        make_file(path, names[i], 1 << (4 * i));
    }
    cr_assert(zero(int, visit_website(&v, folder)));
    cr_assert(zero(int, visit_open(&v, v.page, "/sub/")));
    cr_expect(eq(dbl, number(v.page, "document.querySelectorAll('a').length"), 6));
    expect_nothing(visit_inspect(v.page, "listing"));
    links = browser_page_text(v.page, "JSON.stringify([...document.links].slice(1).map(a => a.href))");
    cr_assert(
        gt(int,
           asprintf(&expression, "Promise.all(%s.map(link => fetch(link).then(a => a.status))).then(all => all.join())",
                    links),
           0));
    expect_nothing(browser_page_problems(v.page));
    cr_assert(zero(int, visit_open(&v, v.page, "/"))); /* the listing's own policy lets nothing be fetched */
    expect_text(v.page, expression, "200,200,200,200,200");
    free(expression);
    free(links);
    snprintf(path, sizeof(path), "rm -rf %s", folder);
    cr_expect(zero(int, system(path)));
}

/* ---- a restart while much is going on ---------------------------------------------------------- */

#define TICKER_PID "Number(document.querySelector('#process').textContent)"

static void start_upload(struct browser_page *page, const char *path)
{
    cr_assert(zero(int, visit_log_in(&v, page)));
    cr_assert(zero(int, browser_page_choose(page, "#files", (const char *[]){path, NULL})));
    cr_assert(zero(int, browser_page_throttle(page, 128 << 10)));
    cr_assert(zero(int, browser_page_click(page, "#upload button")));
    wait_for(page, "bar.value > 0 && bar.value < 0.9");
}

/* What a browser that comes again has missed is told first; and the stream ends by itself when its process is replaced.
 */
Test(browser, a_stream_tells_what_was_missed_and_ends_at_a_restart)
{
    cr_assert(zero(int, visit_website(&v, NULL)));
    cr_assert(zero(int, visit_open(&v, v.page, "/")));
    cJSON_Delete(browser_page_evaluate(
        v.page, "window.asked = Math.floor(Date.now() / 1000) - 30, window.text = '', window.ended = false,"
                "(async () => {"
                "  const answer = await fetch('/ticker/events', {headers: {'Last-Event-ID': String(asked)}});"
                "  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();"
                "  for (let part; !(part = await reader.read()).done; ) text += part.value;"
                "  ended = true; })(), 0"));
    wait_for(v.page, "(text.match(/^id: /gm) || []).length > 31");
    cr_assert(zero(int, process_signal(v.server, SIGUSR1)));
    wait_for(v.page, "ended");
    expect_text(v.page, "text.match(/^id: .*$/gm).every((id, i) => id === `id: ${asked + 1 + i}`) ? 'in order' : text",
                "in order");
    expect_text(v.page, "text.slice(0, 12)", "retry: 300\n\n");
    expect_nothing(browser_page_problems(v.page));
}

/* The ticker is told by another process than before, live, and has heard more. */
static void wait_for_new_ticks(struct browser_page *ticker, double old_pid)
{
    char expression[512];

    snprintf(expression, sizeof(expression),
             TICKER_PID " !== %.0f && Number(document.querySelector('#ticks').textContent) > %.0f && "
                        "document.querySelector('#state').textContent === 'live'",
             old_pid, number(ticker, "Number(document.querySelector('#ticks').textContent)") + 1);
    wait_for(ticker, expression);
}

Test(browser, an_upload_and_a_ticker_go_on_over_a_restart)
{
    char folder[] = "/tmp/gf-test-XXXXXX", path[512];
    struct browser_page *ticker, *admin;
    double first, second;

    cr_assert(not(zero(ptr, mkdtemp(folder))));
    make_file(folder, "large.bin", 4 << 20);
    snprintf(path, sizeof(path), "%s/large.bin", folder);
    cr_assert(zero(int, visit_website(&v, NULL)));
    ticker = open_page("/ticker");
    admin = open_page("/debug/admin");
    wait_for(ticker, TICKER_PID " > 0");
    start_upload(v.page, path);
    first = number(ticker, TICKER_PID);
    restart_by_page(admin, 2);
    second = number(admin, PID);
    cr_expect(ne(dbl, second, first));
    cr_expect(lt(dbl, number(v.page, "bar.value"), 1), "the upload was over before the restart");
    cr_assert(zero(int, browser_page_throttle(v.page, -1)));
    wait_for_new_ticks(ticker, first);
    cr_expect(eq(dbl, number(ticker, TICKER_PID), second));
    wait_for(v.page, "document.querySelectorAll('tbody tr').length === 1");
    restart_by_page(admin, 3);
    wait_for_new_ticks(ticker, second);
    cr_expect(zero(dbl, number(ticker, "Number(document.querySelector('#missed').textContent)")));
    cr_expect(zero(int, visit_open(&v, v.page, "/uploads")));
    cr_expect(eq(dbl, number(v.page, "document.querySelectorAll('tbody tr').length"), 1));
    expect_nothing(visit_inspect(ticker, "ticker-restarted"));
    expect_nothing(browser_page_problems(v.page));
    expect_nothing(browser_page_problems(ticker));
    expect_nothing(browser_page_problems(admin));
    browser_page_free(admin);
    browser_page_free(ticker);
    unlink(path);
    rmdir(folder);
}
