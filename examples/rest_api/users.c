/*
 * Users in the database: see users.h.
 */
#include "users.h"

#include <errno.h>
#include <stdio.h>

#include "password.h"
#include "query.h"

int users_add(const char *name, const char *password, struct user *ret_user)
{
    char hash[PASSWORD_TEXT_SIZE];
    struct user user = {.id = 0};
    struct query query;
    int result = password_hash(password, hash);

    if (result < 0)
        return result;
    query_begin(&query, "INSERT INTO users (name, password) VALUES (?1, ?2) RETURNING id");
    query_bind_text(&query, 1, name);
    query_bind_text(&query, 2, hash);
    if (query_next(&query))
        user.id = query_number(&query, 0);
    result = query_end(&query);
    if (result < 0)
        return result;
    snprintf(user.name, sizeof(user.name), "%s", name);
    *ret_user = user;
    return 0;
}

/* The connection is given back before the password is looked at, which takes long. */
int users_find(const char *name, const char *password, struct user *ret_user)
{
    char hash[PASSWORD_TEXT_SIZE];
    struct user user = {.id = 0};
    struct query query;
    int result;

    query_begin(&query, "SELECT id, name, password FROM users WHERE name = ?1");
    query_bind_text(&query, 1, name);
    if (query_next(&query)) {
        user.id = query_number(&query, 0);
        snprintf(user.name, sizeof(user.name), "%s", query_text(&query, 1));
        snprintf(hash, sizeof(hash), "%s", query_text(&query, 2));
    }
    result = query_end(&query);
    if (result < 0)
        return result;
    if (!password_check(password, user.id ? hash : NULL))
        return -EACCES;
    *ret_user = user;
    return 0;
}
