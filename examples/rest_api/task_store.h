/*
 * Tasks in the database. Everybody sees all of them; only its owner changes one.
 *
 * Owns: nothing. Thread: any. Results: 0 or a negative errno, of query_end() or as named here; outputs are written on
 * success only.
 */
#ifndef REST_API_TASK_STORE_H
#define REST_API_TASK_STORE_H

#include <stdbool.h>

struct cJSON;
struct page;

/* What a client says of a task. */
struct task {
    const char *title, *notes;
    const char *due; /* "2026-12-24"; NULL: none */
    int priority;    /* 1..5 */
    bool done;
    long version; /* the one that it wants to change */
};

/* Which tasks a list has. */
enum task_state { TASKS_ALL, TASKS_OPEN, TASKS_DONE };

/* The caller frees the JSON. */
int task_store_list(enum task_state state, const struct page *page, struct cJSON **ret_items, long *ret_total);
/* -ENOENT. */
int task_store_find(long id, struct cJSON **ret_task);
/* Also gives the id that it got. */
int task_store_add(long owner, const struct task *task, long *ret_id, struct cJSON **ret_task);
/* -ENOENT; -EPERM: it is somebody else's; -ESTALE: it has another version by now. */
int task_store_change(long id, long owner, const struct task *task, struct cJSON **ret_task);
/* -ENOENT; -EPERM. */
int task_store_remove(long id, long owner);

#endif
