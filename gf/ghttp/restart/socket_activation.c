#include "socket_activation.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "../../gproc/arguments.h"
#include "../../gproc/start.h"
#include "../server/registry.h"
#include "../server/server.h"
#include "notify.h"

/* By this we know our own among the names that the manager gives back. */
#define KEPT_PREFIX "gf,"
/* The manager's own limit. */
#define NAME_MAX_SIZE 256
/* Listeners of the manager's that are remembered; a unit has one or two. */
#define FOREIGN_MAX 64

static struct {
    pthread_mutex_t lock;
    bool taken[GF_ACTIVATION_FDS_MAX];
    size_t foreign_count;
    char foreign[FOREIGN_MAX][GF_ADDRESS_TEXT_MAX]; /* as configured */
} activation = {.lock = PTHREAD_MUTEX_INITIALIZER};

static int socket_count(void)
{
    return gf_start_get()->activation.listen_count;
}

/* ---- names ---- */

/* The name of a descriptor at the manager's: printable ASCII without ':', which separates names. */
static void make_name(const char *server, const char *address, bool tls, char name[NAME_MAX_SIZE])
{
    snprintf(name, NAME_MAX_SIZE, KEPT_PREFIX "%s,%s,%s", server, tls ? "https" : "http", address);
    for (char *at = name; *at; at++)
        if (*at == ':')
            *at = ';';
        else if (*at <= ' ' || *at > '~')
            *at = '_';
}

/* The name of descriptor number index; false: it has none. */
static bool name_of(int index, char name[NAME_MAX_SIZE])
{
    const char *at = gf_start_get()->activation.listen_names;
    size_t length;

    for (; at && index; index--) {
        at = strchr(at, ':');
        at = at ? at + 1 : NULL;
    }
    length = at ? strcspn(at, ":") : 0;
    if (!at || length >= NAME_MAX_SIZE)
        return false;
    memcpy(name, at, length);
    name[length] = 0;
    return true;
}

static bool is_kept(int index, char name[NAME_MAX_SIZE])
{
    return name_of(index, name) && !strncmp(name, KEPT_PREFIX, strlen(KEPT_PREFIX));
}

/* ---- taking ---- */

static bool has_option(int fd, int option, int wanted)
{
    int value = 0;
    socklen_t size = sizeof(value);

    return !getsockopt(fd, SOL_SOCKET, option, &value, &size) && value == wanted;
}

static bool is_listening_for(int fd, const struct gf_address *address)
{
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(bound);

    return has_option(fd, SO_TYPE, SOCK_STREAM) && has_option(fd, SO_ACCEPTCONN, 1) &&
           !getsockname(fd, (struct sockaddr *)&bound, &size) && gf_address_matches(address, &bound);
}

static void remember_foreign(const char *address)
{
    if (activation.foreign_count == FOREIGN_MAX || strlen(address) >= sizeof(activation.foreign[0]))
        return;
    snprintf(activation.foreign[activation.foreign_count++], sizeof(activation.foreign[0]), "%s", address);
}

/* ":0" asks for any port: only one that was kept under this very name is its own. */
static int find(const char *server, const struct gf_address *address, bool tls)
{
    bool chosen_by_system = address->socket_address.ss_family != AF_UNIX && !gf_address_port(&address->socket_address);
    char wanted[NAME_MAX_SIZE], name[NAME_MAX_SIZE];
    int found = -1;

    make_name(server, address->text, tls, wanted);
    for (int i = 0; i < socket_count(); i++) {
        bool named = name_of(i, name) && !strcmp(name, wanted);

        if (activation.taken[i] || (chosen_by_system && !named) ||
            !is_listening_for(GF_ACTIVATION_FIRST_FD + i, address))
            continue;
        if (named)
            return i;
        if (found < 0)
            found = i;
    }
    return found;
}

int gf_socket_activation_take(const char *server, const struct gf_address *address, bool tls)
{
    char name[NAME_MAX_SIZE];
    int index;

    pthread_mutex_lock(&activation.lock);
    index = find(server, address, tls);
    if (index >= 0) {
        activation.taken[index] = true;
        if (!is_kept(index, name))
            remember_foreign(address->text);
    }
    pthread_mutex_unlock(&activation.lock);
    return index < 0 ? -1 : GF_ACTIVATION_FIRST_FD + index;
}

bool gf_socket_activation_is_of(int fd)
{
    int index = fd - GF_ACTIVATION_FIRST_FD;
    bool taken;

    pthread_mutex_lock(&activation.lock);
    taken = index >= 0 && index < socket_count() && activation.taken[index];
    pthread_mutex_unlock(&activation.lock);
    return taken;
}

