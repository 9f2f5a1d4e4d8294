/*
 * The example rest_api as its tests use it: the program with a folder of its own, and users of it that speak JSON.
 *
 * Owns: the folder, the process; of a user the connection and the answer read last. Thread: one at a time for each.
 */
#ifndef GF_TESTS_SUPPORT_REST_API_H
#define GF_TESTS_SUPPORT_REST_API_H

#include "tests/support/process.h"

#include <sys/types.h>

struct cJSON;
struct client;

struct rest_api {
    char folder[64];
    int port;
    struct process *process;
    pid_t pid; /* of the generation that serves, as far as it was heard */
};

/* A folder and a port; nothing runs yet. 0 or a negative errno. rest_api_finish() in any case. */
int rest_api_init(struct rest_api *api);
/*
 * Writes config.yaml: what the tests need, then these lines of "app" ("  origins: x\n"), which a restart reads too.
 * Without any, logins are not limited and the database is tasks.db. 0 or a negative errno.
 */
int rest_api_configure(struct rest_api *api, const char *app);
/* Starts it and waits until it serves. 0 or a negative errno. */
int rest_api_start(struct rest_api *api);
/* Restarts it by a signal and waits for the outcome: the new pid or a negative errno. */
pid_t rest_api_restart(struct rest_api *api);
/* Ends it and removes the folder. */
void rest_api_finish(struct rest_api *api);

/* Somebody who uses it. */
struct rest_user {
    int port;
    struct client *connection; /* kept, and made anew where the server has announced its end */
    char cookie[128];          /* "tasks-session=…", or "" */
    const char *headers;       /* besides the usual ones, each with its CRLF; NULL: none */
    char *head;                /* of the last answer */
    struct cJSON *json;        /* its body; NULL: it is none */
};

void rest_user_init(struct rest_user *u, int port);
void rest_user_finish(struct rest_user *u);
/* Ends the connection: the next request makes another. */
void rest_user_hang_up(struct rest_user *u);
/* Sends a request below /api/v1, or to a path that begins with "//" without it, with a body in JSON unless it is NULL.
 * Keeps the session's cookie. The status, or a negative errno. */
int rest_user_ask(struct rest_user *u, const char *method, const char *path, const char *body);
/* Makes the user, unless there is one of the name, and logs in: 0 or -EACCES. */
int rest_user_join(struct rest_user *u, const char *name);

/* Of the last answer, by its way: "data.items.0.title". Text "", and number -1, where there is none. */
const char *rest_user_text(const struct rest_user *u, const char *way);
long rest_user_number(const struct rest_user *u, const char *way);
const struct cJSON *rest_user_json(const struct rest_user *u, const char *way);

#endif
