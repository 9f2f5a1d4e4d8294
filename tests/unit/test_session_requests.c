/*
 * Sessions as requests see them, in each kind of store: what a handler sets is there for the next request, what two
 * requests of one session do to each other, and what goes out in the cookie. Each check runs once for each kind.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/server/server.h>
#include <gf/ghttp/service/session_id.h>
#include <gf/ghttp/service/session_record.h>
#include <gf/ghttp/service/session_stores.h>
#include <gf/glog/glog.h>

#include "tests/support/redis.h"

#define ID "0123456789abcdef0123456789abcdef"

static char parent[] = "/tmp/gf-test-session-XXXXXX", folder[64], logged[1024];
static ghttp_server *server;

static void keep_line(enum glog_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    snprintf(logged, sizeof(logged), "%s", line);
}

static void begin(const char *storage)
{
    strcpy(parent + strlen(parent) - 6, "XXXXXX");
    cr_assert(mkdtemp(parent) != NULL);
    snprintf(folder, sizeof(folder), "%s/sessions", parent);
    glog_set_writer(keep_line, NULL);
    server = gf_server_new("sessions");
    cr_assert(ghttp_server_set(server, "sessionPath", folder) == 0);
    cr_assert(ghttp_server_set(server, "sessionStorage", storage) == 0);
}

static void begin_files(void)
{
    begin("file");
}

static void begin_memory(void)
{
    begin("memory");
}

#ifdef GF_HAVE_REDIS
static struct redis redis;

static void begin_redis(void)
{
    begin("redis");
    cr_assert(redis_init(&redis) == 0 && redis_start(&redis) == 0);
    cr_assert(ghttp_server_set(server, "sessionRedisAddress", redis.address) == 0);
    cr_assert(ghttp_server_set(server, "sessionRedisTimeout", "20s") == 0);
}

static void end(void);

static void end_redis(void)
{
    end();
    redis_finish(&redis);
}

TestSuite(session_in_redis, .init = begin_redis, .fini = end_redis);
/* One more test of a check, where the library can do it. */
#define IN_REDIS(name)                                                                                                 \
    Test(session_in_redis, name)                                                                                       \
    {                                                                                                                  \
        name();                                                                                                        \
    }
#else
#define IN_REDIS(name)
#endif

static void end(void)
{
    char command[128];
    gf_session_store_close(server->session_store);
    snprintf(command, sizeof(command), "rm -rf %s", parent);
    cr_assert(system(command) == 0);
}

TestSuite(session_in_files, .init = begin_files, .fini = end);
TestSuite(session_in_memory, .init = begin_memory, .fini = end);

/* A check, and a test of it for each kind of store. */
#define EACH_STORE(name)                                                                                               \
    static void name(void);                                                                                            \
    Test(session_in_files, name)                                                                                       \
    {                                                                                                                  \
        name();                                                                                                        \
    }                                                                                                                  \
    Test(session_in_memory, name)                                                                                      \
    {                                                                                                                  \
        name();                                                                                                        \
    }                                                                                                                  \
    IN_REDIS(name)                                                                                                     \
    static void name(void)

static struct gf_session_store *store(void)
{
    struct gf_session_store *found;
    cr_assert(gf_session_stores_find(server, &found) == 0, "%s", logged);
    return found;
}

/* When the session ends, from now; negative: there is none. */
static int64_t time_left(const char *id)
{
    char *text;
    int64_t ends_ms;
    if (store()->kind->read(store(), id, &text, &ends_ms) < 0)
        return -1;
    free(text);
    return ends_ms - gf_session_store_now();
}

static int end_in(const char *id, int64_t ms)
{
    return store()->kind->touch(store(), id, gf_session_store_now() + ms);
}

static int damage(void *arg, const char *text, char **ret_text, int64_t *ret_ends_ms)
{
    (void)arg;
    (void)text;
    *ret_text = strdup("{\"version\":1,");
    *ret_ends_ms = gf_session_store_now() + 60000;
    return 0;
}

struct visit {
    struct ghttp_request r;
    struct gf_arena *arena;
    char cookie[128];
};

