/*
 * Three kinds of visitors are to be told apart: somebody on this machine, somebody who knows the token, and a web page
 * that makes the browser of somebody on this machine send its requests (from another site, or from a name that it has
 * pointed at 127.0.0.1). What a request says about itself only ever closes the door: nothing opens it but the kernel's
 * word on the peer, or the token.
 */
#include "admin_access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "../message/ascii.h"
#include "../message/request.h"
#include "../route/router.h"
#include "../server/server.h"
#include "admin_login.h"

/* The longest origin that a browser can send: a scheme, a name of DNS, a port. */
#define ORIGIN_SIZE_MAX ((size_t)300)

/* ---- other web sites -------------------------------------------------------------------------- */

/* "host:port" without the port that goes without saying; 0: too long. */
static size_t bare_authority(const char *authority, bool secure)
{
    const char *port = secure ? ":443" : ":80";
    size_t size = strnlen(authority, ORIGIN_SIZE_MAX + 1), port_size = strlen(port);

    if (size > ORIGIN_SIZE_MAX)
        return 0;
    return size > port_size && !strcmp(authority + size - port_size, port) ? size - port_size : size;
}

/* Whether an Origin is that of the pages of this very server: "http://127.0.0.1:8199". "null" is not. */
static bool is_own_origin(const char *origin, const char *host, bool secure)
{
    const char *scheme_end = strstr(origin, "://");
    size_t origin_size, host_size;

    if (!scheme_end || !host)
        return false;
    origin_size = bare_authority(scheme_end + 3, gf_ascii_equal_n(origin, (size_t)(scheme_end - origin), "https"));
    host_size = bare_authority(host, secure);
    if (!origin_size || origin_size != host_size)
        return false;
    for (size_t i = 0; i < host_size; i++)
        if (gf_ascii_lower(scheme_end[3 + i]) != gf_ascii_lower(host[i]))
            return false;
    return true;
}

static const char *find_other_site(const ghttp_request *r)
{
    const char *site = ghttp_request_header(r, "Sec-Fetch-Site");
    const char *origin = ghttp_request_header(r, "Origin");

    if (site && !gf_ascii_equal(site, "same-origin") && !gf_ascii_equal(site, "none"))
        return "the browser says that another web site caused this request (Sec-Fetch-Site); "
               "type the address of the admin page into the address bar";
    if (origin && !is_own_origin(origin, ghttp_request_header(r, "Host"), ghttp_request_is_https(r)))
        return "a page of another web site sent this request (Origin); "
               "type the address of the admin page into the address bar";
    return NULL;
}

bool gf_admin_is_prefetch(const ghttp_request *r)
{
    const char *purpose = ghttp_request_header(r, "Sec-Purpose");

    if (!purpose)
        purpose = ghttp_request_header(r, "Purpose");
    return purpose && strcasestr(purpose, "prefetch");
}

/* ---- this machine ----------------------------------------------------------------------------- */

static bool is_loopback_v4(const void *address)
{
    return *(const unsigned char *)address == 127;
}

static bool is_local_peer(const struct sockaddr_storage *peer)
{
    const struct in6_addr *six = &((const struct sockaddr_in6 *)peer)->sin6_addr;

    if (peer->ss_family == AF_INET)
        return is_loopback_v4(&((const struct sockaddr_in *)peer)->sin_addr);
    if (peer->ss_family == AF_INET6)
        return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && is_loopback_v4(&six->s6_addr[12]));
    return peer->ss_family == AF_UNIX;
}

static bool came_through_proxy(const ghttp_request *r)
{
    static const char *const names[] = {"Forwarded", "Via", "X-Real-IP", "X-Client-IP"};
    static const char prefix[] = "X-Forwarded-";

    for (size_t i = 0; i < r->headers.count; i++)
        if (gf_ascii_equal_n(r->headers.items[i].name, strnlen(r->headers.items[i].name, sizeof(prefix) - 1), prefix))
            return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (ghttp_request_header(r, names[i]))
            return true;
    return false;
}

