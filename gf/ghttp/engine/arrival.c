#include "arrival.h"

#include <sys/ioctl.h>

#include "connection.h"
#include "lane.h"
#include "tcp_facts.h"
#include "tls.h"

/* Some old clients send a line break behind each body, which no request owns: libmicrohttpd passes over it. */
#define STRAY_SIZE 2

static bool has_unread(const struct gf_connection *c, uint64_t *ret_unread)
{
    int unread = 0;

    if (ioctl(c->fd, FIONREAD, &unread) < 0 || unread < 0)
        return false;
    *ret_unread = (uint64_t)unread;
    return unread > 0;
}

/* How much of it libmicrohttpd has read. Unread is asked for first: see release.c. false: the kernel does not say. */
static bool count_read(const struct gf_connection *c, uint64_t *ret_read)
{
    struct gf_tcp_facts facts;
    uint64_t unread = 0;

    has_unread(c, &unread);
    if (!gf_tcp_facts(c->fd, &facts))
        return false;
    *ret_read = facts.received - unread;
    return true;
}

void gf_arrival_begin(struct gf_connection *c)
{
    if (c->lane->tls)
        c->before = gf_tls_records(c->mhd);
    else if (!c->countable)
        count_read(c, &c->before);
}

static bool is_more_than_strays(const struct gf_connection *c, uint64_t read)
{
    return read > c->consumed && read - c->consumed != (uint64_t)STRAY_SIZE * c->bodies;
}

bool gf_arrival_has_begun(const struct gf_connection *c)
{
    uint64_t unread, read;

    if (has_unread(c, &unread))
        return true;
    if (c->lane->tls)
        return gf_tls_has_pending(c->mhd) || gf_tls_records(c->mhd) != c->before;
    if (!count_read(c, &read))
        return false;
    return c->countable ? is_more_than_strays(c, read) : read > c->before;
}