static void visit_begin(struct visit *visit, const char *id)
{
    visit->arena = gf_arena_new(1 << 20);
    gf_request_init(&visit->r, visit->arena, 0);
    visit->r.server = server;
    if (id) {
        snprintf(visit->cookie, sizeof(visit->cookie), "gfsessionid=%s", id);
        gf_fields_add(&visit->r.headers, visit->arena, "Cookie", visit->cookie);
    }
}

/* The response goes out; what it sets as the cookie is left in cookie, "" for nothing. */
static const char *visit_end(struct visit *visit)
{
    gf_request_run_before_output(&visit->r);
    const char *cookie = gf_fields_find(&visit->r.response.headers, "Set-Cookie");
    snprintf(visit->cookie, sizeof(visit->cookie), "%s", cookie ? cookie : "");
    gf_request_finish(&visit->r);
    gf_arena_free(visit->arena);
    return visit->cookie;
}

/* Begins a session with these two values; its id is left in id. */
static void begin_session(char id[GF_SESSION_ID_SIZE + 1], const char *a, const char *b)
{
    struct visit visit;
    visit_begin(&visit, NULL);
    cr_assert(ghttp_session_set(&visit.r, "a", a) == 0 && ghttp_session_set(&visit.r, "b", b) == 0);
    snprintf(id, GF_SESSION_ID_SIZE + 1, "%s", ghttp_session_id(&visit.r));
    visit_end(&visit);
}

static bool has(const char *id, const char *key, const char *expected)
{
    struct visit visit;
    visit_begin(&visit, id);
    const char *value = ghttp_session_get(&visit.r, key);
    bool same = value && expected ? strcmp(value, expected) == 0 : value == expected;
    visit_end(&visit);
    return same;
}

EACH_STORE(begins_with_the_first_value)
{
    struct visit visit;
    char expected[128], id[GF_SESSION_ID_SIZE + 1];
    visit_begin(&visit, NULL);
    cr_expect(!ghttp_session_id(&visit.r) && !ghttp_session_get(&visit.r, "a"));
    cr_expect(ghttp_session_remove(&visit.r, "a") == 0 && ghttp_session_clear(&visit.r) == 0);
    cr_expect(ghttp_session_regenerate(&visit.r) == 0 && ghttp_session_set_max_age(&visit.r, 60) == -ENOENT);
    cr_expect(strcmp(visit_end(&visit), "") == 0, "%s", visit.cookie);
    visit_begin(&visit, NULL);
    visit.r.secure = true;
    cr_expect(ghttp_session_set(&visit.r, "a", "1") == 0);
    cr_assert(ghttp_session_id(&visit.r) != NULL);
    snprintf(id, sizeof(id), "%s", ghttp_session_id(&visit.r));
    snprintf(expected, sizeof(expected), "gfsessionid=%s; Path=/; Max-Age=86400; Secure; HttpOnly; SameSite=Lax", id);
    cr_expect(strcmp(visit_end(&visit), expected) == 0, "%s", visit.cookie);
    cr_expect(has(id, "a", "1") && has(id, "A", NULL));
}

EACH_STORE(takes_no_id_that_the_client_has_made_up)
{
    static const char *const ids[] = {ID, "../../x", "", "\"" ID "\"", "lock"};
    struct visit visit;
    for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++) {
        visit_begin(&visit, ids[i]);
        cr_expect(!ghttp_session_id(&visit.r));
        cr_expect(ghttp_session_set(&visit.r, "a", "1") == 0);
        cr_expect(strcmp(ghttp_session_id(&visit.r), ID) != 0);
        visit_end(&visit);
        cr_expect(strncmp(visit.cookie, "gfsessionid=" ID, 12 + 32) != 0);
    }
    cr_expect(time_left(ID) < 0);
}

EACH_STORE(takes_its_id_from_a_header_only_if_told_to)
{
    char id[GF_SESSION_ID_SIZE + 1];
    struct visit visit;
    begin_session(id, "1", "2");
    for (int told = 0; told < 2; told++) {
        cr_assert(ghttp_server_set(server, "sessionHeader", told ? "on" : "off") == 0);
        visit_begin(&visit, NULL);
        gf_fields_add(&visit.r.headers, visit.arena, "Gfsessionid", id);
        cr_expect((ghttp_session_get(&visit.r, "a") != NULL) == told);
        visit_end(&visit);
    }
}

