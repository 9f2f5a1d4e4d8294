/*
 * The example rest_api while it is restarted: nobody is logged out, no request fails, and what was acknowledged is in
 * the database exactly once.
 */
#include <cjson/cJSON.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/rest_api.h"

enum {
    WRITERS = 3,
    READERS = 2,
    RESTARTS = 6,
    TASKS_MAX = 5000,    /* of one writer; from then on it changes the counter only */
    TASKS_AT_LEAST = 4,  /* of each client between two restarts */
    PATIENCE_MS = 60000, /* for that, on a busy machine */
};

static struct rest_api api;

static void start(void)
{
    cr_assert(zero(int, rest_api_init(&api)));
    cr_assert(zero(int, rest_api_configure(&api, NULL)));
    cr_assert(zero(int, rest_api_start(&api)));
}

static void stop(void)
{
    rest_api_finish(&api);
}

TestSuite(rest_api_restart, .init = start, .fini = stop, .timeout = 180);

/* ---- one client ---- */

Test(rest_api_restart, nobody_is_logged_out)
{
    struct rest_user anna, fresh;
    pid_t first = api.pid;

    rest_user_init(&anna, api.port);
    cr_assert(zero(int, rest_user_join(&anna, "anna")));
    cr_assert(eq(int, rest_user_ask(&anna, "POST", "/tasks", "{\"title\":\"before\"}"), 201));
    for (int i = 0; i < 3; i++) {
        cr_assert(gt(int, rest_api_restart(&api), 0));
        cr_expect(eq(int, rest_user_ask(&anna, "GET", "/me", NULL), 200), "on the kept connection");
        cr_expect(eq(str, (char *)rest_user_text(&anna, "data.name"), "anna"));
        rest_user_init(&fresh, api.port);
        memcpy(fresh.cookie, anna.cookie, sizeof(fresh.cookie));
        cr_expect(eq(int, rest_user_ask(&fresh, "GET", "/tasks/1", NULL), 200), "on a new one");
        cr_expect(eq(str, (char *)rest_user_text(&fresh, "data.title"), "before"));
        rest_user_finish(&fresh);
    }
    cr_expect(ne(int, api.pid, first));
    rest_user_finish(&anna);
}

/* A restart whose new process finds no database. */
static void fail_to_restart(void)
{
    cr_assert(zero(int, rest_api_configure(&api, "  database: absent/tasks.db\n")));
    process_mark(api.process);
    cr_assert(zero(int, kill(api.pid, SIGUSR1)));
    cr_assert(zero(int, process_wait_line(api.process, "restart failed", PATIENCE_MS)));
    cr_assert(zero(int, rest_api_configure(&api, NULL)));
}

/* The old process serves on, and the next restart is fine. */
Test(rest_api_restart, a_new_process_without_a_database_changes_nothing)
{
    struct rest_user anna;
    pid_t first = api.pid;

    rest_user_init(&anna, api.port);
    cr_assert(zero(int, rest_user_join(&anna, "anna")));
    fail_to_restart();
    cr_expect(zero(int, process_wait_line(api.process, "database absent/tasks.db: unable to open", 10000)));
    cr_expect(eq(int, rest_user_ask(&anna, "POST", "/tasks", "{\"title\":\"still here\"}"), 201));
    cr_expect(gt(int, rest_api_restart(&api), 0));
    cr_expect(ne(int, api.pid, first));
    cr_expect(eq(int, rest_user_ask(&anna, "GET", "/tasks/1", NULL), 200));
    rest_user_finish(&anna);
}

/* Behind the server's back. */
static void execute(const char *sql)
{
    char path[128];
    sqlite3 *database = NULL;

    snprintf(path, sizeof(path), "%s/tasks.db", api.folder);
    cr_assert(eq(int, sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK));
    sqlite3_busy_timeout(database, 10000);
    cr_assert(eq(int, sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK), "%s", sql);
    sqlite3_close(database);
}

