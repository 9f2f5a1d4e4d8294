/*
 * The set-up functions of the public interface: what a program says to a server before its start. Each leaves
 * its mistake as a sentence on the server, so that no program has to look at the results.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../message/proxies.h"
#include "server.h"

static int set(ghttp_server *s, const char *call, const char *key, const char *value)
{
    char error[GF_SERVER_ERROR_MAX];
    int result = gf_server_check_new(s, call);

    if (result < 0)
        return result;
    if (!key || !value)
        return gf_server_fail(s, -EINVAL, "%s: NULL is no %s", call, key ? "value" : "key");
    result = gf_settings_set(&s->settings, key, value, error, sizeof(error));
    return result < 0 ? gf_server_fail(s, result, "%s: %s", call, error) : 0;
}

/* Addresses are checked when they are set, so that the message names the call that is wrong. */
static int set_addresses(ghttp_server *s, const char *call, const char *key, const char *list)
{
    char error[GF_SERVER_ERROR_MAX];
    struct gf_address *addresses;
    size_t count;
    int result = gf_server_check_new(s, call);

    if (result < 0)
        return result;
    if (!list)
        return gf_server_fail(s, -EINVAL, "%s: NULL is no list of addresses", call);
    result = gf_address_parse_list(list, &addresses, &count, error, sizeof(error));
    if (result < 0)
        return gf_server_fail(s, result, "%s: %s", call, error);
    free(addresses);
    return set(s, call, key, list);
}

static int set_port_list(ghttp_server *s, const char *call, const char *key, const int *ports, size_t n)
{
    char list[GF_ADDRESS_LIST_MAX * 8] = "";
    size_t length = 0;

    if (!ports || !n || n > GF_ADDRESS_LIST_MAX)
        return gf_server_fail(s, -EINVAL, "%s: 1 to %d ports can be set", call, GF_ADDRESS_LIST_MAX);
    for (size_t i = 0; i < n; i++) {
        if (ports[i] < 0 || ports[i] > 65535)
            return gf_server_fail(s, -EINVAL, "%s: %d is no port; 0 to 65535 are", call, ports[i]);
        length += (size_t)snprintf(list + length, sizeof(list) - length, "%s:%d", i ? "," : "", ports[i]);
    }
    return set_addresses(s, call, key, list);
}

int ghttp_server_set_ports(ghttp_server *s, const int *ports, size_t n)
{
    return set_port_list(s, "ghttp_server_set_port()", "address", ports, n);
}

int ghttp_server_set_https_ports(ghttp_server *s, const int *ports, size_t n)
{
    return set_port_list(s, "ghttp_server_set_https_port()", "httpsAddr", ports, n);
}

int ghttp_server_set_address(ghttp_server *s, const char *list)
{
    return set_addresses(s, "ghttp_server_set_address()", "address", list);
}

int ghttp_server_set_https_address(ghttp_server *s, const char *list)
{
    return set_addresses(s, "ghttp_server_set_https_address()", "httpsAddr", list);
}

int ghttp_server_enable_https(ghttp_server *s, const char *cert_path, const char *key_path)
{
    static const char call[] = "ghttp_server_enable_https()";
    int result = set(s, call, "httpsCertPath", cert_path);

    if (result < 0)
        return result;
    if (!*cert_path || !key_path || !*key_path)
        return gf_server_fail(s, -EINVAL, "%s: it needs a certificate and a key", call);
    return set(s, call, "httpsKeyPath", key_path);
}

int ghttp_server_set_graceful(ghttp_server *s, bool on)
{
    return set(s, "ghttp_server_set_graceful()", "graceful", on ? "true" : "false");
}

int ghttp_server_set(ghttp_server *s, const char *key, const char *value)
{
    return set(s, "ghttp_server_set()", key, value);
}

int ghttp_server_set_config_file(ghttp_server *s, const char *path)
{
    static const char call[] = "ghttp_server_set_config_file()";
    int result = gf_server_check_new(s, call);
    char *copy;

    if (result < 0)
        return result;
    if (!path || !*path || strlen(path) >= PATH_MAX)
        return gf_server_fail(s, -EINVAL, "%s: it needs the path of a file", call);
    copy = strdup(path);
    if (!copy)
        return gf_server_fail(s, -ENOMEM, "%s: no memory", call);
    free(s->config_file);
    s->config_file = copy;
    return 0;
}

int ghttp_server_trust_proxies(ghttp_server *s, const char *list)
{
    static const char call[] = "ghttp_server_trust_proxies()";
    char error[GF_SERVER_ERROR_MAX];
    struct gf_proxies *proxies;
    int result = gf_server_check_new(s, call);

    if (result < 0)
        return result;
    result = gf_proxies_new(list, &proxies, error, sizeof(error));
    if (result < 0)
        return gf_server_fail(s, result, "%s: %s", call, error);
    gf_proxies_free(s->chain.proxies);
    s->chain.proxies = proxies;
    return 0;
}
