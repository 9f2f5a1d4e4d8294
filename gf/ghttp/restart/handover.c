#include "handover.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gf/glog/glog.h>

#include "../engine/engine.h"
#include "../engine/tcp_facts.h"
#include "../engine/tls.h"
#include "../server/registry.h"
#include "../server/server.h"
#include "channel.h"
#include "offer.h"

/* A connection that has moved, in case that its new owner dies. */
struct copy {
    struct copy *next;
    struct gf_service *service;
    uint64_t consumed;
    uint64_t number; /* of its message */
    int fd;
};

static struct {
    pthread_mutex_t lock;
    struct copy *copies;
    uint64_t number;       /* of the last message */
    uint64_t asked;        /* the last number before a question that is under way; 0: none is */
    bool trusted;          /* the process behind control: copies go as soon as it has what was sent */
    int control;           /* -1: nothing moves */
    struct gf_offer offer; /* of the process behind control */
} handover = {.lock = PTHREAD_MUTEX_INITIALIZER, .control = -1};

/* ---- ticket keys ---- */

/* The key in a file of memory of just this size, which the new process wipes when it has read it. A descriptor or a
 * negative errno. */
static int seal(const unsigned char key[GF_TICKET_KEY_SIZE])
{
    int fd = memfd_create("gf-ticket-key", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    ssize_t written;

    if (fd < 0)
        return -errno;
    written = pwrite(fd, key, GF_TICKET_KEY_SIZE, 0);
    if (written == GF_TICKET_KEY_SIZE && !fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
        return fd;
    close(fd);
    return -EIO;
}

static int send_ticket_key(int control, const ghttp_server *s)
{
    const unsigned char *key = s->service.tls ? gf_tls_ticket_key(s->service.tls) : NULL;
    struct cJSON *message;
    int fd, result = -ENOMEM;

    if (!key)
        return 0;
    fd = seal(key);
    if (fd < 0)
        return fd;
    message = cJSON_CreateObject();
    if (cJSON_AddStringToObject(message, "type", "ticket") && cJSON_AddStringToObject(message, "server", s->name))
        result = gf_channel_send(control, message, &fd, 1);
    cJSON_Delete(message);
    close(fd);
    return result;
}

int gf_handover_send_ticket_keys(int control)
{
    int result = 0;

    for (const ghttp_server *s = gf_registry_first(); s && !result; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_SERVING)
            result = send_ticket_key(control, s);
    return result;
}

/* ---- what the new process takes ---- */

int gf_handover_offer(struct cJSON *ready)
{
    return gf_offer_write(ready);
}

static bool get_local_address(int fd, struct sockaddr_storage *ret_local)
{
    socklen_t size = sizeof(*ret_local);

    ret_local->ss_family = AF_UNSPEC;
    return !getsockname(fd, (struct sockaddr *)ret_local, &size);
}

/* With the lock held. */
static bool is_offered(int fd)
{
    struct sockaddr_storage local;

    return get_local_address(fd, &local) && gf_offer_includes(&handover.offer, &local);
}

static bool takes(int fd)
{
    bool offered;

    pthread_mutex_lock(&handover.lock);
    offered = is_offered(fd);
    pthread_mutex_unlock(&handover.lock);
    return offered;
}

bool gf_handover_is_offered(const struct gf_listener *listener)
{
    return takes(listener->fd);
}

/* From now on connections go that way, and only those that it takes. */
static void direct(int control, const struct cJSON *message)
{
    struct gf_offer offer;

    if (gf_offer_read(message, &offer) < 0)
        offer = (struct gf_offer){.count = 0}; /* without memory nothing moves */
    pthread_mutex_lock(&handover.lock);
    gf_offer_finish(&handover.offer);
    handover.offer = offer;
    handover.control = control;
    handover.asked = 0;
    pthread_mutex_unlock(&handover.lock);
}

/* ---- moving ---- */

static int send_connection(const struct copy *copy)
{
    struct cJSON *message = cJSON_CreateObject();
    int result = -ENOMEM;

    if (cJSON_AddStringToObject(message, "type", "connection") &&
        cJSON_AddStringToObject(message, "server", copy->service->name) &&
        cJSON_AddNumberToObject(message, "number", (double)copy->number) &&
        cJSON_AddNumberToObject(message, "consumed", (double)copy->consumed))
        result = gf_channel_send(handover.control, message, &copy->fd, 1);
    cJSON_Delete(message);
    /* too many descriptors on their way: the other side has not read them yet */
    return result == -ETOOMANYREFS || result == -ENOBUFS ? -EAGAIN : result;
}

/* With the lock held: what is sent goes to whoever has offered to take it, and its copy is there when it comes back. */
static int send_and_keep(struct copy *copy)
{
    int result = handover.control < 0 ? -ECANCELED : is_offered(copy->fd) ? 0 : -EADDRNOTAVAIL;

    if (result < 0)
        return result;
    if (!handover.number)
        handover.number = (uint64_t)getpid() << 30; /* another process may come to speak over the same channel */
    copy->number = ++handover.number;
    result = send_connection(copy);
    if (result < 0)
        return result;
    copy->next = handover.copies;
    handover.copies = copy;
    return 0;
}

/* NULL: it is not there (any more). */
static struct copy *find_and_remove(uint64_t number)
{
    struct copy **link, *found;

    pthread_mutex_lock(&handover.lock);
    for (link = &handover.copies; *link && (*link)->number != number;)
        link = &(*link)->next;
    found = *link;
    if (found)
        *link = found->next;
    pthread_mutex_unlock(&handover.lock);
    return found;
}

/* The copy is made first: without one there is no way back, and the connection rather stays and ends here. */
static int move(const struct gf_service *service, int fd, uint64_t consumed)
{
    struct copy *copy = malloc(sizeof(*copy));
    int result;

    if (!copy)
        return -EMFILE; /* as good as: it stays, with notice */
    *copy = (struct copy){
        .service = (struct gf_service *)service, .consumed = consumed, .fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)};
    if (copy->fd < 0) {
        free(copy);
        return -EMFILE;
    }
    pthread_mutex_lock(&handover.lock);
    result = send_and_keep(copy);
    pthread_mutex_unlock(&handover.lock);
    if (result < 0) {
        close(copy->fd);
        free(copy);
    }
    return result;
}

static const struct gf_mover mover = {.takes = takes, .move = move};

void gf_handover_begin(int control, const struct cJSON *ready)
{
    direct(control, ready);
    pthread_mutex_lock(&handover.lock);
    handover.trusted = false;
    pthread_mutex_unlock(&handover.lock);
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (gf_server_state(s) == GF_SERVER_SERVING)
            gf_engine_set_mover(&s->service, &mover);
}

void gf_handover_follow(int control, const struct cJSON *offer)
{
    direct(control, offer);
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (atomic_load(&s->service.mover))
            gf_engine_set_mover(&s->service, &mover); /* once more: each connection is asked for anew */
}

bool gf_handover_goes_on(void)
{
    bool goes_on;

    pthread_mutex_lock(&handover.lock);
    goes_on = handover.control >= 0;
    pthread_mutex_unlock(&handover.lock);
    return goes_on;
}

void gf_handover_end(void)
{
    if (!gf_handover_goes_on())
        return; /* no server has a mover; one may be about to be started by the program, and is not ours to look at */
    for (ghttp_server *s = gf_registry_first(); s; s = gf_registry_next(s))
        if (atomic_load(&s->service.mover))
            gf_engine_set_mover(&s->service, NULL);
    pthread_mutex_lock(&handover.lock);
    handover.control = -1;
    pthread_mutex_unlock(&handover.lock);
}

static double number_of(const struct cJSON *message, const char *key)
{
    const struct cJSON *item = cJSON_GetObjectItemCaseSensitive(message, key);

    return cJSON_IsNumber(item) && item->valuedouble >= 0 && item->valuedouble < 9e15 ? item->valuedouble : -1;
}

/* It has not moved after all. Only once no loop moves any more: then it has been counted. */
static int take_back(struct copy *copy)
{
    atomic_fetch_sub(&copy->service->counters.moved, 1);
    return gf_engine_adopt(copy->service, copy->fd, copy->consumed);
}

/* The number is one that we gave: what is not in the list has come back before, or been taken back. */
void gf_handover_return(const struct cJSON *message)
{
    double number = number_of(message, "number");
    struct copy *copy = number > 0 ? find_and_remove((uint64_t)number) : NULL;

    if (!copy)
        return;
    if (gf_handover_goes_on())
        glog_warning("the new process has no room for a connection; the others stay until they end here");
    gf_handover_end();
    take_back(copy);
    free(copy);
}

/* ---- the copies ---- */

/* Those whose messages have at most this number. */
static struct copy *take_copies(uint64_t most)
{
    struct copy *copies = NULL, **link;

    pthread_mutex_lock(&handover.lock);
    for (link = &handover.copies; *link;) {
        struct copy *copy = *link;

        if (copy->number > most) {
            link = &copy->next;
            continue;
        }
        *link = copy->next;
        copy->next = copies;
        copies = copy;
    }
    pthread_mutex_unlock(&handover.lock);
    return copies;
}

static void close_copies(struct copy *copies)
{
    for (struct copy *copy = copies, *next; copy; copy = next) {
        next = copy->next;
        close(copy->fd);
        free(copy);
    }
}

void gf_handover_forget(void)
{
    close_copies(take_copies(UINT64_MAX));
}

bool gf_handover_keeps_copies(void)
{
    bool keeps;

    pthread_mutex_lock(&handover.lock);
    keeps = handover.copies != NULL;
    pthread_mutex_unlock(&handover.lock);
    return keeps;
}

void gf_handover_trust(void)
{
    pthread_mutex_lock(&handover.lock);
    handover.trusted = true;
    pthread_mutex_unlock(&handover.lock);
}

void gf_handover_ask(int control)
{
    struct cJSON *message = cJSON_CreateObject();

    pthread_mutex_lock(&handover.lock);
    if (handover.trusted && handover.copies && !handover.asked && cJSON_AddStringToObject(message, "type", "ping") &&
        cJSON_AddNumberToObject(message, "number", (double)handover.number) &&
        !gf_channel_send(control, message, NULL, 0))
        handover.asked = handover.number;
    pthread_mutex_unlock(&handover.lock);
    cJSON_Delete(message);
}

/* The channel keeps the order: what was sent before the question has been taken, or has come back. */
void gf_handover_hear_answer(const struct cJSON *message)
{
    double number = number_of(message, "number");
    bool ours;

    pthread_mutex_lock(&handover.lock);
    ours = handover.asked && number == (double)handover.asked; /* over our channel others may have asked too */
    if (ours)
        handover.asked = 0;
    pthread_mutex_unlock(&handover.lock);
    if (ours)
        close_copies(take_copies((uint64_t)number));
}

/* Nobody has read of it what we have not; see engine/release.c for the order of the two questions. */
static bool is_untouched(const struct copy *copy)
{
    struct gf_tcp_facts facts;
    int unread = 0;

    return !ioctl(copy->fd, FIONREAD, &unread) && gf_tcp_facts(copy->fd, &facts) && facts.established &&
           facts.received - (uint64_t)(unsigned)unread == copy->consumed;
}

unsigned gf_handover_take_back(unsigned *ret_lost)
{
    struct copy *copy = take_copies(UINT64_MAX), *next;
    unsigned taken = 0, lost = 0;

    for (; copy; copy = next) {
        next = copy->next;
        if (!is_untouched(copy)) {
            close(copy->fd);
            lost++;
        } else if (!take_back(copy)) {
            taken++;
        } else {
            lost++;
        }
        free(copy);
    }
    *ret_lost = lost;
    return taken;
}

/* ---- arriving ---- */

int gf_handover_accept(const struct cJSON *message, int fd)
{
    const char *name = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(message, "server"));
    double consumed = number_of(message, "consumed");
    struct sockaddr_storage local;
    ghttp_server *s = get_local_address(fd, &local) ? gf_offer_find_server(&local, name) : NULL;

    if (!s || consumed < 0) {
        close(fd);
        return s ? -EINVAL : -ENOENT;
    }
    return gf_engine_adopt(&s->service, fd, (uint64_t)consumed);
}

struct cJSON *gf_handover_refusal(const struct cJSON *message)
{
    struct cJSON *refusal = cJSON_CreateObject();

    if (cJSON_AddStringToObject(refusal, "type", "returned") &&
        cJSON_AddNumberToObject(refusal, "number", number_of(message, "number")))
        return refusal;
    cJSON_Delete(refusal);
    return NULL;
}
