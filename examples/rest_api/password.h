/*
 * Passwords as they are kept: not themselves, but what a slow function (PBKDF2 with HMAC-SHA-256) makes of them, so
 * that whoever gets hold of the file has to try each password with each user for a long time.
 *
 * Owns: nothing. Thread: any. Each call takes some tenths of a second.
 */
#ifndef REST_API_PASSWORD_H
#define REST_API_PASSWORD_H

#include <stdbool.h>

enum { PASSWORD_TEXT_SIZE = 160 };

/* What is to be kept: "pbkdf2-sha256$<iterations>$<salt>$<key>". 0, or -EIO: no random numbers. */
int password_hash(const char *password, char ret_text[PASSWORD_TEXT_SIZE]);

/*
 * Whether it is the password of which password_hash() has made this text. NULL for a user that there is not: then it
 * takes as long, so that nobody learns by the clock which names there are, and is false.
 */
bool password_check(const char *password, const char *text);

#endif
