#include "logs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <gf/glog/logger.h>

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

static int open_log(const ghttp_server *s, const char *pattern, enum gf_logger_style style,
                    struct gf_logger **ret_logger, char *error, size_t error_size)
{
    const struct gf_settings *set = &s->settings;
    struct gf_logger_options options = {.folder = set->log_path[0] ? set->log_path : NULL,
                                        .pattern = pattern,
                                        .rotate_size = set->rotate_size,
                                        .backups = set->rotate_backup_limit,
                                        .style = style,
                                        .on_terminal = set->log_stdout};

    return *ret_logger ? 0 : gf_logger_new(&options, ret_logger, error, error_size);
}

static enum gf_logger_style style_of(enum gf_access_format format)
{
    return format == GF_ACCESS_JSON ? GF_LOGGER_JSON : format == GF_ACCESS_COMBINED ? GF_LOGGER_SILENT : GF_LOGGER_TEXT;
}

int gf_server_open_logs(ghttp_server *s, char *error, size_t error_size)
{
    const struct gf_settings *set = &s->settings;
    struct gf_server_logs *logs = &s->logs;
    int result = set_level(set->log_level, error, error_size);

    if (result < 0)
        return result;
    if (gf_access_format_find(set->access_log_format, &logs->format) < 0) {
        snprintf(error, error_size, "accessLogFormat: \"%.32s\" is none of goframe, json, combined",
                 set->access_log_format);
        return -EINVAL;
    }
    if (set->access_log_enabled)
        result = open_log(s, set->access_log_pattern, style_of(logs->format), &logs->access, error, error_size);
    if (!result && set->error_log_enabled && set->log_path[0])
        result = open_log(s, set->error_log_pattern, GF_LOGGER_TEXT, &logs->error, error, error_size);
    return result;
}

/* On a loop: one line made, one copied into the queue. */
static void record(void *arg, const struct gf_served *served)
{
    const ghttp_server *s = arg;
    char line[GF_ACCESS_LINE_MAX];
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    gf_logger_write(s->logs.access, line, gf_access_line(s->logs.format, s->name, served, &now, line));
}

void gf_server_attach_logs(ghttp_server *s)
{
    s->service.error_log = s->logs.error;
    s->service.record = s->logs.access ? record : NULL;
    s->service.record_arg = s;
}
