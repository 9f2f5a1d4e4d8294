#include "address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

static int parse_port(const char *text, int *ret_port)
{
    char *end;
    long port;

    if (!isdigit((unsigned char)text[0]) || strlen(text) > 5)
        return -EINVAL;
    port = strtol(text, &end, 10);
    if (*end || port > 65535)
        return -EINVAL;
    *ret_port = (int)port;
    return 0;
}

static void set_ipv6(struct gf_address *address, const struct in6_addr *ip, int port)
{
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&address->socket_address;

    in6->sin6_family = AF_INET6;
    in6->sin6_addr = *ip;
    in6->sin6_port = htons((uint16_t)port);
    address->size = sizeof(*in6);
}

static void set_ipv4(struct gf_address *address, const struct in_addr *ip, int port)
{
    struct sockaddr_in *in = (struct sockaddr_in *)&address->socket_address;

    in->sin_family = AF_INET;
    in->sin_addr = *ip;
    in->sin_port = htons((uint16_t)port);
    address->size = sizeof(*in);
}

static int parse_unix(const char *path, struct gf_address *address)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&address->socket_address;
    size_t length = strlen(path);

    if (path[0] != '/' || length >= sizeof(un->sun_path))
        return -EINVAL;
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, length + 1);
    address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
    return 0;
}

/* host is what stands before the last colon, without brackets. */
static int parse_host(const char *host, bool bracketed, int port, struct gf_address *address)
{
    struct in_addr ipv4;
    struct in6_addr ipv6;

    if (!host[0] && !bracketed) {
        address->any_family = true;
        set_ipv6(address, &in6addr_any, port);
        return 0;
    }
    if (!bracketed && !strcmp(host, "localhost"))
        host = "127.0.0.1";
    if (!bracketed && inet_pton(AF_INET, host, &ipv4) == 1) {
        set_ipv4(address, &ipv4, port);
        return 0;
    }
    if (bracketed && inet_pton(AF_INET6, host, &ipv6) == 1) {
        set_ipv6(address, &ipv6, port);
        return 0;
    }
    return -EINVAL;
}

static int parse_internet(const char *text, struct gf_address *address)
{
    char host[GF_ADDRESS_TEXT_MAX];
    const char *colon = strrchr(text, ':');
    size_t length = colon ? (size_t)(colon - text) : 0;
    bool bracketed = false;
    int port;

    if (parse_port(colon ? colon + 1 : text, &port) < 0)
        return -EINVAL;
    memcpy(host, text, length);
    host[length] = 0;
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        bracketed = true;
        host[length - 1] = 0;
    }
    return parse_host(host + (bracketed ? 1 : 0), bracketed, port, address);
}

int gf_address_parse(const char *text, size_t length, struct gf_address *ret_address, char *error, size_t error_size)
{
    struct gf_address address = {.any_family = false};
    int result;

    while (length && isspace((unsigned char)*text))
        text++, length--;
    while (length && isspace((unsigned char)text[length - 1]))
        length--;
    if (!length || length >= sizeof(address.text)) {
        snprintf(error, error_size, "an address has %zu characters; 1 to %zu are possible", length,
                 sizeof(address.text) - 1);
        return -EINVAL;
    }
    memcpy(address.text, text, length);
    if (!strncmp(address.text, "unix:", 5))
        result = parse_unix(address.text + 5, &address);
    else
        result = parse_internet(address.text, &address);
    if (result < 0) {
        snprintf(error, error_size, "\"%s\" is no address; write 8100, :8100, 127.0.0.1:8100, [::1]:8100 or unix:/path",
                 address.text);
        return result;
    }
    *ret_address = address;
    return 0;
}

static bool is_repeated(const struct gf_address *addresses, size_t count)
{
    const struct gf_address *last = &addresses[count - 1];

    if (last->socket_address.ss_family != AF_UNIX && !gf_address_port(&last->socket_address))
        return false; /* ":0,:0" asks for two ports of the system's choice */
    for (size_t i = 0; i + 1 < count; i++)
        if (!strcmp(addresses[i].text, last->text))
            return true;
    return false;
}