/* The client learns that it is a failure, the log why. */
Test(rest_api_restart, a_broken_database_is_told_to_the_log_alone)
{
    struct rest_user anna;

    rest_user_init(&anna, api.port);
    cr_assert(zero(int, rest_user_join(&anna, "anna")));
    execute("ALTER TABLE tasks RENAME TO elsewhere");
    cr_expect(eq(int, rest_user_ask(&anna, "GET", "/tasks", NULL), 500));
    cr_expect(eq(long, rest_user_number(&anna, "code"), 50));
    cr_expect(eq(str, (char *)rest_user_text(&anna, "message"), "Internal Error"));
    cr_expect(zero(int, process_wait_line(api.process, "database: no such table: tasks", 10000)));
    cr_expect(eq(int, rest_user_ask(&anna, "GET", "/me", NULL), 200));
    execute("ALTER TABLE elsewhere RENAME TO tasks");
    cr_expect(eq(int, rest_user_ask(&anna, "GET", "/tasks", NULL), 200));
    rest_user_finish(&anna);
}

/* Where /health says that the new process is of no use, the old one comes back. */
Test(rest_api_restart, a_new_process_that_is_not_well_does_not_stay)
{
    struct rest_user anna;

    rest_user_init(&anna, api.port);
    cr_assert(zero(int, rest_user_join(&anna, "anna")));
    execute("ALTER TABLE users RENAME TO nobody");
    cr_expect(eq(int, rest_user_ask(&anna, "GET", "//health", NULL), 500));
    process_mark(api.process);
    cr_assert(zero(int, kill(api.pid, SIGUSR1)));
    cr_assert(zero(int, process_wait_line(api.process, "rolled back: process ", PATIENCE_MS)));
    cr_expect(zero(int, process_wait_line(api.process, "/health on port ", 10000)));
    execute("ALTER TABLE nobody RENAME TO users");
    rest_user_hang_up(&anna);
    cr_expect(eq(int, rest_user_ask(&anna, "POST", "/tasks", "{\"title\":\"as before\"}"), 201));
    cr_expect(gt(int, rest_api_restart(&api), 0));
    rest_user_finish(&anna);
}

/* As if a later version of the program had been here, and somebody went back to this one. */
Test(rest_api_restart, tables_of_a_later_program_are_left_alone)
{
    pid_t first = api.pid;
    struct rest_user anna;

    execute("PRAGMA user_version = 2");
    process_mark(api.process);
    cr_assert(zero(int, kill(first, SIGUSR1)));
    cr_assert(zero(int, process_wait_line(api.process, "restart failed", PATIENCE_MS)));
    cr_expect(
        zero(int, process_wait_line(api.process, "its tables have version 2, this program knows up to 1", 10000)));
    rest_user_init(&anna, api.port);
    cr_expect(zero(int, rest_user_join(&anna, "anna")), "the one that runs has no need to know");
    rest_user_finish(&anna);
}

/* ---- many ---- */

enum state { ABSENT, CREATED, CHANGED, REMOVED };

/* Somebody who asks without a pause, and keeps in mind what was acknowledged. */
struct worker {
    struct rest_user user;
    int number;
    pthread_t thread;
    atomic_long rounds;
    atomic_bool failed;
    char why[512];
    long counted;            /* how often this one has increased the shared counter */
    unsigned char *expected; /* a writer's: of its tasks, each its enum state */
    int count;
};

static atomic_bool stopping;
static long counter_id; /* a task that all writers change, in competition */

static void fail(struct worker *w, const char *what, int status)
{
    const char *message = rest_user_text(&w->user, "message");

    snprintf(w->why, sizeof(w->why), "client %d, round %ld: %s: %d %s", w->number, atomic_load(&w->rounds), what,
             status, *message ? message : strerror(status < 0 ? -status : 0));
    atomic_store(&w->failed, true);
}

static bool ask(struct worker *w, const char *method, const char *path, const char *body, int wanted)
{
    int status = rest_user_ask(&w->user, method, path, body);

    if (status != wanted)
        fail(w, path, status);
    return status == wanted;
}

static bool check(struct worker *w, bool good, const char *what)
{
    if (!good)
        fail(w, what, 0);
    return good;
}

