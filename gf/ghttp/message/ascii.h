/*
 * ASCII without locales: HTTP compares names in ASCII, whatever locale the program has chosen.
 */
#ifndef GF_GHTTP_MESSAGE_ASCII_H
#define GF_GHTTP_MESSAGE_ASCII_H

#include <stdbool.h>
#include <stddef.h>

static inline char gf_ascii_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static inline bool gf_ascii_is_letter(char c)
{
    return gf_ascii_lower(c) >= 'a' && gf_ascii_lower(c) <= 'z';
}

static inline bool gf_ascii_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Below the blank, or DEL. */
static inline bool gf_ascii_is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* Both 0-terminated. */
static inline bool gf_ascii_equal(const char *a, const char *b)
{
    while (*a && gf_ascii_lower(*a) == gf_ascii_lower(*b))
        a++, b++;
    return gf_ascii_lower(*a) == gf_ascii_lower(*b);
}

/* Whether size bytes of text are this word. */
static inline bool gf_ascii_equal_n(const char *text, size_t size, const char *word)
{
    for (; size > 0 && *word; text++, word++, size--)
        if (gf_ascii_lower(*text) != gf_ascii_lower(*word))
            return false;
    return size == 0 && *word == '\0';
}

#endif
