/*
 * The head: what of a request's line and headers the server accepts. libmicrohttpd 0.9.75 is tolerant where
 * tolerance lets two servers disagree on where a request ends; here such a request is refused.
 */
#ifndef GF_GHTTP_ENGINE_HEAD_H
#define GF_GHTTP_ENGINE_HEAD_H

struct gf_exchange;
struct ghttp_request;

/* A body's length that is not announced: it comes in chunks. */
#define GF_LENGTH_UNKNOWN UINT64_MAX

/* Fills the request's method, headers and host, and the exchange's announced length, unchecked. 0, or the status to
 * refuse it with. */
int gf_head_read(struct gf_exchange *exchange, const char *method, const char *version);

/* Copies what points into the connection's memory: it may go while the handler still reads its request. 0 or -ENOMEM.
 */
int gf_head_keep(struct ghttp_request *r);

#endif
