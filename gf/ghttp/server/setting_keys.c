#include "setting_keys.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* ---- keys that GoFrame has and this library has not ---- */

#define OPENAPI "OpenAPI is not supported"
#define PPROF "profiles are not supported"

/* A row of the settings' table comes before these. */
static const struct refused {
    const char *key, *reason;
} refused[] = {
    {"listeners", "listening sockets are named by address and httpsAddr"},
    {"endpoints", "service registries are not supported"},
    {"tlsConfig", "TLS is set up by httpsCertPath and httpsKeyPath"},
    {"handler", "requests are served by what the program binds"},
    {"view", "templates are not supported"},
    {"logger", "the logs of a server are set up by logPath and the keys beside it, that of the program by glog.h"},
    {"pprofEnabled", PPROF},
    {"pprofPattern", PPROF},
    {"openapiPath", OPENAPI},
    {"swaggerPath", OPENAPI},
    {"swaggerUITemplate", OPENAPI},
    {"gracefulTimeout", "a restart waits for the new process, not for a time; see gracefulReadyTimeout"},
    {"nameToUriType", "objects cannot be bound to routes"},
};
static const size_t refused_count = sizeof(refused) / sizeof(*refused);

/* ---- the same key ---- */

/* Lower case, without what does not matter; false: too long for any key. */
static bool fold_key(const char *key, char *folded, size_t size)
{
    size_t length = 0;

    for (; *key; key++) {
        if (strchr("-_ ", *key))
            continue;
        if (length + 1 >= size)
            return false;
        folded[length++] = (char)tolower((unsigned char)*key);
    }
    folded[length] = 0;
    return true;
}

static bool is_key(const char *key, const char *folded)
{
    char known[64];

    return fold_key(key, known, sizeof(known)) && !strcmp(known, folded);
}

const struct gf_setting *gf_settings_find(const char *key)
{
    char wanted[64];

    if (!fold_key(key, wanted, sizeof(wanted)))
        return NULL;
    for (size_t i = 0; i < gf_setting_count; i++)
        if (is_key(gf_setting_table[i].key, wanted))
            return &gf_setting_table[i];
    return NULL;
}

const char *gf_setting_refusal(const char *key)
{
    char wanted[64];

    if (!fold_key(key, wanted, sizeof(wanted)))
        return NULL;
    for (size_t i = 0; i < refused_count; i++)
        if (is_key(refused[i].key, wanted))
            return refused[i].reason;
    return NULL;
}

bool gf_setting_is_off(const char *value)
{
    return !*value || !strcasecmp(value, "false") || !strcmp(value, "0");
}

/* ---- the nearest key ---- */

/* Levenshtein's distance of two short words, one row of the matrix at a time. */
static size_t distance(const char *a, const char *b)
{
    size_t row[65], length = strlen(b);

    for (size_t j = 0; j <= length; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);

            diagonal = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[length];
}

struct nearest {
    char wanted[64];
    const char *key;
    size_t far;
};

static void consider(struct nearest *nearest, const char *key)
{
    char known[64];
    size_t far = fold_key(key, known, sizeof(known)) ? distance(nearest->wanted, known) : SIZE_MAX;

    if (far < nearest->far) {
        nearest->far = far;
        nearest->key = key;
    }
}

/* A key that is longer than any is near none. */
static void find_nearest(const char *key, struct nearest *nearest)
{
    nearest->key = gf_setting_table[0].key;
    nearest->far = SIZE_MAX;
    if (!fold_key(key, nearest->wanted, sizeof(nearest->wanted)))
        return;
    for (size_t i = 0; i < gf_setting_count; i++)
        consider(nearest, gf_setting_table[i].key);
    for (size_t i = 0; i < refused_count; i++)
        consider(nearest, refused[i].key);
}

/* Two letters, of a key that is long enough for them to be a slip. */
bool gf_setting_is_near(const char *key)
{
    struct nearest nearest;

    find_nearest(key, &nearest);
    return nearest.far <= 2 && nearest.far * 3 < strlen(nearest.wanted);
}

void gf_setting_explain_unknown(const char *key, char *error, size_t size)
{
    struct nearest nearest;
    const char *reason;

    find_nearest(key, &nearest);
    reason = gf_setting_refusal(nearest.key);
    snprintf(error, size, "there is no setting \"%.64s\"; did you mean \"%s\"?%s%s", key, nearest.key,
             reason ? " But: " : "", reason ? reason : "");
}
