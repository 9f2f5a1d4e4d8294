/*
 * Conversions between text and values. The program's locale may want a decimal comma; what comes over HTTP has a point.
 *
 * Owns: the plain locale, made once. Thread: any.
 */
#include "convert.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>

#include "arena.h"
#include "ascii.h"

/* A double counts without gaps up to here. */
#define EXACT_MAX 9007199254740992.0

static pthread_once_t plain_once = PTHREAD_ONCE_INIT;
static locale_t plain_locale;

static void make_plain_locale(void)
{
    plain_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

bool gf_convert_long(const char *text, long *ret_value)
{
    /* strtol() would skip white space. */
    if (!gf_ascii_is_digit(text[0]) && text[0] != '-' && text[0] != '+')
        return false;
    char *end = NULL;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0')
        return false;
    *ret_value = number;
    return true;
}

bool gf_convert_double(const char *text, double *ret_value)
{
    /* strtod() would also take white space, hexadecimal, "inf" and "nan". */
    for (const char *at = text; *at; at++)
        if (!gf_ascii_is_digit(*at) && *at != '+' && *at != '-' && *at != '.' && *at != 'e' && *at != 'E')
            return false;
    pthread_once(&plain_once, make_plain_locale);
    if (!plain_locale)
        return false;
    char *end = NULL;
    double number = strtod_l(text, &end, plain_locale);
    if (end == text || *end != '\0' || !isfinite(number))
        return false;
    *ret_value = number;
    return true;
}

static bool is_one_of(const char *text, const char *const words[], size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (gf_ascii_equal(text, words[i]))
            return true;
    return false;
}

bool gf_convert_bool(const char *text, bool *ret_value)
{
    static const char *const yes[] = {"1", "true", "on", "yes"};
    static const char *const no[] = {"0", "false", "off", "no", ""};
    bool is_yes = is_one_of(text, yes, sizeof(yes) / sizeof(*yes));
    if (!is_yes && !is_one_of(text, no, sizeof(no) / sizeof(*no)))
        return false;
    *ret_value = is_yes;
    return true;
}

/* The shortest digits that read back as the number. */
static const char *print_shortest(struct gf_arena *arena, double number)
{
    for (int digits = 6; digits < 17; digits++) {
        const char *text = gf_arena_printf(arena, "%.*g", digits, number);
        double again;
        if (!text || (gf_convert_double(text, &again) && again >= number && again <= number))
            return text;
    }
    return gf_arena_printf(arena, "%.17g", number);
}

const char *gf_convert_number(struct gf_arena *arena, double number)
{
    bool small = fabs(number) < EXACT_MAX; /* from there on all are whole */
    double cut = small ? (double)(int64_t)number : number;
    bool whole = cut >= number && cut <= number;
    if (whole && small)
        return gf_arena_printf(arena, "%.0f", number);
    pthread_once(&plain_once, make_plain_locale);
    if (!plain_locale)
        return NULL;
    locale_t before = uselocale(plain_locale);
    const char *text = whole ? gf_arena_printf(arena, "%.16e", number) : print_shortest(arena, number);
    uselocale(before);
    return text;
}
