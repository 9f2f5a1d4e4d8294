#include "logs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <gf/glog/line.h>
#include <gf/glog/logger.h>

#include "../../gproc/clock.h"
#include "../message/error_log.h"
#include "../message/request.h"
#include "server.h"

/* GoFrame's names. There are no lines between info and warning here, nor any that are worse than an error. */
static const struct {
    const char *name;
    enum glog_level level;
} levels[] = {{"all", GLOG_DEBUG},    {"dev", GLOG_DEBUG},       {"develop", GLOG_DEBUG}, {"debu", GLOG_DEBUG},
              {"debug", GLOG_DEBUG},  {"info", GLOG_INFO},       {"noti", GLOG_WARNING},  {"notice", GLOG_WARNING},
              {"warn", GLOG_WARNING}, {"warning", GLOG_WARNING}, {"prod", GLOG_WARNING},  {"product", GLOG_WARNING},
              {"erro", GLOG_ERROR},   {"error", GLOG_ERROR},     {"crit", GLOG_ERROR},    {"critical", GLOG_ERROR}};

/* The level is the whole process's; a server that says nothing leaves it alone. */
static int set_level(const char *name, char *error, size_t error_size)
{
    if (!*name)
        return 0;
    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
        if (!strcasecmp(levels[i].name, name)) {
            glog_set_level(levels[i].level);
            return 0;
        }
    }
    snprintf(error, error_size,
             "logLevel: \"%.32s\" is none of all, debug (dev), info, notice, warning (prod), error, critical", name);
    return -EINVAL;
}

static int find_format(const char *key, const char *name, bool may_be_combined, enum gf_access_format *ret_format,
                       char *error, size_t error_size)
{
    if (!gf_access_format_find(name, ret_format) && (may_be_combined || *ret_format != GF_ACCESS_COMBINED))
        return 0;
    snprintf(error, error_size, "%s: \"%.32s\" is none of goframe, json%s", key, name,
             may_be_combined ? ", combined" : "");
    return -EINVAL;
}

static enum gf_logger_style style_of(enum gf_access_format format)
{
    return format == GF_ACCESS_JSON ? GF_LOGGER_JSON : format == GF_ACCESS_COMBINED ? GF_LOGGER_SILENT : GF_LOGGER_TEXT;
}

/* A log is opened once, and not for a folder that there is not. */
static int open_file(const ghttp_server *s, const char *pattern, enum gf_access_format format,
                     struct gf_logger **ret_logger, char *error, size_t error_size)
{
    const struct gf_settings *set = &s->settings;
    struct gf_logger_options options = {.folder = set->log_path,
                                        .pattern = pattern,
                                        .rotate_size = set->rotate_size,
                                        .backups = set->rotate_backup_limit,
                                        .style = style_of(format)};

    return *ret_logger || !set->log_path[0] ? 0 : gf_logger_new(&options, ret_logger, error, error_size);
}

static int open_access_log(ghttp_server *s, char *error, size_t error_size)
{
    const struct gf_settings *set = &s->settings;
    struct gf_server_logs *logs = &s->logs;
    struct gf_logger_options terminal = {.style = style_of(logs->access_format)};
    int result = open_file(s, set->access_log_pattern, logs->access_format, &logs->access, error, error_size);

    if (!result && set->log_stdout && !logs->access_terminal)
        result = gf_logger_new(&terminal, &logs->access_terminal, error, error_size);
    if (!result && !logs->access && !logs->access_terminal)
        glog_warning("server \"%s\": accessLogEnabled, but there is no logPath and logStdout is false: its lines go "
                     "nowhere",
                     s->name);
    return result;
}

int gf_server_open_logs(ghttp_server *s, char *error, size_t error_size)
{
    const struct gf_settings *set = &s->settings;
    struct gf_server_logs *logs = &s->logs;
    int result = set_level(set->log_level, error, error_size);

    if (!result)
        result = find_format("accessLogFormat", set->access_log_format, true, &logs->access_format, error, error_size);
    if (!result)
        result = find_format("errorLogFormat", set->error_log_format, false, &logs->error_format, error, error_size);
    if (!result && set->access_log_enabled)
        result = open_access_log(s, error, error_size);
    if (!result && set->error_log_enabled)
        result = open_file(s, set->error_log_pattern, logs->error_format, &logs->error, error, error_size);
    return result;
}

/* On a loop: one line made, one copied into a queue or two. */
static void record(void *arg, const struct gf_served *served)
{
    const struct gf_server_logs *logs = &((const ghttp_server *)arg)->logs;
    char line[GF_ACCESS_LINE_MAX];
    struct timespec now;
    size_t size;

    clock_gettime(CLOCK_REALTIME, &now);
    size = gf_access_line(logs->access_format, ((const ghttp_server *)arg)->name, served, &now, line);
    if (logs->access)
        gf_logger_write(logs->access, line, size);
    if (logs->access_terminal)
        gf_logger_write(logs->access_terminal, line, size);
}

static int64_t time_since(int64_t began_ms)
{
    return began_ms ? gf_clock_us() - began_ms * 1000 : 0;
}

/* On a loop or a handler's thread. */
static void report(const struct gf_failure *failure)
{
    const ghttp_server *s = failure->request->server;
    bool on_terminal = s->settings.error_log_enabled && s->settings.log_stdout;
    int64_t took_us = time_since(failure->request->began_ms);
    struct gf_glog_line line;
    struct timespec now;

    if (!gf_glog_is_wanted(failure->level) || (!s->logs.error && !on_terminal))
        return;
    clock_gettime(CLOCK_REALTIME, &now);
    gf_error_line(s->logs.error_format, s->name, failure, took_us > 0 ? took_us : 0, &now, &line);
    gf_logger_report(s->logs.error, on_terminal, failure->level, &line);
}

void gf_server_attach_logs(ghttp_server *s)
{
    static const struct gf_error_log error_log = {.report = report};

    s->service.error_log = &error_log;
    s->service.record = s->logs.access || s->logs.access_terminal ? record : NULL;
    s->service.record_arg = s;
}
