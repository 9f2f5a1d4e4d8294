/*
 * The head: what of a request's line and headers the server accepts. libmicrohttpd 0.9.75 is tolerant where
 * tolerance lets two servers disagree on where a request ends; here such a request is refused.
 */
#ifndef GF_GHTTP_ENGINE_HEAD_H
#define GF_GHTTP_ENGINE_HEAD_H

struct gf_exchange;

/* Fills the request's method, headers and host. 0, or the status to refuse it with. */
int gf_head_read(struct gf_exchange *exchange, const char *method, const char *version);

#endif
