/*
 * Addresses: which listener a connection belongs to, by the local address of its socket.
 */
#include "gf/ghttp/engine/address.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

static struct gf_address parse(const char *text)
{
    struct gf_address address;
    char error[256];

    cr_assert(zero(int, gf_address_parse(text, strlen(text), &address, error, sizeof(error))), "%s", text);
    return address;
}

/* As getsockname() gives it; IPv4 within IPv6 where the listener is of both families. */
static struct sockaddr_storage local_address(const char *host)
{
    struct sockaddr_storage local = {.ss_family = AF_INET6};
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&local;
    struct sockaddr_in *in = (struct sockaddr_in *)&local;

    if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1)
        return local;
    local.ss_family = AF_INET;
    cr_assert(eq(int, inet_pton(AF_INET, host, &in->sin_addr), 1), "%s", host);
    return local;
}

static void expect_fit(const char *text, const char *host, enum gf_address_fit wanted)
{
    struct gf_address address = parse(text);
    struct sockaddr_storage local = local_address(host);

    cr_expect(eq(int, (int)gf_address_fit(&address, &local), (int)wanted), "%s at %s", host, text);
}

Test(address, of_a_connection_that_a_listener_has)
{
    expect_fit("127.0.0.1:80", "127.0.0.1", GF_ADDRESS_THIS_HOST);
    expect_fit("localhost:80", "127.0.0.1", GF_ADDRESS_THIS_HOST);
    expect_fit("127.0.0.1:80", "::ffff:127.0.0.1", GF_ADDRESS_THIS_HOST);
    expect_fit("[::ffff:127.0.0.1]:80", "127.0.0.1", GF_ADDRESS_THIS_HOST);
    expect_fit("[::1]:80", "::1", GF_ADDRESS_THIS_HOST);
    expect_fit(":80", "127.0.0.1", GF_ADDRESS_ANY_HOST);
    expect_fit(":80", "::ffff:127.0.0.1", GF_ADDRESS_ANY_HOST);
    expect_fit(":80", "::1", GF_ADDRESS_ANY_HOST);
    expect_fit("0.0.0.0:80", "127.0.0.1", GF_ADDRESS_ANY_HOST);
    expect_fit("0.0.0.0:80", "::ffff:127.0.0.1", GF_ADDRESS_ANY_HOST);
    expect_fit("[::]:80", "::1", GF_ADDRESS_ANY_HOST);
}

Test(address, of_a_connection_that_is_anothers)
{
    struct sockaddr_storage local = {.ss_family = AF_UNIX};
    struct gf_address unix_socket = parse("unix:/a.sock"), any = parse(":80");

    expect_fit("127.0.0.2:80", "127.0.0.1", GF_ADDRESS_ELSEWHERE);
    expect_fit("127.0.0.2:80", "::ffff:127.0.0.1", GF_ADDRESS_ELSEWHERE);
    expect_fit("127.0.0.1:80", "::1", GF_ADDRESS_ELSEWHERE);
    expect_fit("[::1]:80", "127.0.0.1", GF_ADDRESS_ELSEWHERE);
    expect_fit("[::1]:80", "::2", GF_ADDRESS_ELSEWHERE);
    expect_fit("0.0.0.0:80", "::1", GF_ADDRESS_ELSEWHERE);
    expect_fit("[::]:80", "127.0.0.1", GF_ADDRESS_ELSEWHERE);
    expect_fit("[::]:80", "::ffff:127.0.0.1", GF_ADDRESS_ELSEWHERE);
    cr_expect(eq(int, (int)gf_address_fit(&any, &local), (int)GF_ADDRESS_ELSEWHERE));
    cr_expect(eq(int, (int)gf_address_fit(&unix_socket, &local), (int)GF_ADDRESS_ELSEWHERE));
}

/* A listener that is bound to all is at the address of all. */
Test(address, of_a_listener_itself)
{
    expect_fit(":80", "::", GF_ADDRESS_ANY_HOST);
    expect_fit(":80", "0.0.0.0", GF_ADDRESS_ANY_HOST);
    expect_fit("[::]:80", "::", GF_ADDRESS_ANY_HOST);
    expect_fit("0.0.0.0:80", "0.0.0.0", GF_ADDRESS_ANY_HOST);
    expect_fit("0.0.0.0:80", "::", GF_ADDRESS_ELSEWHERE);
}
