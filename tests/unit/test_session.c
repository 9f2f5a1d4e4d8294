/* Sessions: ids, records, and the files with a clock of the test's own. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gf/ghttp/service/session_files.h>
#include <gf/ghttp/service/session_folder.h>
#include <gf/ghttp/service/session_id.h>
#include <gf/ghttp/service/session_record.h>

#define ID "0123456789abcdef0123456789abcdef"
#define OTHER_ID "f123456789abcdef0123456789abcdef"
#define START_MS INT64_C(1700000000000)

static char parent[] = "/tmp/gf-test-session-XXXXXX", settings_path[64], folder[80], error[512];
static int64_t clock_ms;
static struct gf_session_store *files;

static int64_t read_clock(void)
{
    return clock_ms;
}

static struct gf_session_store *new_files(int64_t max_count)
{
    struct gf_session_store *made = NULL;
    int fd = gf_session_folder_open(settings_path, "s1", error, sizeof(error));
    cr_assert(fd >= 0, "%s", error);
    cr_assert(gf_session_files_new(fd, max_count, read_clock, &made, error, sizeof(error)) == 0, "%s", error);
    return made;
}

static void open_files(int64_t max_count)
{
    gf_session_store_close(files);
    files = new_files(max_count);
}

static void begin(void)
{
    strcpy(parent + strlen(parent) - 6, "XXXXXX");
    cr_assert(mkdtemp(parent) != NULL);
    snprintf(settings_path, sizeof(settings_path), "%s/sessions", parent);
    snprintf(folder, sizeof(folder), "%s/s1", settings_path);
    clock_ms = START_MS;
    open_files(1000);
}

static void end(void)
{
    char command[128];
    gf_session_store_close(files);
    files = NULL;
    snprintf(command, sizeof(command), "rm -rf %s", parent);
    cr_assert(system(command) == 0);
}

TestSuite(session, .init = begin, .fini = end);

static int try_open(const char *path)
{
    int result = gf_session_folder_open(path, "s1", error, sizeof(error));
    if (result < 0)
        return result;
    close(result);
    return 0;
}

static const char *path_of(const char *name)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

struct wanted {
    const char *text;
    int64_t ends_ms;
};

static int give_text(void *arg, const char *text, char **ret_text, int64_t *ret_ends_ms)
{
    const struct wanted *wanted = arg;
    (void)text;
    *ret_text = wanted->text ? strdup(wanted->text) : NULL;
    *ret_ends_ms = wanted->ends_ms;
    return 0;
}

static int write_text(const char *id, const char *text, int64_t ends_ms)
{
    return files->kind->update(files, NULL, id, give_text, &(struct wanted){text, ends_ms});
}

static int remove_text(const char *id)
{
    return files->kind->update(files, id, NULL, give_text, &(struct wanted){NULL, 0});
}

static bool file_is(const char *id, const char *expected)
{
    char *text = NULL;
    int64_t ends_ms;
    int result = files->kind->read(files, id, &text, &ends_ms);
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
    cr_assert(write_text(ID, "x", clock_ms + 1000) == 0);
    cr_expect(stat(folder, &found) == 0 && (found.st_mode & 07777) == 0700);
    cr_expect(stat(settings_path, &found) == 0 && (found.st_mode & 07777) == 0700);
    cr_expect(stat(path_of(ID), &found) == 0 && (found.st_mode & 07777) == 0600);
    cr_expect(stat(path_of("lock"), &found) == 0 && (found.st_mode & 07777) == 0600);
    cr_expect(access(path_of(ID ".tmp"), F_OK) < 0);
}

Test(session, folder_that_others_may_enter_is_refused)
{
    char link[128];
    const char *const folders[] = {settings_path, folder};
    for (int i = 0; i < 2; i++) {
        cr_assert(chmod(folders[i], 0750) == 0);
        cr_expect(try_open(settings_path) == -EPERM, "%s", folders[i]);
        cr_expect(strstr(error, "\"sessionPath\": ") == error && strstr(error, folders[i]) && strstr(error, "0700"),
                  "%s", error);
        cr_assert(chmod(folders[i], 0700) == 0);
        cr_expect(try_open(settings_path) == 0);
    }
    snprintf(link, sizeof(link), "%s/link", parent);
    cr_assert(symlink(settings_path, link) == 0);
    cr_expect(try_open(link) < 0, "a link may be somebody's trap");
    cr_assert(rename(folder, path_of("../away")) == 0 && symlink("away", folder) == 0);
    cr_expect(try_open(settings_path) < 0, "a link may be somebody's trap");
}

Test(session, folders_above_are_made_for_the_user_alone)
{
    char path[320];
    struct stat found;
    umask(0);
    snprintf(path, sizeof(path), "%s/a/b//c/", parent);
    cr_expect(try_open(path) == 0, "%s", error);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", parent, (const char *[]){"a", "a/b", "a/b/c/s1"}[i]);
        cr_expect(stat(path, &found) == 0 && (found.st_mode & 07777) == 0700, "%s", path);
    }
    cr_assert(write_text(ID, "x", clock_ms + 1000) == 0);
    snprintf(path, sizeof(path), "%s/b", path_of(ID));
    cr_expect(try_open(path) == -ENOTDIR && strstr(error, path), "%s", error);
}

/* A user's programs must not take one another's sessions for theirs, nor must the servers of one. */
Test(session, folder_is_the_programs_and_the_servers)
{
    static const char *const names[][2] = {{"s1", "s1"},     {"Shop 2", "Shop%202"}, {"..", "%2E."},
                                           {"a/b", "a%2Fb"}, {"100%", "100%25"},     {"\xc3\xa9", "%C3%A9"}};
    char path[256];
    cr_assert(setenv("TMPDIR", parent, 1) == 0);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        int fd = gf_session_folder_open("", names[i][0], error, sizeof(error));
        cr_expect(fd >= 0 && close(fd) == 0, "%s", error);
        snprintf(path, sizeof(path), "%s/gsessions-%u/test_session/%s", parent, (unsigned)geteuid(), names[i][1]);
        cr_expect(access(path, F_OK) == 0, "%s", path);
    }
    snprintf(path, sizeof(path), "%s/gsessions-%u", parent, (unsigned)geteuid());
    cr_assert(chmod(path, 0755) == 0);
    cr_expect(gf_session_folder_open("", "s1", error, sizeof(error)) == -EPERM);
    cr_expect(strstr(error, "\"sessionPath\" (empty): /tmp/"), "%s", error);
}

