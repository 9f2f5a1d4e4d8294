#include "mac.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <string.h>

int gf_mac_make(const char *key, const char *text, char ret_mac[GF_MAC_SIZE + 1])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char bytes[GF_MAC_SIZE / 2];

    if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, strlen(key), text, strlen(text), bytes) < 0)
        return -EIO;
    for (size_t i = 0; i < sizeof(bytes); i++) {
        ret_mac[2 * i] = digits[bytes[i] >> 4];
        ret_mac[2 * i + 1] = digits[bytes[i] & 15];
    }
    ret_mac[GF_MAC_SIZE] = '\0';
    return 0;
}
