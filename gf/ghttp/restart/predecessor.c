#include "predecessor.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gf/glog/glog.h>
#include <gf/gproc/gproc.h>

#include "../../gproc/signals.h"
#include "../../gproc/start.h"
#include "../engine/tls.h"
#include "ancestors.h"
#include "channel.h"
#include "dropped.h"
#include "error_loan.h"
#include "fault.h"
#include "handover.h"
#include "history.h"
#include "keeper_link.h"
#include "listeners_json.h"
#include "socket_activation.h"
#include "state.h"

/* Messages taken in at a time; the state machine has other things to wait for too. */
#define MESSAGES_AT_ONCE 64

/* A server's key for TLS session tickets, in a sealed file of memory. */
struct ticket {
    struct ticket *next;
    char server[72];
    int fd;
};

static struct {
    pthread_mutex_t lock;
    bool met;
    struct gf_handed handed; /* a listener that was taken has fd -1 */
    struct gf_greeting greeting;
    struct ticket *tickets;
    bool spoken;   /* ready or failed was said */
    bool is_ready; /* ready was */
} predecessor = {.lock = PTHREAD_MUTEX_INITIALIZER, .handed = GF_HANDED_NONE, .greeting = {.generation = 1}};

/* ---- meeting ---- */

static void protect(int fd)
{
    if (fd >= 0)
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static double number_of(const struct cJSON *message, const char *key, double fallback)
{
    const struct cJSON *item = cJSON_GetObjectItemCaseSensitive(message, key);

    return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 9e15 ? item->valuedouble : fallback;
}

static void keep_ticket(const struct cJSON *message, int fd)
{
    const char *server = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "server"));
    struct ticket *ticket = server ? calloc(1, sizeof(*ticket)) : NULL;

    if (!ticket || strlen(server) >= sizeof(ticket->server)) {
        free(ticket);
        close(fd);
        return;
    }
    snprintf(ticket->server, sizeof(ticket->server), "%s", server);
    ticket->fd = fd;
    ticket->next = predecessor.tickets;
    predecessor.tickets = ticket;
}

static void read_hello(const struct cJSON *message)
{
    const char *forced = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "forced"));

    predecessor.greeting.generation = (unsigned)number_of(message, "generation", 2);
    predecessor.greeting.restart_began_ms = (int64_t)number_of(message, "began", 0);
    snprintf(predecessor.greeting.forced, GF_FORCED_MAX, "%s", forced ? forced : "");
    gf_history_read(message);
    gf_socket_activation_hear(message);
    gf_history_follow((pid_t)number_of(message, "pid", 0), (unsigned)number_of(message, "behind", 0));
}

/* Whether a message with a descriptor has taken it. */
static bool keep_descriptor(const struct cJSON *message, int fd)
{
    if (gf_channel_is(message, "ticket"))
        keep_ticket(message, fd);
    else if (gf_channel_is(message, "state"))
        gf_state_keep(message, fd);
    else if (gf_channel_is(message, "ancestor"))
        gf_ancestors_keep(message, fd);
    else
        return false;
    return true;
}

/* What it sent before it started us: its greeting, the processes before it, the ticket keys, the servers' state. */
static void read_greeting(void)
{
    struct cJSON *message;
    int fds[1];
    size_t count = 1;
    unsigned behind = 0;
    pid_t parent = 0;

    for (; !gf_channel_receive(predecessor.handed.control, &message, fds, &count); count = 1) {
        if (count && !keep_descriptor(message, fds[0]))
            close(fds[0]);
        if (gf_channel_is(message, "hello")) {
            read_hello(message);
            parent = (pid_t)number_of(message, "pid", 0);
            behind = (unsigned)number_of(message, "behind", 0);
        }
        cJSON_Delete(message);
    }
    gf_ancestors_meet(predecessor.handed.control, parent, behind);
}

static bool is_channel(int fd)
{
    int type = 0, domain = 0;
    socklen_t size = sizeof(int);

    return !getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) && type == SOCK_SEQPACKET &&
           !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) && domain == AF_UNIX;
}

static struct cJSON *make_word(const char *type, const char *reason)
{
    struct cJSON *message = cJSON_CreateObject();

