#include "lane.h"

#include <errno.h>
#include <microhttpd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include <gf/glog/glog.h>

#include "address_counts.h"
#include "exchange.h"
#include "service.h"
#include "standstill.h"
#include "tls.h"
#include "worker.h"

/* libmicrohttpd's own limit must never be the one that acts: it closes without an answer. */
#define CONNECTIONS_MAX (1u << 20)
/*
 * A connection's memory holds the request's head, its parsed form, a second copy of its cookies, and the answer's
 * head. libmicrohttpd clears all of it for each request: with its default of 32 KiB that alone cost a tenth of the
 * throughput, the more so as 64 connections of that size fall out of a core's cache. Twice the largest head is
 * enough; an answer that does not fit beside a rare head becomes a 500 (exchange.c).
 */
#define POOL_MIN 16384
/* Turns in a row in which libmicrohttpd wants to be run again and has not called back: those of an answer that goes out
 * record by record, or a connection that stands still (standstill.h). */
#define FRUITLESS_TURNS 64
/* Over TLS it wants that also for a client that pauses in a body. So often it is run then, where no answer goes out. */
#define FRUITLESS_PAUSE_MS 2

static void notify_connection(void *cls, struct MHD_Connection *mhd, void **context,
                              enum MHD_ConnectionNotificationCode what)
{
    struct gf_lane *lane = cls;

    lane->called = true;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = gf_connection_new(lane, mhd);
        if (lane->tls)
            gf_tls_begin(lane->service->tls, mhd);
    } else if (*context) {
        gf_connection_free(*context);
        *context = NULL;
    }
}

static void notify_completed(void *cls, struct MHD_Connection *mhd, void **context, enum MHD_RequestTerminationCode how)
{
    struct gf_lane *lane = cls;

    (void)mhd;
    lane->called = true;
    if (*context)
        gf_exchange_end(*context, how == MHD_REQUEST_TERMINATED_COMPLETED_OK);
    *context = NULL;
}

static void *begin_request(void *cls, const char *target, struct MHD_Connection *mhd)
{
    return gf_exchange_begin(cls, mhd, target);
}

static enum MHD_Result handle(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                              const char *version, const char *data, size_t *size, void **context)
{
    struct gf_lane *lane = cls;

    (void)mhd;
    (void)url;
    lane->called = true;
    if (!*context || gf_exchange_receive(*context, method, version, data, size) < 0)
        return MHD_NO;
    return MHD_YES;
}

/* The target is decoded by the message floor, which can tell %2F from / and refuse a NUL. */
static size_t leave_escaped(void *cls, struct MHD_Connection *mhd, char *text)
{
    (void)cls;
    (void)mhd;
    return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void log_from_library(void *cls, const char *format, va_list arguments)
{
    char line[512];
    size_t length;

    (void)cls;
    vsnprintf(line, sizeof(line), format, arguments);
    length = strlen(line);
    if (length && line[length - 1] == '\n')
        line[length - 1] = 0;
    glog_debug("libmicrohttpd: %s", line);
}

size_t gf_lane_memory(const struct gf_lane *lane)
{
    size_t needed = 2 * lane->service->limits.header;

    return needed < POOL_MIN ? POOL_MIN : needed;
}

static struct MHD_Daemon *start_daemon(struct gf_lane *lane)
{
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}};

    /* Without TURBO, libmicrohttpd says gnutls_bye() for TLS. With it, it spares plain connections two system
     * calls and leaves the orderly close to us (close_gently). */
    flags |= lane->tls ? MHD_USE_TLS : MHD_USE_TURBO;
    if (lane->tls)
        gf_tls_options(lane->service->tls, tls);
    return MHD_start_daemon(
        flags, 0, NULL, NULL, handle, lane, MHD_OPTION_EXTERNAL_LOGGER, log_from_library, NULL,
        MHD_OPTION_NOTIFY_COMPLETED, notify_completed, lane, MHD_OPTION_NOTIFY_CONNECTION, notify_connection, lane,
        MHD_OPTION_URI_LOG_CALLBACK, begin_request, lane, MHD_OPTION_UNESCAPE_CALLBACK, leave_escaped, NULL,
        MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT, gf_lane_memory(lane),
        MHD_OPTION_CONNECTION_TIMEOUT, 0u, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static int watch_daemon(struct gf_lane *lane)
{
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(lane->daemon, MHD_DAEMON_INFO_EPOLL_FD);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = lane};

    if (!info)
        return -ENOTSUP;
    lane->epoll_fd = info->epoll_fd;
    return epoll_ctl(lane->worker->epoll_fd, EPOLL_CTL_ADD, lane->epoll_fd, &event) < 0 ? -errno : 0;
}

