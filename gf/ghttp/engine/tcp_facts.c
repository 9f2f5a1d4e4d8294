#include "tcp_facts.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>

/* TCP_ESTABLISHED of the kernel; its header (net/tcp_states.h) is not for user space. */
#define STATE_ESTABLISHED 1

bool gf_tcp_facts(int fd, struct gf_tcp_facts *ret_facts)
{
    struct tcp_info info;
    socklen_t size = sizeof(info);

    memset(&info, 0, sizeof(info));
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0 ||
        size < offsetof(struct tcp_info, tcpi_notsent_bytes) + sizeof(info.tcpi_notsent_bytes))
        return false;
    *ret_facts = (struct gf_tcp_facts){.received = info.tcpi_bytes_received,
                                       .acknowledged = info.tcpi_bytes_acked,
                                       .unacknowledged = info.tcpi_unacked,
                                       .all_taken = !info.tcpi_notsent_bytes && !info.tcpi_unacked,
                                       .established = info.tcpi_state == STATE_ESTABLISHED};
    return true;
}
