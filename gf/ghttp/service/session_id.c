/*
 * Makes and recognizes ids of sessions. Thread: any.
 */
#include "session_id.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>

int gf_session_id_make(char ret_id[GF_SESSION_ID_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[GF_SESSION_ID_SIZE / 2];
    ssize_t got;

    do
        got = getrandom(bytes, sizeof(bytes), 0);
    while (got < 0 && errno == EINTR);
    if (got != (ssize_t)sizeof(bytes)) /* so few come whole or not at all */
        return -EIO;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        ret_id[2 * i] = digits[bytes[i] >> 4];
        ret_id[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_id[GF_SESSION_ID_SIZE] = '\0';
    explicit_bzero(bytes, sizeof(bytes));
    return 0;
}

bool gf_session_id_is_shaped(const char *text)
{
    return strnlen(text, GF_SESSION_ID_SIZE + 1) == GF_SESSION_ID_SIZE &&
           strspn(text, "0123456789abcdef") == GF_SESSION_ID_SIZE;
}