Test(session, file_is_there_until_its_time)
{
    cr_expect(file_is(ID, NULL));
    cr_assert(write_text(ID, "one", clock_ms + 5000) == 0);
    cr_assert(write_text(ID, "two", clock_ms + 5000) == 0);
    clock_ms += 4999;
    cr_expect(file_is(ID, "two"));
    cr_assert(files->kind->touch(files, ID, clock_ms + 5000) == 0);
    clock_ms += 4999;
    cr_expect(file_is(ID, "two"), "a use lets it live longer");
    clock_ms++;
    cr_expect(file_is(ID, NULL));
    clock_ms--;
    cr_expect(remove_text(ID) == 0 && file_is(ID, NULL));
    cr_expect(remove_text(ID) == -ENOENT);
    cr_expect(files->kind->touch(files, ID, clock_ms + 5000) == -ENOENT);
}

Test(session, file_is_never_outside_of_the_folder)
{
    char outside[128], *text;
    int64_t ends_ms;
    snprintf(outside, sizeof(outside), "%s/outside", parent);
    FILE *file = fopen(outside, "w");
    cr_assert(file && fputs("secret", file) >= 0 && fclose(file) == 0);
    cr_assert(symlink(outside, path_of(ID)) == 0);
    cr_expect(files->kind->read(files, ID, &text, &ends_ms) < 0, "a link is not followed");
    cr_expect(files->kind->read(files, "../outside", &text, &ends_ms) == -ENOENT);
    cr_expect(write_text("../outside", "x", clock_ms + 1) == -EINVAL);
    cr_expect(files->kind->touch(files, "../outside", clock_ms) == -EINVAL);
    cr_expect(remove_text("../outside") == -EINVAL);
    cr_expect(access(outside, F_OK) == 0);
}