static bool is_ip_literal(const char *host)
{
    char address[INET6_ADDRSTRLEN];
    unsigned char bytes[sizeof(struct in6_addr)];
    size_t size = strlen(host);

    if (inet_pton(AF_INET, host, bytes) == 1)
        return true;
    if (size < 4 || size - 2 >= sizeof(address) || host[0] != '[' || host[size - 1] != ']')
        return false;
    memcpy(address, host + 1, size - 2);
    address[size - 2] = '\0';
    return inet_pton(AF_INET6, address, bytes) == 1;
}

/*
 * Whether nobody but this machine, or the program, can have given the server this name: a name of somebody else's may
 * have been pointed at 127.0.0.1, to let that site's pages talk to us as their own. Browsers always send one.
 */
static bool is_own_name(const ghttp_request *r)
{
    static const char local[] = ".localhost";
    const char *host = r->host;
    size_t size = strlen(host);

    if (!size || is_ip_literal(host) || !strcmp(host, "localhost"))
        return true;
    if (size > sizeof(local) - 1 && !strcmp(host + size - (sizeof(local) - 1), local))
        return true;
    return r->route && strcmp(r->route->domain, "default") && gf_ascii_equal(host, r->route->domain);
}

static const char *find_stranger(const ghttp_request *r)
{
    if (!is_local_peer(&r->peer))
        return "the admin page is open to this machine only; ask from there, or set adminToken and send it as "
               "Authorization: Bearer";
    if (came_through_proxy(r))
        return "this request came through a proxy, so that nobody knows whose it is; ask without the proxy, or set "
               "adminToken and send it as Authorization: Bearer";
    if (r->peer.ss_family != AF_UNIX && !is_own_name(r))
        return "the Host of this request is a name that anybody may have pointed here; ask for localhost or for an "
               "IP address, or set adminToken and send it as Authorization: Bearer";
    return NULL;
}

int gf_admin_check_site(const ghttp_request *r, struct gf_admin_entry *entry)
{
    entry->why = find_other_site(r);
    return entry->why ? 403 : 0;
}

static int check_token(ghttp_request *r, const char *token, struct gf_admin_entry *entry)
{
    switch (gf_admin_login_look(r, token, &entry->retry_after)) {
    case GF_ADMIN_PROOF_HEADER:
        return 0;
    case GF_ADMIN_PROOF_COOKIE:
        entry->by_cookie = true;
        return 0;
    case GF_ADMIN_PROOF_TOO_MANY:
        entry->why = GF_ADMIN_TOO_MANY;
        return 429;
    default:
        entry->why =
            "the admin page of this server asks for its token; send Authorization: Bearer <adminToken>, or open "
            "the page in a browser";
        return 401;
    }
}

int gf_admin_check_access(ghttp_request *r, struct gf_admin_entry *entry)
{
    const char *token = r->server->settings.admin_token;
    int status;

    *entry = (struct gf_admin_entry){.why = NULL};
    status = gf_admin_check_site(r, entry);
    if (status)
        return status;
    if (*token)
        return check_token(r, token, entry);
    entry->why = find_stranger(r);
    return entry->why ? 403 : 0;
}

/* ---- executables ------------------------------------------------------------------------------ */

static bool lies_in(const char *path, const char *folder)
{
    size_t size = strlen(folder);

    while (size > 0 && folder[size - 1] == '/') /* "/" alone holds everything */
        size--;
    return !strncmp(path, folder, size) && path[size] == '/';
}

int gf_admin_check_executable(const char *folders, const char *path, char executable[PATH_MAX])
{
    char folder[PATH_MAX], resolved[PATH_MAX];
    size_t size = strlen(path);

    if (!*folders) {
        if (size >= PATH_MAX)
            return -ENAMETOOLONG;
        memcpy(executable, path, size + 1);
        return 0;
    }
    if (!realpath(path, executable))
        return -errno;
    for (; *folders; folders += *folders == ':') {
        size = strcspn(folders, ":");
        if (size > 0 && size < sizeof(folder)) {
            memcpy(folder, folders, size);
            folder[size] = '\0';
            if (realpath(folder, resolved) && lies_in(executable, resolved))
                return 0;
        }
        folders += size;
    }
    return -EPERM;
}
