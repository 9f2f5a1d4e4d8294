/*
 * What a session's text says: {"version":1,"maxAge":0,"cookieEnds":1700000000000,"values":{"user":"42"}}.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_RECORD_H
#define GF_GHTTP_SERVICE_SESSION_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cJSON;

/* Each request reads its whole session: more belongs into a database. */
#define GF_SESSION_VALUES_MAX 256
#define GF_SESSION_BYTES_MAX ((size_t)64 << 10)
#define GF_SESSION_KEY_MAX ((size_t)256)

struct gf_session_record {
    struct cJSON *values;   /* an object of strings */
    int64_t max_age_ms;     /* 0: as the settings say */
    int64_t cookie_ends_ms; /* of the cookie that was sent last; 0: nobody knows, or with the browser */
};

/* An empty one. 0 or -ENOMEM. */
int gf_session_record_init(struct gf_session_record *record);
/* From text. -EBADMSG: that is none; -ENOMEM is not told apart. */
int gf_session_record_parse(struct gf_session_record *record, const char *text);
void gf_session_record_finish(struct gf_session_record *record);

/* NULL takes the key away. 0; -E2BIG: more than a session holds, -ENOMEM; then nothing has changed. */
int gf_session_record_set(struct gf_session_record *record, const char *key, const char *value);
void gf_session_record_clear(struct gf_session_record *record);
/* The pair after `at` (NULL: the first); what is given out is the record's. NULL: no more. */
void *gf_session_record_next(const struct gf_session_record *record, void *at, const char **ret_key,
                             const char **ret_value);
bool gf_session_record_is_empty(const struct gf_session_record *record);

/* The text, the caller's (free); NULL without memory. */
char *gf_session_record_print(const struct gf_session_record *record);

#endif
