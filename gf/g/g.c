/*
 * The facade: the two functions that every program of the manual begins and ends with.
 */
#include <gf/g/g.h>

#include "../ghttp/restart/graceful.h"

ghttp_server *g_server(const char *name)
{
    return ghttp_server_get(name);
}

int g_wait(void)
{
    return gf_graceful_wait();
}
