/* The limit per client address: what counts as one address. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include <gf/ghttp/engine/address_counts.h>

static struct gf_address_counts *counts;
static uint64_t key;

static void begin(void)
{
    counts = gf_address_counts_new(2);
    cr_assert(ne(ptr, counts, NULL));
}

static void end(void)
{
    gf_address_counts_free(counts);
}

TestSuite(address_counts, .init = begin, .fini = end);

static bool enter(const char *address, bool by_force)
{
    struct sockaddr_storage peer = {.ss_family = strchr(address, ':') ? AF_INET6 : AF_INET};
    void *bytes = peer.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&peer)->sin_addr
                                            : (void *)&((struct sockaddr_in6 *)&peer)->sin6_addr;

    cr_assert(eq(int, inet_pton(peer.ss_family, address, bytes), 1));
    return gf_address_counts_enter(counts, &peer, by_force, &key);
}

Test(address_counts, each_ipv4_address_has_the_limit)
{
    cr_expect(enter("192.0.2.1", false));
    cr_expect(enter("192.0.2.1", false));
    cr_expect(not(enter("192.0.2.1", false)));
    cr_expect(enter("192.0.2.2", false));
    cr_expect(enter("192.0.2.1", true), "one that has moved here is not refused");
    gf_address_counts_leave(counts, key);
    cr_expect(not(enter("192.0.2.1", false)));
    gf_address_counts_leave(counts, key);
    cr_expect(enter("192.0.2.1", false));
}

Test(address_counts, an_ipv4_address_is_one_in_ipv6_too)
{
    cr_expect(enter("192.0.2.1", false));
    cr_expect(enter("::ffff:192.0.2.1", false));
    cr_expect(not(enter("192.0.2.1", false)));
    cr_expect(not(enter("::ffff:192.0.2.1", false)));
    cr_expect(enter("::ffff:192.0.2.2", false));
}

Test(address_counts, the_first_half_of_an_ipv6_address_is_one)
{
    cr_expect(enter("2001:db8:1:2::1", false));
    cr_expect(enter("2001:db8:1:2:ffff:ffff:ffff:ffff", false));
    cr_expect(not(enter("2001:db8:1:2::3", false)));
    cr_expect(enter("2001:db8:1:3::1", false));
    cr_expect(enter("2001:db8:2:2::1", false));
}

Test(address_counts, clients_of_unix_sockets_are_not_counted)
{
    struct sockaddr_storage peer = {.ss_family = AF_UNIX};

    for (int i = 0; i < 5; i++)
        cr_expect(gf_address_counts_enter(counts, &peer, false, &key));
    for (int i = 0; i < 5; i++)
        gf_address_counts_leave(counts, key);
    cr_expect(gf_address_counts_enter(counts, &peer, false, &key));
    cr_expect(enter("0.0.0.0", false), "nor do they count as another address");
    cr_expect(enter("0.0.0.0", false));
}
