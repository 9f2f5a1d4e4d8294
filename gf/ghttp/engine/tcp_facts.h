/*
 * What the kernel knows of a TCP connection. Not of Unix sockets.
 */
#ifndef GF_GHTTP_ENGINE_TCP_FACTS_H
#define GF_GHTTP_ENGINE_TCP_FACTS_H

#include <stdbool.h>
#include <stdint.h>

struct gf_tcp_facts {
    uint64_t received;     /* bytes from the other side, read or not */
    uint64_t acknowledged; /* bytes that the other side has taken */
    unsigned unacknowledged;
    bool all_taken;   /* nothing that we sent is under way */
    bool established; /* neither side has begun to close */
};

/* false: it is no TCP connection. */
bool gf_tcp_facts(int fd, struct gf_tcp_facts *ret_facts);

#endif
