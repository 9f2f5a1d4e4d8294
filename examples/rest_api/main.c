/*
 * A REST service on SQLite: a list of tasks that several people share. README.md says what to type.
 *
 * This file has the configuration, the routes and the life of the process; see the others for
 *   accounts.c   who one is             tasks.c        the handlers of tasks
 *   users.c      users in the database  task_store.c   tasks in the database
 *   password.c   passwords              page.c         long lists in pages
 *   database.c   connections to SQLite  query.c        one statement of SQL
 *   answers.c    refusals
 */
#include <gf/gf.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "accounts.h"
#include "answers.h"
#include "database.h"
#include "query.h"
#include "tasks.h"

/* The old process asks for this after a restart (gracefulHealthPath) and comes back if the new one has no database. */
static void health(ghttp_request *r)
{
    struct query query;
    int result;

    query_begin(&query, "SELECT 1 FROM users LIMIT 1");
    result = query_end(&query);
    if (result < 0)
        answer_error(r, result);
    else
        ghttp_response_writeln(r, "ok");
}

/* Answers are for whoever has logged in, and change: nobody on the way may keep them. */
static void no_store(ghttp_request *r)
{
    ghttp_response_set_header(r, "Cache-Control", "no-store");
    ghttp_request_next(r);
}

static bool is_json(const char *type)
{
    static const char json[] = "application/json";

    return type && strcspn(type, "; \t") == strlen(json) && strncasecmp(type, json, strlen(json)) == 0;
}

/* A body must say that it is JSON. A form of another site's page cannot. */
static void json_only(ghttp_request *r)
{
    size_t size = 0;

    ghttp_request_body(r, &size);
    if (size > 0 && !is_json(ghttp_request_header(r, "Content-Type")))
        answer_refusal(r, 415, "the body must be application/json");
    else
        ghttp_request_next(r);
}

static void bind_routes(ghttp_server *s, ghttp_rate_limit *limit)
{
    ghttp_group *api = ghttp_server_group(s, "/api/v1"), *login, *members;

    ghttp_group_use(api, no_store);
    ghttp_group_use(api, json_only);
    ghttp_group_use(api, ghttp_middleware_json_body);

    /* Each costs some tenths of a second of a processor: nobody gets many, and nobody tries many passwords. */
    login = ghttp_group_group(api, "/");
    ghttp_group_use_with(login, ghttp_middleware_rate_limit, limit);
    ghttp_group_post(login, "/users", account_create);
    ghttp_group_post(login, "/login", account_login);

    members = ghttp_group_group(api, "/");
    ghttp_group_use(members, account_required);
    ghttp_group_post(members, "/logout", account_logout);
    ghttp_group_get(members, "/me", account_show);
    ghttp_group_get(members, "/tasks", tasks_list);
    ghttp_group_post(members, "/tasks", tasks_create);
    ghttp_group_get(members, "/tasks/:id", tasks_show);
    ghttp_group_put(members, "/tasks/:id", tasks_change);
    ghttp_group_delete(members, "/tasks/:id", tasks_remove);
}

/* Addresses, limits, sessions and restarts are set by config.yaml, which the server reads by itself. */
static int serve(const gcfg *cfg, ghttp_rate_limit *limit)
{
    ghttp_cors cors = {.origins = gcfg_text(cfg, "app.origins", ""), .credentials = true};
    ghttp_server *s = g_server(NULL);

    ghttp_server_use(s, ghttp_middleware_request_id);
    if (*cors.origins)
        ghttp_server_bind_middleware_with(s, "/api/*", ghttp_middleware_cors, &cors);
    ghttp_server_bind_middleware(s, "/api/*", ghttp_middleware_response);
    answer_failures(s);
    ghttp_server_bind(s, "GET:/health", health);
    bind_routes(s, limit);
    ghttp_server_enable_admin(s, NULL); /* /debug/admin: restarts, for this machine only */
    return ghttp_server_run(s);
}

/* The program's own part of config.yaml is "app". NULL: what it says is out of bounds, or there is no memory. */
static ghttp_rate_limit *limit_logins(const gcfg *cfg)
{
    double per_second = gcfg_double(cfg, "app.loginsPerSecond", 0.5);
    int64_t at_once = gcfg_int(cfg, "app.loginsAtOnce", 10);

    return ghttp_rate_limit_new(per_second, at_once > 0 && at_once <= UINT_MAX ? (unsigned)at_once : 0);
}

int main(void)
{
    ghttp_rate_limit *limit = NULL;
    char error[512];
    gcfg *cfg;
    int status = 1;

    umask(077); /* the database is for nobody else */
    if (gcfg_load_found(&cfg, error, sizeof(error)) < 0) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    limit = limit_logins(cfg);
    if (!limit)
        fprintf(stderr, "app.loginsPerSecond or app.loginsAtOnce is out of bounds\n");
    else if (!database_open(gcfg_text(cfg, "app.database", "tasks.db")))
        status = serve(cfg, limit);
    database_close();
    ghttp_rate_limit_free(limit);
    gcfg_free(cfg);
    return status;
}