Test(session, files_that_have_ended_are_swept_away)
{
    char id[GF_SESSION_ID_SIZE + 1];
    unsigned removed = 0;
    for (unsigned i = 0; i < 600; i++) {
        make_id(i, id);
        cr_assert(write_text(id, "x", START_MS + (i % 2 ? 1000 : 1000000)) == 0);
    }
    FILE *file = fopen(path_of("not-ours"), "w");
    cr_assert(file && fclose(file) == 0);
    clock_ms += 2000;
    removed = files->kind->sweep(files);
    cr_expect(removed > 0 && removed < 300, "%u at once", removed);
    cr_expect(files->kind->sweep(files) == 0, "once a second");
    for (int i = 0; i < 3; i++) {
        clock_ms += 1000;
        removed += files->kind->sweep(files);
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
    cr_expect(files->kind->sweep(files) == 0);
    clock_ms += 20000;
    cr_expect(files->kind->sweep(files) == 1 && access(path_of(ID ".tmp"), F_OK) < 0);
}

Test(session, files_have_a_greatest_number)
{
    char id[GF_SESSION_ID_SIZE + 1];
    open_files(3);
    for (unsigned i = 0; i < 3; i++) {
        make_id(i, id);
        cr_expect(write_text(id, "x", clock_ms + 5000) == 0);
    }
    cr_expect(write_text(ID, "x", clock_ms + 5000) == -ENOSPC);
    cr_expect(write_text(id, "y", clock_ms + 5000) == 0, "those that there are go on");
    clock_ms += 6000;
    cr_expect(files->kind->sweep(files) == 3);
    cr_expect(write_text(ID, "x", clock_ms + 5000) == 0);
    open_files(1);
    cr_expect(write_text(OTHER_ID, "x", clock_ms + 5000) == -ENOSPC, "the next process has counted before it begins");
}

Test(session, files_that_are_full_take_a_new_id_for_one_that_there_is)
{
    char id[GF_SESSION_ID_SIZE + 1];
    const struct wanted wanted = {"y", clock_ms + 5000};
    open_files(1);
    cr_expect(files->kind->check(files) == 0);
    cr_assert(write_text(ID, "x", clock_ms + 5000) == 0);
    cr_expect(files->kind->check(files) == -ENOSPC);
    cr_expect(files->kind->update(files, ID, OTHER_ID, give_text, (void *)&wanted) == 0);
    cr_expect(file_is(ID, NULL) && file_is(OTHER_ID, "y"));
    make_id(1, id);
    cr_expect(files->kind->check(files) == -ENOSPC && write_text(id, "x", clock_ms + 5000) == -ENOSPC,
              "it is counted once");
    cr_expect(remove_text(OTHER_ID) == 0 && files->kind->check(files) == 0);
}

/* Nobody else may come by to sweep. */
Test(session, files_that_have_ended_make_room_for_new_ones)
{
    open_files(1);
    cr_assert(write_text(ID, "x", clock_ms + 5000) == 0);
    clock_ms += 6000;
    cr_expect(files->kind->check(files) == 0 && write_text(OTHER_ID, "x", clock_ms + 5000) == 0);
}

/* A round takes several sweeps, between which sessions begin and end, before and behind where it stands. */
Test(session, files_are_counted_right_while_they_are_swept)
{
    char id[GF_SESSION_ID_SIZE + 1];
    open_files(1500);
    for (unsigned i = 0; i < 1000; i++) {
        make_id(i, id);
        cr_assert(write_text(id, "x", START_MS + 1000000) == 0);
    }
    for (unsigned i = 0; i < 500; i++) {
        if (i % 100 == 0) {
            clock_ms += 1000;
            files->kind->sweep(files);
        }
        make_id(i, id);
        cr_assert(remove_text(id) == 0);
        make_id(1000 + i, id);
        cr_assert(write_text(id, "x", START_MS + 1000000) == 0);
    }
    for (unsigned i = 0; i < 500; i++) {
        make_id(2000 + i, id);
        cr_assert(write_text(id, "x", START_MS + 1000000) == 0, "%u", i);
    }
    cr_expect(write_text(ID, "x", START_MS + 1000000) == -ENOSPC);
}

/* As the two processes of a restart: neither is told what the other one makes. */
Test(session, files_of_another_process_are_counted_by_the_sweep)
{
    struct gf_session_store *other;
    char id[GF_SESSION_ID_SIZE + 1];
    open_files(3);
    other = new_files(3);
    for (unsigned i = 0; i < 3; i++) {
        make_id(i, id);
        cr_assert(other->kind->update(other, NULL, id, give_text, &(struct wanted){"x", clock_ms + 5000}) == 0);
    }
    cr_expect(files->kind->check(files) == 0, "it does not know yet");
    files->kind->sweep(files);
    cr_expect(files->kind->check(files) == -ENOSPC);
    for (unsigned i = 0; i < 3; i++) {
        make_id(i, id);
        cr_assert(other->kind->update(other, id, NULL, give_text, &(struct wanted){NULL, 0}) == 0);
    }
    clock_ms += 1000;
    cr_expect(files->kind->check(files) == 0);
    gf_session_store_close(other);
}

/* ---- the lock ---- */

/* A process of its own that has the lock of an id's session until it is killed. */
static pid_t hold_lock(const char *id)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 1};
    char stripe[3] = {id[0], id[1], 0}, byte;
    int ready[2];
    cr_assert(pipe(ready) == 0);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        int fd = open(path_of("lock"), O_RDWR);
        lock.l_start = strtol(stripe, NULL, 16) % 64;
        if (fcntl(fd, F_OFD_SETLK, &lock) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            pause();
    }
    close(ready[1]);
    cr_assert(read(ready[0], &byte, 1) == 1);
    close(ready[0]);
    return pid;
}