EACH_STORE(of_two_requests_at_once_keeps_the_changes_of_both)
{
    struct visit first, second;
    char id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "1", "2");
    visit_begin(&first, id);
    visit_begin(&second, id);
    cr_expect(ghttp_session_set(&first.r, "a", "first") == 0 && ghttp_session_set(&second.r, "b", "second") == 0);
    cr_expect(ghttp_session_set(&first.r, "c", "first") == 0 && ghttp_session_set(&second.r, "c", "second") == 0);
    cr_expect(strcmp(ghttp_session_get(&first.r, "b"), "2") == 0, "each sees what it has begun with");
    visit_end(&second);
    visit_end(&first);
    cr_expect(has(id, "a", "first") && has(id, "b", "second") && has(id, "c", "first"));
}

EACH_STORE(that_was_ended_is_not_brought_back_by_another_request)
{
    struct visit first, second;
    char id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "1", "2");
    visit_begin(&first, id);
    visit_begin(&second, id);
    cr_expect(ghttp_session_set(&second.r, "a", "late") == 0);
    cr_expect(ghttp_session_clear(&first.r) == 0 && !ghttp_session_id(&first.r));
    visit_end(&first);
    cr_expect(strncmp(first.cookie, "gfsessionid=; Path=/; Max-Age=0; Expires=", 41) == 0, "%s", first.cookie);
    cr_expect(strcmp(visit_end(&second), "") == 0);
    cr_expect(has(id, "a", NULL) && time_left(id) < 0);
}

EACH_STORE(ends_with_its_last_value)
{
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "1", "2");
    visit_begin(&visit, id);
    cr_expect(ghttp_session_remove(&visit.r, "a") == 0 && ghttp_session_set(&visit.r, "b", NULL) == 0);
    visit_end(&visit);
    cr_expect(strstr(visit.cookie, "Max-Age=0") && time_left(id) < 0);
}

EACH_STORE(that_is_cleared_and_set_again_goes_on)
{
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "1", "2");
    visit_begin(&visit, id);
    cr_expect(ghttp_session_clear(&visit.r) == 0 && ghttp_session_set(&visit.r, "c", "3") == 0);
    visit_end(&visit);
    cr_expect(has(id, "a", NULL) && has(id, "b", NULL) && has(id, "c", "3"));
}

EACH_STORE(with_another_id_keeps_its_values)
{
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1], new_id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "1", "2");
    visit_begin(&visit, id);
    cr_expect(ghttp_session_regenerate(&visit.r) == 0 && ghttp_session_set(&visit.r, "a", "new") == 0);
    snprintf(new_id, sizeof(new_id), "%s", ghttp_session_id(&visit.r));
    visit_end(&visit);
    cr_expect(strcmp(id, new_id) != 0 && strncmp(visit.cookie + 12, new_id, 32) == 0);
    cr_expect(has(id, "a", NULL) && has(new_id, "a", "new") && has(new_id, "b", "2"));
}

EACH_STORE(gives_values_as_what_they_are_wanted_as)
{
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "-42", "on");
    visit_begin(&visit, id);
    cr_expect(ghttp_session_get_int(&visit.r, "a", 7) == -42 && ghttp_session_get_int(&visit.r, "b", 7) == 7);
    cr_expect(ghttp_session_get_double(&visit.r, "a", 0.5) == -42 &&
              ghttp_session_get_double(&visit.r, "b", 0.5) == 0.5);
    cr_expect(ghttp_session_get_bool(&visit.r, "b", false) && ghttp_session_get_bool(&visit.r, "a", true));
    cr_expect(ghttp_session_get_int(&visit.r, "c", 7) == 7 && ghttp_session_get_int(&visit.r, NULL, 8) == 8);
    cr_expect(ghttp_session_contains(&visit.r, "a") && !ghttp_session_contains(&visit.r, "c"));
    cr_expect(ghttp_session_set(&visit.r, "c", "") == 0 && ghttp_session_contains(&visit.r, "c"));
    cr_expect(!ghttp_session_get_bool(&visit.r, "c", true), "empty is false");
    cr_expect(ghttp_session_remove(&visit.r, "a") == 0 && !ghttp_session_contains(&visit.r, "a"));
    visit_end(&visit);
    visit_begin(&visit, NULL);
    cr_expect(ghttp_session_get_int(&visit.r, "a", 7) == 7 && !ghttp_session_contains(&visit.r, "a"));
    cr_expect(!ghttp_session_size(&visit.r));
    visit_end(&visit);
}

