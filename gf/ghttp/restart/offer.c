#include "offer.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../server/registry.h"

/* Of Unix sockets the kernel does not count the bytes: connections to these cannot move. */
static bool is_movable(const struct gf_listener *listener)
{
    return !listener->tls && listener->port;
}

/* ---- to be told ---- */

static bool append(struct cJSON *addresses, const struct gf_listener *listener)
{
    char text[GF_ADDRESS_TEXT_MAX + 8];

    gf_listener_text(listener, text, sizeof(text));
    return cJSON_AddItemToArray(addresses, cJSON_CreateString(text));
}

int gf_offer_write(struct cJSON *message)
{
    struct cJSON *addresses = cJSON_AddArrayToObject(message, "http");

    for (const ghttp_server *s = gf_registry_first(); addresses && s; s = gf_registry_next(s))
        for (size_t i = 0; gf_server_state(s) == GF_SERVER_SERVING && i < s->listener_count; i++)
            if (is_movable(&s->listeners[i]) && !append(addresses, &s->listeners[i]))
                return -ENOMEM;
    return addresses ? 0 : -ENOMEM;
}

/* ---- as it was told ---- */

int gf_offer_read(const struct cJSON *message, struct gf_offer *ret_offer)
{
    const struct cJSON *list = cJSON_GetObjectItemCaseSensitive(message, "http"), *item;
    struct gf_offer offer = {.addresses = calloc((size_t)cJSON_GetArraySize(list) + 1, sizeof(*offer.addresses))};
    char error[GF_ADDRESS_TEXT_MAX + 128];

    if (!offer.addresses)
        return -ENOMEM;
    cJSON_ArrayForEach(item, list)
    {
        const char *text = cJSON_GetStringValue(item);

        if (text && !gf_address_parse(text, strlen(text), &offer.addresses[offer.count], error, sizeof(error)))
            offer.count++;
    }
    *ret_offer = offer;
    return 0;
}

void gf_offer_finish(struct gf_offer *offer)
{
    free(offer->addresses);
    *offer = (struct gf_offer){.count = 0};
}

bool gf_offer_includes(const struct gf_offer *offer, const struct sockaddr_storage *local)
{
    for (size_t i = 0; i < offer->count; i++)
        if (gf_address_port(&offer->addresses[i].socket_address) == gf_address_port(local) &&
            gf_address_fit(&offer->addresses[i], local))
            return true;
    return false;
}

/* ---- as it is kept ---- */

static enum gf_address_fit fit_of(const struct gf_listener *listener, const struct sockaddr_storage *local)
{
    if (!is_movable(listener) || listener->port != gf_address_port(local))
        return GF_ADDRESS_ELSEWHERE;
    return gf_address_fit(&listener->address, local);
}

static bool is_up(const ghttp_server *s)
{
    /* one that drains passes it on to the process after us, or answers a last request */
    return gf_server_state(s) == GF_SERVER_SERVING || gf_server_state(s) == GF_SERVER_DRAINING;
}

ghttp_server *gf_offer_find_server(const struct sockaddr_storage *local, const char *name)
{
    enum gf_address_fit best = GF_ADDRESS_ELSEWHERE;
    ghttp_server *found = NULL;

    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s)) {
        for (size_t i = 0; is_up(s) && i < s->listener_count; i++) {
            enum gf_address_fit fit = fit_of(&s->listeners[i], local);

            if (fit > best || (found && fit == best && name && !strcmp(s->name, name))) {
                best = fit;
                found = s;
            }
        }
    }
    return found;
}
