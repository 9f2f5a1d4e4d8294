/*
 * Message authentication codes: what only somebody who has a key can have written under a text. Thread: any.
 */
#ifndef GF_GHTTP_ENGINE_MAC_H
#define GF_GHTTP_ENGINE_MAC_H

/* Digits of a code, without the text's end. */
#define GF_MAC_SIZE 64

/* HMAC-SHA-256 of the text, in lower-case hexadecimal. 0, or -EIO where the system's policy forbids it. */
int gf_mac_make(const char *key, const char *text, char ret_mac[GF_MAC_SIZE + 1]);

#endif
