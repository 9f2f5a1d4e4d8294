/*
 * The offer: at which addresses a new process serves plain HTTP. A connection can move to it if it was made to one of
 * these. In "ready" and "successor" it is "http", a list of addresses with their real ports.
 *
 * Thread: one at a time for the same offer.
 */
#ifndef GF_GHTTP_RESTART_OFFER_H
#define GF_GHTTP_RESTART_OFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "../server/server.h"

struct cJSON;

struct gf_offer {
    struct gf_address *addresses;
    size_t count;
};

/* Adds what this process serves to a message. 0 or -ENOMEM. */
int gf_offer_write(struct cJSON *message);

/* Reads it; what is no address is passed over. 0 or -ENOMEM. gf_offer_finish() afterwards. */
int gf_offer_read(const struct cJSON *message, struct gf_offer *ret_offer);
void gf_offer_finish(struct gf_offer *offer);

/* Whether a connection with this local address could move; or a listener that is bound to it. */
bool gf_offer_includes(const struct gf_offer *offer, const struct sockaddr_storage *local);

/*
 * The server of this process whose plain HTTP a connection to this local address belongs to: whoever listens on that
 * very address rather than on all, and among several the one of this name (NULL: none has one to be preferred). NULL:
 * nobody listens there.
 */
ghttp_server *gf_offer_find_server(const struct sockaddr_storage *local, const char *name);

#endif
