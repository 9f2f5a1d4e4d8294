/*
 * Proxies that the program has named: whom they say a request comes from, and over which scheme.
 *
 * Frozen by the server's start. Thread: any; nothing of the request is written to.
 */
#ifndef GF_GHTTP_MESSAGE_PROXIES_H
#define GF_GHTTP_MESSAGE_PROXIES_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

struct gf_proxies;
struct ghttp_request;

/* Of a list as of ghttp_server_trust_proxies(). 0; -EINVAL with what is wrong as the end of a sentence, -ENOMEM. */
int gf_proxies_new(const char *list, struct gf_proxies **ret_proxies, char *error, size_t error_size);
/* NULL is fine. */
void gf_proxies_free(struct gf_proxies *proxies);

/* The client's address, as the proxies before it say. false: it is the peer's, or no proxies are trusted (NULL). */
bool gf_proxies_find_client(const struct gf_proxies *proxies, const struct ghttp_request *r,
                            char ret_text[INET6_ADDRSTRLEN]);

/* What the proxy next to us says of the scheme that it was asked by: "https", "http"; NULL: it says nothing. */
const char *gf_proxies_find_scheme(const struct gf_proxies *proxies, const struct ghttp_request *r);

#endif
