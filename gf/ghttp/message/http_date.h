/*
 * Dates as HTTP writes them (RFC 9110, 5.6.7), whatever locale and time zone the program has. Thread: any.
 */
#ifndef GF_GHTTP_MESSAGE_HTTP_DATE_H
#define GF_GHTTP_MESSAGE_HTTP_DATE_H

#include <time.h>

/* "Sun, 06 Nov 1994 08:49:37 GMT", with the 0. */
#define GF_HTTP_DATE_SIZE 30

/* 0, or -ERANGE for a year that has not four digits. */
int gf_http_date_format(time_t time, char text[GF_HTTP_DATE_SIZE]);

/* All three forms that a server must understand. 0, or -EINVAL. */
int gf_http_date_parse(const char *text, time_t *ret_time);

#endif