struct seen {
    struct visit *visit;
    char text[64];
    unsigned left; /* calls until it has enough */
};

/* "a=1 " for a; and for each that it is called with another value is set, which it is not called with. */
static bool see(const char *key, const char *value, void *arg)
{
    struct seen *seen = arg;
    char name[64];
    size_t length = strlen(seen->text);
    snprintf(seen->text + length, sizeof(seen->text) - length, "%s=%s ", key, value);
    if (seen->visit) {
        snprintf(name, sizeof(name), "new %s", key);
        cr_expect(ghttp_session_set(&seen->visit->r, name, value) == 0);
        cr_expect(ghttp_session_remove(&seen->visit->r, "a") == 0);
    }
    return !seen->left || --seen->left;
}

EACH_STORE(tells_all_its_keys_and_values)
{
    struct seen all = {.visit = NULL}, one = {.left = 1}, changing = {.left = 0};
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "1", "2");
    visit_begin(&visit, id);
    cr_expect(ghttp_session_set(&visit.r, "b", "two") == 0 && ghttp_session_set(&visit.r, "c", "3") == 0);
    cr_expect(ghttp_session_each(&visit.r, see, &all) == 3 && ghttp_session_size(&visit.r) == 3);
    cr_expect(strlen(all.text) == 14 && strstr(all.text, "a=1 ") && strstr(all.text, "b=two ") &&
                  strstr(all.text, "c=3 "),
              "%s", all.text);
    cr_expect(ghttp_session_each(&visit.r, see, &one) == 1 && strlen(one.text) < 7, "%s", one.text);
    changing.visit = &visit;
    size_t count = ghttp_session_each(&visit.r, see, &changing);
    cr_expect(!strstr(changing.text, "new") && (count == 2 || count == 3), "%s", changing.text);
    cr_expect(ghttp_session_size(&visit.r) == 2 + count);
    cr_expect(ghttp_session_clear(&visit.r) == 0 && ghttp_session_size(&visit.r) == 0);
    visit_end(&visit);
}

EACH_STORE(has_an_age_of_its_own)
{
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "1", "2");
    visit_begin(&visit, id);
    cr_expect(ghttp_session_set_max_age(&visit.r, -1) == -EINVAL);
    cr_expect(ghttp_session_set_max_age(&visit.r, 3600) == 0);
    visit_end(&visit);
    cr_expect(strstr(visit.cookie, "; Max-Age=3600;"), "%s", visit.cookie);
    cr_expect(time_left(id) <= 3600000 && time_left(id) > 3500000);
    cr_expect(end_in(id, 3240000) == 0, "a tenth of its age has gone by since");
    cr_expect(has(id, "a", "1") && time_left(id) > 3500000, "a use lets it live longer");
    end_in(id, -1000);
    cr_expect(has(id, "a", NULL));
}

/* ---- the cookie's age ---- */

#define MINUTE_MS INT64_C(60000)

static int64_t clock_ms;

static int64_t read_clock(void)
{
    return clock_ms;
}

static void set_ages(const char *session, const char *cookie)
{
    cr_assert(ghttp_server_set(server, "sessionMaxAge", session) == 0);
    cr_assert(ghttp_server_set(server, "sessionCookieMaxAge", cookie) == 0);
    clock_ms = gf_session_store_now();
    store()->now_ms = read_clock;
}

/*
 * A client comes every so often, and each time something is stored (or only read), for as long as it takes to see its
 * session and its first cookie end several times. How often it got its cookie; it never has one that is at its end.
 */
static int count_cookies(const char *id, int64_t step_ms, int64_t age_ms, bool writes)
{
    int64_t sent_ms = clock_ms, oldest_ms = 0;
    struct visit visit;
    int count = 0;
    for (int64_t end = clock_ms + 4 * age_ms; clock_ms < end; clock_ms += step_ms) {
        visit_begin(&visit, id);
        cr_assert(ghttp_session_get(&visit.r, "a") && (!writes || ghttp_session_set(&visit.r, "seen", "now") == 0));
        visit_end(&visit);
        if (*visit.cookie) {
            sent_ms = clock_ms;
            count++;
        }
        if (clock_ms - sent_ms > oldest_ms)
            oldest_ms = clock_ms - sent_ms;
    }
    cr_expect(oldest_ms <= age_ms / 16, "it was %lld s old", (long long)oldest_ms / 1000);
    return count;
}

