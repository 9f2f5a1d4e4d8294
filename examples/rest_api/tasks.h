/*
 * The handlers of tasks.
 *
 * Owns: nothing. Thread: the request's own. All of them run behind account_required().
 */
#ifndef REST_API_TASKS_H
#define REST_API_TASKS_H

#include <gf/gf.h>

void tasks_list(ghttp_request *r);
void tasks_create(ghttp_request *r);
void tasks_show(ghttp_request *r);
void tasks_change(ghttp_request *r);
void tasks_remove(ghttp_request *r);

#endif
