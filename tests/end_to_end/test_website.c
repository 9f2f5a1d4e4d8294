/*
 * The website of the examples, as a browser sees it: how its pages look, forms, login, uploads, downloads.
 */
#include "tests/support/visit.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WAIT_MS 30000
#define SLOWLY (100 << 10) /* bytes a second: half a minute for what is sent here, long enough to look at */

static struct visit v;
static char folder[] = "/tmp/gf-test-XXXXXX"; /* of files to be sent */

static void begin(void)
{
    cr_assert(zero(int, visit_website(&v, NULL)));
}

static void finish(void)
{
    visit_finish(&v);
}

TestSuite(website, .init = begin, .fini = finish, .timeout = 120);

#define expect_nothing(text)                                                                                           \
    do {                                                                                                               \
        char *lines_ = (text);                                                                                         \
        cr_expect(eq(str, lines_, ""));                                                                                \
        free(lines_);                                                                                                  \
    } while (0)
#define wait_for(expression) cr_assert(zero(int, browser_page_wait(v.page, (expression), WAIT_MS)), "%s", (expression))

static void open_path(const char *path)
{
    cr_assert(zero(int, visit_open(&v, v.page, path)), "%s", path);
}

static void expect_text(const char *expression, const char *expected)
{
    char *text = browser_page_text(v.page, expression);

    cr_expect(eq(str, text ? text : "(nothing)", (char *)expected), "%s", expression);
    free(text);
}

/* ---- looks ------------------------------------------------------------------------------------- */

Test(website, pages_look_right)
{
    static const char *const pages[][2] = {
        {"/", "home"}, {"/guestbook", "guestbook"}, {"/login", "login"}, {"/ticker", "ticker"}};

    for (size_t i = 0; i < sizeof(pages) / sizeof(*pages); i++) {
        open_path(pages[i][0]);
        if (!strcmp(pages[i][1], "ticker"))
            wait_for("Number(document.querySelector('#ticks').textContent) > 1");
        expect_nothing(visit_inspect(v.page, pages[i][1]));
        expect_nothing(browser_page_problems(v.page));
    }
}

/* The site's own pages for errors, with nothing else wrong but the status. */
Test(website, errors_have_pages_of_their_own)
{
    static const struct {
        const char *path, *status, *title;
    } errors[] = {{"/nowhere", "404", "There is no such page"}, {"/broken", "500", "Something went wrong"}};

    for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
        char expected[128], *problems;

        open_path(errors[i].path);
        expect_text("document.querySelector('h1').textContent", errors[i].title);
        snprintf(expected, sizeof(expected), "status: %s %s%s\n", errors[i].status, v.base, errors[i].path);
        problems = browser_page_problems(v.page);
        cr_expect(eq(str, problems, expected));
        free(problems);
        expect_nothing(visit_inspect(v.page, errors[i].status));
    }
}

/* ---- forms ------------------------------------------------------------------------------------- */

/* What a browser would not send by itself, its own checks being on. */
static void send_form(void)
{
    cJSON_Delete(browser_page_evaluate(v.page, "document.querySelector('main form').noValidate = true"));
    cr_assert(zero(int, browser_page_click(v.page, "main form button")));
}

#define SCRIPT "<script>document.title='taken'</script>"

Test(website, a_form_comes_back_with_what_was_wrong_and_then_is_taken)
{
    open_path("/guestbook");
    cr_assert(zero(int, browser_page_type(v.page, "#name", "\"><b>A&amp;")));
    cr_assert(zero(int, browser_page_type(v.page, "#mail", "nowhere")));
    cr_assert(zero(int, browser_page_type(v.page, "#text", SCRIPT)));
    send_form();
    wait_for("document.querySelector('#mail-error')");
    expect_text("[...document.querySelectorAll('.error')].map(e => e.id).join(' ')", "mail-error stars-error");
    expect_text("document.querySelector('#name').value", "\"><b>A&amp;");
    expect_text("document.querySelector('#mail').value", "nowhere");
    expect_text("document.querySelector('#text').value", SCRIPT);
    expect_nothing(visit_inspect(v.page, "guestbook-errors"));
    free(browser_page_problems(v.page)); /* the 422 */

    cr_assert(zero(int, browser_page_type(v.page, "#mail", "anna@example.org")));
    cr_assert(zero(int, browser_page_click(v.page, "input[value='4']")));
    send_form();
    wait_for("document.querySelector('.notice')");
    expect_text("document.querySelector('.entries b').textContent", "\"><b>A&amp;");
    expect_text("document.querySelector('.entries .words').textContent", SCRIPT);
    expect_text("document.title", "Guest book · Harbour");
    expect_nothing(visit_inspect(v.page, "guestbook-signed"));
    cJSON_Delete(browser_page_evaluate(v.page, "window.before = true, location.reload()"));
    wait_for("!window.before && document.querySelector('.entries')");
    cr_expect(eq(dbl, browser_page_number(v.page, "document.querySelectorAll('.entries li').length"), 1));
    expect_nothing(browser_page_problems(v.page));
}