EACH_STORE(sends_the_cookie_again_to_who_writes_at_each_request)
{
    char id[GF_SESSION_ID_SIZE + 1];
    set_ages("30m", "30m");
    begin_session(id, "1", "2");
    int count = count_cookies(id, MINUTE_MS, 30 * MINUTE_MS, true);
    cr_expect(count >= 50 && count <= 60, "%d: with every other request", count);
}

EACH_STORE(sends_the_cookie_again_to_who_only_reads)
{
    char id[GF_SESSION_ID_SIZE + 1];
    set_ages("30m", "30m");
    begin_session(id, "1", "2");
    int count = count_cookies(id, MINUTE_MS, 30 * MINUTE_MS, false);
    cr_expect(count >= 50 && count <= 60, "%d: with every other request", count);
}

EACH_STORE(sends_a_cookie_again_that_ends_before_the_session)
{
    char id[GF_SESSION_ID_SIZE + 1];
    set_ages("30d", "24h");
    begin_session(id, "1", "2");
    int count = count_cookies(id, 30 * MINUTE_MS, 24 * 60 * MINUTE_MS, false);
    cr_expect(count >= 45 && count <= 64, "%d: every two hours", count);
}

EACH_STORE(sends_no_cookie_again_that_ends_with_the_browser)
{
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1];
    set_ages("30m", "30m");
    begin_session(id, "1", "2");
    cr_assert(ghttp_server_set(server, "sessionCookieMaxAge", "0") == 0);
    visit_begin(&visit, id);
    cr_expect(ghttp_session_get(&visit.r, "a") != NULL);
    cr_expect(*visit_end(&visit) && !strstr(visit.cookie, "Max-Age"), "the one with an end is replaced: %s",
              visit.cookie);
    for (int i = 0; i < 60; i++, clock_ms += MINUTE_MS) {
        visit_begin(&visit, id);
        cr_expect(ghttp_session_get(&visit.r, "a") && ghttp_session_set(&visit.r, "seen", "now") == 0);
        cr_expect(!*visit_end(&visit), "%s", visit.cookie);
    }
}

EACH_STORE(sends_no_cookie_where_the_program_does)
{
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1];
    set_ages("30m", "30m");
    cr_assert(ghttp_server_set(server, "sessionCookieOutput", "off") == 0);
    begin_session(id, "1", "2");
    for (int i = 0; i < 60; i++, clock_ms += MINUTE_MS) {
        visit_begin(&visit, id);
        cr_expect(ghttp_session_get(&visit.r, "a") && (i % 2 || ghttp_session_set(&visit.r, "seen", "now") == 0));
        cr_expect(!*visit_end(&visit), "%s", visit.cookie);
    }
    visit_begin(&visit, id);
    cr_expect(ghttp_session_clear(&visit.r) == 0 && !*visit_end(&visit), "%s", visit.cookie);
}

EACH_STORE(has_limits)
{
    static char value[GF_SESSION_BYTES_MAX + 1];
    char key[300];
    struct visit visit;
    visit_begin(&visit, NULL);
    memset(key, 'k', sizeof(key));
    key[257] = 0;
    cr_expect(ghttp_session_set(&visit.r, key, "") == -EINVAL && ghttp_session_set(&visit.r, "", "") == -EINVAL);
    cr_expect(ghttp_session_set(&visit.r, NULL, "") == -EINVAL && ghttp_session_get(&visit.r, NULL) == NULL);
    memset(value, 'v', sizeof(value) - 1);
    cr_expect(ghttp_session_set(&visit.r, "k", value) == -E2BIG && !ghttp_session_id(&visit.r));
    value[GF_SESSION_BYTES_MAX - 1] = 0;
    cr_expect(ghttp_session_set(&visit.r, "k", value) == 0 && ghttp_session_set(&visit.r, "l", "") == -E2BIG);
    visit_end(&visit);
    visit_begin(&visit, NULL);
    for (int i = 0; i < 256; i++) {
        snprintf(key, sizeof(key), "%d", i);
        cr_assert(ghttp_session_set(&visit.r, key, "") == 0);
    }
    cr_expect(ghttp_session_set(&visit.r, "k", "") == -E2BIG && ghttp_session_set(&visit.r, "0", "x") == 0);
    visit_end(&visit);
}

