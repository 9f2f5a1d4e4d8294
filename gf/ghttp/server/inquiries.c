/*
 * What a program asks a server about itself: where it listens, how it is set.
 *
 * Thread: any, as the functions say.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server.h"

/* ---- ports ---- */

struct ports {
    bool https_only;
    int *ports;
    size_t room;
    size_t count;
};

static void add_port(const struct gf_listener *listener, void *arg)
{
    struct ports *found = arg;

    if (!listener->port || (found->https_only && !listener->tls))
        return;
    if (found->ports && found->count < found->room)
        found->ports[found->count] = listener->port;
    found->count++;
}

static int find_ports(ghttp_server *s, struct ports *found)
{
    if (gf_server_state(s) == GF_SERVER_SERVING)
        gf_server_each_listener(s, add_port, found);
    return (int)found->count;
}

int ghttp_server_listened_ports(ghttp_server *s, int *ports, size_t n)
{
    return find_ports(s, &(struct ports){.ports = ports, .room = n});
}

int ghttp_server_listened_https_ports(ghttp_server *s, int *ports, size_t n)
{
    return find_ports(s, &(struct ports){.https_only = true, .ports = ports, .room = n});
}

/* ---- addresses ---- */

struct address {
    char text[GF_ADDRESS_TEXT_MAX + 8]; /* a port may be longer than the 0 that stood for it */
    bool https;
};

struct addresses {
    struct address items[2 * GF_ADDRESS_LIST_MAX]; /* both lists full */
    size_t count;
};

static void add_address(const struct gf_listener *listener, void *arg)
{
    struct addresses *found = arg;
    struct address *address = &found->items[found->count];

    if (found->count == sizeof(found->items) / sizeof(*found->items))
        return;
    gf_listener_text(listener, address->text, sizeof(address->text));
    address->https = listener->tls;
    found->count++;
}

/* Copied first: the program's function may ask the server for something, which waits for the same lock. */
int ghttp_server_listened_addresses(ghttp_server *s, void (*fn)(const char *address, bool https, void *arg), void *arg)
{
    struct addresses *found = calloc(1, sizeof(*found));
    int count;

    if (!found)
        return -ENOMEM;
    if (gf_server_state(s) == GF_SERVER_SERVING)
        gf_server_each_listener(s, add_address, found);
    for (size_t i = 0; fn && i < found->count; i++)
        fn(found->items[i].text, found->items[i].https, arg);
    count = (int)found->count;
    free(found);
    return count;
}

/* ---- settings ---- */

int ghttp_server_setting(ghttp_server *s, const char *key, char *ret_text, size_t size)
{
    const struct gf_setting *row = key ? gf_settings_find(key) : NULL;

    return row ? gf_settings_format(&s->settings, row, ret_text, size) : -ENOENT;
}
