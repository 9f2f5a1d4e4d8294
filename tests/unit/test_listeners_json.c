/*
 * The variable that hands listeners over: as much of it as fits into an environment, and not a byte more.
 */
#include "gf/ghttp/restart/listeners_json.h"
#include "gf/gproc/reload.h"

#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rlimit files = {.rlim_cur = 1024, .rlim_max = 4096};
static struct gf_handed_listener listeners[GF_HANDED_LISTENERS_MAX];
static struct gf_handed handed;

/* So many listeners, with addresses of this length, of servers with two each. */
static void fill(size_t count, int length)
{
    handed = (struct gf_handed)GF_HANDED_NONE;
    handed.control = 3;
    handed.count = count;
    handed.listeners = listeners;
    for (size_t i = 0; i < count; i++) {
        snprintf(listeners[i].server, sizeof(listeners[i].server), "server-%zu", i / 2);
        snprintf(listeners[i].address, sizeof(listeners[i].address), "%0*zu", length, i);
        listeners[i].tls = i % 2;
        listeners[i].fd = (int)i + 4;
    }
}

static void expect_kept(void)
{
    struct gf_handed found = GF_HANDED_NONE;
    char error[320], *text = NULL;

    cr_assert(zero(int, gf_listeners_json_print(&handed, 4711, &files, &text)));
    cr_assert(le(sz, strlen(text), GF_RELOAD_TEXT_MAX));
    cr_assert(zero(int, gf_listeners_json_parse(text, &found, error, sizeof(error))), "%s", error);
    cr_assert(eq(sz, found.count, handed.count));
    for (size_t i = 0; i < found.count; i++) {
        cr_expect(eq(int, found.listeners[i].fd, listeners[i].fd));
        cr_expect(eq(str, found.listeners[i].address, listeners[i].address));
        cr_expect(eq(str, found.listeners[i].server, listeners[i].server));
        cr_expect(eq(int, found.listeners[i].tls, listeners[i].tls));
    }
    gf_handed_finish(&found);
    cJSON_free(text);
}

static void expect_variable_taken(size_t size, bool taken)
{
    char *value = malloc(size + 1), *text = NULL;
    pid_t parent;

    memset(value, 'x', size);
    value[size] = 0;
    cr_assert(zero(int, setenv(GF_RELOAD_VARIABLE, value, 1)));
    cr_expect(gf_reload_take(&text, &parent));
    cr_expect(eq(int, text != NULL, taken));
    free(text);
    free(value);
}

/* The longest text of an address on TCP: "[0000:…:255.255.255.255]:65535". */
Test(listeners_json, has_room_for_all_that_a_process_may_have_on_tcp)
{
    fill(GF_HANDED_LISTENERS_MAX, 53);
    expect_kept();
}

Test(listeners_json, refuses_what_a_new_process_would_not_take)
{
    char *text = NULL;

    fill(800, GF_ADDRESS_TEXT_MAX - 1);
    expect_kept();
    fill(GF_HANDED_LISTENERS_MAX, GF_ADDRESS_TEXT_MAX - 1);
    cr_expect(eq(int, gf_listeners_json_print(&handed, 4711, &files, &text), -E2BIG));
    cr_expect(zero(ptr, text));
    expect_variable_taken(GF_RELOAD_TEXT_MAX, true);
    expect_variable_taken(GF_RELOAD_TEXT_MAX + 1, false);
}
