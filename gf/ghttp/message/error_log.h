/*
 * What went wrong with a request by the server's fault, told to whoever keeps the error log.
 *
 * Owns nothing. Thread: whoever has the request; none of it waits.
 */
#ifndef GF_GHTTP_MESSAGE_ERROR_LOG_H
#define GF_GHTTP_MESSAGE_ERROR_LOG_H

#include <gf/glog/glog.h>

struct ghttp_request;

struct gf_failure {
    const struct ghttp_request *request;
    enum glog_level level;
    int status;         /* that the client gets */
    const char *reason; /* a sentence */
};

struct gf_error_log {
    void (*report)(const struct gf_failure *failure);
};

/* Makes the sentence and gives it to the request's error log; without one it goes to the log. */
void gf_request_report(const struct ghttp_request *r, enum glog_level level, int status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

#endif
