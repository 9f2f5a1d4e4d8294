#include "error_log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "request.h"

/* As much as the log's lines take. */
#define REASON_MAX 4096

void gf_request_report(const struct ghttp_request *r, enum glog_level level, int status, const char *format, ...)
{
    int saved_errno = errno;
    char reason[REASON_MAX];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    if (r->error_log)
        r->error_log->report(&(struct gf_failure){.request = r, .level = level, .status = status, .reason = reason});
    else
        glog_write(level, "%s", reason);
    errno = saved_errno;
}
