/*
 * How many connections each client address has open, for the limit per address.
 *
 * Owns: its table. Thread: any (a lock; taken once for each new and each closed connection, and only by servers that
 * set the limit).
 */
#ifndef GF_GHTTP_ENGINE_ADDRESS_COUNTS_H
#define GF_GHTTP_ENGINE_ADDRESS_COUNTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct gf_address_counts;

/* A table that refuses an address its limit + 1st connection; NULL without memory. */
struct gf_address_counts *gf_address_counts_new(unsigned limit);
void gf_address_counts_free(struct gf_address_counts *counts);

/* One more connection of this peer, unless it has its limit and is not let in by force. ret_key is what to leave with.
 * Clients of Unix sockets have no addresses: they are not counted. */
bool gf_address_counts_enter(struct gf_address_counts *counts, const struct sockaddr_storage *peer, bool by_force,
                             uint64_t *ret_key);
void gf_address_counts_leave(struct gf_address_counts *counts, uint64_t key);

#endif
