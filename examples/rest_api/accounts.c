/*
 * Who one is: see accounts.h. The session remembers it, on the server; the client has the session's id in a cookie.
 */
#include "accounts.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "answers.h"

#define USER "user" /* of the request's values */

struct credentials {
    char name[USER_NAME_SIZE];
    const char *password;
};

/* What a new user may choose: all that is wrong with it is told at once. */
static const struct ghttp_field new_fields[] = {
    {.name = "name",
     .type = GHTTP_FIELD_TEXT,
     GHTTP_FIELD_AT(struct credentials, name),
     .required = true,
     .pattern = "^[A-Za-z][A-Za-z0-9_.-]{1,31}$",
     .message = "name must have 2 to 32 letters, digits, '_', '.' or '-', and begin with a letter"},
    {.name = "password",
     .type = GHTTP_FIELD_STRING,
     GHTTP_FIELD_AT(struct credentials, password),
     .required = true,
     .min_length = 8,
     .max_length = 128},
};

/* At a login it is enough that they are there. */
static const struct ghttp_field login_fields[] = {
    {.name = "name", .type = GHTTP_FIELD_TEXT, GHTTP_FIELD_AT(struct credentials, name), .required = true},
    {.name = "password",
     .type = GHTTP_FIELD_STRING,
     GHTTP_FIELD_AT(struct credentials, password),
     .required = true,
     .max_length = 128},
};

static void answer_user(ghttp_request *r, const struct user *user)
{
    cJSON *data = cJSON_CreateObject();

    cJSON_AddNumberToObject(data, "id", (double)user->id);
    cJSON_AddStringToObject(data, "name", user->name);
    ghttp_response_set_data(r, data);
}

/* HTTP wants each 401 to name a way in; this one is no browser's, so that none asks for a password by itself. */
static void refuse_stranger(ghttp_request *r, const char *message)
{
    ghttp_response_set_header(r, "WWW-Authenticate", "Session realm=\"tasks\"");
    answer_refusal(r, 401, message);
}

void account_create(ghttp_request *r)
{
    struct credentials credentials;
    struct user user;
    int result;

    if (ghttp_request_parse(r, new_fields, 2, &credentials) < 0)
        return; /* the answer is made */
    result = users_add(credentials.name, credentials.password, &user);
    if (result == -EEXIST) {
        answer_refusal(r, 409, "this name is taken");
    } else if (result < 0) {
        answer_error(r, result);
    } else {
        ghttp_response_set_status(r, 201);
        answer_user(r, &user);
    }
}

void account_login(ghttp_request *r)
{
    struct credentials credentials;
    struct user user;
    char id[24];
    int result;

    if (ghttp_request_parse(r, login_fields, 2, &credentials) < 0)
        return;
    result = users_find(credentials.name, credentials.password, &user);
    if (result == -EACCES) {
        refuse_stranger(r, "name or password is wrong");
        return;
    }
    snprintf(id, sizeof(id), "%ld", user.id);
    /* Whoever gets more rights gets another id: nobody else can know it. */
    if (result < 0 || (result = ghttp_session_regenerate(r)) < 0 || (result = ghttp_session_set(r, "id", id)) < 0 ||
        (result = ghttp_session_set(r, "name", user.name)) < 0) {
        answer_error(r, result);
        return;
    }
    answer_user(r, &user);
}

void account_logout(ghttp_request *r)
{
    int result = ghttp_session_clear(r);

    if (result < 0)
        answer_error(r, result);
    else
        ghttp_response_set_status(r, 204);
}

void account_required(ghttp_request *r)
{
    const char *id = ghttp_session_get(r, "id"), *name = ghttp_session_get(r, "name");
    struct user *user;

    if (!id || !name) {
        refuse_stranger(r, "log in first");
        return;
    }
    user = ghttp_request_alloc(r, sizeof(*user));
    if (!user || ghttp_request_set_value(r, USER, user) < 0) {
        answer_error(r, -ENOMEM);
        return;
    }
    user->id = atol(id);
    snprintf(user->name, sizeof(user->name), "%s", name);
    ghttp_request_next(r);
}

const struct user *account_user(ghttp_request *r)
{
    return ghttp_request_value(r, USER);
}

void account_show(ghttp_request *r)
{
    answer_user(r, account_user(r));
}
