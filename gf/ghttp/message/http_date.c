#include "http_date.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ascii.h"

static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};

int gf_http_date_format(time_t time, char text[GF_HTTP_DATE_SIZE])
{
    struct tm tm;

    if (!gmtime_r(&time, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900)
        return -ERANGE;
    snprintf(text, GF_HTTP_DATE_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[tm.tm_wday % 7],
             (unsigned)tm.tm_mday % 100, months[tm.tm_mon % 12], (unsigned)(tm.tm_year + 1900) % 10000,
             (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100, (unsigned)tm.tm_sec % 100);
    return 0;
}

/* A year of two digits that seems to be more than 50 years away is one of the past (RFC 9110, 5.6.7). */
static int full_year(int year)
{
    time_t now = time(NULL);
    struct tm tm;

    if (!gmtime_r(&now, &tm))
        return year + 1900;
    year += (tm.tm_year + 1900) / 100 * 100;
    return year > tm.tm_year + 1900 + 50 ? year - 100 : year;
}

static int find_month(const char *name)
{
    for (int i = 0; i < 12; i++)
        if (strcmp(name, months[i]) == 0)
            return i;
    return -1;
}

/* What follows the day of the week, in one of the three forms; whole only if end has been moved to the end. */
static int scan(const char *text, struct tm *tm, char month[4])
{
    int end = 0;

    if (sscanf(text, " %2d %3[A-Za-z] %4d %2d:%2d:%2d GMT%n", &tm->tm_mday, month, &tm->tm_year, &tm->tm_hour,
               &tm->tm_min, &tm->tm_sec, &end) == 6 &&
        end && !text[end])
        return 0;
    if (sscanf(text, " %2d-%3[A-Za-z]-%2d %2d:%2d:%2d GMT%n", &tm->tm_mday, month, &tm->tm_year, &tm->tm_hour,
               &tm->tm_min, &tm->tm_sec, &end) == 6 &&
        end && !text[end]) {
        tm->tm_year = full_year(tm->tm_year);
        return 0;
    }
    if (sscanf(text, " %3[A-Za-z] %2d %2d:%2d:%2d %4d%n", month, &tm->tm_mday, &tm->tm_hour, &tm->tm_min, &tm->tm_sec,
               &tm->tm_year, &end) == 6 &&
        end && !text[end])
        return 0;
    return -EINVAL;
}

int gf_http_date_parse(const char *text, time_t *ret_time)
{
    struct tm tm = {.tm_isdst = 0};
    char month[4] = "";
    size_t day = 0;

    while (gf_ascii_is_letter(text[day]))
        day++;
    if (day < 3 || scan(text + day + (text[day] == ','), &tm, month) < 0)
        return -EINVAL;
    tm.tm_mon = find_month(month);
    if (tm.tm_mon < 0 || tm.tm_mday < 1 || tm.tm_mday > 31 || tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
        tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60 || tm.tm_year < 0)
        return -EINVAL;
    tm.tm_year -= 1900;
    *ret_time = timegm(&tm);
    return 0;
}
