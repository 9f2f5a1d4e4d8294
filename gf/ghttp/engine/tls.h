/*
 * TLS: a server's certificate and key, and the key of its session tickets. The one room of the engine that knows
 * GnuTLS's names.
 *
 * Owns: the PEM texts in memory. Thread: made before the service starts; only read afterwards.
 */
#ifndef GF_GHTTP_ENGINE_TLS_H
#define GF_GHTTP_ENGINE_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct MHD_Connection;
struct MHD_OptionItem;
struct gf_tls;

/* The bytes from which GnuTLS derives the keys of session tickets, new ones every few hours (its lib/stek.c). */
#define GF_TICKET_KEY_SIZE 64

/* The options that gf_tls_options() fills in, the end included. */
#define GF_TLS_OPTIONS 4

/*
 * Reads and checks a certificate chain and its key. ticket_key: that of the process before this one, so that clients
 * resume their sessions here, or NULL for a new one. 0 or a negative errno with a
 * sentence in error.
 */
int gf_tls_new(const char *cert_path, const char *key_path, const unsigned char *ticket_key, struct gf_tls **ret_tls,
               char *error, size_t error_size);
/* Its ticket key, GF_TICKET_KEY_SIZE bytes of locked memory; NULL: it gives no tickets. */
const unsigned char *gf_tls_ticket_key(const struct gf_tls *tls);
void gf_tls_free(struct gf_tls *tls);

/* What a libmicrohttpd daemon is to be started with, in GF_TLS_OPTIONS places; the texts stay with tls. */
void gf_tls_options(const struct gf_tls *tls, struct MHD_OptionItem *options);

/* A connection has begun: lets it resume the session of an earlier one. Before the handshake. */
void gf_tls_begin(struct gf_tls *tls, struct MHD_Connection *mhd);

/* How many records the client has sent since the handshake, as far as they were read; 0 before its end. */
uint64_t gf_tls_records(struct MHD_Connection *mhd);
/* Whether GnuTLS has bytes of one that libmicrohttpd has not taken yet. */
bool gf_tls_has_pending(struct MHD_Connection *mhd);

#endif
