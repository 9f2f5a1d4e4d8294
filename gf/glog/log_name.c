#include "log_name.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Digits of a backup's time: to the second, and microseconds. */
#define MOMENT_SIZE 20

/* GoFrame's letters are those of PHP's date(); these are the ones that a file's name can need. */
static int format_letter(char letter, const struct tm *date, char *text, size_t size)
{
    switch (letter) {
    case 'Y':
        return snprintf(text, size, "%04d", date->tm_year + 1900);
    case 'y':
        return snprintf(text, size, "%02d", date->tm_year % 100);
    case 'm':
        return snprintf(text, size, "%02d", date->tm_mon + 1);
    case 'n':
        return snprintf(text, size, "%d", date->tm_mon + 1);
    case 'd':
        return snprintf(text, size, "%02d", date->tm_mday);
    case 'j':
        return snprintf(text, size, "%d", date->tm_mday);
    case 'H':
        return snprintf(text, size, "%02d", date->tm_hour);
    case 'G':
        return snprintf(text, size, "%d", date->tm_hour);
    case 'i':
        return snprintf(text, size, "%02d", date->tm_min);
    case 's':
        return snprintf(text, size, "%02d", date->tm_sec);
    default:
        return -1;
    }
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* One character of a pattern; a letter of the date if it stands between braces. */
static int format_one(char c, bool in_braces, const struct tm *date, char *text, size_t size)
{
    int length;

    if (in_braces && is_letter(c)) {
        length = format_letter(c, date, text, size);
        if (length < 0)
            return -EINVAL;
    } else {
        text[0] = c;
        length = 1;
    }
    return (size_t)length < size ? length : -ENAMETOOLONG;
}

int gf_log_name_format(const char *pattern, time_t now, char *name, size_t size)
{
    bool in_braces = false;
    size_t length = 0;
    struct tm date;

    if (!localtime_r(&now, &date) || pattern[0] == '.')
        return -EINVAL;
    for (; *pattern; pattern++) {
        int more;

        if (*pattern == '{' || *pattern == '}') {
            if (in_braces == (*pattern == '{'))
                return -EINVAL;
            in_braces = !in_braces;
            continue;
        }
        if (*pattern == '/' || (unsigned char)*pattern < 0x20)
            return -EINVAL;
        if (size - length < 2)
            return -ENAMETOOLONG;
        more = format_one(*pattern, in_braces, &date, name + length, size - length);
        if (more < 0)
            return more;
        length += (size_t)more;
    }
    if (in_braces || !length)
        return -EINVAL;
    name[length] = 0;
    return 0;
}

int gf_log_name_backup(const char *name, const struct timespec *now, char *backup, size_t size)
{
    const char *dot = strrchr(name, '.');
    size_t stem = dot && dot > name ? (size_t)(dot - name) : strlen(name);
    char moment[32] = "";
    struct tm date;

    if (localtime_r(&now->tv_sec, &date))
        strftime(moment, sizeof(moment), "%Y%m%d%H%M%S", &date);
    int length = snprintf(backup, size, "%.*s.%s%06ld%s", (int)stem, name, moment, now->tv_nsec / 1000, name + stem);
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

/* How many digits a letter of the date stands for. */
static void count_digits(char letter, size_t *ret_least, size_t *ret_most)
{
    *ret_most = letter == 'Y' ? 4 : 2;
    *ret_least = strchr("njG", letter) ? 1 : *ret_most;
}

/* here: behind which bytes of the name the pattern can have come; by one more character of it. */
static void step(bool *here, char c, bool in_braces, const char *name, size_t length)
{
    size_t least = 1, most = 1;

    if (in_braces && is_letter(c))
        count_digits(c, &least, &most);
    for (size_t i = length + 1; i-- > 0;) { /* from the end, so that no byte that is marked now is looked at again */
        size_t digits = strspn(name + i, "0123456789");

        if (!here[i])
            continue;
        here[i] = false;
        if (!in_braces || !is_letter(c))
            here[i + 1] = name[i] == c;
        else
            for (size_t taken = least; taken <= most && taken <= digits; taken++)
                here[i + taken] = true;
    }
}

/* What stands outside the braces, and the digits of a date where letters for one stand between them. */
static bool is_of_some_date(const char *pattern, const char *name)
{
    bool here[NAME_MAX + 2] = {true}, in_braces = false;
    size_t length = strlen(name);

    if (length > NAME_MAX)
        return false;
    for (; *pattern; pattern++) {
        if (*pattern == '{' || *pattern == '}')
            in_braces = *pattern == '{';
        else
            step(here, *pattern, in_braces, name, length);
    }
    return here[length];
}

/* Takes the time of a backup out of a name; false: there is none. */
static bool strip_backup(const char *name, char *stripped, size_t size)
{
    const char *dot = strrchr(name, '.');
    size_t stem, length = strlen(name);

    if (length >= size)
        return false;
    stem = dot ? (size_t)(dot - name) : 0;
    if (stem <= MOMENT_SIZE || name[stem - MOMENT_SIZE - 1] != '.') { /* of a name without an ending, it is the end */
        dot = name + length;
        stem = length;
    }
    if (stem <= MOMENT_SIZE + 1 || name[stem - MOMENT_SIZE - 1] != '.' ||
        strspn(name + stem - MOMENT_SIZE, "0123456789") < MOMENT_SIZE)
        return false;
    stem -= MOMENT_SIZE + 1;
    memcpy(stripped, name, stem);
    memcpy(stripped + stem, dot, strlen(dot) + 1);
    return true;
}

bool gf_log_name_matches(const char *pattern, const char *name)
{
    char stripped[NAME_MAX + 1];

    return is_of_some_date(pattern, name) ||
           (strip_backup(name, stripped, sizeof(stripped)) && is_of_some_date(pattern, stripped));
}
