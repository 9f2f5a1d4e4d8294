/*
 * What the configuration file and the environment say about one server.
 *
 * Thread: the one that starts the server.
 */
#ifndef GF_GHTTP_SERVER_CONFIGURATION_H
#define GF_GHTTP_SERVER_CONFIGURATION_H

#include "server.h"

/* Offers one setting, of a key that there is, as gf_settings_offer() does, and checks what that cannot. */
int gf_configuration_offer(ghttp_server *s, const char *key, const char *value, char *error, size_t size);

/*
 * Offers the server's settings what the file says (`server.<name>`, else `server`), then what the environment says;
 * what the program has set stays. Without a file and without variables it does nothing. Logs what is
 * unknown. 0 or a negative errno, with a sentence.
 */
int gf_configuration_read(ghttp_server *s, char *error, size_t size);

#endif