int gf_address_parse_list(const char *list, struct gf_address **ret_addresses, size_t *ret_count, char *error,
                          size_t error_size)
{
    struct gf_address *addresses = calloc(GF_ADDRESS_LIST_MAX, sizeof(*addresses));
    size_t count = 0;
    int result = -ENOMEM;

    if (!addresses) {
        snprintf(error, error_size, "no memory for the addresses");
        return result;
    }
    for (const char *at = list, *comma = at; *at && comma; at = comma + 1) {
        comma = strchr(at, ',');
        result = -EINVAL;
        if (count == GF_ADDRESS_LIST_MAX) {
            snprintf(error, error_size, "more than %d addresses", GF_ADDRESS_LIST_MAX);
            goto fail;
        }
        result =
            gf_address_parse(at, comma ? (size_t)(comma - at) : strlen(at), &addresses[count++], error, error_size);
        if (result < 0)
            goto fail;
        if (is_repeated(addresses, count)) {
            snprintf(error, error_size, "the address \"%s\" is named twice", addresses[count - 1].text);
            result = -EINVAL;
            goto fail;
        }
        if (!comma)
            break;
    }
    *ret_addresses = addresses;
    *ret_count = count;
    return 0;
fail:
    free(addresses);
    return result;
}

int gf_address_port(const struct sockaddr_storage *socket_address)
{
    if (socket_address->ss_family == AF_INET)
        return ntohs(((const struct sockaddr_in *)socket_address)->sin_port);
    if (socket_address->ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)socket_address)->sin6_port);
    return 0;
}

static bool same_port(const struct gf_address *address, const struct sockaddr_storage *bound)
{
    int port = gf_address_port(&address->socket_address);

    return !port || port == gf_address_port(bound);
}

bool gf_address_matches(const struct gf_address *address, const struct sockaddr_storage *bound)
{
    const struct sockaddr_storage *asked = &address->socket_address;

    if (address->any_family && bound->ss_family == AF_INET)
        return ((const struct sockaddr_in *)bound)->sin_addr.s_addr == INADDR_ANY && same_port(address, bound);
    if (asked->ss_family != bound->ss_family)
        return false;
    if (asked->ss_family == AF_UNIX)
        return !strcmp(((const struct sockaddr_un *)asked)->sun_path, ((const struct sockaddr_un *)bound)->sun_path);
    if (asked->ss_family == AF_INET)
        return ((const struct sockaddr_in *)asked)->sin_addr.s_addr ==
                   ((const struct sockaddr_in *)bound)->sin_addr.s_addr &&
               same_port(address, bound);
    return !memcmp(&((const struct sockaddr_in6 *)asked)->sin6_addr, &((const struct sockaddr_in6 *)bound)->sin6_addr,
                   sizeof(struct in6_addr)) &&
           same_port(address, bound);
}

/* As IPv6, IPv4 mapped into it. false: neither. */
static bool get_host(const struct sockaddr_storage *address, struct in6_addr *ret_host)
{
    if (address->ss_family == AF_INET6) {
        *ret_host = ((const struct sockaddr_in6 *)address)->sin6_addr;
        return true;
    }
    if (address->ss_family != AF_INET)
        return false;
    *ret_host = (struct in6_addr){.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&ret_host->s6_addr[12], &((const struct sockaddr_in *)address)->sin_addr, sizeof(struct in_addr));
    return true;
}

static bool is_any_ipv4(const struct in6_addr *host)
{
    return IN6_IS_ADDR_V4MAPPED(host) && !host->s6_addr32[3];
}

enum gf_address_fit gf_address_fit(const struct gf_address *address, const struct sockaddr_storage *local)
{
    struct in6_addr asked, host;
    bool takes;

    if (!get_host(&address->socket_address, &asked) || !get_host(local, &host))
        return GF_ADDRESS_ELSEWHERE;
    if (IN6_IS_ADDR_UNSPECIFIED(&asked))
        takes = address->any_family || !IN6_IS_ADDR_V4MAPPED(&host);
    else if (is_any_ipv4(&asked))
        takes = IN6_IS_ADDR_V4MAPPED(&host);
    else
        return IN6_ARE_ADDR_EQUAL(&asked, &host) ? GF_ADDRESS_THIS_HOST : GF_ADDRESS_ELSEWHERE;
    return takes ? GF_ADDRESS_ANY_HOST : GF_ADDRESS_ELSEWHERE;
}