    if (cJSON_AddStringToObject(message, "type", type) && cJSON_AddNumberToObject(message, "pid", getpid()) &&
        cJSON_AddNumberToObject(message, "version", GF_CHANNEL_VERSION) &&
        (!reason || cJSON_AddStringToObject(message, "reason", reason)))
        return message;
    cJSON_Delete(message);
    return NULL;
}

/* With the lock held. */
static int send_word(struct cJSON *message)
{
    int result = message ? gf_channel_send(predecessor.handed.control, message, NULL, 0) : -ENOMEM;

    cJSON_Delete(message);
    return result;
}

/* A process that speaks another version still understands that we have failed, and why. */
static void refuse_version(const char *error)
{
    protect(predecessor.handed.control);
    if (is_channel(predecessor.handed.control))
        send_word(make_word("failed", error));
    predecessor.handed.control = -1;
}

static void meet(void)
{
    const char *text = gf_start_get()->reload;
    int state_fd = gf_start_get()->state_fd;
    char error[320];
    int result;

    if (state_fd >= 0 && is_channel(state_fd)) /* else the number is somebody else's */
        gf_state_unpack(state_fd);
    if (!text)
        return;
    result = gf_listeners_json_parse(text, &predecessor.handed, error, sizeof(error));
    if (result < 0) {
        glog_warning("%s; going on without what the process before this one may have handed over", error);
        if (result == -EPROTO)
            refuse_version(error);
        return;
    }
    for (size_t i = 0; i < predecessor.handed.count; i++)
        protect(predecessor.handed.listeners[i].fd);
    protect(predecessor.handed.standard_error);
    protect(predecessor.handed.control);
    gf_keeper_link_adopt(predecessor.handed.keeper);
    if (predecessor.handed.control < 0)
        return; /* this very process, which has executed anew */
    if (!is_channel(predecessor.handed.control)) {
        glog_warning("GF_SERVER_RELOAD: descriptor %d is no channel to the process before this one",
                     predecessor.handed.control);
        predecessor.handed.control = -1;
        return;
    }
    gf_error_loan_begin(predecessor.handed.standard_error);
    gf_fault_point(0 /* our generation is not known yet */, "before-greeting", predecessor.handed.control);
    read_greeting();
}

void gf_predecessor_meet(struct gf_greeting *ret_greeting)
{
    pthread_mutex_lock(&predecessor.lock);
    if (!predecessor.met)
        meet();
    predecessor.met = true;
    *ret_greeting = predecessor.greeting;
    pthread_mutex_unlock(&predecessor.lock);
}

/* ---- listeners ---- */

static bool is_bound_to(int fd, const struct gf_address *address)
{
    struct sockaddr_storage bound = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof(bound);

    return !getsockname(fd, (struct sockaddr *)&bound, &size) && gf_address_matches(address, &bound);
}

/* The same server's listener of the same name first; a port may also have moved to another server, or to TLS. */
static struct gf_handed_listener *find(const char *server, const struct gf_address *address, bool tls)
{
    bool chosen_by_system = address->socket_address.ss_family != AF_UNIX && !gf_address_port(&address->socket_address);

    for (size_t i = 0; i < predecessor.handed.count; i++) {
        struct gf_handed_listener *listener = &predecessor.handed.listeners[i];

        if (listener->fd >= 0 && listener->tls == tls && !strcmp(listener->server, server) &&
            !strcmp(listener->address, address->text))
            return listener;
    }
    for (size_t i = 0; i < predecessor.handed.count && !chosen_by_system; i++)
        if (predecessor.handed.listeners[i].fd >= 0 && is_bound_to(predecessor.handed.listeners[i].fd, address))
            return &predecessor.handed.listeners[i];
    return NULL;
}

static int take_listener(const char *server, const struct gf_address *address, bool tls)
{
    struct gf_handed_listener *listener;
    int fd = -1;

    pthread_mutex_lock(&predecessor.lock);
    listener = find(server, address, tls);
    if (listener) {
        fd = listener->fd;
        listener->fd = -1;
        if (tls)
            snprintf(listener->taker, sizeof(listener->taker), "%s", server);
    }
    pthread_mutex_unlock(&predecessor.lock);
    return fd >= 0 ? fd : gf_socket_activation_take(server, address, tls);
}

