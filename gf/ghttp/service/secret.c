#include "secret.h"

#include <stddef.h>
#include <string.h>

bool gf_secret_equal(const char *given, const char *secret)
{
    size_t given_size = strlen(given), secret_size = strlen(secret);
    volatile unsigned char difference = given_size != secret_size;

    for (size_t i = 0; i < given_size; i++)
        difference |= (unsigned char)(given[i] ^ secret[secret_size ? i % secret_size : 0]);
    return !difference;
}
