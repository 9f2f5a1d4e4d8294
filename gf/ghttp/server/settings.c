#include "settings.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "setting_keys.h"

#define MINUTE_MS 60000
#define DAY_MS (24 * 60 * MINUTE_MS)
#define TEBI (INT64_C(1) << 40)
/* Browsers keep no cookie longer. */
#define COOKIE_AGE_MAX_MS (INT64_C(400) * DAY_MS)
#define ROW(key, kind, member, fallback, min, max, meaning)                                                            \
    {                                                                                                                  \
        key, kind, offsetof(struct gf_settings, member), fallback, min, max, meaning, false                            \
    }
/* A text that nobody is to read in a log. */
#define SECRET_ROW(key, member, max, meaning)                                                                          \
    {                                                                                                                  \
        key, GF_SETTING_TEXT, offsetof(struct gf_settings, member), "", 0, max, meaning, true                          \
    }

const struct gf_setting gf_setting_table[] = {
    ROW("address", GF_SETTING_TEXT, address, "", 0, 4096,
        "HTTP addresses as a comma list: 8100, :8100, 127.0.0.1:8100, [::1]:8100, unix:/run/a.sock"),
    ROW("httpsAddr", GF_SETTING_TEXT, https_address, "", 0, 4096,
        "HTTPS addresses; empty and a certificate set: those of `address`, else :443"),
    ROW("httpsCertPath", GF_SETTING_TEXT, https_cert_path, "", 0, 4096, "the certificate chain, a PEM file"),
    ROW("httpsKeyPath", GF_SETTING_TEXT, https_key_path, "", 0, 4096, "its private key, a PEM file"),
    ROW("serverAgent", GF_SETTING_TEXT, server_agent, "GoFrame HTTP Server", 0, 256,
        "the Server header of every answer; empty: none"),
    ROW("keepAlive", GF_SETTING_BOOL, keep_alive, "true", 0, 1, "whether a connection serves more than one request"),
    ROW("clientMaxBodySize", GF_SETTING_SIZE, client_max_body_size, "8m", 0, TEBI,
        "the largest body of a request; more is answered 413; 0: no limit but the room for it (1t)"),
    ROW("formParsingMemory", GF_SETTING_SIZE, form_parsing_memory, "1m", 1024, TEBI,
        "how much of a body is held in memory; a larger one is collected in a temporary file, in $TMPDIR or /tmp"),
    ROW("maxHeaderBytes", GF_SETTING_SIZE, max_header_bytes, "10k", 1024, 1 << 20,
        "the largest request line and headers together; more is answered 431 or 414"),
    ROW("readTimeout", GF_SETTING_DURATION, read_timeout, "60s", 0, DAY_MS,
        "for a whole request to arrive, from the connect or its first line; then 408; 0: no limit"),
    ROW("writeTimeout", GF_SETTING_DURATION, write_timeout, "60s", 0, DAY_MS,
        "without any progress while an answer is sent; then the connection is closed; 0: no limit"),
    ROW("idleTimeout", GF_SETTING_DURATION, idle_timeout, "60s", 0, DAY_MS,
        "between two requests of a connection; then it is closed; 0: no limit"),
    ROW("maxConnections", GF_SETTING_COUNT, max_connections, "65536", 1, 1 << 20,
        "connections open at once; one more is answered 503"),
    ROW("maxConnectionsPerAddress", GF_SETTING_COUNT, max_connections_per_address, "0", 0, 1 << 20,
        "of them from one address (IPv6: from one /64), Unix sockets aside; 0: no limit"),
    ROW("workers", GF_SETTING_COUNT, workers, "0", 0, 256,
        "event loops of the process; 0: one for each core; the first server that starts decides"),
    ROW("handlerThreads", GF_SETTING_COUNT, handler_threads, "2048", 1, 32768,
        "handlers of the process that may block at once; beyond, requests are answered 503; the first server decides"),
    ROW("serverRoot", GF_SETTING_TEXT, server_root, "", 0, 4096, "the folder whose files are served; empty: none"),
    ROW("searchPaths", GF_SETTING_TEXT, search_paths, "", 0, 4096,
        "folders, separated by commas, that are searched for a file behind serverRoot"),
    ROW("staticPaths", GF_SETTING_TEXT, static_paths, "", 0, 8192,
        "folders for the paths below a prefix, before serverRoot: /assets=/srv/assets,/img=pictures"),
    ROW("rewrites", GF_SETTING_TEXT, rewrites, "", 0, 16384,
        "paths that are served as if they were others: /favicon.ico=/img/icon.png,/old=/new"),
    ROW("fileServerEnabled", GF_SETTING_BOOL, file_server_enabled, "false", 0, 1,
        "true: a server that names no folder of files does not start; naming one is what switches files on"),
    ROW("indexFiles", GF_SETTING_TEXT, index_files, "index.html,index.htm", 0, 1024,
        "files that stand for their folder, as a comma list, the first that there is"),
    ROW("indexFolder", GF_SETTING_BOOL, index_folder, "false", 0, 1,
        "whether a folder without an index file is listed; else it is answered 403"),
    ROW("followLinks", GF_SETTING_BOOL, follow_links, "false", 0, 1,
        "whether symbolic links in served folders are followed, as long as they stay in them"),
    ROW("routeOverWrite", GF_SETTING_BOOL, route_over_write, "false", 0, 1,
        "whether a pattern may be bound again: the later binding wins; to be set before the bindings"),
    ROW("dumpRouterMap", GF_SETTING_BOOL, dump_router_map, "true", 0, 1,
        "whether the table of routes is logged at the start"),
    ROW("graceful", GF_SETTING_BOOL, graceful, "false", 0, 1,
        "whether a restart hands the ports to the new process without a gap; on as soon as one server has it on"),
    ROW("gracefulReadyTimeout", GF_SETTING_DURATION, graceful_ready_timeout, "30s", 100, DAY_MS,
        "for a new process to become ready; then it is killed and the old one serves on"),
    ROW("gracefulShutdownTimeout", GF_SETTING_DURATION, graceful_shutdown_timeout, "60s", 0, DAY_MS,
        "for requests in flight to finish at a restart or a shutdown; then they are cut"),
    ROW("gracefulProbation", GF_SETTING_DURATION, graceful_probation, "5s", 0, DAY_MS,
        "after a restart the old process comes back if the new one dies within this time; gracefulShutdownTimeout at "
        "most"),
    ROW("gracefulHealthPath", GF_SETTING_TEXT, graceful_health_path, "", 0, 1024,
        "a path that the new process is asked for during gracefulProbation; two answers that are not 2xx, and the old "
        "one comes back; empty: none"),
    ROW("pidFile", GF_SETTING_TEXT, pid_file, "", 0, 4096,
        "where the number of the process that serves is written once it is ready; any server's counts; empty: nowhere"),
    ROW("stablePid", GF_SETTING_BOOL, stable_pid, "false", 0, 1,
        "whether the first process stays after a restart as a small parent of the new one; always so as process 1"),
    ROW("systemdFdStore", GF_SETTING_BOOL, systemd_fd_store, "false", 0, 1,
        "whether systemd is given the listeners to keep over a crash (FileDescriptorStoreMax)"),
    SECRET_ROW("adminToken", admin_token, 256,
               "opens the admin page to everyone who sends it as `Authorization: Bearer` or types it into its form; "
               "empty: local peers only"),
    ROW("adminExeFolders", GF_SETTING_TEXT, admin_exe_folders, "", 0, 4096,
        "folders, separated by colons, that newExeFilePath may name a file of; empty: any"),
    ROW("logPath", GF_SETTING_TEXT, log_path, "", 0, 4000,
        "the folder of the log files, made if need be; empty: no files"),
    ROW("logLevel", GF_SETTING_TEXT, log_level, "", 0, 16,
        "the lowest level that the process logs, one for all servers: all, debug, info, notice, warning, prod, error, "
        "critical; empty: as it is, info"),
    ROW("logStdout", GF_SETTING_BOOL, log_stdout, "true", 0, 1,
        "whether what goes into log files goes to the terminal too: errors to standard error, requests to standard "
        "output"),
    ROW("errorLogEnabled", GF_SETTING_BOOL, error_log_enabled, "true", 0, 1,
        "whether failed requests are logged, in a file of logPath and on the terminal (logStdout)"),
    ROW("errorLogPattern", GF_SETTING_TEXT, error_log_pattern, "error-{Ymd}.log", 0, 128,
        "the name of that file, letters of the date between braces"),
    ROW("errorLogFormat", GF_SETTING_TEXT, error_log_format, "goframe", 0, 16,
        "what the lines of failed requests look like: goframe, json"),
    ROW("errorStack", GF_SETTING_BOOL, error_stack, "true", 0, 1,
        "whether the line of a failed response says where in the program it failed, and on which route"),
    ROW("accessLogEnabled", GF_SETTING_BOOL, access_log_enabled, "false", 0, 1,
        "whether each request is logged, in a file of logPath and on the terminal (logStdout)"),
    ROW("accessLogPattern", GF_SETTING_TEXT, access_log_pattern, "access-{Ymd}.log", 0, 128,
        "the name of that file, letters of the date between braces"),
    ROW("accessLogFormat", GF_SETTING_TEXT, access_log_format, "goframe", 0, 16,
        "what its lines look like: goframe, json, combined"),
    ROW("rotateSize", GF_SETTING_SIZE, rotate_size, "0", 0, TEBI,
        "bytes after which a log file is renamed and a new one begun; 0: not by size"),
    ROW("rotateBackupLimit", GF_SETTING_COUNT, rotate_backup_limit, "0", 0, 100000,
        "old files of each log that are kept, those of other days included; 0: all"),
    ROW("cookieMaxAge", GF_SETTING_DURATION, cookie_max_age, "365d", 0, COOKIE_AGE_MAX_MS,
        "how long browsers keep a cookie; 0: until they end"),
    ROW("cookiePath", GF_SETTING_TEXT, cookie_path, "/", 0, 1024, "the paths that cookies are for"),
    ROW("cookieDomain", GF_SETTING_TEXT, cookie_domain, "", 0, 255,
        "the domain, with all below it, that cookies are for; empty: the host that was asked alone"),
    ROW("cookieSameSite", GF_SETTING_TEXT, cookie_same_site, "", 0, 16,
        "lax, strict or none: whether other sites' pages may send cookies along; empty: not said"),
    ROW("cookieSecure", GF_SETTING_BOOL, cookie_secure, "false", 0, 1, "whether cookies go over HTTPS only"),
    ROW("cookieHttpOnly", GF_SETTING_BOOL, cookie_http_only, "false", 0, 1, "whether scripts cannot read cookies"),
    ROW("sessionIdName", GF_SETTING_TEXT, session_id_name, "gfsessionid", 0, 256,
        "the name of the cookie that carries a session's id"),
    ROW("sessionMaxAge", GF_SETTING_DURATION, session_max_age, "24h", 1000, COOKIE_AGE_MAX_MS,
        "how long a session lives after its last use"),
    ROW("sessionCookieMaxAge", GF_SETTING_DURATION, session_cookie_max_age, "24h", 0, COOKIE_AGE_MAX_MS,
        "how long browsers keep a session's cookie after its last use; 0: until they end"),
    ROW("sessionPath", GF_SETTING_TEXT, session_path, "", 0, 4000,
        "the folder of the sessions, of mode 0700; empty: gsessions-<user id>/<program> in $TMPDIR, else in /tmp"),
    ROW("sessionCookieOutput", GF_SETTING_BOOL, session_cookie_output, "true", 0, 1,
        "whether the library sets the session's cookie"),
    ROW("sessionHeader", GF_SETTING_BOOL, session_header, "false", 0, 1,
        "whether a header named as sessionIdName is taken for the id too, where there is no such cookie"),
    ROW("sessionMaxCount", GF_SETTING_COUNT, session_max_count, "100000", 1, 100000000,
        "sessions in the folder, where beyond no new one begins, or in memory, where the longest unused one goes"),
    ROW("sessionStorage", GF_SETTING_TEXT, session_storage, "file", 0, 16,
        "where sessions are kept: file (sessionPath), memory, redis"),
    ROW("sessionMemorySize", GF_SETTING_SIZE, session_memory_size, "64m", INT64_C(4) << 20, INT64_C(64) << 30,
        "the most that sessions in memory take, beyond which the longest unused one goes"),
    ROW("sessionRedisAddress", GF_SETTING_TEXT, session_redis_address, "127.0.0.1:6379", 1, 255,
        "the Redis for sessions: 127.0.0.1:6379, [::1]:6379, name:6379, unix:/run/redis.sock"),
    ROW("sessionRedisUser", GF_SETTING_TEXT, session_redis_user, "", 0, 256,
        "who logs in to it; empty: its default user"),
    SECRET_ROW("sessionRedisPass", session_redis_pass, 1024, "the password; empty: no login"),
    ROW("sessionRedisDb", GF_SETTING_COUNT, session_redis_db, "0", 0, 1 << 20, "the number of its database"),
    ROW("sessionRedisPrefix", GF_SETTING_TEXT, session_redis_prefix, "gfsession:", 0, 128,
        "what the keys begin with, in front of the server's name and the session's id"),
    ROW("sessionRedisTimeout", GF_SETTING_DURATION, session_redis_timeout, "1s", 10, MINUTE_MS,
        "for a connect to it, and for each answer"),
    ROW("sessionRedisMaxActive", GF_SETTING_COUNT, session_redis_max_active, "16", 1, 1000,
        "connections to it; more requests at once wait for one, sessionRedisTimeout at most"),
};
const size_t gf_setting_count = sizeof(gf_setting_table) / sizeof(*gf_setting_table);
_Static_assert(sizeof(gf_setting_table) / sizeof(*gf_setting_table) <= GF_SETTINGS_MAX, "a mark for each setting");

