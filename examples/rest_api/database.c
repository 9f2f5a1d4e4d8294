/*
 * Connections to one file of SQLite: see database.h.
 *
 * Handlers run on many threads, up to handlerThreads (2,048) at once, so a connection for each would be too many. A
 * few are enough, since SQLite lets readers run side by side and one writer at a time. During a restart two processes
 * have the file open; SQLite's own locks hold between them as between two connections.
 */
#include "database.h"

#include <errno.h>
#include <gf/gf.h>
#include <pthread.h>
#include <stdbool.h>

enum {
    CONNECTIONS = 4,
    /* A writer waits this long for the others, those of the other process included; then the client gets a 503. */
    BUSY_MS = 15000,
    SCHEMA = 1, /* of the tables below */
};

/* What each connection is told: see sqlite.org/pragma.html. 1 GiB of pages is what clients may fill. */
static const char settings[] = "PRAGMA journal_mode = WAL;"
                               "PRAGMA foreign_keys = ON;"
                               "PRAGMA max_page_count = 262144;";

/*
 * When these change, SCHEMA grows, and create_tables() gets a step from the old ones to the new ones. At a restart the
 * old process still uses the file while the new one has changed it already: add columns and tables, and drop what is
 * no longer used in a later version.
 */
static const char tables[] = "CREATE TABLE users ("
                             " id INTEGER PRIMARY KEY,"
                             " name TEXT NOT NULL UNIQUE COLLATE NOCASE,"
                             " password TEXT NOT NULL"
                             ") STRICT;"
                             "CREATE TABLE tasks ("
                             " id INTEGER PRIMARY KEY AUTOINCREMENT,"
                             " owner INTEGER NOT NULL REFERENCES users (id),"
                             " title TEXT NOT NULL,"
                             " notes TEXT NOT NULL,"
                             " due TEXT,"
                             " priority INTEGER NOT NULL,"
                             " done INTEGER NOT NULL DEFAULT 0,"
                             " version INTEGER NOT NULL DEFAULT 1,"
                             " created TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),"
                             " updated TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))"
                             ") STRICT;"
                             "PRAGMA user_version = 1;";

static struct {
    pthread_mutex_t lock;
    pthread_cond_t given;
    sqlite3 *idle[CONNECTIONS];
    int idle_count;
    bool closed;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .given = PTHREAD_COND_INITIALIZER, .closed = true};

static int execute(sqlite3 *connection, const char *sql)
{
    if (sqlite3_exec(connection, sql, NULL, NULL, NULL) == SQLITE_OK)
        return 0;
    glog_error("database: %s", sqlite3_errmsg(connection));
    return -EIO;
}

static int connect(const char *path, sqlite3 **ret_connection)
{
    sqlite3 *connection = NULL;
    /* NOMUTEX: the pool sees to it that a connection has one thread at a time. */
    int result =
        sqlite3_open_v2(path, &connection, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);

    if (result != SQLITE_OK) {
        glog_error("database %s: %s", path, sqlite3_errstr(result));
        goto fail;
    }
    sqlite3_extended_result_codes(connection, 1);
    sqlite3_busy_timeout(connection, BUSY_MS);
    if (execute(connection, settings) < 0)
        goto fail;
    *ret_connection = connection;
    return 0;

fail:
    sqlite3_close(connection);
    return -EIO;
}

static int read_schema(sqlite3 *connection)
{
    sqlite3_stmt *statement = NULL;
    int schema = -EIO;

    if (sqlite3_prepare_v2(connection, "PRAGMA user_version", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        schema = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return schema;
}

/* In a transaction, as two processes may begin at once. */
static int create_tables(sqlite3 *connection)
{
    int schema, result;

    if (execute(connection, "BEGIN IMMEDIATE") < 0)
        return -EIO;
    schema = read_schema(connection);
    result = schema == 0 ? execute(connection, tables) : schema == SCHEMA ? 0 : -EIO;
    if (result < 0)
        glog_error("database: its tables have version %d, this program knows up to %d", schema, SCHEMA);
    if (execute(connection, result < 0 ? "ROLLBACK" : "COMMIT") < 0)
        return -EIO;
    return result;
}

int database_open(const char *path)
{
    pool.closed = false;
    while (pool.idle_count < CONNECTIONS) {
        sqlite3 *connection;

        if (connect(path, &connection) < 0)
            goto fail;
        pool.idle[pool.idle_count++] = connection;
    }
    if (create_tables(pool.idle[0]) < 0)
        goto fail;
    return 0;

fail:
    database_close();
    return -EIO;
}

void database_close(void)
{
    pthread_mutex_lock(&pool.lock);
    pool.closed = true;
    while (pool.idle_count > 0)
        sqlite3_close(pool.idle[--pool.idle_count]);
    pthread_cond_broadcast(&pool.given);
    pthread_mutex_unlock(&pool.lock);
}

sqlite3 *database_take(void)
{
    sqlite3 *connection = NULL;

    pthread_mutex_lock(&pool.lock);
    while (pool.idle_count == 0 && !pool.closed)
        pthread_cond_wait(&pool.given, &pool.lock);
    if (!pool.closed)
        connection = pool.idle[--pool.idle_count];
    pthread_mutex_unlock(&pool.lock);
    return connection;
}

void database_give(sqlite3 *connection)
{
    if (!connection)
        return;
    pthread_mutex_lock(&pool.lock);
    if (pool.closed)
        sqlite3_close(connection);
    else
        pool.idle[pool.idle_count++] = connection;
    pthread_cond_signal(&pool.given);
    pthread_mutex_unlock(&pool.lock);
}
