#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* The longest form of one character: \u00XX. */
#define ESCAPE_MAX 6

size_t gf_glog_utf8_size(const unsigned char *text, size_t left)
{
    unsigned char first = text[0];
    size_t size = first < 0x80 ? 1 : first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0;

    if (size == 0 || size > left)
        return 0;
    if (size == 1)
        return first >= 0x20 && first != 0x7F;
    for (size_t i = 1; i < size; i++)
        if ((text[i] & 0xC0) != 0x80)
            return 0;
    bool overlong = (first == 0xE0 && text[1] < 0xA0) || (first == 0xF0 && text[1] < 0x90);
    bool outside = (first == 0xED && text[1] >= 0xA0) || (first == 0xF4 && text[1] >= 0x90);
    bool control = first == 0xC2 && text[1] < 0xA0; /* U+0080 to U+009F, which terminals obey */
    return overlong || outside || control ? 0 : size;
}

/* One byte that may not stand as it is. In JSON a byte that is no character becomes U+FFFD. */
static size_t escape(enum gf_glog_quoting quoting, unsigned char byte, char *out)
{
    static const char digits[] = "0123456789ABCDEF";

    if (quoting == GF_GLOG_QUOTED) {
        out[0] = '\\';
        out[1] = 'x';
        out[2] = digits[byte >> 4];
        out[3] = digits[byte & 15];
        return 4;
    }
    if (byte == '"' || byte == '\\') {
        out[0] = '\\';
        out[1] = (char)byte;
        return 2;
    }
    out[0] = '\\';
    out[1] = 'u';
    out[2] = out[3] = byte < 0x80 ? '0' : 'F';
    out[4] = byte < 0x80 ? digits[byte >> 4] : 'F';
    out[5] = byte < 0x80 ? digits[byte & 15] : 'D';
    return 6;
}

size_t gf_glog_quote(enum gf_glog_quoting quoting, const char *text, char *out, size_t room)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t left = strlen(text), size = 0, cut = 0; /* cut: where the mark would stand */

    while (left) {
        bool plain = at[0] >= 0x20 && at[0] < 0x7F && at[0] != '"' && at[0] != '\\';
        size_t width = plain ? 1 : at[0] == '"' || at[0] == '\\' ? 0 : gf_glog_utf8_size(at, left);
        char escaped[ESCAPE_MAX];
        size_t wanted = width ? width : escape(quoting, at[0], escaped);

        if (size + 3 <= room)
            cut = size;
        if (size + wanted > room) {
            memcpy(out + cut, "...", 3);
            return cut + 3;
        }
        memcpy(out + size, width ? (const char *)at : escaped, wanted);
        size += wanted;
        at += width ? width : 1;
        left -= width ? width : 1;
    }
    return size;
}