/* ---- values ---- */

struct unit {
    const char *name;
    int64_t factor;
};

/* GoFrame's, as far as a setting can be so large. */
static const struct unit sizes[] = {{"", 1},         {"b", 1},        {"bytes", 1},     {"k", 1 << 10},
                                    {"kb", 1 << 10}, {"ki", 1 << 10}, {"kib", 1 << 10}, {"m", 1 << 20},
                                    {"mb", 1 << 20}, {"mi", 1 << 20}, {"mib", 1 << 20}, {"g", 1 << 30},
                                    {"gb", 1 << 30}, {"gi", 1 << 30}, {"gib", 1 << 30}, {"t", TEBI},
                                    {"tb", TEBI},    {"ti", TEBI},    {"tib", TEBI},    {NULL, 0}};
static const struct unit durations[] = {{"", 1000},    {"ms", 1}, {"s", 1000}, {"m", MINUTE_MS}, {"h", 60 * MINUTE_MS},
                                        {"d", DAY_MS}, {NULL, 0}};
static const struct unit counts[] = {{"", 1}, {NULL, 0}};

static const struct unit *find_unit(const struct unit *units, const char *name, size_t length)
{
    for (; units->name; units++)
        if (strlen(units->name) == length && !strncasecmp(units->name, name, length))
            return units;
    return NULL;
}

