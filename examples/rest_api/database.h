/*
 * The file of SQLite, and the connections to it.
 *
 * Owns: a few connections, lent to one thread at a time. Thread: any, but database_open() and database_close().
 */
#ifndef REST_API_DATABASE_H
#define REST_API_DATABASE_H

#include <sqlite3.h>

/* Opens the file, makes it and its tables if need be. 0, or -EIO: the reason is logged. Before the server starts. */
int database_open(const char *path);

/* After the server has stopped: a handler that still has a connection keeps it, nobody gets one any more. */
void database_close(void);

/* A connection, as soon as one is free. NULL after database_close(). */
sqlite3 *database_take(void);
void database_give(sqlite3 *connection);

#endif
