/*
 * One statement of SQL: its parameters, its rows, its end.
 *
 *     struct query query;
 *     int result;
 *
 *     query_begin(&query, "SELECT title FROM tasks WHERE id = ?1");
 *     query_bind_number(&query, 1, id);
 *     if (query_next(&query))
 *         title = query_text(&query, 0);
 *     result = query_end(&query);
 *
 * What goes wrong on the way is kept, and the later calls do nothing: it is enough to look at the end. Values are
 * bound, never written into the SQL, so that no text can become a part of it.
 *
 * Owns: a connection of the database from the begin to the end. Thread: one for each query.
 */
#ifndef REST_API_QUERY_H
#define REST_API_QUERY_H

#include <sqlite3.h>
#include <stdbool.h>

struct query {
    sqlite3 *connection;
    sqlite3_stmt *statement;
    int error; /* 0 or a negative errno */
};

/* Waits for a connection. */
void query_begin(struct query *q, const char *sql);

/* Parameters are counted from 1. The text must live until the end; NULL is SQL's NULL. */
void query_bind_number(struct query *q, int parameter, long number);
void query_bind_text(struct query *q, int parameter, const char *text);

/* Whether there is a row, or another one. */
bool query_next(struct query *q);

/* Columns of that row, counted from 0. The text lives until the next row or the end; NULL: SQL's NULL. */
long query_number(struct query *q, int column);
const char *query_text(struct query *q, int column);

/*
 * Ends it: only when this returns 0 is written what it writes. -EEXIST: it breaks a rule of the tables, as for two of
 * a name; -EBUSY: others have been writing for too long; -ENOSPC: the file is full; -ENOMEM, -EIO, which are logged.
 */
int query_end(struct query *q);

#endif