/* One number and its unit, from *at on. */
static int parse_part(const char **at, const struct unit *units, bool is_alone, int64_t *ret_number)
{
    const struct unit *unit;
    size_t length = 0;
    char *end;
    long long number;

    if (!isdigit((unsigned char)**at))
        return -EINVAL;
    errno = 0;
    number = strtoll(*at, &end, 10);
    if (errno)
        return -ERANGE;
    while (isalpha((unsigned char)end[length]))
        length++;
    unit = find_unit(units, end, length);
    if (!unit || (!length && !(is_alone && !*end)))
        return -EINVAL;
    if (number > INT64_MAX / unit->factor)
        return -ERANGE;
    *at = end + length;
    *ret_number = number * unit->factor;
    return 0;
}

/* Durations may have several parts: 1h30m. */
static int parse_number(const char *value, const struct unit *units, int64_t *ret_number)
{
    int64_t sum = 0, part;

    for (const char *at = value; at == value || *at;) {
        int result = at == value || units == durations ? parse_part(&at, units, at == value, &part) : -EINVAL;

        if (result < 0)
            return result;
        if (part > INT64_MAX - sum)
            return -ERANGE;
        sum += part;
    }
    *ret_number = sum;
    return 0;
}

static int parse_bool(const char *value, bool *ret_value)
{
    static const char *const words[] = {"false", "0", "off", "no", "true", "1", "on", "yes"};

    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
        if (!strcasecmp(words[i], value)) {
            *ret_value = i >= 4;
            return 0;
        }
    }
    return -EINVAL;
}

