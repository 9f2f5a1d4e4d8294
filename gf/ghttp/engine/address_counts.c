#include "address_counts.h"

#include <netinet/in.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Buckets by a keyed hash: two addresses in one bucket share a limit, so there are many more buckets than a
 * process has connections, and nobody outside can choose to collide with somebody. */
#define BUCKETS 262144
/* The key of those that are not counted. */
#define UNCOUNTED BUCKETS

struct gf_address_counts {
    pthread_mutex_t lock;
    unsigned limit;
    uint64_t secret;
    unsigned counts[BUCKETS];
};

struct gf_address_counts *gf_address_counts_new(unsigned limit)
{
    struct gf_address_counts *counts = calloc(1, sizeof(*counts));

    if (!counts)
        return NULL;
    pthread_mutex_init(&counts->lock, NULL);
    counts->limit = limit;
    if (getrandom(&counts->secret, sizeof(counts->secret), 0) != sizeof(counts->secret))
        counts->secret = (uint64_t)(uintptr_t)counts;
    return counts;
}

void gf_address_counts_free(struct gf_address_counts *counts)
{
    if (!counts)
        return;
    pthread_mutex_destroy(&counts->lock);
    free(counts);
}

/* The finaliser of splitmix64 (public domain, Sebastiano Vigna). */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

/* An IPv4 address, mapped or not; of IPv6 the first 64 bits, since one client commonly owns all the rest. */
static uint64_t address_bits(const struct sockaddr_storage *peer)
{
    const struct in6_addr *ip = &((const struct sockaddr_in6 *)peer)->sin6_addr;
    uint64_t bits = 0;

    if (peer->ss_family == AF_INET) {
        memcpy(&bits, &((const struct sockaddr_in *)peer)->sin_addr, 4);
    } else if (peer->ss_family == AF_INET6) {
        if (IN6_IS_ADDR_V4MAPPED(ip))
            memcpy(&bits, ip->s6_addr + 12, 4);
        else
            memcpy(&bits, ip->s6_addr, 8);
    }
    return bits;
}

bool gf_address_counts_enter(struct gf_address_counts *counts, const struct sockaddr_storage *peer, bool by_force,
                             uint64_t *ret_key)
{
    uint64_t key = mix(address_bits(peer) ^ counts->secret) % BUCKETS;
    bool admitted;

    if (peer->ss_family != AF_INET && peer->ss_family != AF_INET6) {
        *ret_key = UNCOUNTED;
        return true;
    }
    pthread_mutex_lock(&counts->lock);
    admitted = by_force || counts->counts[key] < counts->limit;
    if (admitted)
        counts->counts[key]++;
    pthread_mutex_unlock(&counts->lock);
    if (admitted)
        *ret_key = key;
    return admitted;
}

void gf_address_counts_leave(struct gf_address_counts *counts, uint64_t key)
{
    if (key == UNCOUNTED)
        return;
    pthread_mutex_lock(&counts->lock);
    if (counts->counts[key])
        counts->counts[key]--;
    pthread_mutex_unlock(&counts->lock);
}
