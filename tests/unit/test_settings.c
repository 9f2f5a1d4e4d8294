/* Settings: values, units, ranges, keys, and that docs/settings.md says what the table says. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <gf/ghttp/server/settings.h>

#define CELLS 6

static struct gf_settings settings;
static char error[512];

static void begin(void)
{
    cr_assert(zero(int, gf_settings_init(&settings)));
    strcpy(error, "untouched");
}

static void end(void)
{
    gf_settings_finish(&settings);
}

TestSuite(settings, .init = begin, .fini = end);

static int set(const char *key, const char *value)
{
    return gf_settings_set(&settings, key, value, error, sizeof(error));
}

static int64_t number_of(const struct gf_setting *row)
{
    return *(const int64_t *)((const char *)&settings + row->offset);
}

/* ---- values ------------------------------------------------------------------------------------------------------ */

Test(settings, have_their_defaults)
{
    cr_expect(eq(str, settings.address, ""));
    cr_expect(eq(str, settings.server_agent, "GoFrame HTTP Server"));
    cr_expect(settings.keep_alive);
    cr_expect(not(settings.graceful));
    cr_expect(eq(i64, settings.client_max_body_size, 8 << 20));
    cr_expect(eq(i64, settings.max_header_bytes, 10240));
    cr_expect(eq(i64, settings.graceful_shutdown_timeout, 60000));
}

Test(settings, units_of_numbers)
{
    static const struct {
        const char *key, *value;
        int64_t number;
    } cases[] = {
        {"clientMaxBodySize", "0", 0},         {"clientMaxBodySize", "8388608", 8388608},
        {"clientMaxBodySize", "17b", 17},      {"clientMaxBodySize", "3k", 3072},
        {"clientMaxBodySize", "3KB", 3072},    {"clientMaxBodySize", "2m", 2 << 20},
        {"clientMaxBodySize", "2Mb", 2 << 20}, {"clientMaxBodySize", "1G", 1 << 30},
        {"clientMaxBodySize", "1gb", 1 << 30}, {"readTimeout", "60", 60000},
        {"readTimeout", "500ms", 500},         {"readTimeout", "7s", 7000},
        {"readTimeout", "5m", 300000},         {"readTimeout", "2H", 7200000},
        {"readTimeout", "1d", 86400000},       {"workers", "256", 256},
        {"clientMaxBodySize", "3KiB", 3072},   {"clientMaxBodySize", "7bytes", 7},
        {"clientMaxBodySize", "2mi", 2 << 20}, {"clientMaxBodySize", "1t", INT64_C(1) << 40},
        {"readTimeout", "1h30m", 5400000},     {"readTimeout", "1m1s500ms", 61500},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const int64_t *member = cases[i].key[0] == 'c'   ? &settings.client_max_body_size
                                : cases[i].key[0] == 'r' ? &settings.read_timeout
                                                         : &settings.workers;

        cr_expect(zero(int, set(cases[i].key, cases[i].value)), "%s", cases[i].value);
        cr_expect(eq(i64, *member, cases[i].number), "%s", cases[i].value);
    }
    cr_expect(eq(str, error, "untouched"));
}

Test(settings, words_of_bools)
{
    static const char *const yes[] = {"true", "1", "on", "yes", "TRUE", "Yes"};
    static const char *const no[] = {"false", "0", "off", "no", "FALSE", "Off"};
    static const char *const neither[] = {"", "2", "tru", "true ", "y"};

    for (size_t i = 0; i < sizeof(yes) / sizeof(*yes); i++) {
        settings.graceful = false;
        cr_expect(zero(int, set("graceful", yes[i])));
        cr_expect(settings.graceful, "%s", yes[i]);
    }
    for (size_t i = 0; i < sizeof(no) / sizeof(*no); i++) {
        settings.graceful = true;
        cr_expect(zero(int, set("graceful", no[i])));
        cr_expect(not(settings.graceful), "%s", no[i]);
    }
    settings.graceful = true;
    for (size_t i = 0; i < sizeof(neither) / sizeof(*neither); i++)
        cr_expect(eq(int, set("graceful", neither[i]), -EINVAL), "%s", neither[i]);
    cr_expect(settings.graceful);
}