static int set_text(const struct gf_setting *row, char **member, const char *value)
{
    char *copy;

    if ((int64_t)strlen(value) > row->max)
        return -ERANGE;
    copy = strdup(value);
    if (!copy)
        return -ENOMEM;
    free(*member);
    *member = copy;
    return 0;
}

static int set_number(const struct gf_setting *row, int64_t *member, const char *value)
{
    const struct unit *units = row->kind == GF_SETTING_SIZE       ? sizes
                               : row->kind == GF_SETTING_DURATION ? durations
                                                                  : counts;
    int64_t number;
    int result = parse_number(value, units, &number);

    if (result < 0)
        return result;
    if (number < row->min || number > row->max)
        return -ERANGE;
    *member = number;
    return 0;
}

static int set_row(struct gf_settings *settings, const struct gf_setting *row, const char *value)
{
    void *member = (char *)settings + row->offset;

    switch (row->kind) {
    case GF_SETTING_TEXT:
        return set_text(row, member, value);
    case GF_SETTING_BOOL:
        return parse_bool(value, member);
    default:
        return set_number(row, member, value);
    }
}

/* ---- the room's offers ---- */

int gf_settings_init(struct gf_settings *settings)
{
    *settings = (struct gf_settings){.address = NULL};
    for (size_t i = 0; i < gf_setting_count; i++) {
        int result = set_row(settings, &gf_setting_table[i], gf_setting_table[i].fallback);

        if (result < 0) {
            gf_settings_finish(settings);
            return result;
        }
    }
    return 0;
}

