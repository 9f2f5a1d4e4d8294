/*
 * The twin: a request once more, for another thread, so that the first one can be answered while a handler that was
 * given the twin still runs.
 *
 * While both are there only the twin's thread touches the twin and the arena, which both have. What can be there once
 * only is the twin's: body, uploads, JSON, the session and what was to be done before the output.
 */
#ifndef GF_GHTTP_MESSAGE_TWIN_H
#define GF_GHTTP_MESSAGE_TWIN_H

struct ghttp_request;

/* Makes the twin. It sends nothing early (it has no transport). 0 or -ENOMEM: then nothing has changed. */
int gf_twin_begin(struct ghttp_request *r, struct ghttp_request *twin);

/* The twin's thread is done: the request becomes what the twin has become, and that is of no use any more. */
void gf_twin_end(struct ghttp_request *r, struct ghttp_request *twin);

#endif