int gf_lane_new(struct gf_worker *worker, struct gf_service *service, bool tls, struct gf_lane **ret_lane, char *error,
                size_t error_size)
{
    struct gf_lane *lane = calloc(1, sizeof(*lane));
    int result = -ENOMEM;

    if (!lane)
        goto fail;
    lane->watch.kind = GF_WATCH_LANE;
    lane->worker = worker;
    lane->service = service;
    lane->tls = tls;
    for (enum gf_wait wait = 0; wait < GF_WAITS; wait++)
        TAILQ_INIT(&lane->waits[wait]);
    errno = 0;
    lane->daemon = start_daemon(lane);
    if (!lane->daemon) {
        result = errno ? -errno : -ENOMEM;
        goto fail;
    }
    result = watch_daemon(lane);
    if (result < 0)
        goto fail_daemon;
    LIST_INSERT_HEAD(&worker->lanes, lane, in_worker);
    *ret_lane = lane;
    return 0;
fail_daemon:
    MHD_stop_daemon(lane->daemon);
fail:
    free(lane);
    snprintf(error, error_size, "cannot set %s up: %s", tls ? "HTTPS" : "HTTP", strerror(-result));
    return result;
}

void gf_lane_free(struct gf_lane *lane)
{
    LIST_REMOVE(lane, in_worker);
    epoll_ctl(lane->worker->epoll_fd, EPOLL_CTL_DEL, lane->epoll_fd, NULL);
    MHD_stop_daemon(lane->daemon);
    free(lane);
}

/*
 * sendfile() knows no MSG_NOSIGNAL: to a client that has gone it would raise SIGPIPE, which is the program's. It is
 * blocked meanwhile, and taken away if it came.
 */
static void run_without_sigpipe(struct gf_lane *lane)
{
    const struct timespec now = {.tv_sec = 0};
    sigset_t sigpipe, before;

    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &sigpipe, &before);
    MHD_run(lane->daemon);
    if (sigismember(&before, SIGPIPE) != 1) {
        while (sigtimedwait(&sigpipe, NULL, &now) < 0 && errno == EINTR)
            continue;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
}

static void watch_progress(struct gf_lane *lane)
{
    lane->fruitless = lane->runnable && !lane->called ? lane->fruitless + 1 : 0;
    lane->called = false;
    lane->run_after_ms = 0;
    if (lane->fruitless < FRUITLESS_TURNS)
        return;
    if (!lane->tls) {
        lane->fruitless = 0;
        gf_standstill_end(lane);
    } else if (TAILQ_EMPTY(&lane->waits[GF_WAIT_WRITE])) {
        lane->runnable = false;
        lane->run_after_ms = lane->worker->now_ms + FRUITLESS_PAUSE_MS;
    }
}

bool gf_lane_is_due(const struct gf_lane *lane)
{
    return lane->runnable || (lane->run_after_ms && lane->run_after_ms <= lane->worker->now_ms);
}

int64_t gf_lane_next_run(const struct gf_lane *lane)
{
    return lane->runnable ? 0 : lane->run_after_ms ? lane->run_after_ms : INT64_MAX;
}

void gf_lane_run(struct gf_lane *lane)
{
    MHD_UNSIGNED_LONG_LONG timeout;

    if (lane->files)
        run_without_sigpipe(lane);
    else
        MHD_run(lane->daemon);
    lane->runnable = MHD_get_timeout(lane->daemon, &timeout) == MHD_YES && !timeout;
    watch_progress(lane);
}

int gf_lane_add(struct gf_lane *lane, int fd, const struct sockaddr_storage *peer, socklen_t size, uint64_t address_key,
                bool adopted, uint64_t consumed)
{
    bool added;

    lane->accepting_key = address_key;
    lane->adopting = adopted;
    lane->accepting_consumed = consumed;
    lane->accepting = true;
    added = MHD_add_connection(lane->daemon, fd, (const struct sockaddr *)peer, size) == MHD_YES;
    if (lane->accepting && lane->service->address_counts)
        gf_address_counts_leave(lane->service->address_counts, address_key);
    lane->accepting = false;
    lane->runnable = true;
    return added ? 0 : -ENOMEM;
}
