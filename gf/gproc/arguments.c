/*
 * Copies vectors of strings. Owns nothing; any thread may enter.
 */
#include <gf/gproc/arguments.h>

#include <stdlib.h>
#include <string.h>

char **gf_arguments_copy(char *const *from)
{
    size_t count = 0;
    size_t bytes = 0;

    for (; from[count] != NULL; count++)
        bytes += strlen(from[count]) + 1;
    char **copy = malloc((count + 1) * sizeof(*copy) + bytes);
    if (copy == NULL)
        return NULL;
    char *text = (char *)(copy + count + 1);
    for (size_t i = 0; i < count; i++) {
        copy[i] = text;
        text = stpcpy(text, from[i]) + 1;
    }
    copy[count] = NULL;
    return copy;
}
