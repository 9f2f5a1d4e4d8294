/*
 * A token bucket for each client: it holds `burst` tokens, gets `per_second` of them, and each request takes one.
 *
 * The table has a fixed size. An address can be in one of four places, found by a keyed hash, so that nobody outside
 * can choose whom to push out; pushed out is whoever has the most tokens, which loses the least. Thread: any; one lock
 * for the table, held for a look at four places.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "../../gproc/clock.h"
#include "../message/arena.h"
#include "../message/request.h"
#include "rate_limit.h"

#define SETS 16384
#define PLACES 4
#define RATE_MIN 0.001
#define RATE_MAX 1e6
#define BURST_MAX 1000000

struct bucket {
    uint64_t client; /* 0: free */
    double tokens;   /* at that time */
    double time;     /* seconds, CLOCK_MONOTONIC */
};

struct ghttp_rate_limit {
    pthread_mutex_t lock;
    double per_second, burst;
    uint64_t secret[2];
    struct bucket buckets[SETS][PLACES];
};

ghttp_rate_limit *ghttp_rate_limit_new(double per_second, unsigned burst)
{
    ghttp_rate_limit *limit;

    errno = EINVAL;
    if (!(per_second >= RATE_MIN && per_second <= RATE_MAX) || burst < 1 || burst > BURST_MAX)
        return NULL;
    limit = calloc(1, sizeof(*limit));
    if (!limit)
        return NULL;
    if (getrandom(limit->secret, sizeof(limit->secret), 0) != sizeof(limit->secret))
        goto fail;
    pthread_mutex_init(&limit->lock, NULL);
    limit->per_second = per_second;
    limit->burst = burst;
    return limit;

fail:
    free(limit);
    errno = ENOMEM;
    return NULL;
}

void ghttp_rate_limit_free(ghttp_rate_limit *limit)
{
    if (!limit)
        return;
    pthread_mutex_destroy(&limit->lock);
    free(limit);
}

/* The finaliser of splitmix64 (public domain, Sebastiano Vigna). */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

/* An IPv4 address, or the half of an IPv6 address that one client commonly owns the rest of; never 0. */
static uint64_t client_of(const char *ip)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    uint64_t client = 0;

    if (ip && inet_pton(AF_INET, ip, bytes) == 1)
        memcpy(&client, bytes, 4);
    else if (ip && inet_pton(AF_INET6, ip, bytes) == 1)
        memcpy(&client, bytes, 8);
    return client ? client : UINT64_MAX;
}

static void fill(const ghttp_rate_limit *limit, struct bucket *bucket, double now)
{
    bucket->tokens += (now - bucket->time) * limit->per_second;
    if (bucket->tokens > limit->burst)
        bucket->tokens = limit->burst;
    bucket->time = now;
}

/* The client's bucket, filled up to now; a new one in the place of the fullest. */
static struct bucket *find_bucket(ghttp_rate_limit *limit, uint64_t client, double now)
{
    struct bucket *set = limit->buckets[mix(mix(client ^ limit->secret[0]) + limit->secret[1]) % SETS];
    struct bucket *fullest = NULL;

    for (size_t i = 0; i < PLACES; i++) {
        struct bucket *bucket = &set[i];

        if (!bucket->client)
            *bucket = (struct bucket){.tokens = limit->burst, .time = now};
        fill(limit, bucket, now);
        if (bucket->client == client)
            return bucket;
        if (!fullest || bucket->tokens > fullest->tokens)
            fullest = bucket;
    }
    *fullest = (struct bucket){.client = client, .tokens = limit->burst, .time = now};
    return fullest;
}

long gf_rate_limit_take(ghttp_rate_limit *limit, const char *ip)
{
    double now = (double)gf_clock_ns() / 1e9;
    long wait = 0;

    pthread_mutex_lock(&limit->lock);
    struct bucket *bucket = find_bucket(limit, client_of(ip), now);
    if (bucket->tokens >= 1)
        bucket->tokens -= 1;
    else
        wait = (long)((1 - bucket->tokens) / limit->per_second) + 1;
    pthread_mutex_unlock(&limit->lock);
    return wait;
}

void gf_rate_limit_give(ghttp_rate_limit *limit, const char *ip)
{
    double now = (double)gf_clock_ns() / 1e9;

    pthread_mutex_lock(&limit->lock);
    struct bucket *bucket = find_bucket(limit, client_of(ip), now);
    bucket->tokens = bucket->tokens + 1 < limit->burst ? bucket->tokens + 1 : limit->burst;
    pthread_mutex_unlock(&limit->lock);
}

void ghttp_middleware_rate_limit(ghttp_request *r)
{
    ghttp_rate_limit *limit = ghttp_request_arg(r);
    long wait;

    if (!limit) {
        ghttp_response_fail(r, "ghttp_middleware_rate_limit() was bound without its argument");
        return;
    }
    wait = gf_rate_limit_take(limit, ghttp_request_client_ip(r));
    if (wait == 0) {
        ghttp_request_next(r);
        return;
    }
    const char *seconds = gf_arena_printf(r->arena, "%ld", wait);
    ghttp_response_set_status(r, 429);
    if (seconds)
        ghttp_response_set_header(r, "Retry-After", seconds);
}
