/*
 * Each proxy adds the address that it saw to the right of X-Forwarded-For, so the list is read from the right, as far
 * as it was written by proxies that are trusted. What stands further left is anybody's word.
 */
#include "proxies.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "ascii.h"
#include "request.h"

/* People write these lists. */
#define NETWORKS_MAX 256
#define V4_IN_V6 96

/* IPv4 as IPv6 does it: ::ffff:a.b.c.d */
struct address {
    unsigned char bytes[16];
    bool is_unix;
};

struct network {
    struct address address;
    unsigned bits;
};

struct gf_proxies {
    size_t count;
    struct network networks[NETWORKS_MAX];
};

/* ---- addresses ---- */

static bool parse_address(const char *text, size_t size, struct address *address)
{
    char copy[INET6_ADDRSTRLEN];

    *address = (struct address){.is_unix = false};
    if (size == 0 || size >= sizeof(copy))
        return false;
    memcpy(copy, text, size);
    copy[size] = '\0';
    address->is_unix = strcmp(copy, "unix") == 0;
    if (address->is_unix || inet_pton(AF_INET6, copy, address->bytes) == 1)
        return true;
    memset(address->bytes + 10, 0xff, 2);
    return inet_pton(AF_INET, copy, address->bytes + 12) == 1;
}

static bool is_in(const struct network *network, const struct address *address)
{
    unsigned whole = network->bits / 8, rest = network->bits % 8;

    if (network->address.is_unix || address->is_unix)
        return network->address.is_unix && address->is_unix;
    if (memcmp(network->address.bytes, address->bytes, whole) != 0)
        return false;
    return rest == 0 || ((network->address.bytes[whole] ^ address->bytes[whole]) >> (8 - rest)) == 0;
}

static bool is_trusted(const struct gf_proxies *proxies, const struct address *address)
{
    for (size_t i = 0; i < proxies->count; i++)
        if (is_in(&proxies->networks[i], address))
            return true;
    return false;
}

/* ---- the header ---- */

