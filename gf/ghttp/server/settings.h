/*
 * Settings: what can be set on a server, in one table: key, kind, default, range, meaning. The table is the parser,
 * the defaults and the documentation (docs/settings.md is tested against it).
 *
 * Thread: before start; read only afterwards.
 */
#ifndef GF_GHTTP_SERVER_SETTINGS_H
#define GF_GHTTP_SERVER_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gf_setting_kind {
    GF_SETTING_TEXT,     /* char * */
    GF_SETTING_BOOL,     /* bool: true, 1, on, yes, false, 0, off, no */
    GF_SETTING_COUNT,    /* int64_t */
    GF_SETTING_SIZE,     /* int64_t in bytes: 8388608, 8k, 8m, 1gib, 1t */
    GF_SETTING_DURATION, /* int64_t in milliseconds: 60 (seconds), 500ms, 60s, 5m, 1h30m, 1d */
};

/* Rows that the table may have. */
#define GF_SETTINGS_MAX 256

struct gf_settings {
    bool set_by_program[GF_SETTINGS_MAX]; /* by the row's number in the table */
    char *address;
    char *https_address;
    char *https_cert_path;
    char *https_key_path;
    char *server_agent;
    char *admin_token;
    char *admin_exe_folders;
    char *graceful_health_path;
    char *log_path;
    char *log_level;
    char *error_log_pattern;
    char *error_log_format;
    char *access_log_pattern;
    char *access_log_format;
    bool log_stdout;
    bool error_log_enabled;
    bool error_stack;
    bool access_log_enabled;
    int64_t rotate_size;
    int64_t rotate_backup_limit;
    char *server_root;
    char *search_paths;
    char *static_paths;
    char *rewrites;
    bool file_server_enabled;
    char *index_files;
    bool index_folder;
    bool follow_links;
    char *cookie_path;
    char *cookie_domain;
    char *cookie_same_site;
    char *session_id_name;
    char *session_path;
    bool cookie_secure;
    bool cookie_http_only;
    bool session_cookie_output;
    bool session_header;
    int64_t cookie_max_age;
    int64_t session_max_age;
    int64_t session_cookie_max_age;
    int64_t session_max_count;
    char *session_storage;
    int64_t session_memory_size;
    char *session_redis_address;
    char *session_redis_user;
    char *session_redis_pass;
    char *session_redis_prefix;
    int64_t session_redis_db;
    int64_t session_redis_timeout;
    int64_t session_redis_max_active;
    char *pid_file;
    bool stable_pid;
    bool systemd_fd_store;
    bool keep_alive;
    bool graceful;
    bool route_over_write;
    bool dump_router_map;
    int64_t graceful_ready_timeout;
    int64_t graceful_shutdown_timeout;
    int64_t graceful_probation;
    int64_t client_max_body_size;
    int64_t form_parsing_memory;
    int64_t max_header_bytes;
    int64_t read_timeout;
    int64_t write_timeout;
    int64_t idle_timeout;
    int64_t max_connections;
    int64_t max_connections_per_address;
    int64_t workers;
    int64_t handler_threads;
};

struct gf_setting {
    const char *key; /* as documented: clientMaxBodySize */
    enum gf_setting_kind kind;
    size_t offset; /* in struct gf_settings */
    const char *fallback;
    int64_t min, max; /* of numbers, in their unit; of texts the length */
    const char *meaning;
    bool secret; /* its value stands in no message */
};

/* The table. */
extern const struct gf_setting gf_setting_table[];
extern const size_t gf_setting_count;

/* All defaults. 0 or -ENOMEM. */
int gf_settings_init(struct gf_settings *settings);
void gf_settings_finish(struct gf_settings *settings);

/*
 * Sets one by its key; case, '-', '_' and blanks in the key do not matter. 0; -ENOENT (the sentence in error names
 * the nearest key), -ENOTSUP (a key of GoFrame's that is refused, with the reason; switching it off is fine), -EINVAL,
 * -ENOMEM; then nothing has changed.
 */
int gf_settings_set(struct gf_settings *settings, const char *key, const char *value, char *error, size_t error_size);

/*
 * The same for a value from a file or the environment: it is checked, and it counts unless gf_settings_set() has set
 * this one, before or after.
 */
int gf_settings_offer(struct gf_settings *settings, const char *key, const char *value, char *error, size_t error_size);

/* The value of a row as gf_settings_set() takes it. 0; -ENOSPC: it needs more room, and nothing is written. */
int gf_settings_format(const struct gf_settings *settings, const struct gf_setting *row, char *ret_text, size_t size);

/* The row of a key, written in any way that gf_settings_set() takes; NULL: there is none. */
const struct gf_setting *gf_settings_find(const char *key);

#endif