/* It was named by the environment alone: what it is, nobody knows, so it is not ours to close either, unless a socket.
 */
static void refuse_listener(int fd, const char *reason)
{
    struct stat status;

    glog_warning("GF_SERVER_RELOAD: %s; opening a listener of our own", reason);
    if (!fstat(fd, &status) && S_ISSOCK(status.st_mode))
        close(fd);
}

/* The server of before whose clients come to this one: its own as long as it has one of its addresses; else that whose
 * address it has, under another name. */
static const char *find_forerunner(const char *server)
{
    const char *found = NULL;

    for (size_t i = 0; i < predecessor.handed.count; i++) {
        const struct gf_handed_listener *listener = &predecessor.handed.listeners[i];

        if (!listener->tls || strcmp(listener->taker, server) != 0)
            continue;
        if (!strcmp(listener->server, server))
            return server;
        if (!found)
            found = listener->server;
    }
    return found ? found : server;
}

static bool take_ticket_key(const char *server, unsigned char *ret_key)
{
    const char *forerunner;
    bool found = false;

    pthread_mutex_lock(&predecessor.lock);
    forerunner = find_forerunner(server);
    for (const struct ticket *ticket = predecessor.tickets; ticket && !found; ticket = ticket->next)
        found = !strcmp(ticket->server, forerunner) &&
                pread(ticket->fd, ret_key, GF_TICKET_KEY_SIZE, 0) == GF_TICKET_KEY_SIZE;
    pthread_mutex_unlock(&predecessor.lock);
    return found;
}

const struct gf_inheritance gf_predecessor_inheritance = {.take_listener = take_listener,
                                                          .refuse_listener = refuse_listener,
                                                          .is_served = gf_predecessor_waits,
                                                          .take_ticket_key = take_ticket_key};

/* Those that a server wanted, it has: no copy is left in memory that nobody guards. */
static void close_tickets(void)
{
    static const unsigned char nothing[GF_TICKET_KEY_SIZE];

    while (predecessor.tickets) {
        struct ticket *ticket = predecessor.tickets;

        predecessor.tickets = ticket->next;
        if (pwrite(ticket->fd, nothing, sizeof(nothing), 0) != sizeof(nothing))
            glog_debug("the copy of a key of TLS session tickets cannot be wiped: %s", strerror(errno));
        close(ticket->fd);
        free(ticket);
    }
}

void gf_predecessor_close_dropped(void)
{
    pthread_mutex_lock(&predecessor.lock);
    for (size_t i = 0; i < predecessor.handed.count; i++)
        gf_dropped_add(&predecessor.handed.listeners[i]);
    gf_handed_finish(&predecessor.handed);
    pthread_mutex_unlock(&predecessor.lock);
    gf_dropped_settle(); /* nobody is there to come back */
}

/* ---- the word ---- */

bool gf_predecessor_waits(void)
{
    bool waits;

    pthread_mutex_lock(&predecessor.lock);
    waits = predecessor.handed.control >= 0 && !predecessor.spoken;
    pthread_mutex_unlock(&predecessor.lock);
    return waits;
}

int gf_predecessor_say_ready(void)
{
    struct cJSON *ready = make_word("ready", NULL);
    int result;

    if (ready && gf_handover_offer(ready) < 0) {
        cJSON_Delete(ready);
        ready = NULL;
    }
    gf_fault_point(predecessor.greeting.generation, "before-ready", predecessor.handed.control);
    pthread_mutex_lock(&predecessor.lock);
    for (size_t i = 0; i < predecessor.handed.count; i++)
        gf_dropped_add(&predecessor.handed.listeners[i]);
    gf_handed_finish(&predecessor.handed);
    close_tickets();
    gf_error_loan_ready();
    gf_signals_end_start();
    result = send_word(ready);
    predecessor.spoken = predecessor.is_ready = !result || result == -EPIPE;
    pthread_mutex_unlock(&predecessor.lock);
    gf_fault_point(predecessor.greeting.generation, "after-ready", predecessor.handed.control);
    return result;
}

