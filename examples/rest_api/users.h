/*
 * Users in the database.
 *
 * Owns: nothing. Thread: any. Each call takes some tenths of a second, for the sake of the passwords.
 */
#ifndef REST_API_USERS_H
#define REST_API_USERS_H

enum { USER_NAME_SIZE = 33 };

struct user {
    long id;
    char name[USER_NAME_SIZE];
};

/* 0; -EEXIST: the name is taken, in whatever case; else as query_end(). */
int users_add(const char *name, const char *password, struct user *ret_user);

/* 0; -EACCES: there is no such user, or that is not the password; else as query_end(). */
int users_find(const char *name, const char *password, struct user *ret_user);

#endif
