/*
 * The registry: the one server of each name. Owns the servers until the process ends. Thread: any.
 */
#ifndef GF_GHTTP_SERVER_REGISTRY_H
#define GF_GHTTP_SERVER_REGISTRY_H

#include <gf/ghttp/ghttp.h>

/* Servers in a process; a program that makes more has lost control of its names. */
#define GF_REGISTRY_MAX 1024

/* The first server, in the order of their making; NULL: there is none. And the one after s. */
ghttp_server *gf_registry_first(void);
ghttp_server *gf_registry_next(const ghttp_server *s);

#endif