/* Makes a task, changes every second one, removes every third one. */
static bool write_task(struct worker *w)
{
    char title[32], path[64], body[96];
    int n = w->count;

    snprintf(title, sizeof(title), "w%d-%d", w->number, n);
    snprintf(body, sizeof(body), "{\"title\":\"%s\"}", title);
    if (!ask(w, "POST", "/tasks", body, 201))
        return false;
    snprintf(path, sizeof(path), "/tasks/%ld", rest_user_number(&w->user, "data.id"));
    w->expected[w->count++] = CREATED;
    if (n % 2 == 0) {
        snprintf(body, sizeof(body), "{\"title\":\"%s\",\"notes\":\"changed\",\"version\":1}", title);
        if (!ask(w, "PUT", path, body, 200) ||
            !check(w, rest_user_number(&w->user, "data.version") == 2, "version after a change"))
            return false;
        w->expected[n] = CHANGED;
    }
    if (n % 3 == 0) {
        if (!ask(w, "DELETE", path, NULL, 204) || !ask(w, "GET", path, NULL, 404))
            return false;
        w->expected[n] = REMOVED;
    }
    return true;
}

/* Reads the number in the counter's notes and writes the next one, unless somebody else was quicker. */
static bool count_up(struct worker *w)
{
    char path[64], body[128];
    int status;

    snprintf(path, sizeof(path), "/tasks/%ld", counter_id);
    if (!ask(w, "GET", path, NULL, 200))
        return false;
    snprintf(body, sizeof(body), "{\"title\":\"counter\",\"notes\":\"%ld\",\"version\":%ld}",
             atol(rest_user_text(&w->user, "data.notes")) + 1, rest_user_number(&w->user, "data.version"));
    status = rest_user_ask(&w->user, "PUT", path, body);
    w->counted += status == 200;
    if (status != 200 && status != 409)
        fail(w, "PUT counter", status);
    return status == 200 || status == 409;
}

static void *work(void *arg)
{
    struct worker *w = arg;

    while (!atomic_load(&stopping) && (w->count == TASKS_MAX || write_task(w)) && count_up(w)) {
        if (atomic_fetch_add(&w->rounds, 1) % 7 == 0)
            rest_user_hang_up(&w->user);
    }
    return NULL;
}

static bool check_list(struct worker *w)
{
    const struct cJSON *item;
    long last = 0;

    cJSON_ArrayForEach(item, rest_user_json(&w->user, "data.items"))
    {
        long id = (long)cJSON_GetNumberValue(cJSON_GetObjectItem(item, "id"));

        if (!check(w, id > last, "the list's order"))
            return false;
        last = id;
    }
    return check(w, last > 0, "the list is empty");
}

static void *look(void *arg)
{
    struct worker *w = arg;
    char path[64];

    while (!atomic_load(&stopping)) {
        snprintf(path, sizeof(path), "/tasks?size=10&page=%ld", atomic_load(&w->rounds) % 2 + 1);
        if (!ask(w, "GET", "/tasks?size=10", NULL, 200) || !check_list(w) || !ask(w, "GET", path, NULL, 200) ||
            !ask(w, "GET", "/me", NULL, 200) ||
            !check(w, strcmp(rest_user_text(&w->user, "data.name"), "team") == 0, "who one is") ||
            !ask(w, "POST", "/tasks", "{\"title\":\"\"}", 400) || !ask(w, "GET", "/tasks/0", NULL, 404))
            break;
        if (atomic_fetch_add(&w->rounds, 1) % 5 == 0)
            rest_user_hang_up(&w->user);
    }
    return NULL;
}

static void expect_progress(struct worker *workers, int count)
{
    long before[WRITERS + READERS];

    for (int i = 0; i < count; i++)
        before[i] = atomic_load(&workers[i].rounds);
    for (int i = 0; i < count; i++) {
        for (int waited = 0; atomic_load(&workers[i].rounds) < before[i] + TASKS_AT_LEAST &&
                             !atomic_load(&workers[i].failed) && waited < PATIENCE_MS;
             waited += 10)
            usleep(10000);
        cr_assert(zero(int, atomic_load(&workers[i].failed)), "%s", workers[i].why);
        cr_assert(ge(long, atomic_load(&workers[i].rounds), before[i] + TASKS_AT_LEAST), "client %d stands still", i);
    }
}

/* ---- the database ---- */