/* From a page that is not the site's, with the same form. */
Test(website, a_page_of_another_site_cannot_post)
{
    char expression[512];

    snprintf(expression, sizeof(expression),
             "fetch('%s/guestbook', {method: 'POST', mode: 'no-cors', credentials: 'include', "
             "body: new URLSearchParams({name: 'Eve', stars: 5, text: 'good morning'})}).then(() => 'sent')",
             v.base);
    expect_text(expression, "sent");
    open_path("/guestbook");
    cr_expect(eq(dbl, browser_page_number(v.page, "document.querySelectorAll('.entries li').length"), 0));
    /* And the same from one of its own, so that it is known what has refused. */
    expect_text(expression, "sent");
    open_path("/guestbook");
    cr_expect(eq(dbl, browser_page_number(v.page, "document.querySelectorAll('.entries li').length"), 1));
}

/* ---- login ------------------------------------------------------------------------------------- */

static void expect_cookie(void)
{
    cJSON *cookies = browser_page_cookies(v.page), *cookie = cJSON_GetArrayItem(cookies, 0);

    cr_assert(eq(int, cJSON_GetArraySize(cookies), 1));
    cr_expect(eq(str, cJSON_GetStringValue(cJSON_GetObjectItem(cookie, "name")), "website"));
    cr_expect(eq(str, cJSON_GetStringValue(cJSON_GetObjectItem(cookie, "sameSite")), "Lax"));
    cr_expect(cJSON_IsTrue(cJSON_GetObjectItem(cookie, "httpOnly")));
    cJSON_Delete(cookies);
    expect_text("document.cookie", "");
}

Test(website, a_login_lasts_over_a_restart)
{
    open_path("/uploads");
    expect_text("location.pathname", "/login");
    cr_assert(zero(int, browser_page_type(v.page, "#user", "alice")));
    cr_assert(zero(int, browser_page_type(v.page, "#password", "open barley")));
    send_form();
    wait_for("document.querySelector('#problem')");
    expect_nothing(visit_inspect(v.page, "login-wrong"));
    free(browser_page_problems(v.page)); /* the 422 */
    cr_assert(zero(int, visit_log_in(&v, v.page)));
    expect_cookie();

    cr_assert(zero(int, process_signal(v.server, SIGUSR1)));
    cr_assert(zero(int, process_wait_line(v.server, "server restarted: process ", WAIT_MS)));
    open_path("/uploads");
    expect_text("location.pathname", "/uploads");
    expect_text("document.querySelector('.account span').textContent", "alice");
    cr_assert(zero(int, browser_page_click(v.page, ".account button")));
    wait_for("location.pathname === '/'");
    cJSON *cookies = browser_page_cookies(v.page);
    cr_expect(zero(int, cJSON_GetArraySize(cookies)));
    cJSON_Delete(cookies);
    expect_nothing(browser_page_problems(v.page));
}

/* ---- uploads ----------------------------------------------------------------------------------- */

static char *make_file(const char *name, size_t size)
{
    char *path = NULL;
    FILE *file;

    cr_assert(gt(int, asprintf(&path, "%s/%s", folder, name), 0));
    file = fopen(path, "we");
    cr_assert(not(zero(ptr, file)));
    for (size_t i = 0; i < size; i++)
        fputc((int)(i * 2654435761U >> 13 & 0xff), file);
    fclose(file);
    return path;
}

static bool has_same_bytes(const char *a, const char *b)
{
    FILE *left = fopen(a, "re"), *right = fopen(b, "re");
    int x = 0, y = left && right ? 0 : 1;

    while (x == y && x != EOF) {
        x = getc(left);
        y = getc(right);
    }
    if (left)
        fclose(left);
    if (right)
        fclose(right);
    return x == y;
}