Test(settings, refuse_what_is_no_number_of_theirs)
{
    static const struct {
        const char *key, *value;
    } cases[] = {
        {"clientMaxBodySize", ""},     {"clientMaxBodySize", "m"},  {"clientMaxBodySize", "8 m"},
        {"clientMaxBodySize", " 8m"},  {"clientMaxBodySize", "-1"}, {"clientMaxBodySize", "+1"},
        {"clientMaxBodySize", "1.5m"}, {"clientMaxBodySize", "8s"}, {"clientMaxBodySize", "0x10"},
        {"readTimeout", "5k"},         {"readTimeout", "1.5s"},     {"readTimeout", "1h30"},
        {"readTimeout", "30 1h"},      {"readTimeout", "1h-1m"},    {"readTimeout", "1h "},
        {"clientMaxBodySize", "1m1k"}, {"readTimeout", "1week"},    {"workers", "4s"},
        {"workers", "four"},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        cr_expect(eq(int, set(cases[i].key, cases[i].value), -EINVAL), "%s", cases[i].value);
    cr_expect(eq(i64, settings.client_max_body_size, 8 << 20));
    cr_expect(eq(i64, settings.read_timeout, 60000));
    cr_expect(eq(i64, settings.workers, 0));
    cr_expect(not(zero(ptr, strstr(error, "\"workers\": \"four\" is not a value for it"))), "%s", error);
}

/* Each number is set to its ends, and refused one beyond; written without a unit where one of that size has none. */
Test(settings, ranges_are_kept)
{
    for (size_t i = 0; i < gf_setting_count; i++) {
        const struct gf_setting *row = &gf_setting_table[i];
        const char *unit = row->kind == GF_SETTING_DURATION ? "ms" : "";
        char value[64];

        if (row->kind == GF_SETTING_TEXT || row->kind == GF_SETTING_BOOL)
            continue;
        snprintf(value, sizeof(value), "%lld%s", (long long)row->max, unit);
        cr_expect(zero(int, set(row->key, value)), "%s %s", row->key, value);
        snprintf(value, sizeof(value), "%lld%s", (long long)row->min, unit);
        cr_expect(zero(int, set(row->key, value)), "%s %s", row->key, value);
        snprintf(value, sizeof(value), "%lld%s", (long long)row->max + 1, unit);
        cr_expect(eq(int, set(row->key, value), -EINVAL), "%s %s", row->key, value);
        cr_expect(not(zero(ptr, strstr(error, "out of range"))), "%s", error);
        if (row->min) {
            snprintf(value, sizeof(value), "%lld%s", (long long)row->min - 1, unit);
            cr_expect(eq(int, set(row->key, value), -EINVAL), "%s %s", row->key, value);
        }
        cr_expect(eq(i64, number_of(row), row->min), "%s", row->key);
    }
}

Test(settings, numbers_beyond_all_bounds_are_out_of_range)
{
    cr_expect(eq(int, set("clientMaxBodySize", "99999999999999999999"), -EINVAL));
    cr_expect(not(zero(ptr, strstr(error, "out of range"))), "%s", error);
    cr_expect(eq(int, set("readTimeout", "9223372036854775807ms1d"), -EINVAL));
    cr_expect(not(zero(ptr, strstr(error, "out of range"))), "%s", error);
    cr_expect(eq(int, set("clientMaxBodySize", "17179869185g"), -EINVAL));
    cr_expect(not(zero(ptr, strstr(error, "out of range"))), "%s", error);
    cr_expect(eq(i64, settings.client_max_body_size, 8 << 20));
}

Test(settings, texts_are_copied_and_bounded)
{
    char text[258];

    memset(text, 'a', sizeof(text) - 1);
    text[257] = 0;
    cr_expect(eq(int, set("serverAgent", text), -EINVAL));
    cr_expect(eq(str, settings.server_agent, "GoFrame HTTP Server"));
    text[256] = 0;
    cr_expect(zero(int, set("serverAgent", text)));
    text[0] = 'b';
    cr_expect(eq(int, settings.server_agent[0], 'a'));
    cr_expect(eq(sz, strlen(settings.server_agent), 256));
    cr_expect(zero(int, set("serverAgent", "")));
    cr_expect(eq(str, settings.server_agent, ""));
}

/* A mistake in a token is told without the token. */
Test(settings, secrets_stand_in_no_message)
{
    static const char *const keys[] = {"adminToken", "sessionRedisPass"};
    char text[1100];

    memset(text, 'S', sizeof(text) - 1);
    text[sizeof(text) - 1] = 0;
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        cr_expect(eq(int, set(keys[i], text), -EINVAL));
        cr_expect(zero(ptr, strstr(error, "SSS")), "%s", error);
        cr_expect(not(zero(ptr, strstr(error, keys[i]))), "%s", error);
        cr_expect(not(zero(ptr, strstr(error, ": the value is out of range (0 to "))), "%s", error);
    }
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

static char *formatted(const char *key)
{
    static char text[512];

    strcpy(text, "untouched");
    cr_expect(zero(int, gf_settings_format(&settings, gf_settings_find(key), text, sizeof(text))));
    return text;
}

/* What is read can be set again, and is the same then. */
Test(settings, are_told_as_they_are_set)
{
    cr_expect(eq(str, formatted("keepAlive"), "true"));
    cr_expect(eq(str, formatted("clientMaxBodySize"), "8388608"));
    cr_expect(eq(str, formatted("readTimeout"), "60000ms"));
    cr_expect(eq(str, formatted("sessionRedisMaxActive"), "16"));
    cr_expect(eq(str, formatted("serverAgent"), "GoFrame HTTP Server"));
    for (size_t i = 0; i < gf_setting_count; i++) {
        char *before = strdup(formatted(gf_setting_table[i].key));

        cr_expect(zero(int, set(gf_setting_table[i].key, before)), "%s", gf_setting_table[i].key);
        cr_expect(eq(str, formatted(gf_setting_table[i].key), before));
        free(before);
    }
}

Test(settings, are_told_where_there_is_room)
{
    const struct gf_setting *row = gf_settings_find("keepAlive");
    char text[8] = "before";

    cr_expect(eq(int, gf_settings_format(&settings, row, text, 4), -ENOSPC));
    cr_expect(eq(int, gf_settings_format(&settings, row, NULL, 0), -ENOSPC));
    cr_expect(eq(str, text, "before"));
    cr_expect(zero(int, gf_settings_format(&settings, row, text, 5)));
    cr_expect(eq(str, text, "true"));
}

Test(settings, keys_are_folded)
{
    static const char *const spellings[] = {"maxHeaderBytes", "maxheaderbytes", "MAX_HEADER_BYTES", "max-header-bytes",
                                            "Max Header Bytes"};

    for (size_t i = 0; i < sizeof(spellings) / sizeof(*spellings); i++) {
        settings.max_header_bytes = 0;
        cr_expect(zero(int, set(spellings[i], "20k")), "%s", spellings[i]);
        cr_expect(eq(i64, settings.max_header_bytes, 20480), "%s", spellings[i]);
    }
}

Test(settings, an_unknown_key_suggests_the_nearest)
{
    static const struct {
        const char *key, *suggestion;
    } cases[] = {
        {"clientMaxBodySiz", "clientMaxBodySize"},
        {"max_conections", "maxConnections"},
        {"httpsKeyPaht", "httpsKeyPath"},
        {"worker", "workers"},
        {"gracefull", "graceful"},
        {"readTimeOuts", "readTimeout"},
    };
    char wanted[256], long_key[1000];

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        cr_expect(eq(int, set(cases[i].key, "1"), -ENOENT));
        snprintf(wanted, sizeof(wanted), "there is no setting \"%s\"; did you mean \"%s\"?", cases[i].key,
                 cases[i].suggestion);
        cr_expect(eq(str, error, wanted));
    }
    cr_expect(eq(int, set("", "1"), -ENOENT));
    memset(long_key, 'x', sizeof(long_key) - 1);
    long_key[sizeof(long_key) - 1] = 0;
    cr_expect(eq(int, set(long_key, "1"), -ENOENT));
}

