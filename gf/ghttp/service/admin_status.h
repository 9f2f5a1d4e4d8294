/*
 * What the admin page shows: the process, its restarts and the process before it, its servers and what runs in them,
 * gathered at one moment. Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_ADMIN_STATUS_H
#define GF_GHTTP_SERVICE_ADMIN_STATUS_H

#include <stddef.h>

#include <gf/ghttp/ghttp.h>

struct cJSON;
struct gf_outcome;

/*
 * All of it; cJSON_Delete(). NULL: no memory. asker: the request for it, which is then left out of those that run;
 * NULL: what runs is left out altogether, for it can only be had by interrupting each loop.
 */
struct cJSON *gf_admin_status_new(const ghttp_request *asker);

/* How a restart went; cJSON_Delete(). NULL: no memory. */
struct cJSON *gf_admin_outcome_new(const struct gf_outcome *outcome);

/* The sentence about it, which is no longer than size. */
void gf_admin_outcome_format(const struct gf_outcome *outcome, char *text, size_t size);

#endif
