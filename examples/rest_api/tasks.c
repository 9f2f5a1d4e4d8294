/*
 * The handlers of tasks: read what the client says, ask the store, answer.
 */
#include "tasks.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "accounts.h"
#include "answers.h"
#include "page.h"
#include "task_store.h"

/* What a client may say of a task. A change says all of it, and the version that it has read. */
static const struct ghttp_field fields[] = {
    {.name = "title",
     .type = GHTTP_FIELD_STRING,
     GHTTP_FIELD_AT(struct task, title),
     .required = true,
     .max_length = 200},
    {.name = "notes", .type = GHTTP_FIELD_STRING, GHTTP_FIELD_AT(struct task, notes), .max_length = 2000},
    {.name = "due",
     .type = GHTTP_FIELD_STRING,
     GHTTP_FIELD_AT(struct task, due),
     .pattern = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
     .message = "due must be a day like 2026-12-24"},
    {.name = "priority", .type = GHTTP_FIELD_INT, GHTTP_FIELD_AT(struct task, priority), .min = 1, .max = 5},
    {.name = "done", .type = GHTTP_FIELD_BOOL, GHTTP_FIELD_AT(struct task, done)},
    {.name = "version", .type = GHTTP_FIELD_LONG, GHTTP_FIELD_AT(struct task, version), .required = true, .min = 1},
};

enum { FIELDS_OF_CHANGED = sizeof(fields) / sizeof(*fields), FIELDS_OF_NEW = FIELDS_OF_CHANGED - 1 };

/* What is absent has these values. 0, or a negative errno: then the answer is made. */
static int read_task(ghttp_request *r, size_t count, struct task *ret_task)
{
    *ret_task = (struct task){.notes = "", .priority = 3};
    int result = ghttp_request_parse(r, fields, count, ret_task);

    if (!result && ret_task->due && !*ret_task->due)
        ret_task->due = NULL; /* an empty day is none */
    return result;
}

/* The id of the path; 0, which no task has, where that is no number. */
static long task_id(ghttp_request *r)
{
    const char *text = ghttp_request_router(r, "id");
    bool good = strlen(text) <= 18 && strspn(text, "0123456789") == strlen(text);

    return good ? atol(text) : 0;
}

static void answer_task(ghttp_request *r, int result, struct cJSON *task)
{
    if (result < 0)
        answer_error(r, result);
    else
        ghttp_response_set_data(r, task);
}

/* ---- handlers ---- */

void tasks_list(ghttp_request *r)
{
    static const char *const filters[] = {"", "state=open&", "state=done&"};
    const char *state_name = ghttp_request_query(r, "state");
    enum task_state state = TASKS_ALL;
    struct cJSON *items;
    struct page page;
    long total;
    int result;

    if (page_read(r, &page) < 0)
        return;
    if (state_name && strcmp(state_name, "open") == 0) {
        state = TASKS_OPEN;
    } else if (state_name && strcmp(state_name, "done") == 0) {
        state = TASKS_DONE;
    } else if (state_name && strcmp(state_name, "all") != 0) {
        answer_refusal(r, 400, "state must be open, done or all");
        return;
    }
    result = task_store_list(state, &page, &items, &total);
    if (result < 0)
        answer_error(r, result);
    else
        page_answer(r, &page, filters[state], total, items);
}

void tasks_create(ghttp_request *r)
{
    struct cJSON *created = NULL;
    struct task task;
    char location[64];
    long id;
    int result;

    if (read_task(r, FIELDS_OF_NEW, &task) < 0)
        return;
    result = task_store_add(account_user(r)->id, &task, &id, &created);
    if (!result) {
        snprintf(location, sizeof(location), "/api/v1/tasks/%ld", id);
        ghttp_response_set_header(r, "Location", location);
        ghttp_response_set_status(r, 201);
    }
    answer_task(r, result, created);
}

void tasks_show(ghttp_request *r)
{
    struct cJSON *task = NULL;
    int result = task_store_find(task_id(r), &task);

    answer_task(r, result, task);
}

void tasks_change(ghttp_request *r)
{
    struct cJSON *changed = NULL;
    struct task task;
    int result;

    if (read_task(r, FIELDS_OF_CHANGED, &task) < 0)
        return;
    result = task_store_change(task_id(r), account_user(r)->id, &task, &changed);
    answer_task(r, result, changed);
}

void tasks_remove(ghttp_request *r)
{
    int result = task_store_remove(task_id(r), account_user(r)->id);

    if (result < 0)
        answer_error(r, result);
    else
        ghttp_response_set_status(r, 204);
}
