/*
 * Addresses: what a program or a configuration writes (`:8100`, `127.0.0.1:8200`, `[::1]:8300`,
 * `unix:/run/a.sock`) as something that a socket can be bound to.
 */
#ifndef GF_GHTTP_ENGINE_ADDRESS_H
#define GF_GHTTP_ENGINE_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* The longest text of an address: "unix:" and the longest path of a Unix socket fit. */
#define GF_ADDRESS_TEXT_MAX 128
/* More addresses than this in one list are a mistake in a program, not a server. */
#define GF_ADDRESS_LIST_MAX 64

struct gf_address {
    char text[GF_ADDRESS_TEXT_MAX]; /* as configured, blanks trimmed: the name of the listener at a restart */
    struct sockaddr_storage socket_address;
    socklen_t size;
    bool any_family; /* no host was given: IPv6 with IPv4 mapped, or IPv4 alone where there is no IPv6 */
};

/* Reads one address. 0, or -EINVAL with a sentence in error. */
int gf_address_parse(const char *text, size_t length, struct gf_address *ret_address, char *error, size_t error_size);

/*
 * Reads a comma list into a new array (free()); an empty list gives none. 0, or -EINVAL (also when one is
 * named twice), -ENOMEM, with a sentence in error.
 */
int gf_address_parse_list(const char *list, struct gf_address **ret_addresses, size_t *ret_count, char *error,
                          size_t error_size);

/* Whether a bound socket's address is what this address asks for (port 0 asks for any port). */
bool gf_address_matches(const struct gf_address *address, const struct sockaddr_storage *bound);

/* How a connection to this local address fits a listener at address, ports apart. */
enum gf_address_fit {
    GF_ADDRESS_ELSEWHERE, /* another host, or a Unix socket */
    GF_ADDRESS_ANY_HOST,  /* address names no host, and takes this one too */
    GF_ADDRESS_THIS_HOST,
};

/* IPv4 within IPv6 is IPv4, as whoever listens for both families sees it. */
enum gf_address_fit gf_address_fit(const struct gf_address *address, const struct sockaddr_storage *local);

/* The port, 0 for a Unix socket. */
int gf_address_port(const struct sockaddr_storage *socket_address);

#endif
