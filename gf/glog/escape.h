/*
 * What of a text may stand in a log line as it is: whole, printable UTF-8 characters. Thread: any.
 */
#ifndef GF_GLOG_ESCAPE_H
#define GF_GLOG_ESCAPE_H

#include <stddef.h>

/* Bytes of the well-formed UTF-8 character at text, 0 where there is none. A control character counts as none. */
size_t gf_glog_utf8_size(const unsigned char *text, size_t left);

/* How a text is quoted: bytes that may not stand as they are become \xHH, or what JSON has for them. */
enum gf_glog_quoting { GF_GLOG_QUOTED, GF_GLOG_JSON };

/*
 * Writes text as it can stand between double quotes, at most room bytes and whole characters only; what does not fit
 * is cut, with "..." in its place (room is at least 3). How many bytes, without a 0 behind them.
 */
size_t gf_glog_quote(enum gf_glog_quoting quoting, const char *text, char *out, size_t room);

#endif
