/*
 * Texts as numbers and truth values, and numbers as text: strict, and the same in every locale.
 */
#ifndef GF_GHTTP_MESSAGE_CONVERT_H
#define GF_GHTTP_MESSAGE_CONVERT_H

#include <stdbool.h>

struct gf_arena;

/* All of these: whether the whole text is one; then *ret_value is set. */
bool gf_convert_long(const char *text, long *ret_value);
/* Finite ones, with a decimal point. */
bool gf_convert_double(const char *text, double *ret_value);
/* 1, true, on, yes; 0, false, off, no and "". */
bool gf_convert_bool(const char *text, bool *ret_value);

/*
 * A finite number as gf_convert_double() reads it: whole numbers below 2^53 as digits, larger ones with an exponent,
 * so that nobody takes their rounded digits for exact. NULL: no memory.
 */
const char *gf_convert_number(struct gf_arena *arena, double number);

#endif