void gf_settings_finish(struct gf_settings *settings)
{
    for (size_t i = 0; i < gf_setting_count; i++) {
        char **member = (char **)((char *)settings + gf_setting_table[i].offset);

        if (gf_setting_table[i].kind != GF_SETTING_TEXT)
            continue;
        free(*member);
        *member = NULL;
    }
}

/* A key that is refused may be switched off: then nothing changes. */
static int answer_no_setting(const char *key, const char *value, char *error, size_t error_size)
{
    const char *reason = gf_setting_refusal(key);

    if (!reason) {
        gf_setting_explain_unknown(key, error, error_size);
        return -ENOENT;
    }
    if (gf_setting_is_off(value))
        return 0;
    snprintf(error, error_size, "\"%.64s\": %s", key, reason);
    return -ENOTSUP;
}

static void explain_value(const struct gf_setting *row, const char *value, int result, char *error, size_t error_size)
{
    char shown[80] = "the value";

    if (!row->secret)
        snprintf(shown, sizeof(shown), "\"%.64s\"", value);
    if (result == -ERANGE)
        snprintf(error, error_size, "\"%s\": %s is out of range (%lld to %lld)", row->key, shown, (long long)row->min,
                 (long long)row->max);
    else
        snprintf(error, error_size, "\"%s\": %s is not a value for it: %s", row->key, shown, row->meaning);
}

static int set_checked(struct gf_settings *settings, const char *key, const char *value, char *error, size_t error_size)
{
    const struct gf_setting *row = gf_settings_find(key);
    int result;

    if (!row)
        return answer_no_setting(key, value, error, error_size);
    result = set_row(settings, row, value);
    if (result < 0)
        explain_value(row, value, result, error, error_size);
    return result == -ERANGE ? -EINVAL : result;
}

int gf_settings_set(struct gf_settings *settings, const char *key, const char *value, char *error, size_t error_size)
{
    const struct gf_setting *row = gf_settings_find(key);
    int result = set_checked(settings, key, value, error, error_size);

    if (!result && row)
        settings->set_by_program[row - gf_setting_table] = true;
    return result;
}

int gf_settings_offer(struct gf_settings *settings, const char *key, const char *value, char *error, size_t error_size)
{
    struct gf_settings scratch = {.address = NULL};
    const struct gf_setting *row = gf_settings_find(key);
    bool is_free = !row || !settings->set_by_program[row - gf_setting_table];
    int result = set_checked(is_free ? settings : &scratch, key, value, error, error_size);

    gf_settings_finish(&scratch);
    return result;
}

int gf_settings_format(const struct gf_settings *settings, const struct gf_setting *row, char *ret_text, size_t size)
{
    const void *member = (const char *)settings + row->offset;
    char number[32];
    const char *text = number;

    if (row->kind == GF_SETTING_TEXT)
        text = *(char *const *)member;
    else if (row->kind == GF_SETTING_BOOL)
        text = *(const bool *)member ? "true" : "false";
    else
        snprintf(number, sizeof(number), "%lld%s", (long long)*(const int64_t *)member,
                 row->kind == GF_SETTING_DURATION ? "ms" : "");
    if (strlen(text) >= size)
        return -ENOSPC;
    memcpy(ret_text, text, strlen(text) + 1);
    return 0;
}
