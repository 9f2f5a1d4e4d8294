/*
 * Records: what is told of each request at its end, to whoever the service has named for it.
 *
 * Thread: the one that leads the worker.
 */
#ifndef GF_GHTTP_ENGINE_RECORD_H
#define GF_GHTTP_ENGINE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct gf_connection;
struct gf_exchange;
struct gf_service;

/* A request's first line is in: the time, CLOCK_MONOTONIC in microseconds; 0 where nobody keeps records. */
int64_t gf_record_begin(const struct gf_service *service);

/* It is over, answered or not. */
void gf_record_exchange(const struct gf_exchange *exchange, bool complete);

/* An answer was sent to what was not, or not yet, a request. */
void gf_record_refusal(const struct gf_connection *connection, int status);

/* A connection was refused at a limit. In a flood of them most are only counted, and the log says how many. */
void gf_record_turned_away(struct gf_service *service, int fd, bool tls, int status);

#endif