EACH_STORE(cannot_begin_once_the_head_is_sent)
{
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "1", "2");
    visit_begin(&visit, NULL);
    visit.r.response.sent = true;
    cr_expect(ghttp_session_set(&visit.r, "a", "1") == -EALREADY);
    visit_end(&visit);
    visit_begin(&visit, id);
    visit.r.response.sent = true;
    cr_expect(ghttp_session_regenerate(&visit.r) == -EALREADY && ghttp_session_set(&visit.r, "a", "streamed") == 0);
    visit_end(&visit);
    cr_expect(has(id, "a", "streamed"), "what needs no cookie goes on");
}

EACH_STORE(keeps_large_values_whole)
{
    static char value[GF_SESSION_BYTES_MAX];
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "1", "2");
    for (int i = 0; i < 3; i++) {
        memset(value, i ? 'a' + i : '\n', sizeof(value) - 16); /* of which each becomes two bytes */
        visit_begin(&visit, id);
        cr_expect(ghttp_session_set(&visit.r, "large", value) == 0);
        visit_end(&visit);
        cr_expect(has(id, "large", value) && has(id, "a", "1"));
        visit_begin(&visit, id);
        cr_expect(ghttp_session_set(&visit.r, "large", "small") == 0);
        visit_end(&visit);
        cr_expect(has(id, "large", "small"));
    }
}

EACH_STORE(that_is_damaged_is_none)
{
    char id[GF_SESSION_ID_SIZE + 1];
    struct visit visit;
    begin_session(id, "1", "2");
    cr_assert(store()->kind->update(store(), id, NULL, damage, NULL) == 0);
    visit_begin(&visit, id);
    cr_expect(!ghttp_session_get(&visit.r, "a") && ghttp_session_error(&visit.r) == 0);
    cr_expect(ghttp_session_set(&visit.r, "a", "new") == 0 && strcmp(ghttp_session_id(&visit.r), id) != 0);
    visit_end(&visit);
}

Test(session_in_files, that_are_too_many_are_refused_and_those_that_there_are_go_on)
{
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1], new_id[GF_SESSION_ID_SIZE + 1];
    cr_assert(ghttp_server_set(server, "sessionMaxCount", "1") == 0);
    begin_session(id, "1", "2");
    visit_begin(&visit, NULL);
    cr_expect(ghttp_session_set(&visit.r, "a", "new") == -ENOSPC && !ghttp_session_id(&visit.r));
    cr_expect(strstr(logged, "sessions cannot be kept: their folder is full"), "%s", logged);
    cr_expect(strcmp(visit_end(&visit), "") == 0);
    visit_begin(&visit, id);
    cr_expect(ghttp_session_regenerate(&visit.r) == 0 && ghttp_session_set(&visit.r, "a", "in") == 0);
    snprintf(new_id, sizeof(new_id), "%s", ghttp_session_id(&visit.r));
    visit_end(&visit);
    cr_expect(strncmp(visit.cookie + 12, new_id, 32) == 0, "%s", visit.cookie);
    cr_expect(has(id, "a", NULL) && has(new_id, "a", "in"));
}

Test(session_in_files, that_cannot_be_kept_says_so)
{
    struct visit visit;
    cr_assert(mkdir(folder, 0755) == 0);
    visit_begin(&visit, NULL);
    cr_expect(ghttp_session_error(&visit.r) == 0, "no client's session is missing");
    cr_expect(ghttp_session_set(&visit.r, "a", "1") == -EPERM && !ghttp_session_id(&visit.r));
    cr_expect(strcmp(visit_end(&visit), "") == 0);
    cr_expect(strstr(logged, "sessions cannot be kept: \"sessionPath\": /tmp/"), "%s", logged);
    visit_begin(&visit, ID);
    cr_expect(!ghttp_session_get(&visit.r, "a") && ghttp_session_error(&visit.r) == -EPERM);
    visit_end(&visit);
}
