/*
 * Vectors of strings that end with NULL, as argv and environ are.
 */
#ifndef GF_GPROC_ARGUMENTS_H
#define GF_GPROC_ARGUMENTS_H

/* A copy, pointers and strings in one piece of memory, to be freed with free(); NULL: no memory. */
char **gf_arguments_copy(char *const *from);

#endif