void gf_predecessor_say_failed(const char *reason)
{
    pthread_mutex_lock(&predecessor.lock);
    if (predecessor.handed.control >= 0 && !predecessor.spoken)
        send_word(make_word("failed", reason));
    predecessor.spoken = true;
    pthread_mutex_unlock(&predecessor.lock);
}

void gf_predecessor_say(const char *word)
{
    pthread_mutex_lock(&predecessor.lock);
    if (predecessor.handed.control >= 0)
        send_word(make_word(word, NULL));
    pthread_mutex_unlock(&predecessor.lock);
    if (predecessor.is_ready && !strcmp(word, "shutdown")) { /* it will not come back for us then */
        gf_error_loan_end();
        gf_dropped_settle();
    }
}

int gf_predecessor_send(const struct cJSON *message, int fd)
{
    int result = -EPIPE;

    pthread_mutex_lock(&predecessor.lock);
    if (predecessor.handed.control >= 0)
        result = gf_channel_send(predecessor.handed.control, message, &fd, 1);
    pthread_mutex_unlock(&predecessor.lock);
    return result;
}

/* ---- what it sends afterwards ---- */

int gf_predecessor_fd(void)
{
    int fd;

    pthread_mutex_lock(&predecessor.lock);
    fd = predecessor.spoken ? predecessor.handed.control : -1;
    pthread_mutex_unlock(&predecessor.lock);
    return fd;
}

/* It has ended, or is another process than the one that has started us: the kernel gives orphans another parent. */
static bool has_parent_gone(void)
{
    return getppid() != gproc_ppid();
}

static void part(void)
{
    pthread_mutex_lock(&predecessor.lock);
    close(predecessor.handed.control);
    predecessor.handed.control = -1;
    pthread_mutex_unlock(&predecessor.lock);
    gf_history_part();
    gf_error_loan_end();
    if (has_parent_gone()) /* else the channel is broken, and it may come back */
        gf_dropped_settle();
}

/* Once it only drains, there is no way back for it. */
static void hear_drain(const struct cJSON *message)
{
    const char *state = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "state"));

    gf_history_hear(message);
    if (!state || strcmp(state, gf_graceful_state_name(GF_GRACEFUL_DRAINING)) != 0)
        return;
    gf_error_loan_end();
    gf_dropped_settle();
}

/* fd is -1 when we have no descriptor left for it. */
static void take_connection(const struct cJSON *message, int fd)
{
    int result = fd < 0 ? -EMFILE : gf_handover_accept(message, fd);

    if (!result || result == -EINVAL) /* the client has gone meanwhile: that says nothing of the others */
        return;
    pthread_mutex_lock(&predecessor.lock);
    if (predecessor.handed.control >= 0)
        send_word(gf_handover_refusal(message));
    pthread_mutex_unlock(&predecessor.lock);
}

/* With the number that the question may have: by it the asker knows which of its connections we have by now. */
static void answer_ping(const struct cJSON *message)
{
    double number = number_of(message, "number", 0);
    struct cJSON *pong = make_word("pong", NULL);

    if (number > 0 && !cJSON_AddNumberToObject(pong, "number", number)) {
        cJSON_Delete(pong);
        pong = NULL;
    }
    pthread_mutex_lock(&predecessor.lock);
    if (predecessor.handed.control >= 0)
        send_word(pong);
    else
        cJSON_Delete(pong);
    pthread_mutex_unlock(&predecessor.lock);
}

void gf_predecessor_hear(void)
{
    int control = gf_predecessor_fd();

    for (int i = 0; i < MESSAGES_AT_ONCE && control >= 0; i++) {
        struct cJSON *message;
        int fds[1];
        size_t count = 1;
        int result = gf_channel_receive(control, &message, fds, &count);

        if (result == -EAGAIN)
            return;
        if (result == -EPIPE) {
            part();
            return;
        }
        gf_error_loan_heard();
        if (result < 0)
            continue;
        if (gf_channel_is(message, "connection")) {
            gf_fault_point(predecessor.greeting.generation, "on-connection", control);
            take_connection(message, count ? fds[0] : -1);
        } else if (count) {
            close(fds[0]);
        } else if (gf_channel_is(message, "ping")) {
            answer_ping(message);
        } else if (gf_channel_is(message, "drain")) {
            hear_drain(message);
        }
        cJSON_Delete(message);
    }
}
