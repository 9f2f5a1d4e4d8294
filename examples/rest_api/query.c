/*
 * One statement of SQL: see query.h.
 */
#include "query.h"

#include <errno.h>
#include <gf/gf.h>

#include "database.h"

/* Keeps what SQLite says, unless it is fine or something was wrong before. */
static void note(struct query *q, int code)
{
    if (q->error || code == SQLITE_OK || code == SQLITE_ROW || code == SQLITE_DONE)
        return;
    switch (code & 0xff) {
    case SQLITE_CONSTRAINT:
        q->error = -EEXIST;
        break;
    case SQLITE_BUSY:
        q->error = -EBUSY;
        break;
    case SQLITE_FULL:
        q->error = -ENOSPC;
        break;
    default:
        q->error = (code & 0xff) == SQLITE_NOMEM ? -ENOMEM : -EIO;
        glog_error("database: %s", sqlite3_errmsg(q->connection));
    }
}

void query_begin(struct query *q, const char *sql)
{
    *q = (struct query){.connection = database_take()};
    if (q->connection)
        note(q, sqlite3_prepare_v2(q->connection, sql, -1, &q->statement, NULL));
    else
        q->error = -EIO;
}

void query_bind_number(struct query *q, int parameter, long number)
{
    if (!q->error)
        note(q, sqlite3_bind_int64(q->statement, parameter, number));
}

void query_bind_text(struct query *q, int parameter, const char *text)
{
    if (!q->error)
        note(q, sqlite3_bind_text(q->statement, parameter, text, -1, SQLITE_STATIC));
}

bool query_next(struct query *q)
{
    int code = q->error ? SQLITE_ERROR : sqlite3_step(q->statement);

    note(q, code);
    return code == SQLITE_ROW;
}

long query_number(struct query *q, int column)
{
    return (long)sqlite3_column_int64(q->statement, column);
}

const char *query_text(struct query *q, int column)
{
    return (const char *)sqlite3_column_text(q->statement, column);
}

/* A statement commits in its last step, behind the last row. */
int query_end(struct query *q)
{
    while (query_next(q)) {
    }
    sqlite3_finalize(q->statement);
    database_give(q->connection);
    return q->error;
}