static long ask_database(sqlite3 *database, const char *sql, const char *text)
{
    sqlite3_stmt *statement = NULL;
    long result = -1;

    if (sqlite3_prepare_v2(database, sql, -1, &statement, NULL) == SQLITE_OK) {
        if (text)
            sqlite3_bind_text(statement, 1, text, -1, SQLITE_TRANSIENT);
        if (sqlite3_step(statement) == SQLITE_ROW)
            result = (long)sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return result;
}

/* Each task of a writer is there once, as it was acknowledged last. How many there are. */
static long expect_tasks(sqlite3 *database, const struct worker *w)
{
    long there = 0;
    char title[32];

    for (int i = 0; i < w->count; i++) {
        bool gone = w->expected[i] == REMOVED;
        long version = gone ? -1 : w->expected[i] == CHANGED ? 2 : 1, found, rows;

        snprintf(title, sizeof(title), "w%d-%d", w->number, i);
        rows = ask_database(database, "SELECT count(*) FROM tasks WHERE title = ?1", title);
        found = ask_database(database, "SELECT version FROM tasks WHERE title = ?1", title);
        if (rows != !gone || found != version) /* an assertion for each would take longer than the load */
            cr_fail("%s is there %ld times, in version %ld, not %ld", title, rows, found, version);
        there += !gone;
    }
    return there;
}

static void expect_database(struct worker *writers)
{
    char path[128];
    sqlite3 *database = NULL;
    long tasks = 1, counted = 0;

    snprintf(path, sizeof(path), "%s/tasks.db", api.folder);
    cr_assert(eq(int, sqlite3_open_v2(path, &database, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK));
    cr_assert(eq(int, sqlite3_exec(database, "CREATE INDEX by_title ON tasks (title)", NULL, NULL, NULL), SQLITE_OK));
    for (int i = 0; i < WRITERS; i++) {
        tasks += expect_tasks(database, &writers[i]);
        counted += writers[i].counted;
    }
    cr_expect(eq(long, ask_database(database, "SELECT count(*) FROM tasks", NULL), tasks), "nothing beside them");
    cr_expect(eq(long, ask_database(database, "SELECT CAST(notes AS INTEGER) FROM tasks WHERE title = ?1", "counter"),
                 counted),
              "no update was lost, none was made twice");
    cr_expect(eq(long, ask_database(database, "SELECT version FROM tasks WHERE title = ?1", "counter"), counted + 1));
    cr_expect(eq(long,
                 ask_database(database, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = ?1", "ok"),
                 1));
    sqlite3_close(database);
}

static void begin(struct worker *w, int number)
{
    *w = (struct worker){.number = number};
    rest_user_init(&w->user, api.port);
    cr_assert(zero(int, rest_user_join(&w->user, "team")));
    if (number == 0) {
        cr_assert(eq(int, rest_user_ask(&w->user, "POST", "/tasks", "{\"title\":\"counter\",\"notes\":\"0\"}"), 201));
        counter_id = rest_user_number(&w->user, "data.id");
    }
    if (number < WRITERS)
        cr_assert(not(zero(ptr, w->expected = calloc(TASKS_MAX, 1))));
}

Test(rest_api_restart, acknowledged_writes_are_there_exactly_once)
{
    static struct worker workers[WRITERS + READERS];
    int count = WRITERS + READERS, status = -1;
    long rounds = 0;

    for (int i = 0; i < count; i++)
        begin(&workers[i], i);
    for (int i = 0; i < count; i++)
        cr_assert(zero(int, pthread_create(&workers[i].thread, NULL, i < WRITERS ? work : look, &workers[i])));
    for (int i = 0; i < RESTARTS; i++) {
        expect_progress(workers, count);
        if (i == RESTARTS / 2)
            fail_to_restart();
        cr_assert(gt(int, rest_api_restart(&api), 0));
    }
    expect_progress(workers, count);
    atomic_store(&stopping, true);
    for (int i = 0; i < count; i++) {
        pthread_join(workers[i].thread, NULL);
        cr_expect(zero(int, workers[i].failed), "%s", workers[i].why);
        rounds += atomic_load(&workers[i].rounds);
        rest_user_finish(&workers[i].user);
    }
    cr_log_info("%ld rounds over %d restarts", rounds, RESTARTS);

    cr_assert(zero(int, kill(api.pid, SIGTERM)));
    cr_expect(zero(int, process_wait_end(api.process, PATIENCE_MS)));
    cr_expect(zero(int, process_wait_exit(api.process, 10000, &status)));
    cr_expect(zero(int, status));
    expect_database(workers);
    for (int i = 0; i < WRITERS; i++)
        free(workers[i].expected);
}
