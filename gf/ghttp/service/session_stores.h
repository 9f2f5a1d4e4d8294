/*
 * Which store a server's sessions are in: opened as its settings say, at the server's start where they name a folder or
 * a Redis, else when it is first needed; then kept until the end of the process. Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_STORES_H
#define GF_GHTTP_SERVICE_SESSION_STORES_H

#include <gf/ghttp/ghttp.h>

#include "session_store.h"

/* The server's store. 0, or a negative errno, which has been logged. */
int gf_session_stores_find(ghttp_server *s, struct gf_session_store **ret_store);

/* Logs why sessions cannot be kept, once a minute at most. */
void gf_session_stores_complain(const char *reason);

/* Why a store has failed. */
const char *gf_session_stores_reason(int result);

#endif