static void *remove_in_thread(void *arg)
{
    *(int *)arg = remove_text(ID);
    return NULL;
}

/* A stopped process that has it: an error after a while, not threads that hang for ever; other sessions do not wait. */
Test(session, lock_that_is_not_given_back_is_an_error, .timeout = 60)
{
    pthread_t thread;
    int removed = 0;
    cr_assert(write_text(ID, "one", clock_ms + 5000) == 0);
    pid_t pid = hold_lock(ID);
    cr_assert(pthread_create(&thread, NULL, remove_in_thread, &removed) == 0);
    cr_expect(write_text(ID, "two", clock_ms + 5000) == -ETIMEDOUT);
    cr_assert(pthread_join(thread, NULL) == 0);
    cr_expect(removed == -ETIMEDOUT);
    cr_expect(file_is(ID, "one"), "it can be read all the time");
    cr_expect(write_text(OTHER_ID, "x", clock_ms + 5000) == 0);
    kill(pid, SIGKILL);
    cr_assert(waitpid(pid, NULL, 0) == pid);
    cr_expect(write_text(ID, "two", clock_ms + 5000) == 0 && file_is(ID, "two"));
}

struct writing {
    pthread_t thread;
    int result;
};

static void *write_in_thread(void *arg)
{
    struct writing *writing = arg;
    writing->result = write_text(ID, "late", clock_ms + 5000);
    return NULL;
}

/* Whoever waits gets it as soon as the other process has given it back, by its end too. */
Test(session, lock_of_another_process_is_waited_for, .timeout = 60)
{
    struct writing writing = {.result = 1};
    pid_t pid = hold_lock(ID);
    cr_assert(pthread_create(&writing.thread, NULL, write_in_thread, &writing) == 0);
    kill(pid, SIGKILL);
    cr_assert(waitpid(pid, NULL, 0) == pid && pthread_join(writing.thread, NULL) == 0);
    cr_expect(writing.result == 0 && file_is(ID, "late"));
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
    record.cookie_ends_ms = START_MS;
    char *text = gf_session_record_print(&record);
    cr_assert(text != NULL);
    cr_assert(gf_session_record_parse(&copy, text) == 0, "%s", text);
    void *at = gf_session_record_next(&copy, NULL, &key, &value);
    cr_assert(at && strcmp(key, "user") == 0 && strcmp(value, "哈\"\n") == 0);
    cr_expect(!gf_session_record_next(&copy, at, &key, &value) && copy.max_age_ms == 90000);
    cr_expect(copy.cookie_ends_ms == START_MS);
    free(text);
    gf_session_record_finish(&record);
    gf_session_record_finish(&copy);
}

Test(session, record_of_a_version_that_knew_no_age_of_the_cookie_is_one)
{
    struct gf_session_record record;
    cr_assert(gf_session_record_parse(&record, "{\"version\":1,\"maxAge\":0,\"values\":{}}") == 0);
    cr_expect(record.cookie_ends_ms == 0);
    gf_session_record_finish(&record);
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
