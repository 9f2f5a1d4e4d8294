/*
 * What the environment says about one server.
 *
 * Thread: the one that starts the server.
 */
#ifndef GF_GHTTP_SERVER_ENVIRONMENT_H
#define GF_GHTTP_SERVER_ENVIRONMENT_H

#include <stddef.h>

#include <gf/ghttp/ghttp.h>

/*
 * Offers the server the settings of all servers, GF_SERVER_<KEY>, then its own, GF_SERVER_<NAME>_<KEY>. Logs what of
 * such names is no setting. 0 or a negative errno, with a sentence.
 */
int gf_environment_read(ghttp_server *s, char *error, size_t size);

#endif