void gf_socket_activation_settle(void)
{
    char name[NAME_MAX_SIZE];

    pthread_mutex_lock(&activation.lock);
    for (int i = 0; i < socket_count(); i++) {
        int fd = GF_ACTIVATION_FIRST_FD + i;

        if (activation.taken[i] || !has_option(fd, SO_ACCEPTCONN, 1))
            continue;
        if (is_kept(i, name)) {
            gf_notify_send("FDSTOREREMOVE=1\nFDNAME=%s", name);
            close(fd);
            activation.taken[i] = true; /* the number may be anybody's now */
        } else {
            glog_warning("LISTEN_FDS: no server listens on descriptor %d (%s)", fd,
                         name_of(i, name) && name[0] ? name : "without a name");
        }
    }
    pthread_mutex_unlock(&activation.lock);
}

/* ---- giving to keep ---- */

/* It is the manager's own: it was not only kept by it. */
bool gf_socket_activation_owns(const char *address)
{
    bool found = false;

    pthread_mutex_lock(&activation.lock);
    for (size_t i = 0; i < activation.foreign_count && !found; i++)
        found = !strcmp(address, activation.foreign[i]);
    pthread_mutex_unlock(&activation.lock);
    return found;
}

static void store_listener(const ghttp_server *s, const struct gf_listener *listener)
{
    char name[NAME_MAX_SIZE];
    int result;

    if (gf_socket_activation_owns(listener->address.text))
        return;
    make_name(s->name, listener->address.text, listener->tls, name);
    result = gf_notify_send_fd(listener->fd, "FDSTORE=1\nFDPOLL=0\nFDNAME=%s", name);
    if (result < 0)
        glog_warning("server \"%s\": systemd cannot be given the listener for \"%s\": %s", s->name,
                     listener->address.text, strerror(-result));
}

void gf_socket_activation_store(void)
{
    for (const ghttp_server *s = gf_registry_first(); s && gf_notify_is_wanted(); s = gf_registry_next(s))
        for (size_t i = 0;
             s->settings.systemd_fd_store && gf_server_state(s) == GF_SERVER_SERVING && i < s->listener_count; i++)
            store_listener(s, &s->listeners[i]);
}

void gf_socket_activation_forget(const char *server, const char *address, bool tls)
{
    char name[NAME_MAX_SIZE];

    make_name(server, address, tls, name);
    gf_notify_send("FDSTOREREMOVE=1\nFDNAME=%s", name);
}

/* ---- the manager's own, over restarts ---- */

void gf_socket_activation_tell(struct cJSON *greeting)
{
    struct cJSON *array;

    pthread_mutex_lock(&activation.lock);
    array = activation.foreign_count ? cJSON_AddArrayToObject(greeting, "foreign") : NULL;
    for (size_t i = 0; array && i < activation.foreign_count; i++)
        cJSON_AddItemToArray(array, cJSON_CreateString(activation.foreign[i]));
    pthread_mutex_unlock(&activation.lock);
}

void gf_socket_activation_hear(const struct cJSON *greeting)
{
    const struct cJSON *item;

    pthread_mutex_lock(&activation.lock);
    cJSON_ArrayForEach(item, cJSON_GetObjectItemCaseSensitive(greeting, "foreign"))
    {
        if (cJSON_IsString(item))
            remember_foreign(item->valuestring);
    }
    pthread_mutex_unlock(&activation.lock);
}

void gf_socket_activation_disown(ghttp_server *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        s->listeners[i].handed_over |= gf_socket_activation_owns(s->listeners[i].address.text);
}

/* ---- executing anew ---- */

static void set_passing(bool passes)
{
    for (int i = 0; i < socket_count(); i++)
        if (has_option(GF_ACTIVATION_FIRST_FD + i, SO_ACCEPTCONN, 1)) /* else the number is somebody else's by now */
            fcntl(GF_ACTIVATION_FIRST_FD + i, F_SETFD, passes ? 0 : FD_CLOEXEC);
}

char **gf_socket_activation_pass(void)
{
    char **before = gf_start_get()->envp, **all, **copy = NULL;
    const char *given = gf_start_get()->activation.listen_names;
    char pid[32], fds[32], *names = NULL;
    size_t count = 0;

    if (!socket_count() || asprintf(&names, "LISTEN_FDNAMES=%s", given ? given : "") < 0)
        return NULL;
    while (before && before[count])
        count++;
    all = calloc(count + 4, sizeof(*all));
    if (all) {
        snprintf(pid, sizeof(pid), "LISTEN_PID=%d", (int)getpid());
        snprintf(fds, sizeof(fds), "LISTEN_FDS=%d", socket_count());
        for (size_t i = 0; i < count; i++)
            all[i] = before[i];
        all[count] = pid;
        all[count + 1] = fds;
        all[count + 2] = given ? names : NULL;
        copy = gf_arguments_copy(all);
    }
    free(all);
    free(names);
    if (copy)
        set_passing(true);
    return copy;
}

void gf_socket_activation_retract(void)
{
    set_passing(false);
}
