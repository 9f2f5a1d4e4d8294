/* Sessions: ids, the files with a clock of the test's own, and what two requests of one session do to each other. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gf/ghttp/message/arena.h>
#include <gf/ghttp/message/request.h>
#include <gf/ghttp/server/server.h>
#include <gf/ghttp/service/session_files.h>
#include <gf/ghttp/service/session_id.h>
#include <gf/ghttp/service/session_record.h>
#include <gf/glog/glog.h>

#define ID "0123456789abcdef0123456789abcdef"
#define OTHER_ID "f123456789abcdef0123456789abcdef"
#define START_MS INT64_C(1700000000000)

static char parent[] = "/tmp/gf-test-session-XXXXXX", folder[64], error[512], logged[1024];
static int64_t clock_ms;
static struct gf_session_files *files;
static ghttp_server *server;

static int64_t read_clock(void)
{
    return clock_ms;
}

static void keep_line(enum glog_level level, const char *line, void *arg)
{
    (void)level;
    (void)arg;
    snprintf(logged, sizeof(logged), "%s", line);
}

static void open_files(int64_t max_count)
{
    gf_session_files_close(files);
    files = NULL;
    cr_assert(gf_session_files_open(folder, max_count, read_clock, &files, error, sizeof(error)) == 0, "%s", error);
}

static void begin(void)
{
    strcpy(parent + strlen(parent) - 6, "XXXXXX");
    cr_assert(mkdtemp(parent) != NULL);
    snprintf(folder, sizeof(folder), "%s/sessions", parent);
    clock_ms = START_MS;
    glog_set_writer(keep_line, NULL);
    open_files(1000);
    server = gf_server_new("sessions");
    cr_assert(ghttp_server_set(server, "sessionPath", folder) == 0);
}

static void end(void)
{
    char command[128];
    gf_session_files_close(files);
    files = NULL;
    gf_session_files_close(server->session_files);
    snprintf(command, sizeof(command), "rm -rf %s", parent);
    cr_assert(system(command) == 0);
}

TestSuite(session, .init = begin, .fini = end);

static int try_open(const char *path)
{
    struct gf_session_files *opened = NULL;
    int result = gf_session_files_open(path, 10, NULL, &opened, error, sizeof(error));
    gf_session_files_close(opened);
    return result;
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static bool file_is(const char *id, const char *expected)
{
    char *text = NULL;
    int64_t ends_ms;
    int result = gf_session_files_read(files, id, &text, &ends_ms);
    bool same = expected ? result == 0 && strcmp(text, expected) == 0 : result == -ENOENT;
    if (result == 0)
        free(text);
    return same;
}

static void make_id(unsigned number, char id[GF_SESSION_ID_SIZE + 1])
{
    snprintf(id, GF_SESSION_ID_SIZE + 1, "%032x", number);
}

/* ---- ids ---- */

Test(session, ids_have_one_shape)
{
    static const char *const bad[] = {
        "",
        "0123456789abcdef0123456789abcde",
        "0123456789abcdef0123456789abcdef0",
        "0123456789ABCDEF0123456789ABCDEF",
        "0123456789abcdef0123456789abcdeg",
        "../../../../../../../etc/passwd0",
        "0123456789abcdef/123456789abcdef",
        "0123456789abcdef.123456789abcdef",
        "................................",
        "0123456789abcdef0123456789abcdef.tmp",
        "lock",
    };
    char first[GF_SESSION_ID_SIZE + 1], second[GF_SESSION_ID_SIZE + 1];
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_expect(!gf_session_id_is_shaped(bad[i]), "%s", bad[i]);
    cr_expect(gf_session_id_is_shaped(ID));
    cr_assert(gf_session_id_make(first) == 0 && gf_session_id_make(second) == 0);
    cr_expect(gf_session_id_is_shaped(first) && strcmp(first, second) != 0);
}

/* ---- files ---- */

Test(session, folder_and_files_are_for_the_user_alone)
{
    struct stat found;
    umask(0);
    cr_assert(gf_session_files_write(files, ID, "x", clock_ms + 1000) == 0);
    cr_expect(stat(folder, &found) == 0 && (found.st_mode & 07777) == 0700);
    cr_expect(stat(path_of(ID), &found) == 0 && (found.st_mode & 07777) == 0600);
    cr_expect(stat(path_of("lock"), &found) == 0 && (found.st_mode & 07777) == 0600);
    cr_expect(access(path_of(ID ".tmp"), F_OK) < 0);
}

Test(session, folder_that_others_may_enter_is_refused)
{
    char link[128];
    cr_assert(chmod(folder, 0750) == 0);
    cr_expect(try_open(folder) == -EPERM && strstr(error, "0700"), "%s", error);
    cr_assert(chmod(folder, 0700) == 0);
    cr_expect(try_open(folder) == 0);
    snprintf(link, sizeof(link), "%s/link", parent);
    cr_assert(symlink(folder, link) == 0);
    cr_expect(try_open(link) < 0, "a link may be somebody's trap");
    cr_expect(try_open("/nowhere/at/all") == -ENOENT);
    cr_assert(setenv("TMPDIR", parent, 1) == 0);
    cr_expect(try_open(NULL) == 0);
    snprintf(link, sizeof(link), "%s/gsessions-%u", parent, (unsigned)geteuid());
    cr_expect(access(link, F_OK) == 0);
}

