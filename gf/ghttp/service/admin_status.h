/*
 * What the admin page shows: the process, its last restart, its servers, gathered at one moment. Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_ADMIN_STATUS_H
#define GF_GHTTP_SERVICE_ADMIN_STATUS_H

#include <stddef.h>

struct cJSON;
struct gf_outcome;

/* All of it, as `/status` answers it; cJSON_Delete(). NULL: no memory. */
struct cJSON *gf_admin_status_new(void);

/* How a restart went; cJSON_Delete(). NULL: no memory. */
struct cJSON *gf_admin_outcome_new(const struct gf_outcome *outcome);

/* The sentence about it, which is no longer than size. */
void gf_admin_outcome_format(const struct gf_outcome *outcome, char *text, size_t size);

#endif
