/*
 * TLS: a server's certificate and key, and the key of its session tickets. The one room of the engine that knows
 * GnuTLS's names.
 *
 * Owns: the PEM texts in memory. Thread: made before the service starts; only read afterwards.
 */
#ifndef GF_GHTTP_ENGINE_TLS_H
#define GF_GHTTP_ENGINE_TLS_H

#include <stddef.h>

struct MHD_Connection;
struct MHD_OptionItem;
struct gf_tls;

/* The options that gf_tls_options() fills in, the end included. */
#define GF_TLS_OPTIONS 4

/* Reads and checks a certificate chain and its key. 0 or a negative errno with a sentence in error. */
int gf_tls_new(const char *cert_path, const char *key_path, struct gf_tls **ret_tls, char *error, size_t error_size);
void gf_tls_free(struct gf_tls *tls);

/* What a libmicrohttpd daemon is to be started with, in GF_TLS_OPTIONS places; the texts stay with tls. */
void gf_tls_options(const struct gf_tls *tls, struct MHD_OptionItem *options);

/* A connection has begun: lets it resume the session of an earlier one. Before the handshake. */
void gf_tls_begin(struct gf_tls *tls, struct MHD_Connection *mhd);

#endif