Test(session, file_is_there_until_its_time)
{
    cr_expect(file_is(ID, NULL));
    cr_assert(gf_session_files_write(files, ID, "one", clock_ms + 5000) == 0);
    cr_assert(gf_session_files_write(files, ID, "two", clock_ms + 5000) == 0);
    clock_ms += 4999;
    cr_expect(file_is(ID, "two"));
    cr_assert(gf_session_files_touch(files, ID, clock_ms + 5000) == 0);
    clock_ms += 4999;
    cr_expect(file_is(ID, "two"), "a use lets it live longer");
    clock_ms++;
    cr_expect(file_is(ID, NULL));
    clock_ms--;
    cr_expect(gf_session_files_remove(files, ID) == 0 && file_is(ID, NULL));
    cr_expect(gf_session_files_remove(files, ID) == 0);
    cr_expect(gf_session_files_touch(files, ID, clock_ms + 5000) == -ENOENT);
}

Test(session, file_is_never_outside_of_the_folder)
{
    char outside[128], *text;
    int64_t ends_ms;
    snprintf(outside, sizeof(outside), "%s/outside", parent);
    FILE *file = fopen(outside, "w");
    cr_assert(file && fputs("secret", file) >= 0 && fclose(file) == 0);
    cr_assert(symlink(outside, path_of(ID)) == 0);
    cr_expect(gf_session_files_read(files, ID, &text, &ends_ms) < 0, "a link is not followed");
    cr_expect(gf_session_files_read(files, "../outside", &text, &ends_ms) == -ENOENT);
    cr_expect(gf_session_files_write(files, "../outside", "x", clock_ms + 1) == -EINVAL);
    cr_expect(gf_session_files_touch(files, "../outside", clock_ms) == -EINVAL);
    cr_expect(gf_session_files_remove(files, "../outside") == -EINVAL);
    cr_expect(access(outside, F_OK) == 0);
}

Test(session, files_that_have_ended_are_swept_away)
{
    char id[GF_SESSION_ID_SIZE + 1];
    unsigned removed = 0;
    for (unsigned i = 0; i < 600; i++) {
        make_id(i, id);
        cr_assert(gf_session_files_write(files, id, "x", START_MS + (i % 2 ? 1000 : 1000000)) == 0);
    }
    FILE *file = fopen(path_of("not-ours"), "w");
    cr_assert(file && fclose(file) == 0);
    clock_ms += 2000;
    removed = gf_session_files_sweep(files);
    cr_expect(removed > 0 && removed < 300, "%u at once", removed);
    cr_expect(gf_session_files_sweep(files) == 0, "once a second");
    for (int i = 0; i < 3; i++) {
        clock_ms += 1000;
        removed += gf_session_files_sweep(files);
    }
    cr_expect(removed == 300, "%u", removed);
    cr_expect(access(path_of("not-ours"), F_OK) == 0 && access(path_of("lock"), F_OK) == 0);
    make_id(0, id);
    cr_expect(file_is(id, "x"));
}

Test(session, leftovers_of_writing_are_swept_away_after_an_hour)
{
    struct stat made;
    FILE *file = fopen(path_of(ID ".tmp"), "w");
    cr_assert(file && fclose(file) == 0 && stat(path_of(ID ".tmp"), &made) == 0);
    clock_ms = (int64_t)made.st_ctime * 1000 + 3590000;
    cr_expect(gf_session_files_sweep(files) == 0);
    clock_ms += 20000;
    cr_expect(gf_session_files_sweep(files) == 1 && access(path_of(ID ".tmp"), F_OK) < 0);
}

Test(session, files_have_a_greatest_number)
{
    char id[GF_SESSION_ID_SIZE + 1];
    open_files(3);
    for (unsigned i = 0; i < 3; i++) {
        make_id(i, id);
        cr_expect(gf_session_files_write(files, id, "x", clock_ms + 5000) == 0);
    }
    cr_expect(gf_session_files_write(files, ID, "x", clock_ms + 5000) == -ENOSPC);
    cr_expect(gf_session_files_write(files, id, "y", clock_ms + 5000) == 0, "those that there are go on");
    clock_ms += 6000;
    cr_expect(gf_session_files_sweep(files) == 3);
    cr_expect(gf_session_files_write(files, ID, "x", clock_ms + 5000) == 0);
    open_files(1);
    gf_session_files_sweep(files);
    cr_expect(gf_session_files_write(files, OTHER_ID, "x", clock_ms + 5000) == -ENOSPC, "the next process counts too");
}

/* ---- records ---- */