/* A key of GoFrame's that means nothing here: the reason, unless it is switched off. */
Test(settings, a_key_that_is_refused_says_why)
{
    cr_expect(eq(int, set("gracefulTimeout", "2"), -ENOTSUP));
    cr_expect(eq(str, error,
                 "\"gracefulTimeout\": a restart waits for the new process, not for a time; see "
                 "gracefulReadyTimeout"));
    cr_expect(eq(int, set("pprof-enabled", "true"), -ENOTSUP));
    cr_expect(eq(str, error, "\"pprof-enabled\": profiles are not supported"));
    cr_expect(zero(int, set("pprof-enabled", "false")));
    cr_expect(eq(int, set("pprofEnable", "true"), -ENOENT));
    cr_expect(eq(str, error,
                 "there is no setting \"pprofEnable\"; did you mean \"pprofEnabled\"? But: profiles are not "
                 "supported"));
}

/* ---- the manual -------------------------------------------------------------------------------------------------- */

static char *read_manual(void)
{
    FILE *file = fopen(GF_REPOSITORY "/docs/settings.md", "re");
    char *text = calloc(1, 1 << 17);

    cr_assert(not(zero(ptr, file)));
    cr_assert(not(zero(ptr, text)));
    cr_assert(gt(sz, fread(text, 1, (1 << 17) - 1, file), 0));
    fclose(file);
    return text;
}

