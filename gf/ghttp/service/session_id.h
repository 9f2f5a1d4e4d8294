/*
 * Ids of sessions: 128 random bits as 32 digits, lower-case hexadecimal. They are names of files too, so nothing else
 * ever passes for one.
 */
#ifndef GF_GHTTP_SERVICE_SESSION_ID_H
#define GF_GHTTP_SERVICE_SESSION_ID_H

#include <stdbool.h>

#define GF_SESSION_ID_SIZE 32

/* 0; -EIO: the kernel has no random numbers. */
int gf_session_id_make(char ret_id[GF_SESSION_ID_SIZE + 1]);

/* Whether it has the shape of an id, to the last byte. */
bool gf_session_id_is_shaped(const char *text);

#endif
