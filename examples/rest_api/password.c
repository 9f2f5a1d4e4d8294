/*
 * Passwords as they are kept: see password.h.
 */
#include "password.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <string.h>

enum {
    ITERATIONS = 600000, /* OWASP's advice of 2023 for HMAC-SHA-256; kept with each password, so it may grow */
    SALT_SIZE = 16,
    KEY_SIZE = 32,
};

struct secret {
    unsigned iterations;
    unsigned char salt[SALT_SIZE], key[KEY_SIZE];
};

static int derive(const char *password, struct secret *secret)
{
    gnutls_datum_t text = {(unsigned char *)password, (unsigned)strlen(password)}, salt = {secret->salt, SALT_SIZE};

    return gnutls_pbkdf2(GNUTLS_MAC_SHA256, &text, &salt, secret->iterations, secret->key, KEY_SIZE) < 0 ? -EIO : 0;
}

static void write_digits(const unsigned char *bytes, size_t size, char *digits)
{
    for (size_t i = 0; i < size; i++)
        snprintf(digits + 2 * i, 3, "%02x", bytes[i]);
}

static bool read_digits(const char *digits, unsigned char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (sscanf(digits + 2 * i, "%2hhx", &bytes[i]) != 1)
            return false;
    return true;
}

int password_hash(const char *password, char ret_text[PASSWORD_TEXT_SIZE])
{
    struct secret secret = {.iterations = ITERATIONS};
    char salt[2 * SALT_SIZE + 1], key[2 * KEY_SIZE + 1];

    if (gnutls_rnd(GNUTLS_RND_KEY, secret.salt, SALT_SIZE) < 0 || derive(password, &secret) < 0)
        return -EIO;
    write_digits(secret.salt, SALT_SIZE, salt);
    write_digits(secret.key, KEY_SIZE, key);
    snprintf(ret_text, PASSWORD_TEXT_SIZE, "pbkdf2-sha256$%u$%s$%s", secret.iterations, salt, key);
    return 0;
}

static bool read_secret(const char *text, struct secret *secret)
{
    char salt[2 * SALT_SIZE + 1], key[2 * KEY_SIZE + 1];

    return sscanf(text, "pbkdf2-sha256$%u$%32[0-9a-f]$%64[0-9a-f]", &secret->iterations, salt, key) == 3 &&
           read_digits(salt, secret->salt, SALT_SIZE) && read_digits(key, secret->key, KEY_SIZE);
}

bool password_check(const char *password, const char *text)
{
    struct secret kept = {.iterations = ITERATIONS}, tried;
    bool known = text && read_secret(text, &kept);

    tried = kept;
    if (derive(password, &tried) < 0)
        return false;
    return gnutls_memcmp(tried.key, kept.key, KEY_SIZE) == 0 && known;
}
