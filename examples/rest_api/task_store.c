/*
 * Tasks in the database: see task_store.h. Each change is one statement, so that two who change a task at once, from
 * two processes even, come one after the other.
 */
#include "task_store.h"

#include <cjson/cJSON.h>
#include <errno.h>

#include "page.h"
#include "query.h"

#define COLUMNS                                                                                                        \
    "tasks.id, title, notes, due, priority, done, version, created, updated,"                                          \
    " (SELECT name FROM users WHERE users.id = owner)"

/* The row that a query has reached. */
static cJSON *read_task(struct query *q)
{
    cJSON *task = cJSON_CreateObject();

    cJSON_AddNumberToObject(task, "id", (double)query_number(q, 0));
    cJSON_AddStringToObject(task, "title", query_text(q, 1));
    cJSON_AddStringToObject(task, "notes", query_text(q, 2));
    if (query_text(q, 3))
        cJSON_AddStringToObject(task, "due", query_text(q, 3));
    else
        cJSON_AddNullToObject(task, "due");
    cJSON_AddNumberToObject(task, "priority", (double)query_number(q, 4));
    cJSON_AddBoolToObject(task, "done", query_number(q, 5) != 0);
    cJSON_AddNumberToObject(task, "version", (double)query_number(q, 6));
    cJSON_AddStringToObject(task, "created", query_text(q, 7));
    cJSON_AddStringToObject(task, "updated", query_text(q, 8));
    cJSON_AddStringToObject(task, "owner", query_text(q, 9));
    return task;
}

/* The end of a query for one task: -ENOENT without a row. */
static int end_with_task(struct query *q, struct cJSON **ret_task)
{
    bool found = query_next(q);
    cJSON *task = found ? read_task(q) : NULL;
    int result = query_end(q);

    if (!result && !task)
        result = found ? -ENOMEM : -ENOENT;
    if (result < 0)
        cJSON_Delete(task);
    else
        *ret_task = task;
    return result;
}

/* ---- reading ---- */

/* As bounds of "done": all tasks are from 0 to 1, open ones from 0 to 0, done ones from 1 to 1. */
static void bind_state(struct query *q, enum task_state state)
{
    query_bind_number(q, 1, state == TASKS_DONE);
    query_bind_number(q, 2, state != TASKS_OPEN);
}

static int count_tasks(enum task_state state, long *ret_total)
{
    struct query query;
    long total = 0;
    int result;

    query_begin(&query, "SELECT count(*) FROM tasks WHERE done BETWEEN ?1 AND ?2");
    bind_state(&query, state);
    if (query_next(&query))
        total = query_number(&query, 0);
    result = query_end(&query);
    if (!result)
        *ret_total = total;
    return result;
}

int task_store_list(enum task_state state, const struct page *page, struct cJSON **ret_items, long *ret_total)
{
    cJSON *items = cJSON_CreateArray();
    struct query query;
    int result;

    query_begin(&query, "SELECT " COLUMNS " FROM tasks WHERE done BETWEEN ?1 AND ?2 ORDER BY id LIMIT ?3 OFFSET ?4");
    bind_state(&query, state);
    query_bind_number(&query, 3, page->size);
    query_bind_number(&query, 4, page_offset(page));
    while (query_next(&query))
        cJSON_AddItemToArray(items, read_task(&query));
    result = query_end(&query);
    if (!result)
        result = count_tasks(state, ret_total);
    if (result < 0)
        cJSON_Delete(items);
    else
        *ret_items = items;
    return result;
}

int task_store_find(long id, struct cJSON **ret_task)
{
    struct query query;

    query_begin(&query, "SELECT " COLUMNS " FROM tasks WHERE id = ?1");
    query_bind_number(&query, 1, id);
    return end_with_task(&query, ret_task);
}

/* ---- writing ---- */

int task_store_add(long owner, const struct task *task, long *ret_id, struct cJSON **ret_task)
{
    struct query query;
    int result;

    query_begin(&query, "INSERT INTO tasks (owner, title, notes, due, priority, done)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6) RETURNING " COLUMNS);
    query_bind_number(&query, 1, owner);
    query_bind_text(&query, 2, task->title);
    query_bind_text(&query, 3, task->notes);
    query_bind_text(&query, 4, task->due);
    query_bind_number(&query, 5, task->priority);
    query_bind_number(&query, 6, task->done);
    result = end_with_task(&query, ret_task);
    if (!result)
        *ret_id = (long)cJSON_GetNumberValue(cJSON_GetObjectItem(*ret_task, "id"));
    return result;
}

/* Why a change has found no task that it may change. */
static int explain(long id, long owner)
{
    struct query query;
    int result = -ENOENT, end;

    query_begin(&query, "SELECT owner FROM tasks WHERE id = ?1");
    query_bind_number(&query, 1, id);
    if (query_next(&query))
        result = query_number(&query, 0) == owner ? -ESTALE : -EPERM;
    end = query_end(&query);
    return end < 0 ? end : result;
}

int task_store_change(long id, long owner, const struct task *task, struct cJSON **ret_task)
{
    struct query query;
    int result;

    query_begin(&query, "UPDATE tasks SET title = ?4, notes = ?5, due = ?6, priority = ?7, done = ?8,"
                        " version = version + 1, updated = strftime('%Y-%m-%dT%H:%M:%SZ', 'now')"
                        " WHERE id = ?1 AND owner = ?2 AND version = ?3 RETURNING " COLUMNS);
    query_bind_number(&query, 1, id);
    query_bind_number(&query, 2, owner);
    query_bind_number(&query, 3, task->version);
    query_bind_text(&query, 4, task->title);
    query_bind_text(&query, 5, task->notes);
    query_bind_text(&query, 6, task->due);
    query_bind_number(&query, 7, task->priority);
    query_bind_number(&query, 8, task->done);
    result = end_with_task(&query, ret_task);
    return result == -ENOENT ? explain(id, owner) : result;
}

int task_store_remove(long id, long owner)
{
    struct query query;
    bool removed;
    int result;

    query_begin(&query, "DELETE FROM tasks WHERE id = ?1 AND owner = ?2 RETURNING id");
    query_bind_number(&query, 1, id);
    query_bind_number(&query, 2, owner);
    removed = query_next(&query);
    result = query_end(&query);
    if (result < 0 || removed)
        return result;
    result = explain(id, owner);
    return result == -ESTALE ? -ENOENT : result;
}
