/*
 * Standstills: libmicrohttpd 0.9.75 fills a connection's buffer with the line of a chunk's size, which is too long to
 * become one, and then neither reads nor lets go: its daemon wants to be run without a pause, to do nothing, as long as
 * the client likes, and looks through that buffer in each turn. Over TLS it does so too, but there also while a client
 * only pauses: which it is cannot be told, so such a lane gets pauses instead (lane.c).
 *
 * Thread: the leader, between two MHD_run()s.
 */
#ifndef GF_GHTTP_ENGINE_STANDSTILL_H
#define GF_GHTTP_ENGINE_STANDSTILL_H

#include <stdbool.h>

struct gf_connection;
struct gf_lane;

/*
 * The daemon has wanted to be run, and has done nothing, for many turns: finds the connections for which it does, and
 * refuses them. Runs the daemon some times for each body in chunks that is under way.
 */
void gf_standstill_end(struct gf_lane *lane);

#endif
