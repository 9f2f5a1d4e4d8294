/*
 * Secrets compared so that the time it takes tells nothing about them. Thread: any.
 */
#ifndef GF_GHTTP_SERVICE_SECRET_H
#define GF_GHTTP_SERVICE_SECRET_H

#include <stdbool.h>

/* How long this takes tells nothing about the secret but its length. */
bool gf_secret_equal(const char *given, const char *secret);

#endif