/* The cells of the row that begins with this key, without the blanks around them; false: there is none. */
static bool find_manual_row(const char *manual, const char *key, char cells[CELLS][512])
{
    char begin_of_row[128];
    const char *at;

    snprintf(begin_of_row, sizeof(begin_of_row), "\n| `%s` |", key);
    at = strstr(manual, begin_of_row);
    if (!at || strstr(at + 1, begin_of_row))
        return false;
    at += 2;
    for (int i = 0; i < CELLS; i++) {
        size_t length = strcspn(at, "|\n"), trimmed = length;

        if (at[length] != '|')
            return false;
        while (trimmed > 1 && at[trimmed - 1] == ' ')
            trimmed--;
        snprintf(cells[i], sizeof(cells[i]), "%.*s", (int)trimmed - 1, at + 1);
        at += length + 1;
    }
    return *at == '\n';
}

static void expect_default(const struct gf_setting *row, const char *cell)
{
    char wanted[128];

    snprintf(wanted, sizeof(wanted), *row->fallback ? "`%s`" : "empty", row->fallback);
    cr_expect(eq(str, (char *)cell, wanted), "the default of %s", row->key);
}

/* What the manual names as the ends of a range are values like any other. */
static void expect_range(const struct gf_setting *row, const char *cell)
{
    char from[64] = "", to[64] = "", wanted[64];

    if (row->kind == GF_SETTING_BOOL) {
        cr_expect(eq(str, (char *)cell, "true or false"));
    } else if (row->kind == GF_SETTING_TEXT) {
        snprintf(wanted, sizeof(wanted), "at most %lld bytes", (long long)row->max);
        cr_expect(eq(str, (char *)cell, wanted), "the range of %s", row->key);
    } else {
        cr_expect(eq(int, sscanf(cell, "`%63[^`]` to `%63[^`]`", from, to), 2), "the range of %s", row->key);
        cr_expect(zero(int, set(row->key, from)), "%s %s", row->key, from);
        cr_expect(eq(i64, number_of(row), row->min), "%s from %s", row->key, from);
        cr_expect(zero(int, set(row->key, to)), "%s %s", row->key, to);
        cr_expect(eq(i64, number_of(row), row->max), "%s to %s", row->key, to);
    }
}

Test(settings, the_manual_has_each_of_them)
{
    static const char *const kinds[] = {"text", "bool", "count", "size", "duration"};
    char *manual = read_manual();
    char cells[CELLS][512];

    for (size_t i = 0; i < gf_setting_count; i++) {
        const struct gf_setting *row = &gf_setting_table[i];
        bool found = find_manual_row(manual, row->key, cells);

        cr_expect(found, "docs/settings.md has no row, or two, for %s", row->key);
        if (!found)
            continue;
        cr_expect(eq(str, cells[1], (char *)kinds[row->kind]), "the kind of %s", row->key);
        expect_default(row, cells[2]);
        expect_range(row, cells[3]);
        cr_expect(gt(sz, strlen(cells[4]), 10), "the meaning of %s", row->key);
    }
    free(manual);
}

Test(settings, the_manual_has_no_others)
{
    char *manual = read_manual();
    size_t rows = 0;

    for (const char *at = manual; (at = strstr(at, "\n| `")); at++)
        rows++;
    cr_expect(eq(sz, rows, gf_setting_count));
    free(manual);
}