/* A name that would be another folder, markup and a header, were it believed; and its bytes come back. */
Test(website, files_go_up_with_a_bar_and_come_back_under_their_names)
{
    static const char name[] = "<i>größe & 'plan'; 100%.bin";
    const char *paths[3] = {NULL};
    char *files[2], *back;

    cr_assert(not(zero(ptr, mkdtemp(folder))));
    paths[0] = files[0] = make_file(name, 3 << 20);
    paths[1] = files[1] = make_file("empty.txt", 0);
    cr_assert(zero(int, visit_log_in(&v, v.page)));
    expect_nothing(visit_inspect(v.page, "uploads-none"));
    cr_assert(zero(int, browser_page_choose(v.page, "#files", paths)));
    cr_assert(zero(int, browser_page_throttle(v.page, SLOWLY)));
    cr_assert(zero(int, browser_page_click(v.page, "#upload button")));
    wait_for("bar.value > 0 && bar.value < 1 && / % sent/.test(document.querySelector('#state').textContent)");
    expect_nothing(visit_inspect(v.page, "uploads-sending"));
    cr_assert(zero(int, browser_page_throttle(v.page, -1)));
    wait_for("document.querySelectorAll('tbody tr').length === 2");
    expect_nothing(visit_inspect(v.page, "uploads"));
    expect_text("[...document.querySelectorAll('tbody a')].map(e => e.textContent).sort().join()",
                "<i>größe & 'plan'; 100%.bin,empty.txt");
    cJSON_Delete(browser_page_evaluate(
        v.page, "[...document.querySelectorAll('tbody a')].find(e => /plan/.test(e.textContent)).id = 'mine'"));
    cr_assert(zero(int, browser_page_click(v.page, "#mine")));
    /* What a browser makes of characters that other systems' names cannot have. */
    back = browser_wait_download(v.browser, "_i_größe & 'plan'; 100%.bin", WAIT_MS);
    cr_assert(not(zero(ptr, back)));
    cr_expect(has_same_bytes(back, paths[0]));
    free(back);
    cr_assert(zero(int, browser_page_click(v.page, "tbody button")));
    wait_for("document.querySelectorAll('tbody tr').length === 1");
    expect_nothing(browser_page_problems(v.page));
    for (int i = 0; i < 2; i++) {
        unlink(files[i]);
        free(files[i]);
    }
    rmdir(folder);
}

/* A visitor whose browser runs none: the form of the uploads is one that browsers can send by themselves. */
Test(website, an_upload_needs_no_scripts)
{
    const char *paths[2] = {NULL};
    char *file;
    cJSON *parameters = cJSON_CreateObject();

    cr_assert(not(zero(ptr, mkdtemp(folder))));
    paths[0] = file = make_file("plain.bin", 100000);
    cr_assert(zero(int, visit_log_in(&v, v.page)));
    cJSON_AddTrueToObject(parameters, "value");
    cJSON_Delete(browser_page_call(v.page, "Emulation.setScriptExecutionDisabled", parameters));
    open_path("/uploads");
    cr_assert(zero(int, browser_page_choose(v.page, "#files", paths)));
    cr_assert(zero(int, browser_page_click(v.page, "#upload button")));
    wait_for("document.querySelectorAll('tbody tr').length === 1");
    expect_text("document.querySelector('tbody a').textContent", "plain.bin");
    expect_nothing(browser_page_problems(v.page));
    unlink(file);
    free(file);
    rmdir(folder);
}

Test(website, an_upload_that_is_cancelled_leaves_nothing)
{
    const char *paths[2] = {NULL};
    char *file;

    cr_assert(not(zero(ptr, mkdtemp(folder))));
    paths[0] = file = make_file("large.bin", 4 << 20);
    cr_assert(zero(int, visit_log_in(&v, v.page)));
    cr_assert(zero(int, browser_page_choose(v.page, "#files", paths)));
    cr_assert(zero(int, browser_page_throttle(v.page, SLOWLY)));
    cr_assert(zero(int, browser_page_click(v.page, "#upload button")));
    wait_for("bar.value > 0 && bar.value < 1");
    cr_assert(zero(int, browser_page_click(v.page, "#cancel")));
    wait_for("document.querySelector('#state').textContent === 'Cancelled.'");
    cr_assert(zero(int, browser_page_throttle(v.page, -1)));
    open_path("/uploads");
    cr_expect(eq(dbl, browser_page_number(v.page, "document.querySelectorAll('tbody tr').length"), 0));
    expect_nothing(browser_page_problems(v.page));
    unlink(file);
    free(file);
    rmdir(folder);
}