Test(session, record_comes_back_from_its_text)
{
    struct gf_session_record record, copy;
    const char *key, *value;
    cr_assert(gf_session_record_init(&record) == 0);
    cr_expect(gf_session_record_is_empty(&record));
    cr_assert(gf_session_record_set(&record, "user", "1") == 0);
    cr_assert(gf_session_record_set(&record, "user", "哈\"\n") == 0);
    cr_assert(gf_session_record_set(&record, "User", "2") == 0);
    cr_assert(gf_session_record_set(&record, "User", NULL) == 0);
    record.max_age_ms = 90000;
    char *text = gf_session_record_print(&record);
    cr_assert(text != NULL);
    cr_assert(gf_session_record_parse(&copy, text) == 0, "%s", text);
    void *at = gf_session_record_next(&copy, NULL, &key, &value);
    cr_assert(at && strcmp(key, "user") == 0 && strcmp(value, "哈\"\n") == 0);
    cr_expect(!gf_session_record_next(&copy, at, &key, &value) && copy.max_age_ms == 90000);
    free(text);
    gf_session_record_finish(&record);
    gf_session_record_finish(&copy);
}

Test(session, record_that_is_none_is_refused)
{
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"version\":2,\"maxAge\":0,\"values\":{}}",
        "{\"version\":1,\"maxAge\":-1,\"values\":{}}",
        "{\"version\":1,\"values\":{}}",
        "{\"version\":1,\"maxAge\":0,\"values\":{\"a\":1}}",
        "{\"version\":1,\"maxAge\":0,\"values\":[\"a\"]}",
        "{\"version\":1,\"maxAge\":0}",
        "{\"version\":1,\"maxAge\":0,\"values\":{}}x",
    };
    struct gf_session_record record;
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        cr_expect(gf_session_record_parse(&record, bad[i]) == -EBADMSG, "%s", bad[i]);
}

/* ---- requests ---- */

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

Test(session, begins_with_the_first_value)
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

Test(session, takes_no_id_that_the_client_has_made_up)
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
    cr_expect(access(path_of(ID), F_OK) < 0);
}

Test(session, takes_its_id_from_a_header_only_if_told_to)
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

Test(session, of_two_requests_at_once_keeps_the_changes_of_both)
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

Test(session, that_was_ended_is_not_brought_back_by_another_request)
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
    cr_expect(has(id, "a", NULL) && access(path_of(id), F_OK) < 0);
}

Test(session, ends_with_its_last_value)
{
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "1", "2");
    visit_begin(&visit, id);
    cr_expect(ghttp_session_remove(&visit.r, "a") == 0 && ghttp_session_set(&visit.r, "b", NULL) == 0);
    visit_end(&visit);
    cr_expect(strstr(visit.cookie, "Max-Age=0") && access(path_of(id), F_OK) < 0);
}

Test(session, that_is_cleared_and_set_again_goes_on)
{
    struct visit visit;
    char id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "1", "2");
    visit_begin(&visit, id);
    cr_expect(ghttp_session_clear(&visit.r) == 0 && ghttp_session_set(&visit.r, "c", "3") == 0);
    visit_end(&visit);
    cr_expect(has(id, "a", NULL) && has(id, "b", NULL) && has(id, "c", "3"));
}

Test(session, with_another_id_keeps_its_values)
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

/* The clock that the library asks: time() can be a tick behind it. */
static time_t now(void)
{
    struct timespec precise;
    clock_gettime(CLOCK_REALTIME, &precise);
    return precise.tv_sec;
}

Test(session, has_an_age_of_its_own)
{
    struct visit visit;
    struct stat file;
    char id[GF_SESSION_ID_SIZE + 1];
    begin_session(id, "1", "2");
    visit_begin(&visit, id);
    cr_expect(ghttp_session_set_max_age(&visit.r, -1) == -EINVAL);
    cr_expect(ghttp_session_set_max_age(&visit.r, 3600) == 0);
    visit_end(&visit);
    cr_expect(strstr(visit.cookie, "; Max-Age=3600;"), "%s", visit.cookie);
    cr_assert(stat(path_of(id), &file) == 0);
    cr_expect(file.st_mtime <= now() + 3600 && file.st_mtime > now() + 3500);
    /* a tenth of its age has gone by since */
    struct timespec times[2] = {{.tv_sec = now()}, {.tv_sec = now() + 3240}};
    cr_assert(utimensat(AT_FDCWD, path_of(id), times, 0) == 0);
    cr_expect(has(id, "a", "1") && stat(path_of(id), &file) == 0);
    cr_expect(file.st_mtime > now() + 3500, "a use lets it live longer");
    times[1].tv_sec = now() - 1;
    cr_assert(utimensat(AT_FDCWD, path_of(id), times, 0) == 0);
    cr_expect(has(id, "a", NULL));
}

Test(session, has_limits)
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

Test(session, cannot_begin_once_the_head_is_sent)
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

Test(session, that_cannot_be_kept_says_so)
{
    struct visit visit;
    cr_assert(chmod(folder, 0755) == 0);
    visit_begin(&visit, NULL);
    cr_expect(ghttp_session_set(&visit.r, "a", "1") == -EPERM && !ghttp_session_id(&visit.r));
    cr_expect(strcmp(visit_end(&visit), "") == 0);
    cr_expect(strstr(logged, "sessions cannot be kept: /tmp/"), "%s", logged);
}