/* "192.0.2.1", "192.0.2.1:8080", "2001:db8::1", "[2001:db8::1]:8080": the address, without what is round it. */
static bool parse_hop(const char *text, size_t size, struct address *address)
{
    const char *colon = memchr(text, ':', size);

    if (size > 0 && text[0] == '[') {
        const char *bracket = memchr(text, ']', size);
        return bracket && parse_address(text + 1, (size_t)(bracket - text) - 1, address) && !address->is_unix;
    }
    if (colon && !memchr(colon + 1, ':', size - (size_t)(colon + 1 - text)))
        size = (size_t)(colon - text);
    return parse_address(text, size, address) && !address->is_unix;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Reads one header from its right end. false: the way ends in it, at *client; else that is the leftmost hop of it. */
static bool follow(const struct gf_proxies *proxies, const char *list, struct address *client)
{
    size_t end = strlen(list);

    for (;;) {
        size_t begin, size;
        struct address hop;

        for (begin = end; begin > 0 && list[begin - 1] != ',';)
            begin--;
        for (size = end - begin; size > 0 && is_blank(list[begin + size - 1]);)
            size--;
        size_t blanks = strspn(list + begin, " \t");
        if (blanks > size || !parse_hop(list + begin + blanks, size - blanks, &hop))
            return false;
        *client = hop;
        if (!is_trusted(proxies, &hop))
            return false;
        if (begin == 0)
            return true;
        end = begin - 1;
    }
}

static void format(const struct address *address, char text[INET6_ADDRSTRLEN])
{
    const struct in6_addr *six = (const struct in6_addr *)address->bytes;

    if (IN6_IS_ADDR_V4MAPPED(six))
        inet_ntop(AF_INET, address->bytes + 12, text, INET6_ADDRSTRLEN);
    else
        inet_ntop(AF_INET6, address->bytes, text, INET6_ADDRSTRLEN);
}

static bool find_peer(const struct ghttp_request *r, struct address *peer)
{
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&r->peer;
    const struct sockaddr_in *four = (const struct sockaddr_in *)&r->peer;

    *peer = (struct address){.is_unix = r->peer.ss_family == AF_UNIX};
    if (r->peer.ss_family == AF_INET6) {
        memcpy(peer->bytes, &six->sin6_addr, sizeof(peer->bytes));
    } else if (r->peer.ss_family == AF_INET) {
        memset(peer->bytes + 10, 0xff, 2);
        memcpy(peer->bytes + 12, &four->sin_addr, sizeof(four->sin_addr));
    }
    return peer->is_unix || r->peer.ss_family == AF_INET || r->peer.ss_family == AF_INET6;
}

static bool is_by_proxy(const struct gf_proxies *proxies, const struct ghttp_request *r)
{
    struct address peer;

    return proxies && find_peer(r, &peer) && is_trusted(proxies, &peer);
}

bool gf_proxies_find_client(const struct gf_proxies *proxies, const struct ghttp_request *r,
                            char ret_text[INET6_ADDRSTRLEN])
{
    struct address client = {.is_unix = true};

    if (!is_by_proxy(proxies, r))
        return false;
    for (size_t i = r->headers.count; i-- > 0;)
        if (gf_ascii_equal(r->headers.items[i].name, "X-Forwarded-For") &&
            !follow(proxies, r->headers.items[i].value, &client))
            break;
    if (client.is_unix)
        return false;
    format(&client, ret_text);
    return true;
}

/* The last one said is what the proxy next to us has added, or let stand. */
const char *gf_proxies_find_scheme(const struct gf_proxies *proxies, const struct ghttp_request *r)
{
    const char *said = NULL, *comma;

    if (!is_by_proxy(proxies, r))
        return NULL;
    for (size_t i = 0; i < r->headers.count; i++)
        if (gf_ascii_equal(r->headers.items[i].name, "X-Forwarded-Proto"))
            said = r->headers.items[i].value;
    if (!said)
        return NULL;
    comma = strrchr(said, ',');
    said = comma ? comma + 1 : said;
    said += strspn(said, " \t");
    return gf_ascii_equal(said, "https") ? "https" : gf_ascii_equal(said, "http") ? "http" : NULL;
}

/* ---- the list ---- */

static bool parse_network(const char *text, size_t size, struct network *network)
{
    const char *slash = memchr(text, '/', size);
    size_t address_size = slash ? (size_t)(slash - text) : size;
    bool is_v6 = memchr(text, ':', address_size) != NULL;
    unsigned most = is_v6 ? 128 : 32, bits = most;

    if (!parse_address(text, address_size, &network->address) || (slash && network->address.is_unix))
        return false;
    if (slash) {
        const char *end = text + size, *digit = slash + 1;

        if (digit == end || end - digit > 3)
            return false;
        for (bits = 0; digit < end; digit++) {
            if (!gf_ascii_is_digit(*digit))
                return false;
            bits = bits * 10 + (unsigned)(*digit - '0');
        }
    }
    network->bits = is_v6 ? bits : bits + V4_IN_V6;
    return bits <= most;
}

static int add_network(struct gf_proxies *proxies, const char *text, size_t size, char *error, size_t error_size)
{
    int shown = (int)(size < 100 ? size : 100);

    if (proxies->count == NETWORKS_MAX) {
        snprintf(error, error_size, "\"%.*s\" is one network too many; %d fit", shown, text, NETWORKS_MAX);
        return -EINVAL;
    }
    if (!parse_network(text, size, &proxies->networks[proxies->count])) {
        snprintf(error, error_size, "\"%.*s\" is no address and no network like 10.0.0.0/8", shown, text);
        return -EINVAL;
    }
    proxies->count++;
    return 0;
}

int gf_proxies_new(const char *list, struct gf_proxies **ret_proxies, char *error, size_t error_size)
{
    struct gf_proxies *proxies = calloc(1, sizeof(*proxies));
    int result = proxies ? 0 : -ENOMEM;

    snprintf(error, error_size, "%s", proxies ? "the list is empty" : "no memory");
    for (const char *at = list ? list : ""; !result && *(at += strspn(at, ", \t"));) {
        size_t size = strcspn(at, ", \t");

        result = add_network(proxies, at, size, error, error_size);
        at += size;
    }
    if (!result && !proxies->count)
        result = -EINVAL;
    if (result < 0) {
        free(proxies);
        return result;
    }
    *ret_proxies = proxies;
    return 0;
}

void gf_proxies_free(struct gf_proxies *proxies)
{
    free(proxies);
}
